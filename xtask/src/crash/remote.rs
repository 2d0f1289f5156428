//! The server as one client sees it: what it holds under an id, and its lists.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::model::{
    Acl, Consumer, Container, Kind, Link, Made, MadeSecret, Member, Payload, Secret, Spec, State,
};
use crate::kit::http::{Connection, Request, Response};
use crate::kit::sums;

/// How long one answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
const PAGE: usize = 100;
/// The end of the name of an order whose private key is encrypted.
pub(crate) const SEALED: &str = "-sealed";
/// With what.
pub(crate) const PASSPHRASE: &str = "correct horse";

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is no such order.
    Missing,
    Pending,
    Active(Made),
    /// It failed; the order as shown.
    Error(String),
}

/// A connection to the server, for one project after the other.
#[derive(Debug)]
pub(crate) struct Remote {
    host: String,
    connection: Connection,
}

/// A request of a project, in `noauth` mode.
pub(crate) fn request(project: &str, method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("X-Project-Id", project)
        .header("X-User-Id", "crash")
        .header("X-Roles", "admin,creator,member,reader")
}

/// The id in a ref.
pub(crate) fn id_of_ref(reference: &str) -> Option<String> {
    reference.rsplit('/').next().map(str::to_owned)
}

impl Remote {
    /// # Errors
    /// The server does not listen.
    pub(crate) fn open(host: &str) -> io::Result<Self> {
        Ok(Self {
            host: host.to_owned(),
            connection: Connection::open(host, ANSWER_WAIT)?,
        })
    }

    /// # Errors
    /// No answer came.
    pub(crate) fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        if !self.connection.reusable() {
            self.connection = Connection::open(&self.host, ANSWER_WAIT)?;
        }
        self.connection.exchange(request)
    }

    /// What the server holds under an id; `None`: nothing.
    ///
    /// # Errors
    /// An answer is missing or not of the form that it should have.
    pub(crate) fn observe(&mut self, project: &str, kind: Kind, id: &str) -> Result<Option<State>> {
        let at = format!("/v1/{}/{id}", kind.plural());
        let Some(document) = self.document(project, &at)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            Kind::Secret => State::Secret(self.secret(project, &at, &document)?),
            Kind::Container => State::Container(Container {
                members: members(&document)?,
                links: from_member::<BTreeSet<Link>>(&document, "consumers")?,
                acl: self.acl(project, &at)?,
            }),
            Kind::Order => State::Order(spec(&document)?),
        }))
    }

    /// How far an order is, with the sums of the keys that it made.
    ///
    /// # Errors
    /// As [`Self::observe`]; what the order says it made is not there.
    pub(crate) fn outcome(&mut self, project: &str, id: &str) -> Result<Outcome> {
        let Some(document) = self.document(project, &format!("/v1/orders/{id}"))? else {
            return Ok(Outcome::Missing);
        };
        match document.get("status").and_then(Value::as_str) {
            Some("PENDING") => return Ok(Outcome::Pending),
            Some("ACTIVE") => {}
            _ => return Ok(Outcome::Error(document.to_string())),
        }
        let reference = |kind: Kind| id_of_ref(document.get(kind.reference())?.as_str()?);
        let mut made = Made {
            container: reference(Kind::Container),
            secrets: BTreeMap::new(),
        };
        if let Some(id) = reference(Kind::Secret) {
            let key = self.made_secret(project, id)?;
            made.secrets.insert(Made::KEY.to_owned(), key);
        }
        if let Some(id) = &made.container {
            let container = self.document(project, &format!("/v1/containers/{id}"))?;
            for member in members(&container.context("an order's container is not there")?)? {
                let secret = self.made_secret(project, member.secret)?;
                made.secrets.insert(member.name, secret);
            }
        }
        Ok(Outcome::Active(made))
    }

    /// A secret that an order made, as it is now.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn made_secret(&mut self, project: &str, id: String) -> Result<MadeSecret> {
        let path = format!("/v1/secrets/{id}");
        let payload = self.payload(project, &path, "application/octet-stream")?;
        let sha256 = sums::sha256_hex(payload.bytes());
        Ok(MadeSecret { id, sha256 })
    }

    /// Total and ids of a list, all its pages.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub(crate) fn list(&mut self, project: &str, kind: Kind) -> Result<(usize, Vec<String>)> {
        let mut ids = Vec::new();
        loop {
            let (total, page) = self.page(project, kind, ids.len(), PAGE)?;
            let last = page.len() < PAGE;
            ids.extend(page);
            if last {
                return Ok((total, ids));
            }
        }
    }

    /// Total and ids of one page of a list.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub(crate) fn page(
        &mut self,
        project: &str,
        kind: Kind,
        offset: usize,
        limit: usize,
    ) -> Result<(usize, Vec<String>)> {
        let path = format!("/v1/{}?offset={offset}&limit={limit}", kind.plural());
        let document = self.document(project, &path)?.context("no list")?;
        let total = document.get("total").and_then(Value::as_u64);
        let total = total.context("a list without total")?;
        Ok((usize::try_from(total)?, ids(&document, kind)?))
    }

    /// The ids of all that have this name.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub(crate) fn ids_by_name(
        &mut self,
        project: &str,
        kind: Kind,
        name: &str,
    ) -> Result<Vec<String>> {
        let query = match kind {
            Kind::Secret | Kind::Container => format!("name={name}"),
            // A part of what is kept as JSON.
            Kind::Order => format!("meta=%22{name}%22"),
        };
        let path = format!("/v1/{}?limit=10&{query}", kind.plural());
        ids(&self.document(project, &path)?.context("no list")?, kind)
    }

    fn secret(&mut self, project: &str, at: &str, document: &Value) -> Result<Secret> {
        let content_type = document
            .pointer("/content_types/default")
            .and_then(Value::as_str);
        let payload = match content_type {
            Some(content_type) => Some(self.payload(project, at, content_type)?),
            None => None,
        };
        let metadata = self.document(project, &format!("{at}/metadata"))?;
        Ok(Secret {
            payload,
            metadata: from_member(&metadata.context("no metadata")?, "metadata")?,
            consumers: from_member::<BTreeSet<Consumer>>(document, "consumers")?,
            acl: self.acl(project, at)?,
        })
    }

    /// `None`: the answer is the one for what has no ACL.
    fn acl(&mut self, project: &str, at: &str) -> Result<Option<Acl>> {
        let document = self.document(project, &format!("{at}/acl"))?;
        let document = document.context("no ACL")?;
        let read = document.get("read").context("an ACL without read")?;
        if read.get("users").is_none() {
            return Ok(None);
        }
        Ok(Some(Acl {
            project_access: from_member(read, "project-access")?,
            users: from_member(read, "users")?,
        }))
    }

    fn payload(&mut self, project: &str, at: &str, content_type: &str) -> Result<Payload> {
        let path = format!("{at}/payload");
        let response = self.get(project, &path, content_type)?;
        ensure!(
            response.status == 200,
            "GET {path}: {} {}",
            response.status,
            response.text()
        );
        Ok(match content_type {
            "text/plain" => Payload::Text(String::from_utf8(response.body)?),
            "application/octet-stream" => Payload::Bytes(response.body),
            other => bail!("GET {path}: content type {other}"),
        })
    }

    /// `None` for a 404.
    fn document(&mut self, project: &str, path: &str) -> Result<Option<Value>> {
        let response = self.get(project, path, "application/json")?;
        if response.status == 404 {
            return Ok(None);
        }
        ensure!(
            response.status == 200,
            "GET {path}: {} {}",
            response.status,
            response.text()
        );
        Ok(Some(response.json()?))
    }

    fn get(&mut self, project: &str, path: &str, accept: &str) -> Result<Response> {
        let request = request(project, "GET", path)
            .header("Accept", accept)
            .header("OpenStack-API-Version", "key-manager 1.1");
        self.exchange(&request)
            .with_context(|| format!("GET {path}"))
    }
}

fn from_member<T: serde::de::DeserializeOwned>(document: &Value, name: &str) -> Result<T> {
    let value = document.get(name).cloned();
    Ok(serde_json::from_value(
        value.with_context(|| format!("no {name}"))?,
    )?)
}

fn members(container: &Value) -> Result<BTreeSet<Member>> {
    let refs: Vec<Value> = from_member(container, "secret_refs")?;
    let member = |entry: &Value| {
        Some(Member {
            name: entry.get("name")?.as_str()?.to_owned(),
            secret: id_of_ref(entry.get("secret_ref")?.as_str()?)?,
        })
    };
    refs.iter()
        .map(|entry| member(entry).context("a secret in a container without name or ref"))
        .collect()
}

fn spec(order: &Value) -> Result<Spec> {
    let meta = order.get("meta").context("an order without meta")?;
    let name: String = from_member(meta, "name")?;
    Ok(Spec {
        pair: from_member::<String>(order, "type")? == "asymmetric",
        algorithm: from_member(meta, "algorithm")?,
        bits: from_member(meta, "bit_length")?,
        sealed: name.ends_with(SEALED),
    })
}

fn ids(list: &Value, kind: Kind) -> Result<Vec<String>> {
    let entries: Vec<Value> = from_member(list, kind.plural())?;
    let id = |entry: &Value| id_of_ref(entry.get(kind.reference())?.as_str()?);
    entries
        .iter()
        .map(|entry| id(entry).context("an entry of a list without ref"))
        .collect()
}
