//! What the operator decides.

use std::time::Duration;

use donjon_domain::SecretBytes;
use donjon_http_client::TlsFiles;

/// How to reach a Keystone, and what to make of its answers. Names are those of
/// `[keystone_authtoken]`.
#[derive(Debug)]
pub struct KeystoneConfig {
    /// URL of Keystone's public or internal endpoint, with or without `/v3`.
    pub auth_url: String,
    /// Who asks.
    pub credential: ServiceCredential,
    /// Certificates, for an `https` URL.
    pub tls: TlsFiles,
    /// Validates at the identity endpoint with this interface in the catalog of
    /// the own token, instead of at `auth_url`: `public`, `internal` or `admin`.
    pub interface: Option<String>,
    /// The region of that endpoint; `None` is any.
    pub region_name: Option<String>,
    /// How long an answer is believed, unless the token ends earlier.
    pub token_cache_time: Duration,
    /// The type that this service has in the catalog. Without it, application
    /// credentials with access rules are refused.
    pub service_type: Option<String>,
    /// Role names of services that may act for users; compared without regard
    /// to case.
    pub service_token_roles: Vec<String>,
    /// Whether a service token without one of these roles is refused, instead
    /// of having no effect.
    pub service_token_roles_required: bool,
    /// Times.
    pub patience: Patience,
}

/// The credential by which this service gets its own token.
#[derive(Debug)]
pub enum ServiceCredential {
    /// A user with a password, on a project.
    Password {
        /// Name of the user.
        username: String,
        /// Name of its domain.
        user_domain_name: String,
        /// UTF-8.
        password: SecretBytes,
        /// Name of the project.
        project_name: String,
        /// Name of the domain of the project.
        project_domain_name: String,
    },
    /// An application credential.
    ApplicationCredential {
        /// Its id.
        id: String,
        /// UTF-8.
        secret: SecretBytes,
    },
}

/// How long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection stands, with TLS.
    pub connect: Duration,
    /// For one token, over all tries.
    pub call: Duration,
    /// For a request, which may have two tokens.
    pub request: Duration,
    /// How long a refusal by Keystone is believed.
    pub refusal: Duration,
    /// How long Keystone is left alone after [`Self::failures`] failures in a row.
    pub rest: Duration,
    /// At least 1.
    pub failures: u32,
}

impl Default for Patience {
    /// Everything is answered within 3 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            call: Duration::from_millis(2_500),
            request: Duration::from_millis(2_800),
            refusal: Duration::from_secs(10),
            rest: Duration::from_secs(5),
            failures: 3,
        }
    }
}

impl KeystoneConfig {
    /// A configuration with the defaults of keystonemiddleware: answers are
    /// believed for 300 seconds, and services have the role `service`.
    #[must_use]
    pub fn new(auth_url: impl Into<String>, credential: ServiceCredential) -> Self {
        Self {
            auth_url: auth_url.into(),
            credential,
            tls: TlsFiles::default(),
            interface: None,
            region_name: None,
            token_cache_time: Duration::from_secs(300),
            service_type: None,
            service_token_roles: vec!["service".to_owned()],
            service_token_roles_required: false,
            patience: Patience::default(),
        }
    }
}
