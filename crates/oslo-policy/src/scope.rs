//! What a credential is valid for, and which of it a rule asks for.

use std::fmt;

use crate::leaf::first;
use crate::value::Credentials;

/// What a credential is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One project; also what a caller with neither domain nor system counts as.
    Project,
    /// A whole domain.
    Domain,
    /// The whole cloud.
    System,
}

/// The scopes that a rule accepts. The default is all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scope {
    /// As oslo.policy finds it: from `system` or `system_scope`, then from `domain_id`.
    pub(crate) fn of(creds: &dyn Credentials) -> Self {
        let is_set = |name| first(creds, name).is_some_and(|value| value.is_truthy());
        if is_set("system") {
            Self::System
        } else if is_set("domain_id") {
            Self::Domain
        } else {
            Self::Project
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Domain => "domain",
            Self::System => "system",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Project => 1,
            Self::Domain => 2,
            Self::System => 4,
        }
    }
}

impl Scopes {
    /// All scopes.
    pub const ANY: Self = Self(7);

    /// Whether a credential of this scope is accepted.
    #[must_use]
    pub fn accept(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scope of this name, or `None` if there is none.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let scope = ALL.into_iter().find(|scope| scope.name() == name);
        scope.map(Self::from)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::ANY
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = ALL.into_iter().filter(|scope| self.accept(*scope));
        for (number, scope) in accepted.enumerate() {
            write!(f, "{}{scope}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

const ALL: [Scope; 3] = [Scope::Project, Scope::Domain, Scope::System];

#[cfg(test)]
mod tests {
    use super::{Scope, Scopes};
    use crate::value::Value;

    #[test]
    fn scope_comes_from_the_credentials() {
        let cases: [(&[(&str, Value<'_>)], Scope); 6] = [
            (&[], Scope::Project),
            (
                &[("system_scope", "".into()), ("domain_id", Value::None)],
                Scope::Project,
            ),
            (&[("domain_id", "d".into())], Scope::Domain),
            (
                &[("domain_id", "d".into()), ("system_scope", "all".into())],
                Scope::System,
            ),
            (&[("system", "all".into())], Scope::System),
            (&[("project_id", "p".into())], Scope::Project),
        ];
        for (creds, scope) in cases {
            let padding = [("", Value::None), ("", Value::None)];
            let mut both = padding;
            for (slot, pair) in both.iter_mut().zip(creds) {
                *slot = *pair;
            }
            assert_eq!(Scope::of(&both), scope, "{creds:?}");
        }
    }

    #[test]
    fn scopes_accept_what_they_name() {
        assert!(Scopes::default().accept(Scope::System));
        let scopes = Scopes::named("project")
            .unwrap()
            .or(Scopes::from(Scope::Domain));
        assert!(scopes.accept(Scope::Project) && scopes.accept(Scope::Domain));
        assert!(!scopes.accept(Scope::System));
        assert_eq!(scopes.to_string(), "project, domain");
        assert_eq!(Scopes::named("cloud"), None);
    }
}
