//! `conformance all`: every suite one after the other, whatever became of the one before, and one table of all.
//!
//! The table is `conformance/all.md` in the target folder, written after each suite, so that a run which is cut short
//! leaves what it found.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::{
    access_rules, barbicanclient, castellan, old, openbao, osc, outage, pykmip, sdk, services,
    tempest,
};
use crate::kit::workspace;
use crate::suite::report::{self, Ended, Row, Tally};
use crate::suite::site::{Peer, Server};
use crate::suite::{self, Suite};
use crate::{golden, policy, schemathesis};

/// How to run all suites
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start a real Barbican as well for the suites that a peer can run, and print both
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Show what the tests print
    #[arg(long)]
    verbose: bool,
}

enum Part {
    /// About Donjon alone, with a way of its own to start it.
    Own(&'static str, fn() -> Result<Tally>),
    Frame(&'static Suite),
}

const PARTS: &[Part] = &[
    Part::Own("golden", || golden::tally(&golden::Args::default())),
    Part::Own("policy", || policy::tally(&policy::Args::default())),
    Part::Own("schemathesis", || {
        schemathesis::tally(&schemathesis::Args::default())
    }),
    Part::Frame(&barbicanclient::SUITE),
    Part::Frame(&castellan::SUITE),
    Part::Frame(&tempest::SUITE),
    Part::Frame(&osc::SUITE),
    Part::Frame(&sdk::SUITE),
    Part::Frame(&services::SUITE),
    Part::Frame(&old::SUITE),
    Part::Frame(&access_rules::SUITE),
    Part::Frame(&outage::SUITE),
    Part::Own("openbao", || openbao::tally(&openbao::Args::default())),
    Part::Own("pykmip", pykmip::tally),
];

/// # Errors
/// A suite that did not end as expected, or the table that cannot be written.
pub(crate) fn run(args: &Args) -> Result<()> {
    let suites = suite::Args {
        peer: args.peer,
        verbose: args.verbose,
        ..suite::Args::default()
    };
    let mut rows = Vec::new();
    for (number, part) in (1..).zip(PARTS) {
        println!("\n=== {number}/{} {}", PARTS.len(), part.name());
        rows.extend(part.rows(&suites)?);
        write(&rows)?;
    }
    println!("\n{}", report::table(&rows));
    report::check(&rows)
}

impl Part {
    fn name(&self) -> &'static str {
        match self {
            Self::Own(name, _) => name,
            Self::Frame(suite) => suite.name,
        }
    }

    /// Runs it. A row for the peer says so where it has nothing to do with one.
    fn rows(&self, args: &suite::Args) -> Result<Vec<Row>> {
        let (mut rows, peers) = match self {
            Self::Own(name, run) => (vec![Row::of(name, Server::Donjon, run)], false),
            Self::Frame(suite) => (suite::rows(suite, args)?, suite.peers),
        };
        if let (Some(Peer::Barbican), false) = (args.peer, peers) {
            rows.push(Row::not_applicable(self.name(), Server::Barbican));
        }
        for row in &rows {
            if let Ended::Broken(error) = &row.ended {
                println!("BROKEN: {} against {}: {error:#}", row.suite, row.server);
            }
        }
        Ok(rows)
    }
}

fn write(rows: &[Row]) -> Result<()> {
    let folder = workspace::target().join("conformance");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("all.md"), markdown(rows))?;
    Ok(())
}

/// The table, and below it what is bad in a few words; the reports of the suites have the tests.
fn markdown(rows: &[Row]) -> String {
    let mut text = format!("# All suites\n\n{}", report::table(rows).markdown());
    if let Err(error) = report::check(rows) {
        let _ = write!(text, "\n## Not as expected\n\n");
        for line in error.to_string().lines() {
            let _ = writeln!(text, "- {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn row(suite: &'static str, failed: usize) -> Row {
        Row::of(suite, Server::Donjon, || {
            Ok(Tally {
                tests: 3,
                passed: 3 - failed,
                failed,
                ..Tally::default()
            })
        })
    }

    fn broken() -> Row {
        Row::of("broken", Server::Barbican, || Err(anyhow!("no Python")))
    }

    #[test]
    fn a_bad_row_is_told_and_fails_the_run() {
        let good = || vec![row("good", 0), Row::not_applicable("own", Server::Barbican)];
        assert!(report::check(&good()).is_ok());
        let text = markdown(&good());
        assert!(text.contains("| good | donjon | 3 | 3 | 0 | 0 | 0 | 0 | 0 | as expected |"));
        assert!(text.contains("| own | barbican |  |  |  |  |  |  |  | n/a |"));
        assert!(!text.contains("Not as expected"));
        for (bad, line) in [
            (row("bad", 2), "bad against donjon: 2 not as expected"),
            (broken(), "broken against barbican: no Python"),
        ] {
            let mut rows = good();
            rows.insert(0, bad);
            assert_eq!(report::check(&rows).unwrap_err().to_string(), line);
            assert!(markdown(&rows).contains(&format!("- {line}\n")), "{line}");
        }
    }

    #[test]
    fn a_broken_part_keeps_no_other_from_its_run() {
        let part = Part::Own("broken", || Err(anyhow!("no Python")));
        let rows = part.rows(&suite::Args::default()).unwrap();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].is_bad());
        let args = suite::Args {
            peer: Some(Peer::Barbican),
            ..suite::Args::default()
        };
        let rows = Part::Own("good", || Ok(Tally::default()))
            .rows(&args)
            .unwrap();
        assert_eq!(rows.len(), 2);
        assert!(matches!(rows[1].ended, Ended::NotApplicable));
    }

    /// But for those that repeat another one.
    #[test]
    fn every_suite_is_there_once() {
        use clap::Subcommand as _;
        let command = super::super::Suite::augment_subcommands(clap::Command::new("conformance"));
        let mut verbs: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .filter(|name| !["all", "backends"].contains(name))
            .collect();
        let mut parts: Vec<&str> = PARTS.iter().map(Part::name).collect();
        verbs.sort_unstable();
        parts.sort_unstable();
        assert_eq!(parts, verbs);
    }
}
