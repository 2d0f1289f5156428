//! What a client writes next: secrets mostly, in one step or two; containers, orders, ACLs; and, in projects that all
//! clients share, what quotas limit.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::model::{
    Acl, AclPart, Change, Consumer, Container, Entity, Kind, Link, Member, Op, Payload, Secret,
    Spec, State,
};
use super::remote::SEALED;

impl Client {
    /// The next write: creates half of the time, changes of what is there else.
    pub(super) fn choose(&mut self) -> Op {
        if let Some(op) = self.complete_last() {
            return op;
        }
        let chosen = match self.random.below(100) {
            0..10 => Some(self.limited()),
            10..42 => None,
            42..48 => Some(self.create_container()),
            48..56 => Some(self.create_order(false)),
            _ => self.change_of_existing(),
        };
        chosen.unwrap_or_else(|| self.create_secret(false))
    }

    /// The second step of a create without payload, if that was the last write.
    fn complete_last(&mut self) -> Option<Op> {
        let entity = self.model.entities.get(&self.last)?;
        let limited = entity.limited;
        let Some(State::Secret(Secret { payload: None, .. })) = &entity.state else {
            return None;
        };
        let payload = self.payload();
        Some(Op {
            kind: Kind::Secret,
            limited,
            name: self.last.clone(),
            change: Change::Put(payload),
        })
    }

    fn new_op(&mut self, kind: Kind, limited: bool, suffix: &str, change: Change) -> Op {
        self.names += 1;
        let plural = kind.plural();
        self.last = format!("{plural}-{}-{}{suffix}", self.number, self.names);
        Op {
            kind,
            limited,
            name: self.last.clone(),
            change,
        }
    }

    fn create_secret(&mut self, limited: bool) -> Op {
        let payload = (self.random.below(3) > 0).then(|| self.payload());
        self.new_op(Kind::Secret, limited, "", Change::Create(payload))
    }

    fn create_container(&mut self) -> Op {
        let count = self.random.below(4);
        let members = (0..count).filter_map(|_| self.member());
        let members: BTreeMap<String, Member> = members
            .map(|member| (member.secret.clone(), member))
            .collect();
        let members = members.into_values().collect();
        self.new_op(Kind::Container, false, "", Change::CreateContainer(members))
    }

    fn create_order(&mut self, limited: bool) -> Op {
        let (pair, algorithm, bits, sealed) = match self.random.below(48) {
            _ if limited => (false, "aes", 128, false),
            0 => (true, "rsa", 1024, false),
            1 | 2 => (true, "ed25519", 256, true),
            3..10 => (true, "ec", 256, false),
            10..16 => (true, "ed25519", 256, false),
            16..24 => (false, "hmacsha256", 256, false),
            _ => (false, "aes", 256, false),
        };
        let spec = Spec {
            pair,
            algorithm: algorithm.to_owned(),
            bits,
            sealed,
        };
        let suffix = if sealed { SEALED } else { "" };
        self.new_op(Kind::Order, limited, suffix, Change::CreateOrder(spec))
    }

    /// A write in a shared project, where most creates are refused.
    fn limited(&mut self) -> Op {
        let existing = match self.random.below(16) {
            0..3 => Some(self.create_secret(true)),
            3 | 4 => {
                let change = Change::CreateContainer(BTreeSet::new());
                Some(self.new_op(Kind::Container, true, "", change))
            }
            5 | 6 => Some(self.create_order(true)),
            7..10 => self.change(Kind::Secret, true, Self::consume),
            10..13 => self.change(Kind::Container, true, Self::link),
            13 => self.change(Kind::Secret, true, |_, _| Some(Change::Delete)),
            14 => self.change(Kind::Container, true, |_, _| Some(Change::Delete)),
            _ => self.change(Kind::Order, true, delete_order),
        };
        existing.unwrap_or_else(|| self.create_secret(true))
    }

    fn change_of_existing(&mut self) -> Option<Op> {
        match self.random.below(20) {
            0..13 => self.change(Kind::Secret, false, Self::change_secret),
            13..19 => self.change(Kind::Container, false, Self::change_container),
            _ => self.change(Kind::Order, false, delete_order),
        }
    }

    /// Picks one of a kind and what to change of it.
    fn change(
        &mut self,
        kind: Kind,
        limited: bool,
        choose: fn(&mut Self, &Entity) -> Option<Change>,
    ) -> Option<Op> {
        let names: Vec<String> = self
            .model
            .live(kind, limited)
            .map(|(name, _)| name.to_owned())
            .collect();
        let name = self.random.pick(&names)?.clone();
        let entity = self.model.entities.get(&name)?.clone();
        let change = choose(self, &entity)?;
        Some(Op {
            kind,
            limited,
            name,
            change,
        })
    }

    fn change_secret(&mut self, entity: &Entity) -> Option<Change> {
        let Some(State::Secret(secret)) = &entity.state else {
            return None;
        };
        let number = self.random.below(1_000_000);
        let key = format!("key-{number}-{}", secret.metadata.len());
        match self.random.below(15) {
            // What a delete leaves of memberships is no matter of this run.
            0 | 1 => (!self.model.is_member(&entity.id)).then_some(Change::Delete),
            2 | 3 => Some(Change::PutMetadata(self.metadata())),
            4 | 5 => (!secret.metadata.contains_key(&key))
                .then(|| Change::PostMetadata(key, format!("value {number}"))),
            6 => {
                let keys = Vec::from_iter(secret.metadata.keys());
                Some(Change::DeleteMetadata((*self.random.pick(&keys)?).clone()))
            }
            7..12 => self.consume(entity),
            _ => Some(self.change_acl()),
        }
    }

    /// A consumer more, or one less.
    fn consume(&mut self, entity: &Entity) -> Option<Change> {
        let Some(State::Secret(secret)) = &entity.state else {
            return None;
        };
        let consumers = Vec::from_iter(&secret.consumers);
        match self.random.pick(&consumers) {
            Some(consumer) if self.random.below(5) < 2 => {
                Some(Change::RemoveConsumer((*consumer).clone()))
            }
            _ => Some(Change::AddConsumer(Consumer {
                service: "compute".to_owned(),
                resource_type: "server".to_owned(),
                resource_id: format!("server-{}", self.random.below(1_000_000)),
            })),
        }
    }

    fn change_container(&mut self, entity: &Entity) -> Option<Change> {
        let Some(State::Container(Container { members, .. })) = &entity.state else {
            return None;
        };
        match self.random.below(12) {
            0 => Some(Change::Delete),
            1..4 => self.member().map(Change::AddMember),
            4..6 => {
                let members = Vec::from_iter(members);
                Some(Change::RemoveMember((*self.random.pick(&members)?).clone()))
            }
            6..9 => self.link(entity),
            _ => Some(self.change_acl()),
        }
    }

    /// A consumer of a container more, or one less.
    fn link(&mut self, entity: &Entity) -> Option<Change> {
        let Some(State::Container(container)) = &entity.state else {
            return None;
        };
        let links = Vec::from_iter(&container.links);
        match self.random.pick(&links) {
            Some(link) if self.random.below(5) < 2 => Some(Change::RemoveLink((*link).clone())),
            _ => {
                let name = format!("lb-{}", self.random.below(1_000_000));
                let url = format!("https://{name}.example.org");
                Some(Change::AddLink(Link { name, url }))
            }
        }
    }

    /// One of the client's secrets under a name that no container has yet.
    fn member(&mut self) -> Option<Member> {
        let ids: Vec<String> = self
            .model
            .live(Kind::Secret, false)
            .map(|(_, secret)| secret.id.clone())
            .collect();
        self.names += 1;
        Some(Member {
            name: format!("member-{}", self.names),
            secret: self.random.pick(&ids)?.clone(),
        })
    }

    fn change_acl(&mut self) -> Change {
        let access = self.random.below(2) == 0;
        match self.random.below(5) {
            0 | 1 => Change::PutAcl(Acl {
                project_access: access,
                users: self.users(),
            }),
            2 => Change::PatchAcl(AclPart::ProjectAccess(access)),
            3 => Change::PatchAcl(AclPart::Users(self.users())),
            _ => Change::DeleteAcl,
        }
    }

    fn users(&mut self) -> BTreeSet<String> {
        let count = self.random.below(4);
        (0..count)
            .map(|_| format!("user-{}", self.random.below(50)))
            .collect()
    }

    fn metadata(&mut self) -> BTreeMap<String, String> {
        let count = self.random.below(4);
        (0..count)
            .map(|key| {
                (
                    format!("key-{key}"),
                    format!("value {}", self.random.below(1_000_000)),
                )
            })
            .collect()
    }

    /// 1 to 500 bytes mostly, up to 12,000 now and then.
    fn payload(&mut self) -> Payload {
        let limit = if self.random.below(20) == 0 {
            12_000
        } else {
            500
        };
        let count = 1 + self.random.below(limit);
        let bytes = self.random.bytes(count);
        if self.random.below(2) == 0 {
            return Payload::Bytes(bytes);
        }
        Payload::Text(
            bytes
                .into_iter()
                .map(|byte| char::from(b'!' + byte % 90))
                .collect(),
        )
    }
}

/// Only of orders whose keys are known, so that the keys stay accounted for.
fn delete_order(_: &mut Client, order: &Entity) -> Option<Change> {
    order.made.is_some().then_some(Change::Delete)
}
