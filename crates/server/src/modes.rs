//! Several ways to tell who is asking, side by side.

use std::{fmt, sync::Arc};

use donjon_domain::{
    Actor,
    ports::{AuthError, AuthErrorKind, Authenticator, BoxFuture, Credential},
};

/// The first that knows a credential decides. A token whose form only one of
/// them gives out is shown to nobody else.
pub(crate) struct Modes(Vec<Arc<dyn Authenticator>>);

impl Modes {
    pub(crate) fn new(modes: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(modes)
    }

    async fn decide(&self, credential: Credential<'_>) -> Result<Actor, AuthError> {
        let knows = |token: Option<&str>| {
            let token = token?;
            self.0.iter().find(|mode| mode.recognises(token))
        };
        if let Some(mode) = knows(credential.token) {
            return mode.authenticate(credential).await;
        }
        // Nobody else may see it, and as a service token it means nothing.
        if knows(credential.service_token).is_some() {
            return Err(AuthError::new(AuthErrorKind::Unauthenticated));
        }
        let mut refusal = AuthError::new(AuthErrorKind::Unauthenticated);
        for mode in &self.0 {
            match mode.authenticate(credential).await {
                Err(error) if error.kind() == AuthErrorKind::Unauthenticated => refusal = error,
                decided => return decided,
            }
        }
        Err(refusal)
    }
}

impl Authenticator for Modes {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        Box::pin(self.decide(credential))
    }

    fn recognises(&self, token: &str) -> bool {
        self.0.iter().any(|mode| mode.recognises(token))
    }
}

impl fmt::Debug for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Modes").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use donjon_testkit::{block_on, sample};

    use super::*;

    /// Knows one token, and recognises those with its prefix.
    struct Mode {
        token: &'static str,
        prefix: Option<&'static str>,
        is_away: bool,
        seen: Mutex<Vec<String>>,
    }

    impl Mode {
        fn new(token: &'static str, prefix: Option<&'static str>) -> Self {
            Self {
                token,
                prefix,
                is_away: false,
                seen: Mutex::default(),
            }
        }

        fn seen(&self) -> Vec<String> {
            std::mem::take(&mut self.seen.lock().unwrap())
        }
    }

    impl Authenticator for Mode {
        fn authenticate<'a>(
            &'a self,
            credential: Credential<'a>,
        ) -> BoxFuture<'a, Result<Actor, AuthError>> {
            let tokens = [credential.token, credential.service_token];
            let tokens = tokens.into_iter().flatten().map(str::to_owned);
            self.seen.lock().unwrap().extend(tokens);
            let kind = if self.is_away {
                AuthErrorKind::Unavailable
            } else {
                AuthErrorKind::Unauthenticated
            };
            let found = credential.token == Some(self.token);
            let actor = found.then(|| sample::actor(self.token, "u"));
            Box::pin(std::future::ready(actor.ok_or(AuthError::new(kind))))
        }

        fn recognises(&self, token: &str) -> bool {
            self.prefix.is_some_and(|prefix| token.starts_with(prefix))
        }
    }

    fn ask(modes: &Modes, token: &str, service: Option<&str>) -> Result<String, AuthErrorKind> {
        let credential = Credential {
            token: Some(token),
            service_token: service,
            ..Credential::default()
        };
        let found = block_on(modes.authenticate(credential));
        let project = found.map(|actor| actor.project.as_str().to_owned());
        project.map_err(|error| error.kind())
    }

    #[test]
    fn the_first_that_knows_decides_and_nobody_else_sees_it() {
        let local = || Arc::new(Mode::new("djn_x", Some("djn_")));
        let remote = || Arc::new(Mode::new("keystone", None));
        let refused = Err(AuthErrorKind::Unauthenticated);
        for is_local_first in [true, false] {
            let (local, remote) = (local(), remote());
            let modes: Vec<Arc<dyn Authenticator>> = if is_local_first {
                vec![local.clone(), remote.clone()]
            } else {
                vec![remote.clone(), local.clone()]
            };
            let modes = Modes::new(modes);
            assert_eq!(ask(&modes, "djn_x", None).as_deref(), Ok("djn_x"));
            assert_eq!(ask(&modes, "djn_y", None), refused);
            assert!(remote.seen().is_empty());
            assert_eq!(ask(&modes, "keystone", None).as_deref(), Ok("keystone"));
            assert_eq!(ask(&modes, "other", None), refused);
            assert_eq!(remote.seen(), ["keystone", "other"]);
            assert_eq!(ask(&modes, "keystone", Some("djn_x")), refused);
            assert!(remote.seen().is_empty());
            assert!(modes.recognises("djn_z") && !modes.recognises("z"));
        }
    }

    #[test]
    fn an_outage_of_one_is_none_of_the_other() {
        let local = Arc::new(Mode::new("djn_x", Some("djn_")));
        let mut away = Mode::new("keystone", None);
        away.is_away = true;
        let modes = Modes::new(vec![Arc::new(away), local]);
        assert!(ask(&modes, "djn_x", None).is_ok());
        assert_eq!(ask(&modes, "nobody", None), Err(AuthErrorKind::Unavailable));
    }
}
