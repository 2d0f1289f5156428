//! What can go wrong.

use std::sync::Arc;

use donjon_domain::ports::BoxError;
use donjon_http_client::{HttpError, InvalidUrl, TlsError};

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// `auth_url` is no URL of a Keystone.
    #[error("auth_url")]
    AuthUrl(#[source] InvalidUrl),
    /// A certificate or key cannot be used.
    #[error("certificates for Keystone")]
    Tls(#[source] TlsError),
    /// The password or secret is not UTF-8.
    #[error("the password or secret is not UTF-8")]
    CredentialNotText,
}

/// Why Keystone cannot say anything about a token. None holds a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoneError {
    /// No connection.
    #[error("keystone cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The connection ended, or what came was no HTTP.
    #[error("keystone did not answer to the end")]
    Broken(#[source] BoxError),
    /// No answer in time.
    #[error("keystone did not answer in time")]
    Slow,
    /// Another status than those that mean something here.
    #[error("keystone answered with status {0}")]
    Status(u16),
    /// The answer is not what Keystone says.
    #[error("keystone's answer makes no sense: {0}")]
    Garbled(&'static str),
    /// The service's own credential or token is not accepted.
    #[error("keystone refuses this service's credential")]
    CredentialRefused,
    /// The service may not validate tokens.
    #[error("keystone does not let this service validate tokens")]
    NotAllowed,
    /// The service may not read projects.
    #[error(
        "keystone does not let this service read projects: it needs a role that may, such as admin"
    )]
    ProjectsNotAllowed,
    /// The catalog has no such identity endpoint.
    #[error("the catalog has no identity endpoint with this interface and region")]
    NoEndpoint,
    /// It failed so often that it is left alone for some seconds.
    #[error("keystone is left alone after it failed repeatedly")]
    Resting,
    /// Too many tokens wait already.
    #[error("too many tokens wait for keystone")]
    Busy,
    /// The validation ended without an outcome.
    #[error("the validation was given up")]
    GivenUp,
}

impl From<HttpError> for KeystoneError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unreachable(source) => Self::Unreachable(source),
            HttpError::Broken(source) | HttpError::TooLarge(source) => Self::Broken(source),
            other => Self::Broken(other.into()),
        }
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// It is not, or no longer, valid, or not for this request.
    #[error("the token is not valid")]
    Invalid,
    /// Nobody can tell now.
    #[error("the token cannot be validated now")]
    Unavailable(#[source] Arc<KeystoneError>),
}

impl From<KeystoneError> for ValidationError {
    fn from(error: KeystoneError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}
