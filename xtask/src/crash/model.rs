//! What a client asked for, what was acknowledged, and so what must be there.
//!
//! A client writes each record to its ledger before it goes on. The model is nothing but the records applied in order, so
//! reading the ledger again gives the same model.

mod state;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::state::{
    Acl, AclPart, Change, Consumer, Container, Kind, Link, Member, Payload, Secret, Spec, State,
};

/// One write. What is written is named by the client, a name for each; ids come from the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) kind: Kind,
    /// In a project that all clients share and that has quotas; else in the client's own.
    pub(crate) limited: bool,
    pub(crate) name: String,
    pub(crate) change: Change,
}

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The write goes out.
    Intent(Op),
    /// The server acknowledged it; `id` for a create.
    Acknowledged { id: Option<String> },
    /// The server refused it for a quota.
    Refused,
    /// No answer came, and after the restart the write was found to have happened or not.
    Resolved { happened: bool, id: Option<String> },
    /// The order of this name was seen to be carried out.
    Made { name: String, made: Made },
}

/// What an order has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) container: Option<String>,
    /// By entry of the container; that of a symmetric key is [`Made::KEY`].
    pub(crate) secrets: BTreeMap<String, MadeSecret>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeSecret {
    pub(crate) id: String,
    pub(crate) sha256: String,
}

impl Made {
    /// The entry of a symmetric key, which has no container.
    pub(crate) const KEY: &str = "key";
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) kind: Kind,
    pub(crate) limited: bool,
    pub(crate) id: String,
    /// `None` once it is deleted.
    pub(crate) state: Option<State>,
    /// Of orders, once it is known. It stays when the order is deleted.
    pub(crate) made: Option<Made>,
}

/// What one client has written, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) entities: BTreeMap<String, Entity>,
    /// The write whose answer is not known.
    pub(crate) pending: Option<Op>,
    pub(crate) acknowledged: u64,
    /// Refusals by what has a quota.
    pub(crate) refused: BTreeMap<&'static str, u64>,
}

impl Model {
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Intent(op) => self.pending = Some(op.clone()),
            Record::Acknowledged { id } => {
                self.acknowledged += 1;
                self.settle(true, id.as_deref());
            }
            Record::Refused => {
                if let Some(op) = self.pending.take() {
                    *self.refused.entry(op.counted()).or_default() += 1;
                }
            }
            Record::Resolved { happened, id } => self.settle(*happened, id.as_deref()),
            Record::Made { name, made } => {
                if let Some(order) = self.entities.get_mut(name) {
                    order.made = Some(made.clone());
                }
            }
        }
    }

    /// What is there of this kind, with its name.
    pub(crate) fn live(&self, kind: Kind, limited: bool) -> impl Iterator<Item = (&str, &Entity)> {
        self.entities
            .iter()
            .filter(move |(_, entity)| {
                entity.kind == kind && entity.limited == limited && entity.state.is_some()
            })
            .map(|(name, entity)| (name.as_str(), entity))
    }

    /// Names by ids of all of this kind that have to be in the client's own project.
    pub(crate) fn expected(&self, kind: Kind) -> BTreeMap<String, String> {
        let mut expected = self.written(kind, false);
        expected.extend(self.made(kind, false));
        expected
    }

    /// Names by ids of what the client wrote and is there.
    pub(crate) fn written(&self, kind: Kind, limited: bool) -> BTreeMap<String, String> {
        self.live(kind, limited)
            .map(|(name, entity)| (entity.id.clone(), name.to_owned()))
            .collect()
    }

    /// Names by ids of what orders made.
    pub(crate) fn made(&self, kind: Kind, limited: bool) -> BTreeMap<String, String> {
        let mut made_ids = BTreeMap::new();
        let orders = self.entities.iter().filter(|(_, it)| it.limited == limited);
        for (name, made) in orders.filter_map(|(name, order)| Some((name, order.made.as_ref()?))) {
            let secrets = made.secrets.values().map(|secret| &secret.id);
            let ids: Vec<&String> = match kind {
                Kind::Secret => secrets.collect(),
                Kind::Container => made.container.iter().collect(),
                Kind::Order => Vec::new(),
            };
            let by = format!("made by {name}");
            made_ids.extend(ids.into_iter().map(|id| (id.clone(), by.clone())));
        }
        made_ids
    }

    /// Whether a container that is there holds this secret.
    pub(crate) fn is_member(&self, secret: &str) -> bool {
        self.live(Kind::Container, false).any(|(_, entity)| {
            matches!(&entity.state, Some(State::Container(container))
                if container.members.iter().any(|member| member.secret == secret))
        })
    }

    fn settle(&mut self, happened: bool, id: Option<&str>) {
        let Some(op) = self.pending.take().filter(|_| happened) else {
            return;
        };
        let before = self
            .entities
            .get(&op.name)
            .and_then(|entity| entity.state.as_ref());
        let state = op.change.after(before);
        match (self.entities.get_mut(&op.name), id) {
            (Some(entity), _) => entity.state = state,
            (None, Some(id)) => {
                let entity = Entity {
                    kind: op.kind,
                    limited: op.limited,
                    id: id.to_owned(),
                    state,
                    made: None,
                };
                self.entities.insert(op.name, entity);
            }
            (None, None) => {}
        }
    }
}

impl Op {
    /// The quota that this write may hit.
    pub(crate) fn counted(&self) -> &'static str {
        match self.change {
            Change::AddConsumer(_) | Change::AddLink(_) => "consumers",
            _ => self.kind.plural(),
        }
    }
}
