//! An authenticator that knows the tokens it was told.

use std::{collections::BTreeMap, fmt};

use donjon_domain::{
    Actor,
    ports::{AuthError, AuthErrorKind, Authenticator, BoxFuture, Credential},
};

/// Maps tokens to callers. Reads nothing of a credential but its token.
#[derive(Clone, Default)]
pub struct FakeAuthenticator {
    actors: BTreeMap<String, Actor>,
    unavailable: bool,
}

impl FakeAuthenticator {
    /// Knows nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever shows `token` is `actor`.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>, actor: Actor) -> Self {
        self.actors.insert(token.into(), actor);
        self
    }

    /// Fails for every credential with [`AuthErrorKind::Unavailable`].
    #[must_use]
    pub fn unavailable(mut self) -> Self {
        self.unavailable = true;
        self
    }

    fn find(&self, credential: Credential<'_>) -> Result<Actor, AuthErrorKind> {
        if self.unavailable {
            return Err(AuthErrorKind::Unavailable);
        }
        credential
            .token
            .and_then(|token| self.actors.get(token))
            .cloned()
            .ok_or(AuthErrorKind::Unauthenticated)
    }
}

impl Authenticator for FakeAuthenticator {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        Box::pin(async move { self.find(credential).map_err(AuthError::new) })
    }
}

impl fmt::Debug for FakeAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAuthenticator")
            .field("tokens", &self.actors.len())
            .field("unavailable", &self.unavailable)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block_on, sample};

    #[test]
    fn an_outage_hits_every_credential() {
        let authenticator = FakeAuthenticator::new()
            .with_token("t", sample::actor("project", "user"))
            .unavailable();
        let credential = Credential {
            token: Some("t"),
            ..Credential::default()
        };
        let error = block_on(authenticator.authenticate(credential)).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Unavailable);
    }
}
