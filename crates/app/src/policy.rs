//! Who may do what. A check sees the caller and what stored rows say about the
//! entity, never the request, so no request can talk its way in
//! (CVE-2022-3100).
//!
//! The rules here are Barbican 23's defaults (reader, member and admin of a
//! project) for the routes that exist, as plain code behind [`Policy::check`].

use std::fmt;

use donjon_domain::{Acl, Actor, Order, ProjectId, Scope, StoredContainer, StoredSecret, UserId};

macro_rules! actions {
    ($($variant:ident = $rule:literal,)*) => {
        /// What a caller wants to do. Each has the name of its rule in a policy file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(
            missing_docs,
            reason = "each variant is the rule whose name `Action::rule` gives"
        )]
        pub enum Action {
            $($variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name of the rule.
            #[must_use]
            pub const fn rule(self) -> &'static str {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }
    };
}

actions! {
    SecretsPost = "secrets:post",
    SecretsGet = "secrets:get",
    SecretGet = "secret:get",
    SecretDecrypt = "secret:decrypt",
    SecretPut = "secret:put",
    SecretDelete = "secret:delete",
    SecretMetaGet = "secret_meta:get",
    SecretMetaPost = "secret_meta:post",
    SecretMetaPut = "secret_meta:put",
    SecretMetaDelete = "secret_meta:delete",
    SecretAclsGet = "secret_acls:get",
    SecretAclsPutPatch = "secret_acls:put_patch",
    SecretAclsDelete = "secret_acls:delete",
    SecretConsumersGet = "secret_consumers:get",
    SecretConsumersPost = "secret_consumers:post",
    SecretConsumersDelete = "secret_consumers:delete",
    ContainersPost = "containers:post",
    ContainersGet = "containers:get",
    ContainerGet = "container:get",
    ContainerDelete = "container:delete",
    ContainerSecretPost = "container_secret:post",
    ContainerSecretDelete = "container_secret:delete",
    ContainerAclsGet = "container_acls:get",
    ContainerAclsPutPatch = "container_acls:put_patch",
    ContainerAclsDelete = "container_acls:delete",
    ContainerConsumersGet = "container_consumers:get",
    ContainerConsumersPost = "container_consumers:post",
    ContainerConsumersDelete = "container_consumers:delete",
    ConsumerGet = "consumer:get",
    OrdersPost = "orders:post",
    OrdersGet = "orders:get",
    OrdersPut = "orders:put",
    OrderGet = "order:get",
    OrderDelete = "order:delete",
    QuotasGet = "quotas:get",
    ProjectQuotasGet = "project_quotas:get",
    ProjectQuotasPut = "project_quotas:put",
    ProjectQuotasDelete = "project_quotas:delete",
    SecretStoresGet = "secretstores:get",
    SecretStoresGetGlobalDefault = "secretstores:get_global_default",
    SecretStoresGetPreferred = "secretstores:get_preferred",
    SecretStoreGet = "secretstore:get",
    SecretStorePreferredPost = "secretstore_preferred:post",
    SecretStorePreferredDelete = "secretstore_preferred:delete",
    TransportKeysGet = "transport_keys:get",
    TransportKeyGet = "transport_key:get",
    TransportKeysPost = "transport_keys:post",
    TransportKeyDelete = "transport_key:delete",
}

/// What the action is done to, as stored rows describe it.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The caller's project as a whole.
    Project,
    /// One secret.
    Secret(EntityTarget<'a>),
    /// One container.
    Container(EntityTarget<'a>),
    /// One order.
    Order(&'a ProjectId),
}

/// An entity, as a rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct EntityTarget<'a> {
    project: &'a ProjectId,
    creator: Option<&'a UserId>,
    /// Whether the entity's ACL names the caller.
    acl_names_caller: bool,
    /// Whether members of the project have access.
    project_access: bool,
}

/// The rules in force. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Policy(());

/// A rule refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
}

// === impl Policy ===

impl Policy {
    /// Barbican 23's default rules.
    #[must_use]
    pub fn secure_rbac() -> Self {
        Self(())
    }

    /// Checks whether the caller may do this. Takes no I/O and never blocks.
    ///
    /// # Errors
    /// [`Denied`] if not.
    pub fn check(&self, actor: &Actor, action: Action, target: &Target<'_>) -> Result<(), Denied> {
        let allowed = actor.scope == Scope::Project && allows(actor, action, target);
        if allowed {
            Ok(())
        } else {
            Err(Denied { action })
        }
    }
}

/// # Source
/// Barbican's policy documentation; the recorded exchanges of the groups
/// `rbac-default-*`.
fn allows(actor: &Actor, action: Action, target: &Target<'_>) -> bool {
    match (action, target) {
        (Action::SecretsPost | Action::SecretsGet, Target::Project) => actor.has_role("member"),
        (Action::SecretGet, Target::Secret(secret)) => {
            actor.has_role("admin") || secret.allows_project(actor) || secret.acl_names_caller
        }
        (Action::SecretDelete, Target::Secret(secret)) => {
            actor.has_role("admin") || secret.allows_project(actor)
        }
        (
            Action::SecretDecrypt
            | Action::SecretMetaGet
            | Action::SecretConsumersGet
            | Action::SecretConsumersPost
            | Action::SecretConsumersDelete,
            Target::Secret(secret),
        ) => secret.allows_project(actor) || secret.acl_names_caller,
        (
            Action::SecretPut
            | Action::SecretMetaPost
            | Action::SecretMetaPut
            | Action::SecretMetaDelete
            | Action::SecretAclsGet
            | Action::SecretAclsPutPatch
            | Action::SecretAclsDelete,
            Target::Secret(secret),
        ) => secret.allows_project(actor),
        // The rule speaks of containers, so with secrets only its first half can hold.
        (Action::ConsumerGet, Target::Secret(_)) => actor.has_role("admin"),
        _ => false,
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Describes a secret to a rule.
    #[must_use]
    pub fn secret(stored: &'a StoredSecret, actor: &Actor) -> Self {
        let acl = stored.acl.as_ref();
        Self::Secret(EntityTarget {
            project: &stored.secret.project,
            creator: stored.secret.creator.as_ref(),
            acl_names_caller: acl.is_some_and(|acl| acl.lists(actor)),
            project_access: acl.is_none_or(|acl: &Acl| acl.project_access),
        })
    }

    /// Describes a container to a rule.
    #[must_use]
    pub fn container(stored: &'a StoredContainer, actor: &Actor) -> Self {
        let acl = stored.acl.as_ref();
        Self::Container(EntityTarget {
            project: &stored.container.project,
            creator: stored.container.creator.as_ref(),
            acl_names_caller: acl.is_some_and(|acl| acl.lists(actor)),
            project_access: acl.is_none_or(|acl: &Acl| acl.project_access),
        })
    }

    /// Describes an order to a rule.
    #[must_use]
    pub fn order(order: &'a Order) -> Self {
        Self::Order(&order.project)
    }
}

impl EntityTarget<'_> {
    /// Admins of the entity's project, and members unless it is private and
    /// somebody else's.
    fn allows_project(&self, actor: &Actor) -> bool {
        let own_project = actor.project == *self.project;
        let owner = self.creator.is_some() && self.creator == actor.user.as_ref();
        own_project
            && (actor.has_role("admin")
                || (actor.has_role("member") && (owner || self.project_access)))
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by rule {}", self.action.rule())
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use donjon_domain::{Secret, SecretId, SecretType, Timestamp};

    use super::*;

    fn actor(user: &str, project: &str, role: &str) -> Actor {
        let roles = role.split(',').map(str::to_owned).collect();
        Actor {
            user: Some(UserId::new(user)),
            project: ProjectId::new(project),
            roles,
            scope: Scope::Project,
        }
    }

    fn secret(acl: Option<(&[&str], bool)>) -> StoredSecret {
        let at = Timestamp::from_micros(0);
        let secret = Secret {
            id: SecretId::from_bytes([1; 16]),
            project: ProjectId::new("p"),
            creator: Some(UserId::new("owner")),
            created: at,
            updated: at,
            name: None,
            secret_type: SecretType::Opaque,
            algorithm: None,
            mode: None,
            bit_length: None,
            expiration: None,
            content_type: None,
        };
        let acl = acl.map(|(users, project_access)| Acl {
            users: users.iter().map(|user| UserId::new(*user)).collect(),
            project_access,
            created: at,
            updated: at,
        });
        StoredSecret { secret, acl }
    }

    /// Rows are callers; columns are get, decrypt, put, delete, meta:get,
    /// meta:put, acls:get, consumers:get, consumer:get.
    fn check(stored: &StoredSecret, caller: &Actor, expected: &str) {
        let actions = [
            Action::SecretGet,
            Action::SecretDecrypt,
            Action::SecretPut,
            Action::SecretDelete,
            Action::SecretMetaGet,
            Action::SecretMetaPut,
            Action::SecretAclsGet,
            Action::SecretConsumersGet,
            Action::ConsumerGet,
        ];
        let policy = Policy::secure_rbac();
        let got: String = actions
            .map(|action| {
                if policy
                    .check(caller, action, &Target::secret(stored, caller))
                    .is_ok()
                {
                    'y'
                } else {
                    '-'
                }
            })
            .iter()
            .collect();
        assert_eq!(got, expected, "{caller:?}");
    }

    #[test]
    fn the_matrix_of_an_open_secret() {
        let open = secret(None);
        check(&open, &actor("u", "p", "reader"), "---------");
        check(&open, &actor("u", "p", "member"), "yyyyyyyy-");
        check(&open, &actor("u", "p", "admin"), "yyyyyyyyy");
        check(&open, &actor("u", "other", "member"), "---------");
        check(&open, &actor("u", "other", "admin"), "y--y----y");
        check(&open, &actor("owner", "other", "member"), "---------");
    }

    #[test]
    fn the_matrix_of_a_private_secret() {
        let private = secret(Some((&["friend"], false)));
        check(&private, &actor("u", "p", "member"), "---------");
        check(&private, &actor("owner", "p", "member"), "yyyyyyyy-");
        check(&private, &actor("owner", "p", "reader"), "---------");
        check(&private, &actor("u", "p", "admin"), "yyyyyyyyy");
        check(&private, &actor("friend", "other", "nothing"), "yy--y--y-");
    }

    #[test]
    fn other_scopes_are_refused() {
        let mut caller = actor("owner", "p", "admin,member");
        for scope in [Scope::Domain, Scope::System] {
            caller.scope = scope;
            check(&secret(None), &caller, "---------");
            assert!(
                Policy::secure_rbac()
                    .check(&caller, Action::SecretsPost, &Target::Project)
                    .is_err()
            );
        }
    }

    #[test]
    fn callers_without_user_own_nothing() {
        let mut stored = secret(Some((&[], false)));
        stored.secret.creator = None;
        let mut caller = actor("u", "p", "member");
        caller.user = None;
        check(&stored, &caller, "---------");
    }
}
