//! `crash`: kills the server under load, again and again, and checks that nothing acknowledged is lost.
//!
//! Each client has a project of its own and keeps a ledger outside the server: what it asks for, and what was
//! acknowledged. A write without an answer may have happened or not; everything else must be as acknowledged, orders
//! carried out once, and nothing there besides. In shared projects with quotas most creates are refused, and no more may be
//! there than the quotas allow.

mod client;
mod limits;
mod mix;
mod model;
mod remote;
mod rotation;
mod verify;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use self::client::{Client, Pace, Trigger};
use self::model::Kind;
use self::verify::{Finding, ORDER_WAIT, Reader};
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
/// A request waits for its order only so long, so that some orders are still PENDING when the server is killed.
const ORDERS_WAIT_MS: &str = "20";
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
    /// Change root keys and keys of projects all the while, at 200 requests a second
    #[arg(long, conflicts_with = "danger_ack_before_commit")]
    pub(crate) rotation: bool,
    /// Build a server that acknowledges before it commits, and expect that loss is found
    #[arg(long)]
    pub(crate) danger_ack_before_commit: bool,
}

/// # Errors
/// Something was lost or made up, or the server did not start again.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.rotation {
        return rotation::run(args);
    }
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
    let mut launch = Launch::new(&binary, "noauth")?;
    launch.env("DONJON_ORDERS__WAIT_MS", ORDERS_WAIT_MS);
    let mut harness = Harness::new(args, launch, seed)?;
    let mut server = harness.launch.start_again()?;
    limits::set(server.host())?;
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

/// What the reader of one client gives.
struct Seen {
    findings: Vec<Finding>,
    read: u64,
    waiting: u64,
    slowest_order: Duration,
}

struct Harness {
    launch: Launch,
    clients: Vec<Client>,
    random: Random,
    /// Holds the ledgers.
    folder: TempDir,
    findings: Vec<Finding>,
    read: u64,
    slowest_start: Duration,
    /// Orders that a kill found between accept and finish.
    orders_resumed: u64,
    slowest_order: Duration,
    /// How long the clients had a server, all loads together.
    loaded: Duration,
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
            read: 0,
            slowest_start: Duration::ZERO,
            orders_resumed: 0,
            slowest_order: Duration::ZERO,
            loaded: Duration::ZERO,
        })
    }

    /// Load, kill (at any moment, or just when a client has got an acknowledgement), restart, check what the load touched. Gives the server that now runs.
    fn cycle(&mut self, server: Server) -> Result<Server> {
        self.load_and_kill(server, None, |load| {
            thread::sleep(load);
            Ok(())
        })?;
        self.start_and_check()
    }

    fn start_and_check(&mut self) -> Result<Server> {
        let started = Instant::now();
        let server = self.launch.start_again()?;
        self.slowest_start = self.slowest_start.max(started.elapsed());
        self.read(server.host(), |reader| reader.recent())?;
        Ok(server)
    }

    /// `rate` is how many requests all clients send in a second; without one as many as they can. `beside` runs beside
    /// them, for as long as it is told.
    fn load_and_kill(
        &mut self,
        server: Server,
        rate: Option<u32>,
        beside: impl FnOnce(Duration) -> Result<()>,
    ) -> Result<()> {
        let host = server.host().to_owned();
        let paces = paces(rate, self.clients.len());
        let load = Duration::from_millis(1 + self.random.below(LOAD_MS_MAX));
        let at_acknowledgement = self.random.below(2) == 0;
        let trigger = Trigger::new(server.process());
        let barrier = Barrier::new(self.clients.len() + 1);
        let work = |client: &mut Client, pace: Pace| {
            barrier.wait();
            client.load(&host, &trigger, pace)
        };
        let began = Instant::now();
        let loaded = &mut self.loaded;
        thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = self
                .clients
                .iter_mut()
                .zip(paces)
                .map(|(client, pace)| scope.spawn(move || work(client, pace)))
                .collect();
            barrier.wait();
            let done = beside(load);
            if at_acknowledgement {
                trigger.arm();
                let armed = Instant::now();
                while !trigger.has_fired() && armed.elapsed() < TRIGGER_WAIT {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            let killed = server.kill();
            *loaded += began.elapsed();
            trigger.end();
            join_all(threads)?;
            killed.and(done)
        })
    }

    /// Lets a reader of each client check its part, a thread for each; then checks the shared projects.
    fn read(&mut self, host: &str, check: fn(&mut Reader<'_>) -> Result<()>) -> Result<()> {
        let read = |client| {
            let mut reader = Reader::new(client, host, ORDER_WAIT)?;
            check(&mut reader)?;
            Ok(Seen {
                findings: reader.findings,
                read: reader.read,
                waiting: reader.waiting,
                slowest_order: reader.slowest_order,
            })
        };
        let seen: Result<Vec<Seen>> = thread::scope(|scope| {
            let read = &read;
            let threads: Vec<_> = self
                .clients
                .iter_mut()
                .map(|client| scope.spawn(move || read(client)))
                .collect();
            join_all(threads)
        });
        for seen in seen? {
            self.findings.extend(seen.findings);
            self.read += seen.read;
            self.orders_resumed += seen.waiting;
            self.slowest_order = self.slowest_order.max(seen.slowest_order);
        }
        self.findings.extend(limits::check(host, &self.clients)?);
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.clients
            .iter()
            .map(|client| client.model.acknowledged)
            .sum()
    }

    fn live(&self, kind: Kind) -> usize {
        let count =
            |client: &Client| [false, true].map(|limited| client.model.live(kind, limited).count());
        self.clients.iter().flat_map(count).sum()
    }

    fn print_progress(&self, cycle: u64) {
        let live = Kind::ALL.map(|kind| format!("{} {}", self.live(kind), kind.plural()));
        println!(
            "cycle {cycle}: {} writes acknowledged, {} refused for quotas, {}, {} read back, slowest start {} ms, \
             {} orders resumed within {} ms",
            self.acknowledged(),
            limits::refusals(&self.clients).values().sum::<u64>(),
            live.join(", "),
            self.read,
            self.slowest_start.as_millis(),
            self.orders_resumed,
            self.slowest_order.as_millis()
        );
    }

    fn conclude(self, args: &Args, seed: u64) -> Result<()> {
        let acknowledged = self.acknowledged();
        let lost = self.count(|finding| matches!(finding, Finding::Lost(_)));
        self.print_result(lost);
        if args.danger_ack_before_commit {
            ensure!(
                lost > 0,
                "a server that acknowledges before it commits lost nothing in {} cycles",
                args.cycles
            );
            println!("as expected of a server that acknowledges before it commits");
            return Ok(());
        }
        let refusals = limits::refusals(&self.clients);
        let resumed = self.orders_resumed;
        self.fail_on_findings(seed)?;
        if args.cycles < CYCLES_THAT_COUNT {
            return Ok(());
        }
        ensure!(
            acknowledged >= args.cycles * ACKNOWLEDGED_PER_CYCLE,
            "too few writes: {ACKNOWLEDGED_PER_CYCLE} a cycle are needed for a result that counts"
        );
        ensure!(
            refusals.values().all(|count| *count > 0),
            "a quota was never reached, so nothing is known of it"
        );
        ensure!(
            resumed > 0,
            "no order was PENDING at a kill, so nothing is known of such"
        );
        Ok(())
    }

    fn count(&self, is: fn(&Finding) -> bool) -> usize {
        self.findings.iter().filter(|it| is(it)).count()
    }

    fn print_result(&self, lost: usize) {
        for finding in self.findings.iter().take(FINDINGS_SHOWN) {
            println!(
                "{}",
                finding.to_string().chars().take(500).collect::<String>()
            );
        }
        let refusals = limits::refusals(&self.clients);
        println!(
            "{} writes acknowledged, {} read back",
            self.acknowledged(),
            self.read
        );
        println!("refused for quotas: {refusals:?}");
        println!(
            "{} orders found PENDING after a kill, carried out within {} ms",
            self.orders_resumed,
            self.slowest_order.as_millis()
        );
        println!(
            "{lost} lost, {} unreadable, {} phantoms, {} quotas passed, {} orders stuck",
            self.count(|finding| matches!(finding, Finding::Unreadable(_))),
            self.count(|finding| matches!(finding, Finding::Phantom(_))),
            self.count(|finding| matches!(finding, Finding::Passed(_))),
            self.count(|finding| matches!(finding, Finding::Stuck(_)))
        );
    }

    /// Leaves everything where it is if something was found.
    fn fail_on_findings(self, seed: u64) -> Result<()> {
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
            let count = odd.len();
            bail!("{count} answers were not the right ones, the first: {first}; --seed {seed}");
        }
        Ok(())
    }
}

/// When each of `count` clients sends.
fn paces(rate: Option<u32>, count: usize) -> Vec<Pace> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let pace = |number: u32| match rate {
        None => Pace::Eager,
        Some(rate) => {
            let slot = Duration::from_secs(1) / rate;
            Pace::Every {
                first: slot * number,
                then: slot * count,
            }
        }
    };
    (0..count).map(pace).collect()
}

fn join_all<T>(threads: Vec<thread::ScopedJoinHandle<'_, Result<T>>>) -> Result<Vec<T>> {
    let results = threads.into_iter().map(|thread| match thread.join() {
        Ok(result) => result,
        Err(_panic) => bail!("a thread of the harness panicked"),
    });
    results.collect()
}
