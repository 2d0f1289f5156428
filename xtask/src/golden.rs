//! `conformance golden`: replays the recorded exchanges of `tests/golden` and compares every answer.

mod format;
pub(crate) mod json;
pub(crate) mod template;

pub(crate) mod compare;
mod exceptions;
mod mutate;
mod replay;
pub(crate) mod report;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, ensure};

use self::exceptions::Exceptions;
use self::format::{Group, Policy};
use self::mutate::Check;
use self::replay::Target;
use self::report::Report;
use crate::kit::build::{self, Profile};
use crate::kit::server::{Launch, Server};
use crate::kit::{clock, workspace};
use crate::suite::report::Tally;

/// The groups that Donjon claims to answer as recorded.
const CLAIMED: &[&str] = &[
    "acl-effects-default",
    "acl-effects-legacy",
    "acls",
    "clients",
    "container-consumers",
    "container-secrets",
    "containers",
    "cve-default",
    "cve-legacy",
    "discovery",
    "http",
    "orders-asymmetric",
    "orders-key",
    "quotas",
    "rbac-default-consumers",
    "rbac-default-containers",
    "rbac-default-others",
    "rbac-default-secret-metadata",
    "rbac-default-secrets",
    "rbac-legacy-consumers",
    "rbac-legacy-containers",
    "rbac-legacy-others",
    "rbac-legacy-secret-metadata",
    "rbac-legacy-secrets",
    "secret-consumers",
    "secret-metadata",
    "secret-stores",
    "secrets-create",
    "secrets-delete",
    "secrets-expiry",
    "secrets-keys",
    "secrets-list",
    "secrets-put",
    "secrets-read",
    "transport-keys",
];

/// Replay recorded exchanges with Barbican 23 and compare every answer
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Groups to replay: names of files in tests/golden; without any, those that Donjon claims
    groups: Vec<String>,
    /// Replay every group
    #[arg(long, conflicts_with = "groups")]
    all: bool,
    /// Replay against a running server, a real Barbican for instance, where no exceptions hold
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Print every step with its verdict
    #[arg(long)]
    verbose: bool,
}

/// # Errors
/// A difference, an exception that is not needed, a changed recording, or a server that does not start.
pub(crate) fn run(args: &Args) -> Result<()> {
    let failed = tally(args)?.failed;
    ensure!(failed == 0, "{failed} steps differ from the recordings");
    Ok(())
}

/// Replays, prints, and counts steps; those that differ are part of the count.
///
/// # Errors
/// As [`run`], but for differences.
pub(crate) fn tally(args: &Args) -> Result<Tally> {
    let (groups, exceptions) = read()?;
    let chosen = choose(&groups, args)?;
    let seed = seed();
    let mut report = Report::new(args.verbose);
    let mut check = Check::default();
    let mut servers = Servers::new(args)?;
    for group in chosen {
        let target = servers.target(group.policy)?;
        let played = replay::group(group, &target, &exceptions, &seed);
        check.group(group, &played);
        report.group(group, &played);
    }
    servers.stop()?;
    report.summary();
    let tally = report.tally();
    if tally.failed > 0 {
        // What was not as recorded anyhow proves nothing about the comparison.
        return Ok(tally);
    }
    println!(
        "self-check: {} statuses, {} bodies and {} headers changed in the recordings, {} not noticed",
        check.statuses,
        check.bodies,
        check.headers,
        check.unnoticed.len()
    );
    ensure!(
        check.unnoticed.is_empty(),
        "the comparison missed changes: {}",
        check.unnoticed.join("; ")
    );
    Ok(tally)
}

/// What the server has to be started with, so that every group can be replayed on it.
pub(crate) fn prepare(launch: &mut Launch) {
    // Some were recorded under other names of the server.
    launch.flag("--danger-noauth-on-any-address");
}

/// Replays on a server of the caller's, prints differences, and tells what became of the claimed groups whose names
/// begin with one of `prefixes`. They must be good under the rules that the server has.
///
/// # Errors
/// A changed recording, a list of exceptions that does not fit, or no such group.
pub(crate) fn replay_on(server: &Server, prefixes: &[&str], verbose: bool) -> Result<Report> {
    let (groups, exceptions) = read()?;
    let seed = seed();
    let mut report = Report::new(verbose);
    for prefix in prefixes {
        let claimed = |group: &&Group| CLAIMED.contains(&group.group.as_str());
        let mut chosen = groups
            .iter()
            .filter(|group| group.group.starts_with(prefix))
            .filter(claimed)
            .peekable();
        ensure!(
            chosen.peek().is_some(),
            "no group begins with {prefix}; there are: {}",
            list(&groups)
        );
        for group in chosen {
            let played = replay::group(group, &Target::donjon(server), &exceptions, &seed);
            report.group(group, &played);
        }
    }
    Ok(report)
}

fn read() -> Result<(Vec<Group>, Exceptions)> {
    let root = workspace::root();
    let groups = format::read_groups(&root.join("tests/golden"))?;
    let exceptions = Exceptions::read(
        &root.join("tests/golden-exceptions.toml"),
        &root.join("docs/compat.md"),
        &groups,
    )?;
    Ok((groups, exceptions))
}

/// Makes the ids of each run new.
fn seed() -> String {
    format!("{} {}", process::id(), clock::utc_from_now(0))
}

fn choose<'a>(groups: &'a [Group], args: &Args) -> Result<Vec<&'a Group>> {
    if args.all {
        return Ok(groups.iter().collect());
    }
    let claimed = || CLAIMED.iter().map(|name| (*name).to_owned()).collect();
    let names: Vec<String> = if args.groups.is_empty() {
        claimed()
    } else {
        args.groups.clone()
    };
    names
        .iter()
        .map(|name| {
            let found = groups.iter().find(|group| group.group == *name);
            found.with_context(|| format!("no group {name}; there are: {}", list(groups)))
        })
        .collect()
}

fn list(groups: &[Group]) -> String {
    groups
        .iter()
        .map(|group| group.group.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The servers of a run: a given one, or one of ours for each set of default rules.
struct Servers {
    given: Option<Target>,
    binary: PathBuf,
    running: Vec<(Policy, Server)>,
}

impl Servers {
    fn new(args: &Args) -> Result<Self> {
        let given = args.against.as_deref().map(Target::barbican).transpose()?;
        let binary = match given {
            Some(_) => PathBuf::new(),
            None => build::donjon(Profile::Dev, &[])?,
        };
        Ok(Self {
            given,
            binary,
            running: Vec::new(),
        })
    }

    /// The server for groups of this policy, started when it is first needed.
    fn target(&mut self, policy: Policy) -> Result<Target> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        // Groups of any policy run under the rules that the server has by itself.
        let rules = if policy == Policy::Legacy {
            policy
        } else {
            Policy::Default
        };
        if let Some((_, server)) = self.running.iter().find(|(known, _)| *known == rules) {
            return Ok(Target::donjon(server));
        }
        let server = start(&self.binary, rules)?;
        let target = Target::donjon(&server);
        self.running.push((rules, server));
        Ok(target)
    }

    fn stop(self) -> Result<()> {
        self.running
            .into_iter()
            .try_for_each(|(_, server)| server.stop())
    }
}

fn start(binary: &Path, policy: Policy) -> Result<Server> {
    let mut launch = Launch::new(binary, "noauth")?;
    prepare(&mut launch);
    if policy == Policy::Legacy {
        launch.env("DONJON_POLICY__DEFAULTS", "legacy");
    }
    launch.start()
}
