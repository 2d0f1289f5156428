//! What every `Authenticator` that checks tokens has to do.

use donjon_domain::{
    Actor,
    ports::{AuthErrorKind, Authenticator, Credential},
};

use crate::block_on;

/// What the facts need: an authenticator that knows one token.
pub trait AuthenticatorCase {
    /// The authenticator.
    fn authenticator(&self) -> &dyn Authenticator;

    /// The token that it knows.
    fn token(&self) -> &str;

    /// Whose token that is.
    fn actor(&self) -> Actor;
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of an [`AuthenticatorCase`].
#[macro_export]
macro_rules! authenticator_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            authenticator {
                a_token_tells_who_it_is,
                other_tokens_are_refused,
                identity_headers_are_not_believed,
            }
        }
    };
}

/// The token is that of its actor, again and again.
pub fn a_token_tells_who_it_is(case: &dyn AuthenticatorCase) {
    for _ in 0..2 {
        check(case, with_token(case.token()), Ok(case.actor()));
    }
}

/// No token, an empty one, and whatever is not exactly the token.
pub fn other_tokens_are_refused(case: &dyn AuthenticatorCase) {
    let refused = Err(AuthErrorKind::Unauthenticated);
    check(case, Credential::default(), refused.clone());
    let token = case.token();
    let mut shorter = token.to_owned();
    let last = shorter.pop().expect("a token is not empty");
    let other = format!("{shorter}{}", if last == 'A' { 'B' } else { 'A' });
    for wrong in [
        "",
        " ",
        "no such token",
        &shorter,
        &other,
        &format!("{token}A"),
        &format!(" {token}"),
    ] {
        check(case, with_token(wrong), refused.clone());
    }
}

/// Whoever has a token is who the token says, whatever the headers say; and
/// headers alone are nobody.
pub fn identity_headers_are_not_believed(case: &dyn AuthenticatorCase) {
    let headers = Credential {
        token: None,
        project: Some("elsewhere"),
        user: Some("root"),
        roles: Some("admin"),
        domain: Some("default"),
        ..Credential::default()
    };
    check(case, headers, Err(AuthErrorKind::Unauthenticated));
    let beside = Credential {
        token: Some(case.token()),
        ..headers
    };
    check(case, beside, Ok(case.actor()));
}

fn with_token(token: &str) -> Credential<'_> {
    Credential {
        token: Some(token),
        ..Credential::default()
    }
}

fn check(
    case: &dyn AuthenticatorCase,
    credential: Credential<'_>,
    expected: Result<Actor, AuthErrorKind>,
) {
    let found = block_on(case.authenticator().authenticate(credential));
    assert_eq!(found.map_err(|error| error.kind()), expected);
}
