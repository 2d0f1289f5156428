//! What a client asked for, what was acknowledged, and so what must be there.
//!
//! A client writes each record to its ledger before it goes on. The model is nothing but the records applied in order, so
//! reading the ledger again gives the same model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kit::sums;

/// A payload with the way it was stored. `Debug` shows its length and the start of its SHA-256.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Consumer {
    pub(crate) service: String,
    pub(crate) resource_type: String,
    pub(crate) resource_id: String,
}

/// One write. Secrets are named by the client, a name for each; ids come from the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) name: String,
    pub(crate) change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Create(Option<Payload>),
    Put(Payload),
    Delete,
    PutMetadata(BTreeMap<String, String>),
    PostMetadata(String, String),
    DeleteMetadata(String),
    AddConsumer(Consumer),
    RemoveConsumer(Consumer),
}

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The write goes out.
    Intent(Op),
    /// The server acknowledged it; `id` for a create.
    Acknowledged { id: Option<String> },
    /// No answer came, and after the restart the write was found to have happened or not.
    Resolved { happened: bool, id: Option<String> },
}

/// What a secret has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) payload: Option<Payload>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) consumers: BTreeSet<Consumer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) id: String,
    /// `None` once it is deleted.
    pub(crate) state: Option<State>,
}

/// The secrets of one client, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// The write whose answer is not known.
    pub(crate) pending: Option<Op>,
    pub(crate) acknowledged: u64,
}

impl Model {
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Intent(op) => self.pending = Some(op.clone()),
            Record::Acknowledged { id } => {
                self.acknowledged += 1;
                self.settle(true, id.as_deref());
            }
            Record::Resolved { happened, id } => self.settle(*happened, id.as_deref()),
        }
    }

    /// How many secrets are there.
    pub(crate) fn live(&self) -> usize {
        self.secrets
            .values()
            .filter(|secret| secret.state.is_some())
            .count()
    }

    fn settle(&mut self, happened: bool, id: Option<&str>) {
        let Some(op) = self.pending.take().filter(|_| happened) else {
            return;
        };
        let before = self
            .secrets
            .get(&op.name)
            .and_then(|secret| secret.state.as_ref());
        let state = op.change.after(before);
        match (self.secrets.get_mut(&op.name), id) {
            (Some(secret), _) => secret.state = state,
            (None, Some(id)) => {
                let id = id.to_owned();
                self.secrets.insert(op.name, Secret { id, state });
            }
            (None, None) => {}
        }
    }
}

impl Change {
    /// The state of the secret after this change.
    pub(crate) fn after(&self, before: Option<&State>) -> Option<State> {
        let mut state = before.cloned().unwrap_or_default();
        match self {
            Self::Create(payload) => state.payload = payload.clone(),
            Self::Put(payload) => state.payload = Some(payload.clone()),
            Self::Delete => return None,
            Self::PutMetadata(metadata) => state.metadata = metadata.clone(),
            Self::PostMetadata(key, value) => {
                state.metadata.insert(key.clone(), value.clone());
            }
            Self::DeleteMetadata(key) => {
                state.metadata.remove(key);
            }
            Self::AddConsumer(consumer) => {
                state.consumers.insert(consumer.clone());
            }
            Self::RemoveConsumer(consumer) => {
                state.consumers.remove(consumer);
            }
        }
        Some(state)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn op(change: Change) -> Record {
        let name = "a".to_owned();
        Record::Intent(Op { name, change })
    }

    fn payload() -> Payload {
        Payload::Text("x".to_owned())
    }

    #[test]
    fn only_what_is_settled_counts() {
        let mut model = Model::default();
        let id = Some("1".to_owned());
        model.apply(&op(Change::Create(None)));
        assert_eq!(model.live(), 0);
        model.apply(&Record::Acknowledged { id });
        assert_eq!((model.live(), model.acknowledged), (1, 1));

        model.apply(&op(Change::Put(payload())));
        model.apply(&Record::Resolved {
            happened: false,
            id: None,
        });
        assert_eq!(model.secrets["a"].state.as_ref().unwrap().payload, None);

        model.apply(&op(Change::Put(payload())));
        model.apply(&Record::Resolved {
            happened: true,
            id: None,
        });
        assert_eq!(
            model.secrets["a"].state.as_ref().unwrap().payload,
            Some(payload())
        );

        model.apply(&op(Change::Delete));
        model.apply(&Record::Acknowledged { id: None });
        assert_eq!((model.live(), model.acknowledged), (0, 2));
        assert_eq!(model.secrets["a"].id, "1");
    }

    #[test]
    fn records_survive_the_ledger() {
        let record = op(Change::Create(Some(Payload::Bytes(vec![0, 255]))));
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
