//! Tokens of all kinds, gathered while Keystone is well.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::kit::http::{self, Request};
use crate::kit::keystone::Keystone;

/// What is shown with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The server has seen it.
    Known,
    /// With a service token that it has seen.
    KnownService,
    /// A good one that it has not seen.
    New,
    /// A known one, with a service token that it has not seen.
    KnownNewService,
    /// New ones of both kinds.
    NewService,
    /// A good one of another project.
    Stranger,
    /// Looks like one.
    Invented,
    /// Was good once.
    Revoked,
    /// There is none.
    None,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Known,
        Self::KnownService,
        Self::New,
        Self::KnownNewService,
        Self::NewService,
        Self::Stranger,
        Self::Invented,
        Self::Revoked,
        Self::None,
    ];

    /// Whether whoever shows it may read the secret.
    pub(crate) fn is_good(self) -> bool {
        !matches!(
            self,
            Self::Stranger | Self::Invented | Self::Revoked | Self::None
        )
    }
}

/// A secret, and tokens to ask for it with.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Path of the payload.
    pub(crate) path: String,
    known: Vec<String>,
    known_service: String,
    new: Mutex<Vec<String>>,
    new_service: Mutex<Vec<String>>,
    stranger: Mutex<Vec<String>>,
    revoked: Vec<String>,
}

/// A new token counts once; what was answered with 503 is new still.
const NEW: usize = 700;
const NEW_SERVICE: usize = 700;
const WAIT: Duration = Duration::from_secs(30);
pub(crate) const PAYLOAD: &str = "outage-canary";

impl Tokens {
    pub(crate) fn prepare(keystone: &Keystone, host: &str) -> Result<Self> {
        let member = keystone.user("member")?;
        let service = keystone.user("nova")?;
        let many = |user, count| {
            let tokens = (0..count).map(|_| keystone.token(user));
            tokens.collect::<Result<Vec<_>>>()
        };
        let known = many(member, 4)?;
        let known_service = keystone.token(service)?;
        let first = known.first().context("no token")?;
        let path = store(host, first)?;
        for token in &known {
            for service in ["", &known_service] {
                let read = read(&path, token, service);
                let status = http::once(host, &read, WAIT)?.status;
                ensure!(status == 200, "a good token is answered with {status}");
            }
        }
        let revoked = many(member, 4)?;
        let admin = keystone.token(keystone.admin())?;
        let url = keystone.auth_url();
        let rest = url.strip_prefix("http://").context("no http URL")?;
        let (keystone_host, prefix) = rest.split_once('/').context("no path")?;
        for token in &revoked {
            let request = Request::new("DELETE", &format!("/{prefix}/auth/tokens"))
                .header("X-Auth-Token", &admin)
                .header("X-Subject-Token", token);
            let status = http::once(keystone_host, &request, WAIT)?.status;
            ensure!(status == 204, "Keystone does not revoke: {status}");
        }
        Ok(Self {
            path,
            known,
            known_service,
            new: Mutex::new(many(member, NEW)?),
            new_service: Mutex::new(many(service, NEW_SERVICE)?),
            stranger: Mutex::new(many(keystone.user("stranger")?, 8)?),
            revoked,
        })
    }

    /// A request of this kind, and the new tokens that it shows; `None` where there are no more.
    pub(crate) fn request(&self, kind: Kind, number: usize) -> Option<(Request, Shown)> {
        let known = pick(&self.known, number);
        let mut shown = Shown::default();
        let (token, service) = match kind {
            Kind::Known => (known, String::new()),
            Kind::KnownService => (known, self.known_service.clone()),
            Kind::New => (shown.take(&self.new)?, String::new()),
            Kind::KnownNewService => (known, shown.take_service(&self.new_service)?),
            Kind::NewService => (
                shown.take(&self.new)?,
                shown.take_service(&self.new_service)?,
            ),
            Kind::Stranger => (pick(&lock(&self.stranger), number), String::new()),
            // Each another one, so that no refusal is remembered.
            Kind::Invented => (format!("gAAAAAB{number:0>160}"), String::new()),
            Kind::Revoked => (pick(&self.revoked, number), String::new()),
            Kind::None => (String::new(), String::new()),
        };
        Some((read(&self.path, &token, &service), shown))
    }

    /// They were not found out about, and can be shown again.
    pub(crate) fn give_back(&self, shown: Shown) {
        lock(&self.new).extend(shown.token);
        lock(&self.new_service).extend(shown.service);
    }

    /// How many new ones there are.
    pub(crate) fn left(&self) -> usize {
        lock(&self.new).len().min(lock(&self.new_service).len())
    }
}

/// New tokens that a request shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    token: Option<String>,
    service: Option<String>,
}

impl Shown {
    fn take(&mut self, from: &Mutex<Vec<String>>) -> Option<String> {
        self.token = lock(from).pop();
        self.token.clone()
    }

    fn take_service(&mut self, from: &Mutex<Vec<String>>) -> Option<String> {
        self.service = lock(from).pop();
        self.service.clone()
    }
}

fn pick(tokens: &[String], number: usize) -> String {
    let at = number % tokens.len().max(1);
    tokens.get(at).cloned().unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read(path: &str, token: &str, service: &str) -> Request {
    let mut request = Request::new("GET", path).header("Accept", "text/plain");
    for (name, value) in [("X-Auth-Token", token), ("X-Service-Token", service)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    request
}

fn store(host: &str, token: &str) -> Result<String> {
    let body = json!({"payload": PAYLOAD, "payload_content_type": "text/plain"});
    let request = Request::new("POST", "/v1/secrets")
        .header("X-Auth-Token", token)
        .header("Content-Type", "application/json")
        .body(body.to_string());
    let answer = http::once(host, &request, WAIT)?;
    ensure!(answer.status == 201, "no secret: {}", answer.text());
    let body = answer.json()?;
    let reference = body.get("secret_ref").and_then(serde_json::Value::as_str);
    let reference = reference.context("no secret_ref")?;
    let (_, path) = reference.split_once(host).context("no own reference")?;
    Ok(format!("{path}/payload"))
}
