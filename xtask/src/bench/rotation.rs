//! Requests beside changes of keys: a server with many secrets gets 200 requests a second, without a change, while a root
//! key changes, and while every secret is sealed anew, round by round on the same data.
//!
//! Half of the secrets are of one project, the others of many. Pace and everything else are the server's defaults.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::figures::{Report, Series, Target};
use super::fill::ANSWER_WAIT;
use super::open_load::{OpenLoad, Stored, created_id, exchange, request};
use super::{BODY, memory, mib};
use crate::kit::http::Connection;
use crate::kit::random::Random;
use crate::kit::server::Launch;
use crate::kit::{admin, run};

const RATE: u32 = 200;
const SMALL_PROJECTS: usize = 1_000;
const FILLERS: usize = 32;
/// As often as `donjon rotate --wait` asks.
const POLL: Duration = Duration::from_millis(500);
/// That of a root key, which takes a second at most.
const QUICK_POLL: Duration = Duration::from_millis(20);
const CHANGE_WAIT: Duration = Duration::from_secs(600);
/// Times that without a change.
const P99_TARGET: f64 = 2.0;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) rounds: u32,
    /// Of the load without a change, twice.
    pub(super) seconds: u32,
    pub(super) secrets: usize,
}

/// All figures.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Latencies in seconds.
    without: Vec<f64>,
    root: Vec<f64>,
    sealing: Vec<f64>,
    keys_per_s: Series,
    rows_per_s: Series,
    unhurried_rows_per_s: Series,
    peak_mib: Series,
}

/// # Errors
/// An answer that was no success or a wrong payload, a change that does not end, or a server that does not start.
pub(super) fn measure(donjon: &Path, size: Size) -> Result<Measured> {
    let mut launch = Launch::new(donjon, "noauth")?;
    let mut random = Random::new(0);
    let mut root = launch.root_key("root-0.key", &mut random)?;
    configure(&mut launch, &root, None)?;
    let server = launch.start_again()?;
    let stored = fill(server.host(), size.secrets)?;
    server.stop()?;
    let mut measured = Measured::default();
    for round in 1..=size.rounds {
        let next = launch.root_key(&format!("root-{round}.key"), &mut random)?;
        configure(&mut launch, &next, Some(&root))?;
        measured.round(&launch, size, &stored, round)?;
        root = next;
        configure(&mut launch, &root, None)?;
        println!("round {round} of {} done", size.rounds);
    }
    measured.at_once(&launch, size)?;
    Ok(measured)
}

impl Measured {
    fn round(&mut self, launch: &Launch, size: Size, stored: &[Stored], round: u32) -> Result<()> {
        let data_dir = launch.data_dir();
        let server = launch.start_again()?;
        let load = OpenLoad {
            host: server.host(),
            rate: RATE,
            stored,
        };
        let seed = u64::from(round);
        let seconds = Duration::from_secs(u64::from(size.seconds));
        // Warm: the keys of the projects are unwrapped.
        let wait = |time| {
            thread::sleep(time);
            Ok(())
        };
        load.run(seed, || wait(seconds))?;
        let ((), latencies) = load.run(seed + 1, || wait(seconds * 2))?;
        self.without.extend(latencies);
        let before = admin::rotation_status(&data_dir)?;
        let ((), latencies) = load.run(seed + 2, || {
            let began = Instant::now();
            admin::ask(&data_dir, &json!({"verb": "rotate-root"}))?;
            wait_for(QUICK_POLL, || {
                Ok(admin::rotation_status(&data_dir)?.left == 0)
            })?;
            let keys: u64 = before.root_keys.iter().map(|root| root.keys).sum();
            self.keys_per_s.push(per_s(keys, began));
            Ok(())
        })?;
        self.root.extend(latencies);
        let ((), latencies) = load.run(seed + 3, || {
            let began = Instant::now();
            admin::ask(
                &data_dir,
                &json!({"verb": "rotate-project", "project": null}),
            )?;
            wait_for(POLL, || {
                Ok(admin::rotation_status(&data_dir)?.retired_rows == 0)
            })?;
            self.rows_per_s.push(per_s(size.secrets as u64, began));
            Ok(())
        })?;
        self.sealing.extend(latencies);
        self.peak_mib.push(mib(memory::of(server.pid())?.peak_kib));
        server.stop()
    }

    /// Where no server runs nobody has to wait, and all is done at once.
    fn at_once(&mut self, launch: &Launch, size: Size) -> Result<()> {
        let began = Instant::now();
        run::stdout(&mut launch.verb(&["rotate", "project"]))?;
        self.unhurried_rows_per_s
            .push(per_s(size.secrets as u64, began));
        Ok(())
    }

    pub(super) fn report(&self, size: Size, report: &mut Report) {
        let without = latency(report, "no change of keys", &self.without);
        let target = Target::AtMost(P99_TARGET);
        for (name, latencies) in [
            ("while a root key changes", &self.root),
            ("while all secrets are sealed anew", &self.sealing),
        ] {
            let times = latency(report, name, latencies) / without;
            report.aim("    times as long", "", times, "", target);
        }
        report.figure("(j) keys wrapped anew", "keys/s", &self.keys_per_s);
        let name = format!("(j) {} secrets sealed anew", size.secrets);
        report.figure(&name, "secrets/s", &self.rows_per_s);
        let name = "    by `donjon rotate` without a server";
        report.figure(name, "secrets/s", &self.unhurried_rows_per_s);
        report.figure("(j) memory, most", "MiB", &self.peak_mib);
    }
}

/// Creates secrets, half of them in one project; gives all of them.
fn fill(host: &str, count: usize) -> Result<Vec<Stored>> {
    println!("creating {count} secrets");
    let store = |from: usize| -> Result<Vec<Stored>> {
        let mut connection = Connection::open(host, ANSWER_WAIT)?;
        let numbers = (from..count).step_by(FILLERS);
        let store = |number: usize| {
            let project = match number % 2 {
                0 => "bench-large".to_owned(),
                _ => format!("bench-{}", number / 2 % SMALL_PROJECTS),
            };
            let request = request(&project, "POST", "/v1/secrets")
                .header("Content-Type", "application/json")
                .body(BODY);
            let response = exchange(&mut connection, host, &request, 201)?;
            Ok((created_id(&response)?, project))
        };
        numbers.map(store).collect()
    };
    let store = &store;
    let stored: Result<Vec<Vec<Stored>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..FILLERS)
            .map(|from| scope.spawn(move || store(from)))
            .collect();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_panic) => bail!("a thread that stores secrets panicked"),
        });
        results.collect()
    });
    Ok(stored?.concat())
}

fn configure(launch: &mut Launch, current: &Path, previous: Option<&Path>) -> Result<()> {
    let place = |name, key: &Path| format!("{name} = \"file:{}\"\n", key.display());
    let previous = previous.map(|key| place("previous", key));
    launch.config(&format!(
        "[root_key]\n{}{}",
        place("current", current),
        previous.unwrap_or_default()
    ))
}

fn wait_for(poll: Duration, is_done: impl Fn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_done()? {
        ensure!(
            began.elapsed() < CHANGE_WAIT,
            "a change of keys does not end"
        );
        thread::sleep(poll);
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn per_s(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// Reports the latencies of all rounds together, and gives their 99th percentile in milliseconds.
fn latency(report: &mut Report, name: &str, latencies: &[f64]) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let at = sorted.len().saturating_sub(1) * percent / 100;
        let mut series = Series::default();
        series.push(sorted.get(at).copied().unwrap_or(f64::NAN) * 1e3);
        series
    };
    let count = sorted.len();
    let name = format!("(j) {RATE} requests/s, {name} ({count} requests)");
    report.figure(&name, "ms, median", &percentile(50));
    report.figure("    99th percentile", "ms", &percentile(99));
    percentile(99).median()
}
