//! What rules see: the caller, and the entity as stored rows describe it. This
//! is the only place that makes such values, and no part of a request gets here.

use std::fmt;

use donjon_domain::{
    Acl, Actor, Order, ProjectId, Scope, Secret, StoredContainer, StoredSecret, UserId,
};
use donjon_oslo_policy::{Credentials, Group, Value};

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
    Order(EntityTarget<'a>),
}

/// An entity, as a rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct EntityTarget<'a> {
    project: &'a ProjectId,
    creator: Option<&'a UserId>,
    /// What its list of readers says. Orders have none.
    read: Option<Read>,
}

#[derive(Debug, Clone, Copy)]
struct Read {
    /// Whether the entity's ACL names the caller.
    acl_names_caller: bool,
    /// Whether members of the project have access.
    project_access: bool,
}

/// A target that outlives its rows.
#[derive(Debug, Clone)]
pub(super) struct OwnedTarget {
    kind: Kind,
    project: ProjectId,
    creator: Option<UserId>,
    read: Option<Read>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Secret,
    Container,
    Order,
}

/// The caller, as a rule sees it: `user_id`, `project_id`, `roles`, the scope by
/// `system_scope` and `domain_id`, and what an identity service tells besides,
/// under the names of `oslo.context`'s `to_policy_values`.
pub(super) struct Caller<'a>(pub(super) &'a Actor);

/// A target together with what every target has.
pub(super) struct Asked<'a> {
    pub(super) target: Target<'a>,
    /// Barbican's new defaults ask for this, so that with the legacy defaults
    /// their half is dead.
    pub(super) enforce_new_defaults: bool,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Describes a secret to a rule.
    #[must_use]
    pub fn secret(stored: &'a StoredSecret, actor: &Actor) -> Self {
        let Secret {
            project, creator, ..
        } = &stored.secret;
        Self::Secret(EntityTarget {
            project,
            creator: creator.as_ref(),
            read: Some(Read::new(stored.acl.as_ref(), actor)),
        })
    }

    /// Describes a container to a rule.
    #[must_use]
    pub fn container(stored: &'a StoredContainer, actor: &Actor) -> Self {
        Self::Container(EntityTarget {
            project: &stored.container.project,
            creator: stored.container.creator.as_ref(),
            read: Some(Read::new(stored.acl.as_ref(), actor)),
        })
    }

    /// Describes an order to a rule.
    #[must_use]
    pub fn order(order: &'a Order) -> Self {
        Self::Order(EntityTarget {
            project: &order.project,
            creator: order.creator.as_ref(),
            read: None,
        })
    }

    pub(super) fn to_owned(self) -> Option<OwnedTarget> {
        let (kind, entity) = match self {
            Self::Project => return None,
            Self::Secret(entity) => (Kind::Secret, entity),
            Self::Container(entity) => (Kind::Container, entity),
            Self::Order(entity) => (Kind::Order, entity),
        };
        Some(OwnedTarget {
            kind,
            project: entity.project.clone(),
            creator: entity.creator.cloned(),
            read: entity.read,
        })
    }
}

/// For the operator: all that a rule can know.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, entity) = match self {
            Self::Project => return f.write_str("no entity, the caller's project as a whole"),
            Self::Secret(entity) => ("secret", entity),
            Self::Container(entity) => ("container", entity),
            Self::Order(entity) => ("order", entity),
        };
        write!(f, "{kind} of project {}", entity.project)?;
        match entity.creator {
            Some(creator) => write!(f, ", created by user {creator}")?,
            None => f.write_str(", created by nobody known")?,
        }
        let Some(read) = entity.read else {
            return Ok(());
        };
        if !read.project_access {
            f.write_str(", private")?;
        }
        if read.acl_names_caller {
            f.write_str(", its ACL names the caller")?;
        }
        Ok(())
    }
}

impl EntityTarget<'_> {
    /// What has no value makes a check deny, so an entity without creator is
    /// nobody's.
    fn value(&self, name: &str) -> Option<Value<'_>> {
        match name {
            "project_id" => Some(self.project.as_str().into()),
            "creator_id" => self.creator.map(|creator| creator.as_str().into()),
            "read" => self
                .read
                .filter(|read| read.acl_names_caller)
                .map(|_| "read".into()),
            "read_project_access" => self.read.map(|read| read.project_access.into()),
            _ => None,
        }
    }
}

impl Read {
    /// An entity without a list is open to its project.
    fn new(acl: Option<&Acl>, actor: &Actor) -> Self {
        Self {
            acl_names_caller: acl.is_some_and(|acl| acl.lists(actor)),
            project_access: acl.is_none_or(|acl| acl.project_access),
        }
    }
}

impl OwnedTarget {
    pub(super) fn borrow(&self) -> Target<'_> {
        let entity = EntityTarget {
            project: &self.project,
            creator: self.creator.as_ref(),
            read: self.read,
        };
        match self.kind {
            Kind::Secret => Target::Secret(entity),
            Kind::Container => Target::Container(entity),
            Kind::Order => Target::Order(entity),
        }
    }
}

impl donjon_oslo_policy::Target for Asked<'_> {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        if name == "enforce_new_defaults" {
            return Some(self.enforce_new_defaults.into());
        }
        let (kind, name) = name.strip_prefix("target.")?.split_once('.')?;
        match (kind, &self.target) {
            ("secret", Target::Secret(entity))
            | ("container", Target::Container(entity))
            | ("order", Target::Order(entity)) => entity.value(name),
            _ => None,
        }
    }
}

// === impl Caller ===

impl Credentials for Caller<'_> {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        let Actor {
            user,
            project,
            roles,
            scope,
            identity,
        } = self.0;
        let identity = identity.as_deref();
        let service = identity.and_then(|identity| identity.service.as_ref());
        match name {
            // A caller without a user has no such attribute at all, so that it
            // does not equal the missing creator of something.
            "user_id" => user.as_ref().map(|user| user.as_str().into()),
            "project_id" => Some(project.as_str().into()),
            "roles" => Some(Value::List(roles)),
            "system_scope" => Some(match scope {
                Scope::System => "all".into(),
                Scope::Project | Scope::Domain => Value::None,
            }),
            "domain_id" => Some(match scope {
                Scope::Domain => Value::Group(&UnknownDomain),
                Scope::Project | Scope::System => Value::None,
            }),
            "user_domain_id" => text(identity.and_then(|identity| identity.user_domain.as_ref())),
            "project_domain_id" => {
                text(identity.and_then(|identity| identity.project_domain.as_ref()))
            }
            // Whoever does not set apart a project of admins has none of them.
            "is_admin_project" => Some(
                identity
                    .is_none_or(|identity| identity.is_admin_project)
                    .into(),
            ),
            "service_user_id" => text(service.and_then(|service| service.user.as_ref())),
            "service_user_domain_id" => {
                text(service.and_then(|service| service.user_domain.as_ref()))
            }
            "service_project_id" => text(service.and_then(|service| service.project.as_ref())),
            "service_project_domain_id" => {
                text(service.and_then(|service| service.project_domain.as_ref()))
            }
            "service_roles" => Some(match service {
                Some(service) => Value::List(&service.roles),
                None => Value::List(&NO_ROLES),
            }),
            _ => None,
        }
    }
}

const NO_ROLES: [&str; 0] = [];

fn text(text: Option<&String>) -> Option<Value<'_>> {
    text.map(|text| text.as_str().into())
}

/// There is a domain, but which one is not known here; it equals nothing.
struct UnknownDomain;

impl Group for UnknownDomain {
    fn member(&self, _name: &str) -> Option<Value<'_>> {
        None
    }
}
