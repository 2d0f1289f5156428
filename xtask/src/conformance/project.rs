//! A member of one project, who stores and reads at a server.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::kit::http::{self, Request, Response};
use crate::kit::server::Server;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Until all has to work again after a store does.
const RECOVERY: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// Calls of a member of one project.
pub(super) struct Project<'a> {
    server: &'a Server,
    name: &'static str,
}

impl<'a> Project<'a> {
    pub(super) fn new(server: &'a Server, name: &'static str) -> Self {
        Self { server, name }
    }

    /// Stores a text, and gives the path of its payload.
    pub(super) fn store(&self, text: &str) -> Result<String> {
        let answer = self.try_store(text)?;
        ensure!(answer.status == 201, "{}", self.told(&answer));
        Ok(format!("{}/payload", path(&answer, "secret_ref")?))
    }

    pub(super) fn try_store(&self, text: &str) -> Result<Response> {
        let body = format!(r#"{{"payload":"{text}","payload_content_type":"text/plain"}}"#);
        self.ask(self.request("POST", "/v1/secrets").body(body))
    }

    /// Has new payloads go to a store, by its name.
    ///
    /// # Errors
    /// There is no such store, or it is not taken.
    pub(crate) fn prefer(&self, store: &str) -> Result<()> {
        let listed =
            self.ask(self.request_as("admin,member,reader", "GET", "/v1/secret-stores"))?;
        let json = listed.json()?;
        let stores = json
            .get("secret_stores")
            .and_then(|stores| stores.as_array());
        let found = stores.into_iter().flatten().find(|found| {
            let name = found.get("name").and_then(serde_json::Value::as_str);
            name == Some(store)
        });
        let href = found.and_then(|found| found.get("secret_store_ref")?.as_str());
        let href = href.with_context(|| self.told(&listed))?;
        let (_, path) = href.split_once("/v1/").context("a reference without /v1")?;
        let path = format!("/v1/{path}/preferred");
        let answer = self.ask(self.request_as("admin,member,reader", "POST", &path))?;
        ensure!(answer.status == 204, "{}", self.told(&answer));
        Ok(())
    }

    /// Orders an AES key of 256 bits, and gives the path of its payload.
    pub(super) fn order(&self) -> Result<String> {
        let body = r#"{"type":"key","meta":{"algorithm":"aes","bit_length":256,"mode":"cbc"}}"#;
        let answer = self.ask(self.request("POST", "/v1/orders").body(body))?;
        ensure!(answer.status == 202, "{}", self.told(&answer));
        let order = path(&answer, "order_ref")?;
        let began = Instant::now();
        loop {
            let found = self.ask(self.request("GET", &order))?;
            if let Ok(secret) = path(&found, "secret_ref") {
                return Ok(format!("{secret}/payload"));
            }
            ensure!(began.elapsed() < TIMEOUT, "{}", self.told(&found));
            thread::sleep(POLL);
        }
    }

    pub(super) fn read(&self, payload: &str) -> Result<Response> {
        self.ask(self.request("GET", payload).header("Accept", "*/*"))
    }

    pub(super) fn expect(&self, payload: &str, status: u16) -> Result<()> {
        let answer = self.read(payload)?;
        ensure!(answer.status == status, "{}", self.told(&answer));
        Ok(())
    }

    /// Until a payload is read again: how many seconds that took.
    pub(super) fn wait(&self, payload: &str) -> Result<f64> {
        let began = Instant::now();
        loop {
            let answer = self.read(payload)?;
            if answer.status == 200 {
                return Ok(began.elapsed().as_secs_f64());
            }
            ensure!(began.elapsed() < RECOVERY, "{}", self.told(&answer));
            thread::sleep(POLL);
        }
    }

    /// Deletes the secret of a payload.
    pub(super) fn delete(&self, payload: &str) -> Result<()> {
        let secret = payload.trim_end_matches("/payload");
        let answer = self.ask(self.request("DELETE", secret))?;
        ensure!(answer.status == 204, "{}", self.told(&answer));
        Ok(())
    }

    fn request(&self, method: &str, path: &str) -> Request {
        self.request_as("member", method, path)
    }

    fn request_as(&self, role: &str, method: &str, path: &str) -> Request {
        Request::new(method, path)
            .header("Content-Type", "application/json")
            .header("X-Project-Id", self.name)
            .header("X-User-Id", "user")
            .header("X-Roles", role)
    }

    fn ask(&self, request: Request) -> Result<Response> {
        Ok(http::once(self.server.host(), &request, TIMEOUT)?)
    }

    fn told(&self, answer: &Response) -> String {
        format!(
            "{}: {} {}\n{}",
            self.name,
            answer.status,
            answer.text(),
            self.server.log_tail()
        )
    }
}

/// The path of a reference in an answer.
fn path(answer: &Response, name: &str) -> Result<String> {
    let json = answer.json()?;
    let href = json.get(name).and_then(serde_json::Value::as_str);
    let href = href.with_context(|| format!("no {name} in {json}"))?;
    let (_, path) = href.split_once("/v1/").context("a reference without /v1")?;
    Ok(format!("/v1/{path}"))
}
