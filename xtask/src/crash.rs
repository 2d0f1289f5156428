//! `crash`: kills the server under load, again and again, and checks that nothing acknowledged is lost.
//!
//! Each client has a project of its own and keeps a ledger outside the server: what it asks for, and what was
//! acknowledged. A write without an answer may have happened or not; everything else must be as acknowledged.

mod client;
mod model;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use self::client::{Client, Trigger};
use self::verify::{Finding, Reader};
use crate::kit::build::{self, Profile};
use crate::kit::random::Random;
use crate::kit::server::{Launch, Server};

/// The load lasts up to this long before the kill.
const LOAD_MS_MAX: u64 = 300;
/// A run of this many cycles must acknowledge [`ACKNOWLEDGED_PER_CYCLE`] writes each on average.
const CYCLES_THAT_COUNT: u64 = 100;
const ACKNOWLEDGED_PER_CYCLE: u64 = 50;
/// How long an armed trigger waits for an acknowledgement.
const TRIGGER_WAIT: Duration = Duration::from_millis(200);
const FINDINGS_SHOWN: usize = 20;
const BAD_FEATURE: &str = "danger-ack-before-commit";

/// Kill the server (SIGKILL) under load, restart it, and check every acknowledged write
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often to kill
    #[arg(long, default_value_t = 200)]
    pub(crate) cycles: u64,
    /// How many clients write at once
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: u64,
    /// Repeat the schedule of an earlier run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Build a server that acknowledges before it commits, and expect that loss is found
    #[arg(long)]
    pub(crate) danger_ack_before_commit: bool,
}

/// # Errors
/// Something was lost or made up, or the server did not start again.
pub(crate) fn run(args: &Args) -> Result<()> {
    let features: &[&str] = if args.danger_ack_before_commit {
        &[BAD_FEATURE]
    } else {
        &[]
    };
    let binary = build::donjon(Profile::Dev, features)?;
    let seed = args.seed.unwrap_or_else(clock_seed);
    println!(
        "{} cycles, {} connections, --seed {seed}",
        args.cycles, args.connections
    );
    let mut harness = Harness::new(args, Launch::new(&binary, "noauth")?, seed)?;
    let mut server = harness.launch.start_again()?;
    for cycle in 1..=args.cycles {
        server = harness.cycle(server)?;
        if !harness.findings.is_empty() {
            println!("cycle {cycle}: something is wrong");
            break;
        }
        if cycle % 10 == 0 || cycle == args.cycles {
            harness.print_progress(cycle);
        }
    }
    if harness.findings.is_empty() {
        println!("reading everything back");
        harness.read(server.host(), |reader| reader.everything())?;
        server.stop()?;
    }
    harness.conclude(args, seed)
}

fn clock_seed() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() ^ u64::from(since.subsec_nanos())
}

struct Harness {
    launch: Launch,
    clients: Vec<Client>,
    random: Random,
    /// Holds the ledgers.
    folder: TempDir,
    findings: Vec<Finding>,
    secrets_read: u64,
    slowest_start: Duration,
}

impl Harness {
    fn new(args: &Args, launch: Launch, seed: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("donjon-crash-").tempdir()?;
        let clients = (0..args.connections).map(|number| Client::new(number, folder.path(), seed));
        Ok(Self {
            launch,
            clients: clients.collect::<Result<_>>()?,
            random: Random::new(seed),
            folder,
            findings: Vec::new(),
            secrets_read: 0,
            slowest_start: Duration::ZERO,
        })
    }

    /// Load, kill (at any moment, or just when a client has got an acknowledgement), restart, check what the load touched. Gives the server that now runs.
    fn cycle(&mut self, server: Server) -> Result<Server> {
        self.load_and_kill(server)?;
        let started = Instant::now();
        let server = self.launch.start_again()?;
        self.slowest_start = self.slowest_start.max(started.elapsed());
        self.read(server.host(), |reader| reader.recent())?;
        Ok(server)
    }

    fn load_and_kill(&mut self, server: Server) -> Result<()> {
        let host = server.host().to_owned();
        let load = Duration::from_millis(1 + self.random.below(LOAD_MS_MAX));
        let at_acknowledgement = self.random.below(2) == 0;
        let trigger = Trigger::new(server.process());
        let barrier = Barrier::new(self.clients.len() + 1);
        let work = |client: &mut Client| {
            barrier.wait();
            client.load(&host, &trigger)
        };
        thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = self
                .clients
                .iter_mut()
                .map(|client| scope.spawn(move || work(client)))
                .collect();
            barrier.wait();
            thread::sleep(load);
            if at_acknowledgement {
                trigger.arm();
                let armed = Instant::now();
                while !trigger.has_fired() && armed.elapsed() < TRIGGER_WAIT {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            server.kill()?;
            join_all(threads).map(drop)
        })
    }

    /// Lets a reader of each client check its part, a thread for each.
    fn read(&mut self, host: &str, check: fn(&mut Reader<'_>) -> Result<()>) -> Result<()> {
        let read = |client| {
            let mut reader = Reader::new(client, host)?;
            check(&mut reader)?;
            Ok((reader.findings, reader.read))
        };
        let results: Result<Vec<(Vec<Finding>, u64)>> = thread::scope(|scope| {
            let read = &read;
            let threads: Vec<_> = self
                .clients
                .iter_mut()
                .map(|client| scope.spawn(move || read(client)))
                .collect();
            join_all(threads)
        });
        for (findings, read) in results? {
            self.findings.extend(findings);
            self.secrets_read += read;
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.clients
            .iter()
            .map(|client| client.model.acknowledged)
            .sum()
    }

    fn print_progress(&self, cycle: u64) {
        println!(
            "cycle {cycle}: {} writes acknowledged, {} secrets, {} read back, slowest start {} ms",
            self.acknowledged(),
            self.clients
                .iter()
                .map(|client| client.model.live())
                .sum::<usize>(),
            self.secrets_read,
            self.slowest_start.as_millis()
        );
    }

    fn conclude(self, args: &Args, seed: u64) -> Result<()> {
        let acknowledged = self.acknowledged();
        let lost = self
            .findings
            .iter()
            .filter(|finding| matches!(finding, Finding::Lost(_)))
            .count();
        let phantoms = self.findings.len() - lost;
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            println!(
                "{}",
                finding.to_string().chars().take(500).collect::<String>()
            );
        }
        println!(
            "{acknowledged} writes acknowledged, {} secrets read back",
            self.secrets_read
        );
        println!("{lost} lost, {phantoms} phantoms");
        if args.danger_ack_before_commit {
            ensure!(
                lost > 0,
                "a server that acknowledges before it commits lost nothing in {} cycles",
                args.cycles
            );
            println!("as expected of a server that acknowledges before it commits");
            return Ok(());
        }
        if !self.findings.is_empty() {
            let data = self.launch.keep();
            let ledgers = self.folder.keep();
            bail!(
                "run again with --seed {seed}; data in {}, ledgers in {}",
                data.display(),
                ledgers.display()
            );
        }
        let odd: Vec<&String> = self.clients.iter().flat_map(|client| &client.odd).collect();
        if let Some(first) = odd.first() {
            bail!("{} writes were refused, the first: {first}", odd.len());
        }
        let enough =
            args.cycles < CYCLES_THAT_COUNT || acknowledged >= args.cycles * ACKNOWLEDGED_PER_CYCLE;
        ensure!(
            enough,
            "too few writes: {ACKNOWLEDGED_PER_CYCLE} a cycle are needed for a result that counts"
        );
        Ok(())
    }
}

fn join_all<T>(threads: Vec<thread::ScopedJoinHandle<'_, Result<T>>>) -> Result<Vec<T>> {
    let results = threads.into_iter().map(|thread| match thread.join() {
        Ok(result) => result,
        Err(_panic) => bail!("a thread of the harness panicked"),
    });
    results.collect()
}
