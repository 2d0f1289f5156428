//! What the operator decides.

use std::time::Duration;

use donjon_domain::SecretBytes;
use donjon_http_client::{InvalidUrl, TlsError, TlsFiles};

/// How to reach a server, and where payloads stand in it.
#[derive(Debug)]
pub struct VaultConfig {
    /// URL of the server, without `/v1`.
    pub url: String,
    /// Where the KV v2 engine is mounted: path segments with slashes between.
    pub mount: String,
    /// What all entries begin with: likewise.
    pub prefix: String,
    /// The namespace, where the server has several.
    pub namespace: Option<String>,
    /// How to be let in.
    pub login: Login,
    /// Certificates, for an `https` URL.
    pub tls: TlsFiles,
    /// How long one call may take, with a login where that is due.
    pub patience: Duration,
}

/// How to be let in.
#[derive(Debug)]
pub enum Login {
    /// With a token, which is renewed as long as the server renews it.
    Token(SecretBytes),
    /// As an application.
    AppRole {
        /// Where the method is mounted; mostly `approle`.
        mount: String,
        /// Its id.
        role_id: String,
        /// Its secret.
        secret_id: SecretBytes,
    },
}

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
    /// A mount, a prefix or a namespace is no path.
    #[error("{0} has to be a path of letters, digits, - and _, with slashes between")]
    Path(&'static str),
    /// The token or secret cannot be sent.
    #[error("the token or secret is not of printable ASCII characters")]
    Credential,
}
