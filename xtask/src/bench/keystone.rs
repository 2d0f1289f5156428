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

use super::figures::{Report, Target};
use super::first_token;
use super::sides::{self, Compared, Side};
use crate::kit::server::Launch;

/// As long as those that Keystone makes.
const TOKEN_CHARS: usize = 200;

/// # Errors
/// An answer that was no success, or a server that does not start.
pub(super) fn measure(donjon: &Path, rounds: u32, seconds: u32) -> Result<Compared> {
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
    sides::compare(own, known, rounds, seconds)
}

pub(super) fn report(compared: &Compared, report: &mut Report) {
    compared.report(
        [
            "(i) GET payload, tokens mode",
            "(i) with a known token of Keystone",
        ],
        Target::AtMost(1.05),
        report,
    );
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
