//! One client: a project of its own, a ledger, and a load that goes on until the server is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use base64ct::{Base64, Encoding as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::model::{Change, Consumer, Model, Op, Payload, Record};
use crate::kit::http::{Connection, Request, Response};
use crate::kit::random::Random;

/// How long one answer may take.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) project: String,
    pub(crate) model: Model,
    /// Secrets that the last load changed.
    pub(crate) touched: BTreeSet<String>,
    /// Answers that were neither a success nor a lost connection.
    pub(crate) odd: Vec<String>,
    ledger: File,
    ledger_path: PathBuf,
    random: Random,
    names: u64,
}

/// Kills the server at the worst moment: just when a client has got an acknowledgement.
#[derive(Debug)]
pub(crate) struct Trigger {
    server: Pid,
    armed: AtomicBool,
}

impl Trigger {
    pub(crate) fn new(server: Pid) -> Self {
        Self {
            server,
            armed: AtomicBool::new(false),
        }
    }

    /// From now on the next acknowledgement kills.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// Whether an acknowledgement has killed the server.
    pub(crate) fn has_fired(&self) -> bool {
        !self.armed.load(Ordering::Acquire)
    }

    fn acknowledged(&self) {
        if self.armed.swap(false, Ordering::AcqRel) {
            // The harness kills it once more and waits for its end, so a failure shows there.
            let _ = kill_process(self.server, Signal::KILL);
        }
    }
}

impl Client {
    /// # Errors
    /// The ledger cannot be made in `folder`.
    pub(crate) fn new(number: u64, folder: &Path, seed: u64) -> Result<Self> {
        let ledger_path = folder.join(format!("ledger-{number}"));
        Ok(Self {
            project: format!("crash-{number}"),
            model: Model::default(),
            touched: BTreeSet::new(),
            odd: Vec::new(),
            ledger: File::create_new(&ledger_path).context("making a ledger")?,
            ledger_path,
            random: Random::new(seed ^ (number + 1).wrapping_mul(0x9E37_79B9)),
            names: 0,
        })
    }

    /// Writes, one request after the other, until an answer does not come. Tells `trigger` of every acknowledgement.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn load(&mut self, host: &str, trigger: &Trigger) -> Result<()> {
        self.touched.clear();
        let Ok(mut connection) = Connection::open(host, ANSWER_WAIT) else {
            return Ok(());
        };
        loop {
            let op = self.choose();
            let request = self.request(&op);
            self.touched.insert(op.name.clone());
            self.record(&Record::Intent(op.clone()))?;
            let Ok(response) = connection.exchange(&request) else {
                return Ok(());
            };
            if response.status != expected_status(&op.change) {
                self.odd.push(format!(
                    "{} {}: {} {}",
                    request.method,
                    request.path,
                    response.status,
                    response.text()
                ));
                return Ok(());
            }
            trigger.acknowledged();
            self.record(&Record::Acknowledged {
                id: created_id(&response),
            })?;
            if !connection.reusable() {
                return Ok(());
            }
        }
    }

    /// Applies a record and puts it into the ledger.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn record(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.ledger.write_all(&line).context("writing a ledger")?;
        self.model.apply(record);
        Ok(())
    }

    /// The model that the ledger alone gives.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn model_of_ledger(&self) -> Result<Model> {
        let mut model = Model::default();
        for line in fs::read_to_string(&self.ledger_path)?.lines() {
            model.apply(&serde_json::from_str(line)?);
        }
        Ok(model)
    }

    /// A request of this client's project, in `noauth` mode.
    pub(crate) fn bare_request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path)
            .header("X-Project-Id", &self.project)
            .header("X-User-Id", "crash")
            .header("X-Roles", "admin,creator,member,reader")
            .header("Accept", "application/json")
    }

    /// The next write: creates half of the time, changes of existing secrets else.
    fn choose(&mut self) -> Op {
        if let Some(op) = self.complete_last() {
            return op;
        }
        if self.random.below(100) < 45 {
            return self.create();
        }
        self.change_of_existing().unwrap_or_else(|| self.create())
    }

    /// The second step of a create without payload, if that was the last write.
    fn complete_last(&mut self) -> Option<Op> {
        let name = format!("secret-{}", self.names);
        let state = self.model.secrets.get(&name)?.state.as_ref()?;
        if state.payload.is_some() {
            return None;
        }
        let payload = self.payload();
        Some(Op {
            name,
            change: Change::Put(payload),
        })
    }

    fn create(&mut self) -> Op {
        self.names += 1;
        let payload = (self.random.below(3) > 0).then(|| self.payload());
        Op {
            name: format!("secret-{}", self.names),
            change: Change::Create(payload),
        }
    }

    fn change_of_existing(&mut self) -> Option<Op> {
        let live: Vec<String> = self
            .model
            .secrets
            .iter()
            .filter(|(_, secret)| secret.state.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        let name = self.random.pick(&live)?.clone();
        let state = self.model.secrets.get(&name)?.state.clone()?;
        let number = self.random.below(1_000_000);
        let change = match self.random.below(12) {
            0 | 1 => Change::Delete,
            2 | 3 => Change::PutMetadata(self.metadata()),
            4 | 5 => Change::PostMetadata(
                format!("key-{number}-{}", state.metadata.len()),
                format!("value {number}"),
            ),
            6 => Change::DeleteMetadata(
                self.random
                    .pick(&Vec::from_iter(state.metadata.keys()))?
                    .to_string(),
            ),
            7 | 8 => Change::RemoveConsumer(
                (*self.random.pick(&Vec::from_iter(&state.consumers))?).clone(),
            ),
            _ => Change::AddConsumer(Consumer {
                service: "compute".to_owned(),
                resource_type: "server".to_owned(),
                resource_id: format!("server-{number}"),
            }),
        };
        let known =
            matches!(&change, Change::PostMetadata(key, _) if state.metadata.contains_key(key));
        (!known).then_some(Op { name, change })
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

    fn request(&self, op: &Op) -> Request {
        let id = self
            .model
            .secrets
            .get(&op.name)
            .map_or("", |secret| &secret.id);
        let at = |rest: &str| format!("/v1/secrets/{id}{rest}");
        let json = |method: &str, path: &str, body: serde_json::Value| {
            self.bare_request(method, path)
                .header("Content-Type", "application/json")
                .body(body.to_string())
        };
        match &op.change {
            Change::Create(payload) => json(
                "POST",
                "/v1/secrets",
                create_body(&op.name, payload.as_ref()),
            ),
            Change::Put(payload) => self
                .bare_request("PUT", &at(""))
                .header("Content-Type", payload.content_type())
                .body(payload.bytes()),
            Change::Delete => self.bare_request("DELETE", &at("")),
            Change::PutMetadata(metadata) => {
                json("PUT", &at("/metadata"), json!({ "metadata": metadata }))
            }
            Change::PostMetadata(key, value) => json(
                "POST",
                &at("/metadata"),
                json!({ "key": key, "value": value }),
            ),
            Change::DeleteMetadata(key) => {
                self.bare_request("DELETE", &at(&format!("/metadata/{key}")))
            }
            Change::AddConsumer(consumer) => json("POST", &at("/consumers"), json!(consumer)),
            Change::RemoveConsumer(consumer) => json("DELETE", &at("/consumers"), json!(consumer)),
        }
    }
}

fn create_body(name: &str, payload: Option<&Payload>) -> serde_json::Value {
    let content_type = payload.map(Payload::content_type);
    match payload {
        None => json!({ "name": name }),
        Some(Payload::Text(text)) => {
            json!({ "name": name, "payload": text, "payload_content_type": content_type })
        }
        Some(Payload::Bytes(bytes)) => json!({
            "name": name,
            "payload": Base64::encode_string(bytes),
            "payload_content_type": content_type,
            "payload_content_encoding": "base64"
        }),
    }
}

fn expected_status(change: &Change) -> u16 {
    match change {
        Change::Create(_) | Change::PutMetadata(_) | Change::PostMetadata(..) => 201,
        Change::Put(_) | Change::Delete | Change::DeleteMetadata(_) => 204,
        Change::AddConsumer(_) | Change::RemoveConsumer(_) => 200,
    }
}

/// The id in the `secret_ref` of an answer.
pub(crate) fn id_of_ref(reference: &str) -> Option<String> {
    reference.rsplit('/').next().map(str::to_owned)
}

fn created_id(response: &Response) -> Option<String> {
    id_of_ref(response.json().ok()?.get("secret_ref")?.as_str()?)
}
