//! Reads everything back after a restart and compares it with what was acknowledged.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::client::{ANSWER_WAIT, Client, id_of_ref};
use super::model::{Consumer, Op, Payload, Record, State};
use crate::kit::http::{Connection, Request, Response};

const PAGE: usize = 100;

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// An acknowledged write is not there, or not as it was written.
    Lost(String),
    /// Something is there that nobody wrote.
    Phantom(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(text) => write!(f, "LOST {text}"),
            Self::Phantom(text) => write!(f, "PHANTOM {text}"),
        }
    }
}

/// Reads as one client.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    client: &'a mut Client,
    host: &'a str,
    connection: Connection,
    pub(crate) findings: Vec<Finding>,
    /// How many secrets were read back.
    pub(crate) read: u64,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// The server does not listen.
    pub(crate) fn new(client: &'a mut Client, host: &'a str) -> Result<Self> {
        Ok(Self {
            client,
            host,
            connection: Connection::open(host, ANSWER_WAIT)?,
            findings: Vec::new(),
            read: 0,
        })
    }

    /// Settles the write without an answer, reads what the last load touched, and counts the project's secrets.
    ///
    /// # Errors
    /// The server does not answer, or the ledger cannot be written.
    pub(crate) fn recent(&mut self) -> Result<()> {
        self.resolve()?;
        let touched: Vec<String> = self.client.touched.iter().cloned().collect();
        for name in touched {
            self.secret(&name)?;
        }
        let total = self.page(0, 1)?.0;
        if total != self.client.model.live() {
            self.listing()?;
        }
        Ok(())
    }

    /// Reads every secret that was ever acknowledged and the whole list.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn everything(&mut self) -> Result<()> {
        ensure!(
            self.client.model == self.client.model_of_ledger()?,
            "the ledger does not give the model"
        );
        let names: Vec<String> = self.client.model.secrets.keys().cloned().collect();
        for name in names {
            self.secret(&name)?;
        }
        self.listing()
    }

    /// Finds out whether the pending write happened. Either is right, but nothing in between.
    fn resolve(&mut self) -> Result<()> {
        let Some(op) = self.client.model.pending.clone() else {
            return Ok(());
        };
        let (id, before) = match self.client.model.secrets.get(&op.name) {
            Some(secret) => (Some(secret.id.clone()), secret.state.clone()),
            None => (self.id_by_name(&op)?, None),
        };
        let found = match &id {
            Some(id) => self.observe(id)?,
            None => None,
        };
        let happened = found == op.change.after(before.as_ref());
        if !happened && found != before {
            self.findings.push(Finding::Lost(format!(
                "{} {}: neither before nor after {:?}: {found:?}",
                id.as_deref().unwrap_or_default(),
                op.name,
                op.change
            )));
        }
        self.client.record(&Record::Resolved { happened, id })
    }

    /// The id of a secret whose create was not answered, if it is there.
    fn id_by_name(&mut self, op: &Op) -> Result<Option<String>> {
        let response = self.get(
            &format!("/v1/secrets?limit=10&name={}", op.name),
            "application/json",
        )?;
        let mut ids = listed(&response)?.1;
        if ids.len() > 1 {
            self.findings.push(Finding::Phantom(format!(
                "{} is there {} times: {ids:?}",
                op.name,
                ids.len()
            )));
        }
        Ok(ids.pop())
    }

    /// Compares one secret with the model.
    fn secret(&mut self, name: &str) -> Result<()> {
        let Some(secret) = self.client.model.secrets.get(name).cloned() else {
            return Ok(());
        };
        self.read += 1;
        let found = self.observe(&secret.id)?;
        if found != secret.state {
            let detail = format!(
                "{} {name}: acknowledged {:?}, found {found:?}",
                secret.id, secret.state
            );
            // A deleted secret that is back is a lost delete.
            self.findings.push(Finding::Lost(detail));
        }
        Ok(())
    }

    /// What the server holds under an id; `None`: nothing.
    fn observe(&mut self, id: &str) -> Result<Option<State>> {
        let at = format!("/v1/secrets/{id}");
        let response = self.get(&at, "application/json")?;
        if response.status == 404 {
            return Ok(None);
        }
        ensure!(
            response.status == 200,
            "GET {at}: {} {}",
            response.status,
            response.text()
        );
        let document = response.json()?;
        let consumers: Vec<Consumer> =
            serde_json::from_value(document.get("consumers").cloned().context("no consumers")?)?;
        let content_type = document
            .pointer("/content_types/default")
            .and_then(|value| value.as_str());
        let payload = match content_type {
            Some(content_type) => Some(self.payload(&at, content_type)?),
            None => None,
        };
        let metadata = self
            .get(&format!("{at}/metadata"), "application/json")?
            .json()?;
        let metadata: BTreeMap<String, String> =
            serde_json::from_value(metadata.get("metadata").cloned().context("no metadata")?)?;
        Ok(Some(State {
            payload,
            metadata,
            consumers: consumers.into_iter().collect(),
        }))
    }

    fn payload(&mut self, at: &str, content_type: &str) -> Result<Payload> {
        let response = self.get(&format!("{at}/payload"), content_type)?;
        ensure!(
            response.status == 200,
            "GET {at}/payload: {} {}",
            response.status,
            response.text()
        );
        Ok(match content_type {
            "text/plain" => Payload::Text(String::from_utf8(response.body)?),
            "application/octet-stream" => Payload::Bytes(response.body),
            other => bail!("GET {at}: content type {other}"),
        })
    }

    /// Pages through the project's list and compares its ids with the model.
    fn listing(&mut self) -> Result<()> {
        let mut expected: BTreeMap<&str, &str> = BTreeMap::new();
        let secrets = self.client.model.secrets.clone();
        for (name, secret) in secrets.iter().filter(|(_, secret)| secret.state.is_some()) {
            expected.insert(&secret.id, name);
        }
        let count = expected.len();
        let mut offset = 0;
        loop {
            let (total, ids) = self.page(offset, PAGE)?;
            if total != count {
                let text = format!("{}: total is {total}, not {count}", self.client.project);
                self.findings.push(if total < count {
                    Finding::Lost(text)
                } else {
                    Finding::Phantom(text)
                });
            }
            for id in &ids {
                if expected.remove(id.as_str()).is_none() {
                    self.findings.push(Finding::Phantom(format!(
                        "{id} is listed in {}",
                        self.client.project
                    )));
                }
            }
            offset += ids.len();
            if ids.len() < PAGE {
                break;
            }
        }
        for (id, name) in expected {
            self.findings.push(Finding::Lost(format!(
                "{id} {name} is not listed in {}",
                self.client.project
            )));
        }
        Ok(())
    }

    fn page(&mut self, offset: usize, limit: usize) -> Result<(usize, Vec<String>)> {
        let path = format!("/v1/secrets?offset={offset}&limit={limit}");
        let response = self.get(&path, "application/json")?;
        ensure!(
            response.status == 200,
            "GET {path}: {} {}",
            response.status,
            response.text()
        );
        listed(&response)
    }

    fn get(&mut self, path: &str, accept: &str) -> Result<Response> {
        let mut request: Request = self
            .client
            .bare_request("GET", path)
            .header("OpenStack-API-Version", "key-manager 1.1");
        request
            .headers
            .iter_mut()
            .filter(|(name, _)| name == "Accept")
            .for_each(|(_, value)| accept.clone_into(value));
        if !self.connection.reusable() {
            self.connection = Connection::open(self.host, ANSWER_WAIT)?;
        }
        self.connection
            .exchange(&request)
            .with_context(|| format!("GET {path}"))
    }
}

/// Total and ids of a list of secrets.
fn listed(response: &Response) -> Result<(usize, Vec<String>)> {
    let document = response.json()?;
    let total = document
        .get("total")
        .and_then(serde_json::Value::as_u64)
        .context("a list without total")?;
    let secrets = document
        .get("secrets")
        .and_then(serde_json::Value::as_array)
        .context("a list without secrets")?;
    let id = |secret: &serde_json::Value| id_of_ref(secret.get("secret_ref")?.as_str()?);
    let ids = secrets
        .iter()
        .map(|secret| id(secret).context("a secret without secret_ref"))
        .collect::<Result<_>>()?;
    Ok((usize::try_from(total)?, ids))
}
