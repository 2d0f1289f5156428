//! The authenticator: from what a request carries to who is asking.

use std::fmt;

use crate::{
    Actor,
    ports::{BoxError, BoxFuture},
};

/// What a request says about its sender. Texts are as they came; `None` and an
/// empty text mean the same. Only an authenticator may read the identity
/// headers, and only the one without authentication believes them.
#[derive(Clone, Copy, Default)]
pub struct Credential<'a> {
    /// `X-Auth-Token`.
    pub token: Option<&'a str>,
    /// `X-Service-Token`: of the service that passes a user's request on.
    pub service_token: Option<&'a str>,
    /// `X-Project-Id`, or its older names.
    pub project: Option<&'a str>,
    /// `X-User-Id`, or its older name.
    pub user: Option<&'a str>,
    /// `X-Roles`, or its older name: role names separated by commas.
    pub roles: Option<&'a str>,
    /// `X-Domain-Id`.
    pub domain: Option<&'a str>,
    /// The project in the path, for requests of the oldest form.
    pub tenant: Option<&'a str>,
    /// The method of the request, for credentials that are good for some
    /// requests alone.
    pub method: &'a str,
    /// The path of the request as clients see it, percent-decoded.
    pub path: &'a str,
}

/// Tells who is asking.
pub trait Authenticator: Send + Sync {
    /// Finds the caller, or why there is none. May ask storage or a remote
    /// service; never blocks its thread for longer than a point read.
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>>;

    /// Whether a token has a form that only this authenticator gives out, so
    /// that nobody else need be asked about it, or may see it. Says nothing of
    /// whether it is valid.
    fn recognises(&self, token: &str) -> bool {
        let _ = token;
        false
    }
}

/// There is no caller.
#[derive(Debug)]
pub struct AuthError {
    kind: AuthErrorKind,
    source: Option<BoxError>,
}

/// Why there is no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// No credential, or one that is not (or no longer) valid.
    Unauthenticated,
    /// Without authentication the request has to name a project, and does not.
    MissingProject,
    /// Without authentication: a name that the request gives is too long, or has control characters.
    InvalidName,
    /// Nobody can tell now; try again.
    Unavailable,
}

impl AuthError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: AuthErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: AuthErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// Why there is no caller.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AuthErrorKind::Unauthenticated => "no valid credential",
            AuthErrorKind::MissingProject => "no project named",
            AuthErrorKind::InvalidName => "a name is too long or has control characters",
            AuthErrorKind::Unavailable => "credential cannot be checked now",
        })
    }
}

impl std::error::Error for AuthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("token", &self.token.map(|_| "..."))
            .field("service_token", &self.service_token.map(|_| "..."))
            .field("project", &self.project)
            .field("user", &self.user)
            .field("roles", &self.roles)
            .field("domain", &self.domain)
            .field("tenant", &self.tenant)
            .field("method", &self.method)
            .field("path", &self.path)
            .finish()
    }
}
