//! A load that sends at fixed moments, whatever the server does: an answer that is late makes the next ones late, and all
//! of that counts, as a latency runs from the moment at which the request was due.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::BODY;
use super::fill::ANSWER_WAIT;
use crate::kit::http::{Connection, Request, Response};
use crate::kit::random::Random;

const CONNECTIONS: u32 = 32;
/// Of the requests; the rest deletes what was created.
const READS_PERCENT: u64 = 60;
const CREATES_PERCENT: u64 = 20;
/// What [`BODY`] holds.
const PAYLOAD: &[u8] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    26, 27, 28, 29, 30, 31,
];

/// A secret and its project.
pub(super) type Stored = (String, String);

/// Reads, creates and deletes at a server in `noauth` mode.
#[derive(Debug)]
pub(super) struct OpenLoad<'a> {
    pub(super) host: &'a str,
    /// Requests a second.
    pub(super) rate: u32,
    /// What is read.
    pub(super) stored: &'a [Stored],
}

/// What one connection does.
struct Worker<'a> {
    load: &'a OpenLoad<'a>,
    connection: Connection,
    random: Random,
    created: &'a Mutex<Vec<Stored>>,
}

impl OpenLoad<'_> {
    /// Sends until `beside` returns, and gives what that gave with the latencies in seconds.
    ///
    /// # Errors
    /// An answer that was no success or the wrong payload; else as `beside`.
    pub(super) fn run<T>(
        &self,
        seed: u64,
        beside: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Vec<f64>)> {
        let (next, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
        let created = Mutex::new(Vec::new());
        let slot = Duration::from_secs(1) / self.rate;
        let workers: Result<Vec<Worker<'_>>> = (0..CONNECTIONS)
            .map(|number| {
                Ok(Worker {
                    load: self,
                    connection: Connection::open(self.host, ANSWER_WAIT)?,
                    random: Random::new(seed ^ u64::from(number).wrapping_mul(0x9E37_79B9)),
                    created: &created,
                })
            })
            .collect();
        let began = Instant::now();
        let work = |mut worker: Worker<'_>| -> Result<Vec<f64>> {
            let mut latencies = Vec::new();
            loop {
                let due = began + slot * next.fetch_add(1, Ordering::Relaxed);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if is_over.load(Ordering::Relaxed) {
                    return Ok(latencies);
                }
                worker.ask()?;
                latencies.push(due.elapsed().as_secs_f64());
            }
        };
        let work = &work;
        thread::scope(|scope| {
            let threads = workers?.into_iter();
            let threads: Vec<_> = threads.map(|it| scope.spawn(move || work(it))).collect();
            let done = beside();
            is_over.store(true, Ordering::Relaxed);
            let mut latencies = Vec::new();
            for thread in threads {
                match thread.join() {
                    Ok(result) => latencies.extend(result?),
                    Err(_panic) => bail!("a thread of the load panicked"),
                }
            }
            Ok((done?, latencies))
        })
    }
}

impl Worker<'_> {
    fn ask(&mut self) -> Result<()> {
        match self.random.below(100) {
            chance if chance < READS_PERCENT => self.read(),
            chance if chance < READS_PERCENT + CREATES_PERCENT => self.create(),
            _ => {
                let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
                let gone = created.pop();
                drop(created);
                match gone {
                    Some(gone) => self.delete(&gone),
                    None => self.create(),
                }
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let (id, project) = self
            .random
            .pick(self.load.stored)
            .context("nothing to read")?;
        let path = format!("/v1/secrets/{id}/payload");
        let request = request(project, "GET", &path).header("Accept", "application/octet-stream");
        let response = self.exchange(&request, 200)?;
        ensure!(response.body == PAYLOAD, "GET {path}: not what was stored");
        Ok(())
    }

    fn create(&mut self) -> Result<()> {
        let (_, project) = self.random.pick(self.load.stored).context("no project")?;
        let request = request(project, "POST", "/v1/secrets")
            .header("Content-Type", "application/json")
            .body(BODY);
        let response = self.exchange(&request, 201)?;
        let id = created_id(&response)?;
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created.push((id, project.clone()));
        Ok(())
    }

    fn delete(&mut self, (id, project): &Stored) -> Result<()> {
        let path = format!("/v1/secrets/{id}");
        let request = request(project, "DELETE", &path).header("Accept", "application/json");
        self.exchange(&request, 204).map(drop)
    }

    fn exchange(&mut self, request: &Request, status: u16) -> Result<Response> {
        exchange(&mut self.connection, self.load.host, request, status)
    }
}

pub(super) fn request(project: &str, method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("X-Project-Id", project)
        .header("X-User-Id", "bench")
        .header("X-Roles", "admin,creator,member,reader")
}

/// # Errors
/// No answer, or not with this status.
pub(super) fn exchange(
    connection: &mut Connection,
    host: &str,
    request: &Request,
    status: u16,
) -> Result<Response> {
    if !connection.reusable() {
        *connection = Connection::open(host, ANSWER_WAIT)?;
    }
    let response = connection.exchange(request)?;
    ensure!(
        response.status == status,
        "{} {}: {} {}",
        request.method,
        request.path,
        response.status,
        response.text()
    );
    Ok(response)
}

/// # Errors
/// The answer names none.
pub(super) fn created_id(response: &Response) -> Result<String> {
    let location = response.header("location").context("no Location")?;
    Ok(location.rsplit('/').next().unwrap_or_default().to_owned())
}
