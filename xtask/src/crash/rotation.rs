//! `crash --rotation`: the server is killed while root keys and keys of projects change under load.
//!
//! Root keys (all keys are wrapped anew) and keys of projects (all rows are sealed anew) change in turns and at once. The
//! database tells after each kill which step was under way. When a root key is not needed any more its file is removed,
//! and the next start has to do without it; a start without one that is needed has to be refused. At the end everything
//! that was acknowledged is read, and nothing may be under an old key. Then secrets are made undecryptable, which has to be found.

mod look;
mod roots;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::look::{Keys, Look, Step};
use self::roots::Roots;
use super::model::{Kind, State};
use super::verify::{Finding, ORDER_WAIT, Reader};
use super::{Args, Harness, ORDERS_WAIT_MS, clock_seed, limits};
use crate::kit::admin;
use crate::kit::build::{self, Profile};
use crate::kit::random::Random;
use crate::kit::run;
use crate::kit::server::{Launch, Server};

const RATE: u32 = 200;
/// A run of this many cycles must have been killed amid every step, and have refused starts.
const CYCLES_THAT_COUNT: u64 = 100;
/// Within which a change has to end that nobody kills any more: an empty key is kept for 45 seconds.
const END_WAIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
const REFUSALS_ONE_IN: u64 = 6;
const EXIT_ROOT_KEY: i32 = 3;

/// What a cycle begins while the load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Root,
    /// The keys of all projects.
    Projects,
    /// The key of one.
    Project,
    /// Keys of all projects, and then the root key, as `donjon shred` does.
    Both,
    /// What was begun before goes on.
    Nothing,
}

/// What the cycles came to.
#[derive(Debug, Default)]
struct Tally {
    begun: BTreeMap<Plan, u64>,
    /// Kills by the steps that were under way.
    killed: BTreeMap<Step, u64>,
    under_way: u64,
    roots_dropped: u64,
    /// Changes of keys of projects that had ended at a kill.
    ended: u64,
    refused: u64,
}

struct Rotation {
    harness: Harness,
    roots: Roots,
    random: Random,
    look: Look,
    tally: Tally,
    /// After the last kill.
    keys: Keys,
}

/// # Errors
/// A secret was lost or cannot be read, a change did not end, an old key was still in use, or a control found nothing.
pub(super) fn run(args: &Args) -> Result<()> {
    let binary = build::donjon(Profile::Dev, &[])?;
    let seed = args.seed.unwrap_or_else(clock_seed);
    println!(
        "{} cycles, {} connections, {RATE} requests a second, --seed {seed}",
        args.cycles, args.connections
    );
    let began = Instant::now();
    let mut launch = Launch::new(&binary, "noauth")?;
    launch.env("DONJON_ORDERS__WAIT_MS", ORDERS_WAIT_MS);
    let mut random = Random::new(seed ^ 0x726F_7461_7465);
    let roots = Roots::new(&launch, &mut random)?;
    roots.configure(&mut launch, 1_000, true)?;
    let look = Look::new(launch.data_dir().join("donjon.db"))?;
    let mut rotation = Rotation {
        harness: Harness::new(args, launch, seed)?,
        roots,
        random,
        look,
        tally: Tally::default(),
        keys: Keys::default(),
    };
    let mut server = rotation.harness.launch.start_again()?;
    limits::set(server.host())?;
    for cycle in 1..=args.cycles {
        server = rotation.cycle(server)?;
        if !rotation.harness.findings.is_empty() {
            println!("cycle {cycle}: something is wrong");
            break;
        }
        if cycle % 50 == 0 || cycle == args.cycles {
            rotation.harness.print_progress(cycle);
            rotation.print_tally(cycle);
        }
    }
    let cycles = u32::try_from(args.cycles)?.max(1);
    println!("{} ms a cycle", (began.elapsed() / cycles).as_millis());
    if rotation.harness.findings.is_empty() {
        rotation.end(server)?;
        if rotation.harness.findings.is_empty() {
            rotation.controls()?;
        }
    }
    rotation.conclude(args, seed)
}

impl Rotation {
    /// Load, something begun meanwhile, a kill, a look, a start with the root keys that are needed, and a check of what
    /// the load touched.
    fn cycle(&mut self, server: Server) -> Result<Server> {
        let mut plan = self.plan();
        let when = u32::try_from(self.random.below(100))?;
        // A project has a key from its first payload on.
        let from = usize::try_from(self.random.below(self.clients()))?;
        let project = match (self.payloads(from), self.payloads(0)) {
            (Some((client, _)), _) | (None, Some((client, _))) => format!("crash-{client}"),
            (None, None) => {
                plan = Plan::Nothing;
                String::new()
            }
        };
        let data_dir = self.harness.launch.data_dir();
        self.harness.load_and_kill(server, Some(RATE), |load| {
            let began = Instant::now();
            thread::sleep(load * when / 100);
            for request in requests(plan, &project) {
                admin::ask(&data_dir, &request)?;
            }
            thread::sleep(load.saturating_sub(began.elapsed()));
            Ok(())
        })?;
        *self.tally.begun.entry(plan).or_default() += 1;
        self.look_and_choose_keys()?;
        self.harness.start_and_check()
    }

    fn clients(&self) -> u64 {
        self.harness.clients.len() as u64
    }

    fn plan(&mut self) -> Plan {
        let is_root_waiting = self.roots.is_waiting(&self.keys);
        let chance = self.random.below(100);
        match chance {
            0..40 if is_root_waiting => Plan::Root,
            40..55 if is_root_waiting => Plan::Both,
            // Before the first load no project has a key.
            _ if self.keys.sealed == 0 => Plan::Nothing,
            // What was begun has to end now and then.
            0..85 if !self.keys.retired.is_empty() => Plan::Nothing,
            0..70 | 90.. => Plan::Projects,
            _ => Plan::Project,
        }
    }

    /// With the server dead: what was under way, and which root keys it is started with next, at which pace.
    fn look_and_choose_keys(&mut self) -> Result<()> {
        let keys = self.look.keys()?;
        let steps = keys.steps();
        self.tally.under_way += u64::from(!steps.is_empty());
        for step in steps {
            *self.tally.killed.entry(step).or_default() += 1;
        }
        let has_ended = !self.keys.retired.is_empty() && keys.retired.is_empty();
        self.tally.ended += u64::from(has_ended);
        self.keys = keys;
        let random = &mut self.random;
        if self.roots.is_needed(&self.keys) {
            if random.below(REFUSALS_ONE_IN) == 0 {
                self.roots.configure(&mut self.harness.launch, 1, false)?;
                expect_refusal(&self.harness.launch)?;
                self.tally.refused += 1;
            }
        } else if self.roots.has_previous() {
            self.roots.drop_previous()?;
            self.tally.roots_dropped += 1;
        }
        // Every second time it has to start with one root key alone.
        if !self.roots.has_previous() && random.below(2) == 0 {
            let launch = &self.harness.launch;
            self.roots.advance(launch, &self.keys.installed, random)?;
        }
        // There are few keys and many rows, and both have to take some time, and to end.
        let is_for_keys = self.roots.is_needed(&self.keys) && random.below(2) == 0;
        let rows: u64 = match self.keys.retired.iter().sum() {
            0 => self.keys.sealed,
            left => left,
        };
        let rows_per_s = if is_for_keys {
            50 + random.below(300)
        } else {
            // So that it takes a quarter of a second to a second.
            (rows * (1 + random.below(4))).max(50)
        };
        self.roots
            .configure(&mut self.harness.launch, rows_per_s, true)
    }

    /// Lets everything end, takes the last old root key away, and reads all that was acknowledged.
    fn end(&mut self, server: Server) -> Result<()> {
        let data_dir = self.harness.launch.data_dir();
        if self.roots.is_waiting(&self.keys) {
            admin::ask(&data_dir, &json!({"verb": "rotate-root"}))?;
        }
        let waited = Instant::now();
        while admin::rotation_status(&data_dir)?.left > 0 {
            ensure!(
                waited.elapsed() < END_WAIT,
                "the change of keys does not end: {:?}",
                admin::rotation_status(&data_dir)?
            );
            thread::sleep(POLL);
        }
        println!("the last change ended after {:?}", waited.elapsed());
        server.stop()?;
        if self.roots.has_previous() {
            self.roots.drop_previous()?;
            self.tally.roots_dropped += 1;
        }
        self.roots
            .configure(&mut self.harness.launch, 1_000, true)?;
        let server = self.harness.launch.start_again()?;
        println!("reading everything back");
        self.harness
            .read(server.host(), |reader| reader.everything())?;
        let status = admin::rotation_status(&data_dir)?;
        let said = run::stdout(&mut self.harness.launch.verb(&["rotate", "status"]))?;
        let said = String::from_utf8_lossy(&said);
        println!("donjon rotate status: {}", said.trim().replace('\n', "; "));
        ensure!(said.ends_with("\n0 left\n"), "not 0 left: {said}");
        ensure!(
            status.root_keys.len() == 1
                && status
                    .root_keys
                    .iter()
                    .all(|root| root.id == status.current),
            "more than the current root key is in use: {status:?}"
        );
        server.stop()?;
        self.keys = self.look.keys()?;
        println!("the database: {:?}", self.keys);
        let complaints = self.keys.complaints(&status.current);
        ensure!(complaints.is_empty(), "{}", complaints.join("; "));
        Ok(())
    }

    /// What must be found is found: a payload that does not open, and a key that was destroyed while it was in use.
    fn controls(&mut self) -> Result<()> {
        let too_few = "too few secrets for the controls; more cycles are needed";
        let (one, secrets) = self.payloads(0).context(too_few)?;
        let secret = secrets.first().context("no secret with a payload")?;
        self.look.damage_envelope(secret)?;
        let found = self.unreadable(one)?;
        ensure!(
            found.len() == 1 && found.iter().all(|text| text.contains(secret)),
            "control: {secret} was damaged, found is {found:?}"
        );
        let (other, secrets) = self.payloads(one + 1).context(too_few)?;
        self.look.destroy_key(&format!("crash-{other}"))?;
        let found = self.unreadable(other)?;
        let is_found = |secret: &String| found.iter().any(|text| text.contains(secret));
        ensure!(
            secrets.iter().all(is_found),
            "control: a key in use was destroyed, and of {} secrets {} were found",
            secrets.len(),
            found.len()
        );
        let keys = self.look.keys()?;
        ensure!(
            keys.orphans >= secrets.len() as u64 && !keys.complaints(&keys.installed).is_empty(),
            "control: rows without a key, and the look has no complaint: {keys:?}"
        );
        println!(
            "controls: 1 of 1 damaged payload found, and {} under a key that was destroyed too early",
            found.len()
        );
        Ok(())
    }

    /// The first client from `from` on that has secrets with payloads, and their ids.
    fn payloads(&self, from: usize) -> Option<(usize, Vec<String>)> {
        for (number, client) in self.harness.clients.iter().enumerate().skip(from) {
            let live = client.model.live(Kind::Secret, false);
            let has_payload = |state: &Option<State>| matches!(state, Some(State::Secret(secret)) if secret.payload.is_some());
            let ids = live.filter(|(_, entity)| has_payload(&entity.state));
            let ids: Vec<String> = ids.map(|(_, entity)| entity.id.clone()).collect();
            if !ids.is_empty() {
                return Some((number, ids));
            }
        }
        None
    }

    /// Starts the server, and gives what a client cannot read.
    fn unreadable(&mut self, client: usize) -> Result<Vec<String>> {
        let server = self.harness.launch.start_again()?;
        let client = self.harness.clients.get_mut(client).context("no client")?;
        let mut reader = Reader::new(client, server.host(), ORDER_WAIT)?;
        reader.everything()?;
        let found = reader
            .findings
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::Unreadable(text) => Some(text),
                _ => None,
            });
        let found = found.collect();
        server.stop()?;
        Ok(found)
    }

    fn print_tally(&self, cycle: u64) {
        let tally = &self.tally;
        let killed = Step::ALL.map(|step| {
            let count = tally.killed.get(&step).copied().unwrap_or_default();
            format!("{count} {}", step.name())
        });
        println!(
            "  a change was under way at {} of {cycle} kills: {}",
            tally.under_way,
            killed.join(", ")
        );
        let requests: u64 = self.harness.clients.iter().map(|it| it.requests).sum();
        let reads: u64 = self.harness.clients.iter().map(|it| it.reads).sum();
        let per_s = u128::from(requests) * 1_000 / self.harness.loaded.as_millis().max(1);
        println!(
            "  begun {:?}; {} root keys dropped, {} changes of projects' keys ended, {} starts without a needed root key \
             refused; {requests} requests, {per_s} a second, {reads} of them reads",
            tally.begun, tally.roots_dropped, tally.ended, tally.refused
        );
    }

    fn conclude(self, args: &Args, seed: u64) -> Result<()> {
        self.print_tally(args.cycles);
        self.harness.print_result(
            self.harness
                .count(|finding| matches!(finding, Finding::Lost(_))),
        );
        let Self { harness, tally, .. } = self;
        harness.fail_on_findings(seed)?;
        if args.cycles < CYCLES_THAT_COUNT {
            return Ok(());
        }
        ensure!(
            tally.under_way * 2 > args.cycles,
            "no change was under way at most of the kills, so little is known of it"
        );
        for step in Step::ALL {
            ensure!(
                tally.killed.get(&step).is_some_and(|count| *count > 0),
                "no kill came while {}, so nothing is known of it",
                step.name()
            );
        }
        ensure!(
            tally.roots_dropped > 0 && tally.ended > 0 && tally.refused > 0,
            "no change ended, or no start had to be refused"
        );
        Ok(())
    }
}

fn requests(plan: Plan, project: &str) -> Vec<Value> {
    let root = json!({"verb": "rotate-root"});
    let projects = json!({"verb": "rotate-project", "project": null});
    match plan {
        Plan::Nothing => Vec::new(),
        Plan::Root => vec![root],
        Plan::Projects => vec![projects],
        Plan::Project => vec![json!({"verb": "rotate-project", "project": project})],
        Plan::Both => vec![projects, root],
    }
}

/// A start with these root keys must end with the exit code of a wrong one.
fn expect_refusal(launch: &Launch) -> Result<()> {
    let output = launch.command().stderr(Stdio::piped()).output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let is_named = log.contains("wrong root key") || log.contains("still need it");
    ensure!(
        output.status.code() == Some(EXIT_ROOT_KEY) && is_named,
        "a start that loses a root key ended with {}: {log}",
        output.status
    );
    Ok(())
}
