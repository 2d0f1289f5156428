//! What the operator decides.

use std::{fmt, sync::Arc, time::Duration};

use donjon_domain::SecretBytes;
use donjon_http_client::{BoxError, InvalidUrl, TlsError, TlsFiles};

/// How to reach a server.
#[derive(Debug)]
pub struct ServerConfig {
    /// URL of the server, without `/v1`.
    pub url: String,
    /// The namespace, where the server has several.
    pub namespace: Option<String>,
    /// How to be let in.
    pub login: Login,
    /// Certificates, for an `https` URL.
    pub tls: TlsFiles,
    /// How long one call may take, with a log-in where that is due.
    pub patience: Duration,
    /// How long a server that fails is left alone.
    pub rest: Duration,
}

/// How to be let in.
#[derive(Debug)]
pub enum Login {
    /// With a token, which is renewed as long as the server renews it.
    Token(SecretSource),
    /// As an application.
    AppRole {
        /// Where the method is mounted; mostly `approle`.
        mount: String,
        /// Its id.
        role_id: String,
        /// Its secret.
        secret_id: SecretSource,
    },
}

/// Where a token or secret comes from; asked for each log-in, so that what is
/// in a file may be replaced.
pub struct SecretSource(Box<Read>);

type Read = dyn Fn() -> Result<Arc<SecretBytes>, BoxError> + Send + Sync;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL is none of a server.
    #[error("url")]
    Url(#[source] InvalidUrl),
    /// A certificate or key cannot be used.
    #[error("certificates")]
    Tls(#[source] TlsError),
    /// A mount, a prefix, a key or a namespace is no path.
    #[error("{0} has to be a path of letters, digits, - and _, with slashes between")]
    Path(&'static str),
}

impl SecretSource {
    /// A secret that is always the same.
    #[must_use]
    pub fn given(secret: Arc<SecretBytes>) -> Self {
        Self::from_fn(move || Ok(Arc::clone(&secret)))
    }

    /// What a function reads. It may block on a file for a moment.
    #[must_use]
    pub fn from_fn(
        read: impl Fn() -> Result<Arc<SecretBytes>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(read))
    }

    pub(crate) fn read(&self) -> Result<Arc<SecretBytes>, BoxError> {
        (self.0)()
    }
}

/// Whether this is a path of plain segments, as mounts and keys are here:
/// whatever it is put into stays one path.
#[must_use]
pub fn is_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        !segment.is_empty() && segment.chars().all(known)
    };
    path.split('/').all(is_segment)
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSource").finish_non_exhaustive()
    }
}
