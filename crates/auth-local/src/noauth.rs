//! Believes what the headers say: for a laptop, a test, or behind a proxy that
//! has authenticated already. The server refuses it beyond loopback.

use donjon_domain::{
    Actor, ProjectId, Scope, UserId,
    ports::{AuthError, AuthErrorKind, Authenticator, BoxFuture, Credential},
};

/// Takes the caller from the identity headers, unchecked.
///
/// - Project: `X-Project-Id`, else the tenant in the path, else the request is
///   refused. A header that differs from the tenant stays the caller's project.
/// - Roles: `X-Roles`, split at commas, in lower case; without any: admin,
///   member and reader. (Barbican gives admin alone, which its own default
///   rules refuse.)
/// - User: `X-User-Id`, if there is one.
/// - A caller with `X-Domain-Id` is scoped to a domain.
/// - Names of projects, users and roles have at most 255 characters, as in
///   Barbican's and Keystone's tables, and no control characters, for they stand
///   in logs and lists; others are refused.
///
/// # Source
/// Barbican's API guide, unauthenticated context.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuth;

impl NoAuth {
    fn actor(credential: &Credential<'_>) -> Result<Actor, AuthError> {
        let project = present(credential.project)
            .or(present(credential.tenant))
            .ok_or_else(|| AuthError::new(AuthErrorKind::MissingProject))?;
        let user = present(credential.user);
        let domain = present(credential.domain);
        let roles = roles(credential.roles);
        let names = roles.iter().map(String::as_str);
        if names.chain(user).chain([project]).any(is_invalid) {
            return Err(AuthError::new(AuthErrorKind::InvalidName));
        }
        Ok(Actor {
            user: user.map(UserId::new),
            project: ProjectId::new(project),
            roles,
            scope: domain.map_or(Scope::Project, |_| Scope::Domain),
            identity: None,
        })
    }
}

impl Authenticator for NoAuth {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        Box::pin(std::future::ready(Self::actor(&credential)))
    }
}

/// An empty header says as much as none.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn roles(header: Option<&str>) -> Vec<String> {
    let header = present(header).unwrap_or(ROLES_DEFAULT);
    header
        .split(',')
        .map(|role| role.trim().to_lowercase())
        .filter(|role| !role.is_empty())
        .collect()
}

fn is_invalid(name: &str) -> bool {
    name.chars().nth(NAME_CHARS_MAX).is_some() || name.contains(char::is_control)
}

const NAME_CHARS_MAX: usize = 255;
const ROLES_DEFAULT: &str = "admin,member,reader";

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(credential: Credential<'_>) -> Result<Actor, AuthErrorKind> {
        NoAuth::actor(&credential).map_err(|error| error.kind())
    }

    fn with_project() -> Credential<'static> {
        Credential {
            project: Some("p"),
            ..Credential::default()
        }
    }

    #[test]
    fn headers_are_believed() {
        let found = actor(Credential {
            user: Some("u"),
            roles: Some("Creator, AUDIT ,"),
            ..with_project()
        });
        let expected = Actor {
            user: Some(UserId::new("u")),
            project: ProjectId::new("p"),
            roles: vec!["creator".to_owned(), "audit".to_owned()],
            scope: Scope::Project,
            identity: None,
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn without_roles_all_three() {
        for roles in [None, Some("")] {
            let found = actor(Credential {
                roles,
                ..with_project()
            });
            assert_eq!(found.unwrap().roles, ["admin", "member", "reader"]);
        }
    }

    #[test]
    fn commas_alone_are_no_roles() {
        let found = actor(Credential {
            roles: Some(" , ,"),
            ..with_project()
        });
        assert_eq!(found.unwrap().roles, Vec::<String>::new());
    }

    #[test]
    fn an_empty_user_is_none() {
        let found = actor(Credential {
            user: Some(""),
            ..with_project()
        });
        assert_eq!(found.unwrap().user, None);
    }

    #[test]
    fn names_have_a_longest_and_no_control_characters() {
        let refused = Err(AuthErrorKind::InvalidName);
        for (name, expected) in [
            ("é".repeat(255), Ok(())),
            ("é".repeat(256), refused),
            ("a\tb".to_owned(), refused),
            ("a\u{1b}[2Jb".to_owned(), refused),
            ("a\u{9b}b".to_owned(), refused),
        ] {
            let name = name.as_str();
            let list = format!("member,{name}");
            let credentials = [
                Credential {
                    project: Some(name),
                    ..Credential::default()
                },
                Credential {
                    tenant: Some(name),
                    ..Credential::default()
                },
                Credential {
                    user: Some(name),
                    ..with_project()
                },
                Credential {
                    roles: Some(&list),
                    ..with_project()
                },
            ];
            for credential in credentials {
                let found = actor(credential).map(|_| ());
                assert_eq!(found, expected, "{credential:?}");
            }
        }
    }

    #[test]
    fn a_project_is_required() {
        for project in [None, Some("")] {
            let found = actor(Credential {
                project,
                ..Credential::default()
            });
            assert_eq!(found, Err(AuthErrorKind::MissingProject));
        }
    }

    #[test]
    fn the_tenant_stands_in_for_the_project() {
        for project in [None, Some("")] {
            let found = actor(Credential {
                project,
                tenant: Some("12345"),
                ..Credential::default()
            });
            assert_eq!(found.unwrap().project, ProjectId::new("12345"));
        }
    }

    #[test]
    fn another_project_than_the_tenant_stays_visible() {
        let found = actor(Credential {
            tenant: Some("12345"),
            ..with_project()
        });
        assert_eq!(found.unwrap().project, ProjectId::new("p"));
    }

    #[test]
    fn a_domain_changes_the_scope() {
        for (domain, scope) in [("", Scope::Project), ("d", Scope::Domain)] {
            let found = actor(Credential {
                domain: Some(domain),
                ..with_project()
            });
            assert_eq!(found.unwrap().scope, scope);
        }
    }
}
