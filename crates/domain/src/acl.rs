//! Access control lists: who besides the project may read an entity, and
//! whether the project as a whole may.

use std::collections::BTreeSet;

use crate::{Actor, Timestamp, UserId};

/// The `read` list of one entity. An entity without one is open to its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Users of any project who may read.
    pub users: BTreeSet<UserId>,
    /// Whether members of the entity's project have access beside its creator.
    /// `false` makes the entity private.
    pub project_access: bool,
    /// When the list was first written.
    pub created: Timestamp,
    /// When the list was last written.
    pub updated: Timestamp,
}

/// What a client asks to change. `None` parts were not mentioned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AclChange {
    /// New list of users.
    pub users: Option<BTreeSet<UserId>>,
    /// New value of [`Acl::project_access`].
    pub project_access: Option<bool>,
}

impl Acl {
    /// Whether the list names the caller.
    #[must_use]
    pub fn lists(&self, actor: &Actor) -> bool {
        actor
            .user
            .as_ref()
            .is_some_and(|user| self.users.contains(user))
    }

    /// The list after a full replacement: what is not mentioned takes its
    /// default (no users, open to the project).
    #[must_use]
    pub fn replaced(old: Option<&Self>, change: AclChange, now: Timestamp) -> Self {
        Self {
            users: change.users.unwrap_or_default(),
            project_access: change.project_access.unwrap_or(true),
            created: old.map_or(now, |acl| acl.created),
            updated: now,
        }
    }

    /// The list after a partial change: what is not mentioned stays, or takes
    /// its default where there was no list.
    #[must_use]
    pub fn patched(old: Option<&Self>, change: AclChange, now: Timestamp) -> Self {
        let users = change.users.or_else(|| old.map(|acl| acl.users.clone()));
        let project_access = change
            .project_access
            .or_else(|| old.map(|acl| acl.project_access));
        Self::replaced(
            old,
            AclChange {
                users,
                project_access,
            },
            now,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Timestamp = Timestamp::from_micros(1);
    const T2: Timestamp = Timestamp::from_micros(2);

    fn users(names: &[&str]) -> BTreeSet<UserId> {
        names.iter().map(|name| UserId::new(*name)).collect()
    }

    #[test]
    fn replacing_resets_what_is_not_mentioned() {
        let old = Acl {
            users: users(&["u"]),
            project_access: false,
            created: T1,
            updated: T1,
        };
        let new = Acl::replaced(Some(&old), AclChange::default(), T2);
        assert_eq!(
            new,
            Acl {
                users: users(&[]),
                project_access: true,
                created: T1,
                updated: T2
            }
        );
    }

    #[test]
    fn patching_keeps_what_is_not_mentioned() {
        let old = Acl {
            users: users(&["u"]),
            project_access: false,
            created: T1,
            updated: T1,
        };
        let change = AclChange {
            users: None,
            project_access: Some(true),
        };
        let new = Acl::patched(Some(&old), change, T2);
        assert_eq!(
            new,
            Acl {
                users: users(&["u"]),
                project_access: true,
                created: T1,
                updated: T2
            }
        );
    }

    #[test]
    fn patching_nothing_creates_with_defaults() {
        let change = AclChange {
            users: Some(users(&["a"])),
            project_access: None,
        };
        let new = Acl::patched(None, change, T2);
        assert_eq!(
            new,
            Acl {
                users: users(&["a"]),
                project_access: true,
                created: T2,
                updated: T2
            }
        );
    }
}
