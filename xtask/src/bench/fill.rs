//! Fills a server through its API.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::kit::http::{Connection, Request};

const CONNECTIONS: usize = 64;
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// What to create many of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct What<'a> {
    /// As in paths.
    pub(crate) plural: &'a str,
    /// Of each POST.
    pub(crate) body: &'a str,
    /// Of an answer.
    pub(crate) status: u16,
}

/// Creates `count` of them and gives their ids.
///
/// # Errors
/// A POST was refused.
pub(crate) fn create(host: &str, token: &str, what: What<'_>, count: usize) -> Result<Vec<String>> {
    println!("creating {count} {}", what.plural);
    let started = Instant::now();
    let store = |share: usize| -> Result<Vec<String>> {
        let mut connection = Connection::open(host, ANSWER_WAIT)?;
        (0..share)
            .map(|_| create_one(&mut connection, host, token, what))
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
    println!(
        "created {} {} in {:.1} s",
        ids.len(),
        what.plural,
        started.elapsed().as_secs_f64()
    );
    Ok(ids)
}

/// Creates one and gives its id.
///
/// # Errors
/// The POST was refused.
pub(crate) fn create_one(
    connection: &mut Connection,
    host: &str,
    token: &str,
    what: What<'_>,
) -> Result<String> {
    if !connection.reusable() {
        *connection = Connection::open(host, ANSWER_WAIT)?;
    }
    let path = format!("/v1/{}", what.plural);
    let request = Request::new("POST", &path)
        .header("X-Auth-Token", token)
        .header("Content-Type", "application/json")
        .body(what.body);
    let response = connection.exchange(&request)?;
    ensure!(
        response.status == what.status,
        "POST {path}: {} {}",
        response.status,
        response.text()
    );
    let location = response.header("location").context("no Location")?;
    Ok(location.rsplit('/').next().unwrap_or_default().to_owned())
}
