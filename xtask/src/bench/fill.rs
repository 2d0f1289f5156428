//! Fills a server with secrets through its API.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::kit::http::{Connection, Request};

const CONNECTIONS: usize = 64;
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Stores `count` secrets and writes their ids into `file`, one a line. `body` is that of each POST.
///
/// # Errors
/// A POST was refused.
pub(crate) fn secrets(
    host: &str,
    token: &str,
    body: &str,
    count: usize,
    file: &Path,
) -> Result<()> {
    println!("storing {count} secrets");
    let started = Instant::now();
    let store = |share: usize| -> Result<Vec<String>> {
        let mut connection = Connection::open(host, ANSWER_WAIT)?;
        (0..share)
            .map(|_| store_one(&mut connection, host, token, body))
            .collect()
    };
    let store = &store;
    let ids: Result<Vec<Vec<String>>> = thread::scope(|scope| {
        let share = |number: usize| count / CONNECTIONS + usize::from(number < count % CONNECTIONS);
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || store(share(number))))
            .collect();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_panic) => bail!("a thread that stores secrets panicked"),
        });
        results.collect()
    });
    let ids = ids?.concat();
    fs::write(file, ids.join("\n") + "\n")?;
    println!(
        "stored {} secrets in {:.1} s",
        ids.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn store_one(connection: &mut Connection, host: &str, token: &str, body: &str) -> Result<String> {
    if !connection.reusable() {
        *connection = Connection::open(host, ANSWER_WAIT)?;
    }
    let request = Request::new("POST", "/v1/secrets")
        .header("X-Auth-Token", token)
        .header("Content-Type", "application/json")
        .body(body);
    let response = connection.exchange(&request)?;
    ensure!(
        response.status == 201,
        "POST /v1/secrets: {} {}",
        response.status,
        response.text()
    );
    let document = response.json()?;
    let reference = document
        .get("secret_ref")
        .and_then(|value| value.as_str())
        .context("no secret_ref")?;
    Ok(reference.rsplit('/').next().unwrap_or_default().to_owned())
}
