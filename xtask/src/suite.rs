//! What all suites of tests by others have in common: where they run, what becomes of each test, and the verdict.
//!
//! A suite is Python that runs against a [`Site`] and leaves a file of [`Outcome`]s. They are compared with the list of
//! what is expected in `tests/conformance/SUITE.toml`: a test that fails without standing there fails the run, and so
//! does one that stands there and passes. Every run leaves a report, `conformance/SUITE-SERVER.md` in the target folder.

pub(crate) mod site;

pub(crate) mod expected;
pub(crate) mod outcome;
pub(crate) mod report;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use self::expected::Expected;
pub(crate) use self::outcome::Outcome;
use self::report::{Judged, Row, Tally};
use self::site::{Server, Site};
use crate::kit::server::Launch;
use crate::kit::{python, workspace};

/// Runs the tests of others.
pub(crate) const PYTEST: &str = "pytest==9.2.0";

/// Tests by others, at a pinned version.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// As on the command line; also the name of its Python environment and of its files.
    pub(crate) name: &'static str,
    /// `NAME==VERSION`; pytest comes with them. A suite without any makes environments of its own.
    pub(crate) packages: &'static [&'static str],
    /// Whether it makes sense against a server that is not Donjon.
    pub(crate) peers: bool,
    /// How Donjon is started for it, besides as usual; `|_| ()` for nothing more.
    pub(crate) tune: fn(&mut Launch),
    pub(crate) run: fn(&Run<'_>) -> Result<Vec<Outcome>>,
}

impl Suite {
    /// `bin` of the Python environment with its packages, installed if need be.
    ///
    /// # Errors
    /// They cannot be had.
    pub(crate) fn environment(&self) -> Result<PathBuf> {
        let packages: Vec<&str> = self.packages.iter().copied().chain([PYTEST]).collect();
        python::environment(self.name, &packages)
    }
}

/// How to run a suite
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run against a running server that believes the Keystone of OS_AUTH_URL
    ///
    /// OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME are those of an administrator, of domain Default, whose role holds
    /// for the system too. As this one, the run makes the projects and users that it needs, and removes them after it.
    /// The catalog has to name the server as key-manager of the region OS_REGION_NAME, or RegionOne without it.
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<String>,
    /// Start a real Barbican as well, run against both, and print both
    #[arg(long, value_enum, conflicts_with = "against")]
    pub(crate) peer: Option<site::Peer>,
    /// Show what the tests print
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Options and names of tests for pytest, after `--`; the list of expected failures then need not be used up
    #[arg(last = true)]
    pub(crate) rest: Vec<String>,
}

/// A suite about to run against a site.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    suite: &'a Suite,
    args: &'a Args,
    pub(crate) site: &'a Site,
    /// `bin` of the suite's Python environment.
    pub(crate) bin: PathBuf,
    folder: TempDir,
}

/// Runs a suite against all servers that the arguments name and prints the table.
///
/// # Errors
/// A test that failed without being expected to, or passed and should not have, or programs that cannot be had.
pub(crate) fn run(suite: &Suite, args: &Args) -> Result<()> {
    let rows = rows(suite, args)?;
    println!("{}", report::table(&rows));
    report::check(&rows)
}

/// Runs a suite against all servers that the arguments name; what fails against one does not keep it from the next.
///
/// # Errors
/// Arguments that are not for this suite.
pub(crate) fn rows(suite: &Suite, args: &Args) -> Result<Vec<Row>> {
    let run = |server| {
        Row::of(suite.name, server, || {
            judge(suite, &Site::start(server, suite, args)?, args)
        })
    };
    Ok(site::servers(suite, args)?.into_iter().map(run).collect())
}

/// Runs a suite against one site, prints what did not end as expected, and writes the report.
///
/// # Errors
/// The suite did not come to its end, or its list of expected failures is wrong.
pub(crate) fn judge(suite: &Suite, site: &Site, args: &Args) -> Result<Tally> {
    let list = workspace::root().join(format!("tests/conformance/{}.toml", suite.name));
    let expected = Expected::read(&list)?;
    let bin = if suite.packages.is_empty() {
        PathBuf::new()
    } else {
        suite.environment()?
    };
    let run = Run {
        suite,
        args,
        site,
        bin,
        folder: tempfile::tempdir()?,
    };
    let log = report_file(suite.name, site.server, "log")?;
    if log.exists() {
        fs::remove_file(log)?;
    }
    println!("{} against {}", suite.name, site.describe());
    let outcomes = (suite.run)(&run)?;
    ensure!(!outcomes.is_empty(), "{}: no test ran", suite.name);
    let judged = Judged::new(&expected, site.server, outcomes, args.rest.is_empty());
    judged.print_bad();
    let report = report_file(suite.name, site.server, "md")?;
    fs::write(&report, judged.markdown(suite, &site.describe()))?;
    println!("{}", report.display());
    Ok(judged.tally())
}

/// `conformance/SUITE-SERVER.EXTENSION` in the target folder.
fn report_file(suite: &str, server: Server, extension: &str) -> Result<PathBuf> {
    let folder = workspace::target().join("conformance");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{suite}-{server}.{extension}")))
}

impl Run<'_> {
    /// A folder for the files of the run; it goes away with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Arguments after `--`.
    pub(crate) fn rest(&self) -> &[String] {
        &self.args.rest
    }

    /// Whether to show what the tests print.
    pub(crate) fn is_verbose(&self) -> bool {
        self.args.verbose
    }

    /// `tests/conformance/SUITE`, where the tests of our own are.
    pub(crate) fn tests(&self) -> PathBuf {
        Self::library().join(self.suite.name)
    }

    /// `tests/conformance`, where modules are that several suites import.
    pub(crate) fn library() -> PathBuf {
        workspace::root().join("tests/conformance")
    }

    /// Runs pytest on `tests`, or on what the caller named, with the settings of the clients' environment cleared.
    ///
    /// `prepare` may set variables, arguments and the folder to run in.
    ///
    /// # Errors
    /// pytest did not come to its end.
    pub(crate) fn pytest(
        &self,
        tests: &[&Path],
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Vec<Outcome>> {
        self.pytest_with(&self.bin.join("python"), tests, prepare)
    }

    /// As [`Run::pytest`], with another interpreter.
    ///
    /// # Errors
    /// pytest did not come to its end.
    pub(crate) fn pytest_with(
        &self,
        python: &Path,
        tests: &[&Path],
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Vec<Outcome>> {
        let mut command = Command::new(python);
        command.args(["-m", "pytest", "-p", "outcomes", "-p", "no:cacheprovider"]);
        command.args(["--continue-on-collection-errors", "--tb=short", "-q"]);
        if self.args.verbose {
            command.args(["-v", "--capture=no"]);
        }
        let names_tests = |word: &String| !word.starts_with('-');
        if !self.rest().iter().any(names_tests) {
            command.args(tests);
        }
        command.args(self.rest());
        self.outcomes(&mut command, prepare)
    }

    /// Has a Python program run in the folder of the run, and without the caller's settings of clients.
    pub(crate) fn clear(&self, command: &mut Command) {
        let kept = std::env::vars_os().filter(|(name, _)| !is_of_clients(&name.to_string_lossy()));
        command
            .env_clear()
            .envs(kept)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.folder());
    }

    /// Runs a program that writes its outcomes to the file that `CONFORMANCE_OUTCOMES` names, as `outcomes.py` does.
    ///
    /// What it prints goes to the terminal if that was asked for, and else to a file beside the report. The program
    /// sees the variables of [`Site::variables`] for the user `member`, and none of the caller's `OS_*`.
    ///
    /// # Errors
    /// It did not come to its end.
    pub(crate) fn outcomes(
        &self,
        command: &mut Command,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Vec<Outcome>> {
        let file = self.folder().join("outcomes.jsonl");
        let log = report_file(self.suite.name, self.site.server, "log")?;
        if file.exists() {
            // Of the run before, where a suite has several.
            fs::remove_file(&file)?;
        }
        self.clear(command);
        command
            .envs(self.site.variables("member")?)
            .env("CONFORMANCE_OUTCOMES", &file)
            .env("PYTHONPATH", Self::library())
            .stdin(Stdio::null());
        prepare(command);
        if !self.args.verbose {
            let output = fs::File::options().create(true).append(true).open(&log)?;
            command.stderr(output.try_clone()?).stdout(output);
        }
        let status = command.status().context("running the tests")?;
        // Failures are in the file; whether it is whole tells whether the run was.
        let text = fs::read_to_string(&file).unwrap_or_default();
        outcome::parse(&text).with_context(|| {
            let name = self.suite.name;
            format!("{name} ended with {status}, see {}", log.display())
        })
    }
}

fn is_of_clients(name: &str) -> bool {
    name.starts_with("OS_") || name.starts_with("CONFORMANCE_") || name.starts_with("PYTEST_")
}
