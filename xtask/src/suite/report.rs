//! The verdict on a run: outcomes beside what was expected; as a row of the table and as a report.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Suite;
use super::expected::{Entry, Expected};
use super::outcome::{Outcome, Verdict};
use super::site::Server;
use crate::kit::table::Table;

/// How much of a failure is printed; the report has all of it.
const DETAIL_LINES_SHOWN: usize = 25;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) tests: usize,
    pub(crate) passed: usize,
    pub(crate) expected_failures: usize,
    /// As expected.
    pub(crate) skipped: usize,
    /// Failed, skipped or not run at all, and not expected to.
    pub(crate) failed: usize,
    /// Passed, but the list says otherwise.
    pub(crate) unexpected_passes: usize,
}

impl Tally {
    /// How many make the run fail.
    pub(crate) fn bad(&self) -> usize {
        self.failed + self.unexpected_passes
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passed,
    ExpectedFailure,
    Skipped,
    Failed,
    UnexpectedSkip,
    UnexpectedPass,
    /// Stands in the list, but no such test was run.
    Unknown,
}

/// What became of a suite as a whole.
#[derive(Debug)]
pub(crate) enum Ended {
    Judged(Tally),
    /// It did not come to its end, or told of something that is no test.
    Broken(anyhow::Error),
    /// It makes no sense against this server.
    NotApplicable,
}

/// A suite and a server: one row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) suite: &'static str,
    pub(crate) server: Server,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

/// The tests of a run, each with its verdict.
#[derive(Debug)]
pub(crate) struct Judged {
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    name: String,
    kind: Kind,
    detail: String,
    reason: String,
}

impl Judged {
    /// Compares. `is_whole`: all tests were run, so that each entry of the list has to name one.
    pub(crate) fn new(
        expected: &Expected,
        server: Server,
        outcomes: Vec<Outcome>,
        is_whole: bool,
    ) -> Self {
        let entries = expected.of(server);
        let unknown: Vec<Test> = entries
            .iter()
            .filter(|entry| is_whole && !outcomes.iter().any(|outcome| entry.names(&outcome.name)))
            .map(|entry| Test {
                name: entry.test.clone(),
                kind: Kind::Unknown,
                detail: "the list names this test, but there is none".to_owned(),
                reason: entry.reason.clone(),
            })
            .collect();
        let judge = |outcome: Outcome| {
            // A name counts before a family of names.
            let exact = entries.iter().find(|entry| entry.test == outcome.name);
            let entry = exact.or_else(|| entries.iter().find(|entry| entry.names(&outcome.name)));
            Test {
                kind: kind(entry.copied(), outcome.verdict),
                name: outcome.name,
                detail: outcome.detail,
                reason: entry.map_or_else(String::new, |entry| entry.reason.clone()),
            }
        };
        let mut tests: Vec<Test> = outcomes.into_iter().map(judge).collect();
        tests.extend(unknown);
        Self { tests }
    }

    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for test in &self.tests {
            tally.tests += usize::from(test.kind != Kind::Unknown);
            *match test.kind {
                Kind::Passed => &mut tally.passed,
                Kind::ExpectedFailure => &mut tally.expected_failures,
                Kind::Skipped => &mut tally.skipped,
                Kind::Failed | Kind::UnexpectedSkip | Kind::Unknown => &mut tally.failed,
                Kind::UnexpectedPass => &mut tally.unexpected_passes,
            } += 1;
        }
        tally
    }

    /// Prints the tests that make the run fail.
    pub(crate) fn print_bad(&self) {
        for test in self.tests.iter().filter(|test| test.kind.is_bad()) {
            println!("{}: {}", test.kind.text().to_uppercase(), test.name);
            if test.kind == Kind::UnexpectedPass {
                println!("  the list says: {}", test.reason);
            }
            let lines: Vec<&str> = test.detail.lines().collect();
            let from = lines.len().saturating_sub(DETAIL_LINES_SHOWN);
            for line in lines.get(from..).unwrap_or_default() {
                println!("  {line}");
            }
        }
    }

    /// The report, for people.
    pub(crate) fn markdown(&self, suite: &Suite, server: &str) -> String {
        let tally = self.tally();
        let mut text = format!(
            "# {} against {server}\n\n{}\n\n\
             | tests | passed | expected failures | skipped | failed | unexpected passes |\n\
             |--:|--:|--:|--:|--:|--:|\n| {} |\n",
            suite.name,
            suite.packages.join(", "),
            tally.numbers().join(" | "),
        );
        let groups = [
            Kind::Failed,
            Kind::UnexpectedSkip,
            Kind::Unknown,
            Kind::UnexpectedPass,
            Kind::ExpectedFailure,
            Kind::Skipped,
            Kind::Passed,
        ];
        for kind in groups {
            let mut tests = self
                .tests
                .iter()
                .filter(|test| test.kind == kind)
                .peekable();
            if tests.peek().is_none() {
                continue;
            }
            let _ = writeln!(text, "\n## {}\n", kind.text());
            for test in tests {
                let _ = write!(text, "- `{}`", test.name);
                if !test.reason.is_empty() {
                    let _ = write!(text, ": {}", test.reason);
                }
                text.push('\n');
                if !test.detail.trim().is_empty() {
                    let detail = test.detail.trim_end().replace('\n', "\n      ");
                    let _ = writeln!(text, "\n      {detail}\n");
                }
            }
        }
        text
    }
}

impl Tally {
    fn numbers(&self) -> [String; 6] {
        [
            self.tests,
            self.passed,
            self.expected_failures,
            self.skipped,
            self.failed,
            self.unexpected_passes,
        ]
        .map(|number| number.to_string())
    }
}

impl Row {
    /// Runs a suite against a server. What it fails by is part of the row.
    pub(crate) fn of(
        suite: &'static str,
        server: Server,
        run: impl FnOnce() -> Result<Tally>,
    ) -> Self {
        let began = Instant::now();
        let ended = run().map_or_else(Ended::Broken, Ended::Judged);
        Self {
            suite,
            server,
            ended,
            took: began.elapsed(),
        }
    }

    pub(crate) fn not_applicable(suite: &'static str, server: Server) -> Self {
        Self {
            suite,
            server,
            ended: Ended::NotApplicable,
            took: Duration::ZERO,
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        match &self.ended {
            Ended::Judged(tally) => tally.bad() > 0,
            Ended::Broken(_) => true,
            Ended::NotApplicable => false,
        }
    }

    fn verdict(&self) -> &'static str {
        match &self.ended {
            Ended::Judged(_) if self.is_bad() => "BAD",
            Ended::Judged(_) => "as expected",
            Ended::Broken(_) => "BROKEN",
            Ended::NotApplicable => "n/a",
        }
    }
}

/// Fails if any row is bad, and tells which.
///
/// # Errors
/// That.
pub(crate) fn check(rows: &[Row]) -> Result<()> {
    let bad: Vec<String> = rows
        .iter()
        .filter(|row| row.is_bad())
        .map(|row| match &row.ended {
            Ended::Judged(tally) => {
                let count = tally.bad();
                format!(
                    "{} against {}: {count} not as expected",
                    row.suite, row.server
                )
            }
            Ended::Broken(error) => format!("{} against {}: {error:#}", row.suite, row.server),
            Ended::NotApplicable => String::new(),
        })
        .collect();
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

/// One row for each suite and server.
pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "suite",
        "server",
        "tests",
        "passed",
        "expected failures",
        "skipped",
        "failed",
        "unexpected passes",
        "seconds",
        "verdict",
    ]);
    for row in rows {
        let numbers = match &row.ended {
            Ended::Judged(tally) => tally.numbers(),
            Ended::Broken(_) | Ended::NotApplicable => Default::default(),
        };
        let seconds = match row.ended {
            Ended::NotApplicable => String::new(),
            Ended::Judged(_) | Ended::Broken(_) => row.took.as_secs().to_string(),
        };
        let names = [row.suite.to_owned(), row.server.to_string()];
        let last = [seconds, row.verdict().to_owned()];
        table.row(names.into_iter().chain(numbers).chain(last));
    }
    table
}

fn kind(entry: Option<&Entry>, verdict: Verdict) -> Kind {
    match (entry, verdict) {
        (Some(entry), _) if entry.wants(verdict) => match verdict {
            Verdict::Skipped => Kind::Skipped,
            Verdict::Passed | Verdict::Failed => Kind::ExpectedFailure,
        },
        (None, Verdict::Passed) => Kind::Passed,
        (Some(_), Verdict::Passed) => Kind::UnexpectedPass,
        (_, Verdict::Failed) => Kind::Failed,
        // What is not run is not checked, so somebody has to have said why.
        (_, Verdict::Skipped) => Kind::UnexpectedSkip,
    }
}

impl Kind {
    fn is_bad(self) -> bool {
        !matches!(self, Self::Passed | Self::ExpectedFailure | Self::Skipped)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::ExpectedFailure => "expected failure",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::UnexpectedSkip => "skipped without a reason in the list",
            Self::UnexpectedPass => "unexpected pass",
            Self::Unknown => "no such test",
        }
    }
}
