//! A whole server that keeps payloads in OpenBao, while that is sealed, killed and back again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::kit::build::{self, Profile};
use crate::kit::http::{self, Request, Response};
use crate::kit::openbao::OpenBao;
use crate::kit::server::{Launch, Server};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Until all has to work again after OpenBao does.
const RECOVERY: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// How many facts were checked.
///
/// # Errors
/// OpenBao cannot be had, or an answer was not the right one.
pub(super) fn run() -> Result<usize> {
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut bao = OpenBao::start()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    let token = format!("plugin = \"vault\"\nurl = \"{}\"\n", bao.url());
    launch.config(&format!(
        "[[secret_stores]]\nname = \"bao\"\nglobal_default = true\n{}\n\
         [[secret_stores]]\nname = \"by-token\"\n{token}token_file = \"{}\"\n",
        bao.kv_settings()?,
        launch.secret("bao-token", &bao.token()?)?.display()
    ))?;
    let server = launch.start_again()?;
    let web = Project::new(&server, "web");
    let stored = web.store("kept in OpenBao")?;
    ensure!(web.read(&stored)?.text() == "kept in OpenBao");
    let ordered = web.order()?;
    println!("a secret is stored and read, an order makes a key");
    bao.seal()?;
    web.expect(&stored, 503)?;
    bao.unseal()?;
    let back = web.wait(&stored)?;
    println!("sealed: 503; read again {back:.1} s after it was unsealed");
    bao.kill()?;
    web.expect(&stored, 503)?;
    ensure!(web.try_store("lost?")?.status == 503);
    bao.start_again()?;
    let back = web.wait(&stored)?;
    println!("killed: 503; read again {back:.1} s after it was started");
    ensure!(web.read(&ordered)?.body.len() == 32);
    ensure!(web.read(&stored)?.text() == "kept in OpenBao");
    web.store("kept afterwards")?;
    server.stop()?;
    Ok(5)
}

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

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path)
            .header("Content-Type", "application/json")
            .header("X-Project-Id", self.name)
            .header("X-User-Id", "user")
            .header("X-Roles", "member")
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
