//! What secrets, containers and orders hold, and what a write changes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kit::sums;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Secret,
    Container,
    Order,
}

/// A payload with the way it was stored. `Debug` shows its length and the start of its SHA-256.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Text(String),
    Bytes(Vec<u8>),
}

/// Of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Consumer {
    pub(crate) service: String,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
}

/// A consumer of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) name: String,
    #[serde(rename = "URL")]
    pub(crate) url: String,
}

/// A secret in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its id.
    pub(crate) secret: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acl {
    pub(crate) project_access: bool,
    pub(crate) users: BTreeSet<String>,
}

/// What a PATCH changes of an ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AclPart {
    ProjectAccess(bool),
    Users(BTreeSet<String>),
}

/// What an order asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// A key pair; else a symmetric key.
    pub(crate) pair: bool,
    pub(crate) algorithm: String,
    pub(crate) bits: u64,
    /// The private key is encrypted; told by the order's name, as answers leave the passphrase out.
    pub(crate) sealed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Create(Option<Payload>),
    Put(Payload),
    PutMetadata(BTreeMap<String, String>),
    PostMetadata(String, String),
    DeleteMetadata(String),
    AddConsumer(Consumer),
    RemoveConsumer(Consumer),
    CreateContainer(BTreeSet<Member>),
    AddMember(Member),
    RemoveMember(Member),
    AddLink(Link),
    RemoveLink(Link),
    PutAcl(Acl),
    PatchAcl(AclPart),
    DeleteAcl,
    CreateOrder(Spec),
    Delete,
}

/// What has to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Secret(Secret),
    Container(Container),
    Order(Spec),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) payload: Option<Payload>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) consumers: BTreeSet<Consumer>,
    pub(crate) acl: Option<Acl>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) members: BTreeSet<Member>,
    pub(crate) links: BTreeSet<Link>,
    pub(crate) acl: Option<Acl>,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Secret, Self::Container, Self::Order];

    /// As in paths and lists.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Container => "containers",
            Self::Order => "orders",
        }
    }

    /// The member that holds its ref.
    pub(crate) fn reference(self) -> &'static str {
        match self {
            Self::Secret => "secret_ref",
            Self::Container => "container_ref",
            Self::Order => "order_ref",
        }
    }
}

impl Change {
    /// The state after this change. A change of what is of another kind changes nothing.
    pub(crate) fn after(&self, before: Option<&State>) -> Option<State> {
        match self {
            Self::Delete => return None,
            Self::Create(payload) => {
                return Some(State::Secret(Secret {
                    payload: payload.clone(),
                    ..Secret::default()
                }));
            }
            Self::CreateContainer(members) => {
                return Some(State::Container(Container {
                    members: members.clone(),
                    ..Container::default()
                }));
            }
            Self::CreateOrder(spec) => return Some(State::Order(spec.clone())),
            _ => {}
        }
        let mut state = before?.clone();
        match &mut state {
            State::Secret(secret) => self.change_secret(secret),
            State::Container(container) => self.change_container(container),
            State::Order(_) => {}
        }
        Some(state)
    }

    fn change_secret(&self, secret: &mut Secret) {
        match self {
            Self::Put(payload) => secret.payload = Some(payload.clone()),
            Self::PutMetadata(metadata) => secret.metadata.clone_from(metadata),
            Self::PostMetadata(key, value) => {
                secret.metadata.insert(key.clone(), value.clone());
            }
            Self::DeleteMetadata(key) => {
                secret.metadata.remove(key);
            }
            Self::AddConsumer(consumer) => {
                secret.consumers.insert(consumer.clone());
            }
            Self::RemoveConsumer(consumer) => {
                secret.consumers.remove(consumer);
            }
            _ => self.change_acl(&mut secret.acl),
        }
    }

    fn change_container(&self, container: &mut Container) {
        match self {
            Self::AddMember(member) => {
                container.members.insert(member.clone());
            }
            Self::RemoveMember(member) => {
                container.members.remove(member);
            }
            Self::AddLink(link) => {
                container.links.insert(link.clone());
            }
            Self::RemoveLink(link) => {
                container.links.remove(link);
            }
            _ => self.change_acl(&mut container.acl),
        }
    }

    fn change_acl(&self, acl: &mut Option<Acl>) {
        match self {
            Self::PutAcl(new) => *acl = Some(new.clone()),
            Self::DeleteAcl => *acl = None,
            Self::PatchAcl(part) => {
                let acl = acl.get_or_insert_with(|| Acl {
                    project_access: true,
                    users: BTreeSet::new(),
                });
                match part {
                    AclPart::ProjectAccess(access) => acl.project_access = *access,
                    AclPart::Users(users) => acl.users.clone_from(users),
                }
            }
            _ => {}
        }
    }
}

impl Payload {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text/plain",
            Self::Bytes(_) => "application/octet-stream",
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sum = sums::sha256_hex(self.bytes());
        sum.truncate(8);
        write!(
            f,
            "{} ({} bytes, {sum})",
            self.content_type(),
            self.bytes().len()
        )
    }
}
