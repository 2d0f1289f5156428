//! What a token of Keystone costs that the server knows, beside one of the server's own.
//!
//! Two servers of one build, on data of their own, are asked the same in turns. Keystone is a thread here: it is asked
//! once, before anything is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use super::figures::{Report, Series, Target};
use super::fill::{self, What};
use super::wrk::{self, Load};
use super::{BODY, READ_CONNECTIONS, first_token};
use crate::kit::server::{Launch, Server};

const SECRETS: usize = 1_000;
/// As long as those that Keystone makes.
const TOKEN_CHARS: usize = 200;

/// All figures, round by round.
#[derive(Debug, Default)]
pub(super) struct Measured {
    tokens: Series,
    keystone: Series,
    /// How many times as much time a request takes.
    cost: Series,
}

/// A server with secrets, and a token that reads them.
struct Side {
    server: Server,
    token: String,
    ids: tempfile::NamedTempFile,
}

/// # Errors
/// An answer that was no success, or a server that does not start.
pub(super) fn measure(donjon: &Path, rounds: u32, seconds: u32) -> Result<Measured> {
    let launch = Launch::new(donjon, "tokens")?;
    let own = launch.start_again()?;
    let own = Side::fill(own, first_token(&launch)?)?;
    let mut asks = Launch::new(donjon, "keystone")?;
    asks.env("DONJON_AUTH__KEYSTONE__AUTH_URL", &keystone()?);
    asks.env("DONJON_AUTH__KEYSTONE__USERNAME", "donjon");
    asks.env("DONJON_AUTH__KEYSTONE__PASSWORD", "donjon");
    asks.env("DONJON_AUTH__KEYSTONE__PROJECT_NAME", "service");
    // Known until the end.
    asks.env("DONJON_AUTH__KEYSTONE__TOKEN_CACHE_TIME", "3600");
    let known = asks.start_again()?;
    let known = Side::fill(known, format!("gAAAAAB{}", "k".repeat(TOKEN_CHARS - 7)))?;
    let mut measured = Measured::default();
    for round in 0..rounds {
        // Who is first changes, so that neither has the warmer machine.
        let (first, second) = if round % 2 == 0 {
            (&own, &known)
        } else {
            (&known, &own)
        };
        let (a, b) = (first.read(seconds)?, second.read(seconds)?);
        let (own, known) = if round % 2 == 0 { (a, b) } else { (b, a) };
        measured.tokens.push(own);
        measured.keystone.push(known);
        measured.cost.push(own / known);
    }
    own.server.stop()?;
    known.server.stop()?;
    Ok(measured)
}

impl Measured {
    pub(super) fn report(&self, report: &mut Report) {
        report.figure("(i) GET payload, tokens mode", "answers/s", &self.tokens);
        report.figure(
            "(i) with a known token of Keystone",
            "answers/s",
            &self.keystone,
        );
        report.aim_series(
            "    times as much per request",
            "",
            &self.cost,
            Target::AtMost(1.05),
        );
    }
}

impl Side {
    fn fill(server: Server, token: String) -> Result<Self> {
        let what = What {
            plural: "secrets",
            body: BODY,
            status: 201,
        };
        let stored = fill::create(server.host(), &token, what, SECRETS)?;
        let ids = tempfile::NamedTempFile::new()?;
        std::fs::write(ids.path(), stored.join("\n") + "\n")?;
        let side = Self { server, token, ids };
        // Warm.
        side.read(1)?;
        Ok(side)
    }

    fn read(&self, seconds: u32) -> Result<f64> {
        let figures = wrk::run(&Load {
            host: self.server.host(),
            method: "GET",
            path: "/v1/secrets/ID/payload",
            ids: Some(self.ids.path()),
            body: None,
            headers: &[
                ("X-Auth-Token", &self.token),
                ("Accept", "application/octet-stream"),
            ],
            connections: READ_CONNECTIONS,
            seconds,
        })?;
        Ok(figures.per_second())
    }
}

// === Keystone ===

/// Starts a thread for which every token is one of a member; gives its URL.
fn keystone() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever does not get an answer says so.
            drop(stream.map_err(anyhow::Error::from).and_then(answer));
        }
    });
    Ok(url)
}

/// Answers one request, and closes.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().context("a length")?;
        }
    }
    ensure!(length < 100_000, "too long");
    reader.read_exact(&mut vec![0; length])?;
    let status = if line.starts_with("POST ") {
        "201 Created\r\nX-Subject-Token: own"
    } else {
        "200 OK"
    };
    let body = token().to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    Ok(stream.write_all(body.as_bytes())?)
}

/// With the roles that the first token of a server has too.
fn token() -> Json {
    json!({"token": {
        "user": {"id": "0123456789abcdef0123456789abcdef", "domain": {"id": "default"}},
        "project": {"id": "fedcba9876543210fedcba9876543210", "domain": {"id": "default"}},
        "roles": [{"name": "admin"}, {"name": "member"}, {"name": "reader"}],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "9999-01-01T00:00:00.000000Z",
        "catalog": [{"type": "key-manager", "endpoints": []}],
    }})
}
