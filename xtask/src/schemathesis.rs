//! `conformance schemathesis`: holds a running server against `docs/openapi.yaml`.
//!
//! Schemathesis makes the requests, good ones and bad ones, and compares statuses, headers, types and bodies with the
//! document; `hooks.py` makes what they are about. Then every operation has to have succeeded at least once, and the
//! whole is repeated with documents that are wrong in one place each, which has to be noticed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::kit::build::{self, Profile};
use crate::kit::server::{Launch, Server};
use crate::kit::table::Table;
use crate::kit::{python, run, workspace};
use crate::suite::report::Tally;

mod mutations;

use self::mutations::{MUTATIONS, Mutation};

const PACKAGES: &[&str] = &["schemathesis==4.32.5"];
const DOCUMENT: &str = "docs/openapi.yaml";
const SETTINGS: &str = "tests/conformance/schemathesis.toml";
const HOOKS: &str = "xtask/src/schemathesis";

/// Requests for each operation, unless told otherwise.
const EXAMPLES: usize = 60;

/// What the document has without any success, as in Barbican.
const NEVER_SUCCEED: [&str; 2] = ["GET /v1/cas", "PUT /v1/orders"];

/// Compare a running server with docs/openapi.yaml, by generated requests
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many requests to generate for each operation, besides those that the document implies
    #[arg(long, default_value_t = EXAMPLES)]
    examples: usize,
    /// Repeat the requests of an earlier run
    #[arg(long)]
    seed: Option<u128>,
    /// Print how many requests of each operation ended how
    #[arg(long)]
    verbose: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            examples: EXAMPLES,
            seed: None,
            verbose: false,
        }
    }
}

/// What is left of a run.
struct Outcome {
    report: Report,
    counts: Counts,
}

/// How many answers had which status, counted by the hooks.
#[derive(Debug, Deserialize)]
struct Counts {
    operations: BTreeMap<String, Statuses>,
    /// Of methods that the document does not have.
    other_methods: Statuses,
}

type Statuses = BTreeMap<u16, usize>;

#[derive(Debug, Deserialize)]
struct Report {
    seed: u128,
    complete: bool,
    running_time: f64,
    operations: Operations,
    phases: BTreeMap<String, Phase>,
    test_cases: Cases,
    failures: Vec<Failure>,
    errors: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Operations {
    total: usize,
    tested: usize,
}

#[derive(Debug, Deserialize)]
struct Phase {
    status: String,
}

#[derive(Debug, Deserialize)]
struct Cases {
    generated: usize,
    with_failures: usize,
}

#[derive(Debug, Deserialize)]
struct Failure {
    title: String,
    count: usize,
}

/// # Errors
/// An answer that the document does not have, an operation that never succeeds, a wrong document that is not noticed, or
/// programs that cannot be had.
pub(crate) fn run(args: &Args) -> Result<()> {
    tally(args).map(drop)
}

/// As [`run`], and counts cases, none of which has failed.
///
/// # Errors
/// As [`run`].
pub(crate) fn tally(args: &Args) -> Result<Tally> {
    let tester = Tester::start()?;
    let document = workspace::root().join(DOCUMENT);
    let mut words = vec![format!("--max-examples={}", args.examples)];
    words.extend(args.seed.map(|seed| format!("--seed={seed}")));
    let outcome = tester.test(&document, &words, Output::Shown)?;
    outcome.print(args.verbose);
    outcome.check()?;
    let text = fs::read_to_string(&document)?;
    for mutation in MUTATIONS {
        tester.notices(&text, mutation)?;
    }
    println!(
        "self-check: {} wrong documents, all noticed",
        MUTATIONS.len()
    );
    tester.server.stop()?;
    Ok(Tally {
        tests: outcome.report.test_cases.generated,
        passed: outcome.report.test_cases.generated,
        ..Tally::default()
    })
}

// === impl Tester ===

/// A server, and Schemathesis to ask it.
struct Tester {
    program: PathBuf,
    server: Server,
    /// Of the owner, of somebody who may read alone, and of somebody of another project.
    tokens: [String; 3],
    database: PathBuf,
    folder: TempDir,
}

/// Whether the terminal shows what a program prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Shown,
    Hidden,
}

impl Tester {
    fn start() -> Result<Self> {
        let program = python::environment("schemathesis", PACKAGES)?.join("st");
        let binary = build::donjon(Profile::Dev, &[])?;
        let mut launch = Launch::new(&binary, "tokens")?;
        launch.env("DONJON_SECRET_STORES__MULTIPLE", "true");
        let data_dir = launch.data_dir();
        let server = launch.start()?;
        let token = |project: &str, roles: &[&str]| -> Result<String> {
            let mut command = Command::new(&binary);
            command.args(["token", "create", "--project", project, "--data-dir"]);
            command.arg(&data_dir);
            roles.iter().for_each(|role| {
                command.args(["--role", role]);
            });
            let output = command.output().context("making a token")?;
            ensure!(
                output.status.success(),
                "no token: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let owner = ["admin", "member", "reader", "key-manager:service-admin"];
        Ok(Self {
            program,
            tokens: [
                token("default", &owner)?,
                token("default", &["reader"])?,
                token("elsewhere", &["member", "reader"])?,
            ],
            server,
            database: data_dir.join("donjon.db"),
            folder: tempfile::tempdir()?,
        })
    }

    /// Tests the server against a document.
    fn test(&self, document: &Path, words: &[String], output: Output) -> Result<Outcome> {
        let root = workspace::root();
        let (report, counts) = (self.file("report.json"), self.file("counts.json"));
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(root.join(SETTINGS));
        command.arg("run").arg(document);
        command.args(["--url", &self.server.base(), "--report", "json"]);
        command.arg("--report-json-path").arg(&report).args(words);
        command
            .current_dir(self.folder.path())
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env("PYTHONPATH", root.join(HOOKS))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DONJON_BASE", self.server.base())
            .env("DONJON_TOKENS", self.tokens.join(","))
            .env("DONJON_DATABASE", &self.database)
            .env("DONJON_COUNTS", &counts);
        for file in [&report, &counts] {
            // Those of another run must not be taken for this one's.
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        // Failures are in the report; without one, something else went wrong.
        let ended = match output {
            Output::Shown => run::command(&mut command).map(drop),
            Output::Hidden => command.output().map(drop).context("running Schemathesis"),
        };
        let read = |file: &Path| -> Result<Vec<u8>> {
            fs::read(file).with_context(|| match &ended {
                Ok(()) => format!("no {}", file.display()),
                Err(error) => format!("{error:#}"),
            })
        };
        Ok(Outcome {
            report: serde_json::from_slice(&read(&report)?).context("reading the report")?,
            counts: serde_json::from_slice(&read(&counts)?).context("reading the counts")?,
        })
    }

    /// Changes the document, and fails unless the check that has to notice it does.
    fn notices(&self, document: &str, mutation: &Mutation) -> Result<()> {
        let wrong = self.file("wrong.yaml");
        fs::write(&wrong, mutation.apply(document)?)?;
        let mut words = vec!["--phases=examples,coverage".to_owned()];
        words.extend(
            mutation
                .operations
                .iter()
                .map(|id| format!("--include-operation-id={id}")),
        );
        let outcome = self.test(&wrong, &words, Output::Hidden)?;
        let titles: Vec<&str> = outcome
            .report
            .failures
            .iter()
            .map(|failure| failure.title.as_str())
            .collect();
        ensure!(
            titles.contains(&mutation.noticed_as),
            "a document with {} was not noticed as {:?}, but as {titles:?}",
            mutation.name,
            mutation.noticed_as
        );
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

// === impl Outcome ===

impl Outcome {
    fn print(&self, verbose: bool) {
        if verbose {
            let mut table = Table::new(&["operation", "requests", "2xx", "3xx", "4xx", "5xx"]);
            for (operation, statuses) in &self.counts.operations {
                let all: usize = statuses.values().sum();
                let classes = [2, 3, 4, 5].map(|class| in_class(statuses, class));
                let numbers = std::iter::once(all).chain(classes);
                let cells = numbers.map(|number| number.to_string());
                table.row(std::iter::once(operation.clone()).chain(cells));
            }
            println!("{table}");
        }
        let Report {
            operations,
            test_cases,
            failures,
            running_time,
            seed,
            ..
        } = &self.report;
        let requests: usize = self.counts.all().flat_map(BTreeMap::values).sum();
        let mut totals = Table::new(&[
            "operations",
            "with 2xx",
            "never 2xx, as documented",
            "cases",
            "requests",
            "violations",
            "5xx",
        ]);
        totals.row(
            [
                operations.total,
                self.counts.operations.len() - self.without_success().len(),
                NEVER_SUCCEED.len(),
                test_cases.generated,
                requests,
                failures.iter().map(|failure| failure.count).sum(),
                self.server_errors(),
            ]
            .map(|number| number.to_string()),
        );
        println!("{totals}");
        println!("tested in {running_time:.0} s, --seed {seed}");
    }

    fn check(&self) -> Result<()> {
        let Report {
            complete,
            operations,
            phases,
            test_cases,
            failures,
            errors,
            seed,
            ..
        } = &self.report;
        ensure!(
            failures.is_empty() && test_cases.with_failures == 0,
            "{} kinds of violations, see above; again with --seed {seed}",
            failures.len()
        );
        ensure!(errors.is_empty(), "errors: {errors:?}");
        ensure!(*complete, "the run did not come to its end");
        let left_out = phases.iter().find(|(_, phase)| phase.status != "success");
        ensure!(left_out.is_none(), "a phase did not pass: {left_out:?}");
        ensure!(
            operations.tested == operations.total
                && self.counts.operations.len() == operations.total,
            "only {} of {} operations were tested",
            self.counts.operations.len(),
            operations.total
        );
        ensure!(
            self.server_errors() == 0,
            "{} answers were 5xx",
            self.server_errors()
        );
        let without = self.without_success();
        if without != NEVER_SUCCEED {
            bail!("without any success: {without:?}, expected: {NEVER_SUCCEED:?}");
        }
        Ok(())
    }

    /// Operations that never answered 2xx, in alphabetical order.
    fn without_success(&self) -> Vec<&str> {
        let operations = self.counts.operations.iter();
        let without = operations.filter(|(_, statuses)| in_class(statuses, 2) == 0);
        without.map(|(operation, _)| operation.as_str()).collect()
    }

    fn server_errors(&self) -> usize {
        self.counts
            .all()
            .map(|statuses| in_class(statuses, 5))
            .sum()
    }
}

impl Counts {
    fn all(&self) -> impl Iterator<Item = &Statuses> {
        self.operations.values().chain([&self.other_methods])
    }
}

fn in_class(statuses: &Statuses, class: u16) -> usize {
    let matching = statuses
        .iter()
        .filter(|(status, _)| **status / 100 == class);
    matching.map(|(_, count)| count).sum()
}
