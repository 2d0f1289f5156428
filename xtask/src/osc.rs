//! `conformance osc`: runs OpenStack's command-line clients and compares what they print.
//!
//! The commands stand in `tests/conformance/osc.json`; `openstack` runs them as a user of a real Keystone, who finds
//! the server in its catalogue, and against tokens mode, `barbican` against noauth. The placeholders are those of `tests/golden`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::golden::compare;
use crate::golden::json::Json;
use crate::golden::template::{MissingUuid, Scope, Uuids};
use crate::kit::build::{self, Profile};
use crate::kit::server::Launch;
use crate::kit::table::Table;
use crate::kit::{python, workspace};
use crate::suite::report::Tally;
use crate::suite::site::Site;

const PACKAGES: &[&str] = &[
    "python-openstackclient==10.5.0",
    "python-barbicanclient==7.6.0",
];

/// Run OpenStack's command-line clients against the server and compare what they print
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run `barbican` alone, against a running server in noauth mode
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Print every command and its output
    #[arg(long)]
    verbose: bool,
}

/// One command and what it has to print.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    run: Vec<String>,
    /// What is printed with `-f json`; without this and `fails`: nothing.
    prints: Option<Json>,
    /// The command has to fail and to say this.
    fails: Option<String>,
}

/// A client program and how it reaches the server.
struct Client {
    name: &'static str,
    program: PathBuf,
    options: Vec<String>,
    /// The `OS_*` variables.
    environment: Vec<(&'static str, String)>,
    base: String,
}

/// # Errors
/// A command that prints something else than expected, or programs that cannot be had.
pub(crate) fn run(args: &Args) -> Result<()> {
    let failed = tally(args)?.failed;
    ensure!(failed == 0, "{failed} commands failed");
    Ok(())
}

/// Runs the commands, prints them, and counts them; those that fail are part of the count.
///
/// # Errors
/// Programs that cannot be had.
pub(crate) fn tally(args: &Args) -> Result<Tally> {
    let file = workspace::root().join("tests/conformance/osc.json");
    let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let steps: Vec<Step> =
        serde_json::from_slice(&text).with_context(|| format!("parsing {}", file.display()))?;
    let bin = programs()?;
    let mut table = Table::new(&["client", "commands", "passed", "failed"]);
    let mut tally = Tally::default();
    let mut play = |client: &Client| -> Result<()> {
        let count = client.play(&steps, args.verbose)?;
        let numbers = [steps.len(), steps.len() - count, count];
        table.row(
            std::iter::once(client.name.to_owned()).chain(numbers.map(|number| number.to_string())),
        );
        tally.tests += steps.len();
        tally.passed += steps.len() - count;
        tally.failed += count;
        Ok(())
    };
    match &args.against {
        Some(url) => play(&Client::barbican(&bin, url.trim_end_matches('/')))?,
        None => {
            let site = Site::donjon(|_| ())?;
            play(&Client::of_keystone(&bin, &site)?)?;
            drop(site);
            let binary = build::donjon(Profile::Dev, &[])?;
            let launch = Launch::new(&binary, "tokens")?;
            let token = launch.data_dir().join("first-token");
            let server = launch.start()?;
            let token = fs::read_to_string(&token)
                .with_context(|| format!("reading {}", token.display()))?;
            play(&Client::openstack(&bin, &server.base(), token.trim()))?;
            server.stop()?;
            let server = Launch::new(&binary, "noauth")?.start()?;
            play(&Client::barbican(&bin, &server.base()))?;
            server.stop()?;
        }
    }
    println!("{table}");
    Ok(tally)
}

/// The folder with `openstack` and `barbican`, installed if need be.
///
/// # Errors
/// They cannot be had.
pub(crate) fn programs() -> Result<PathBuf> {
    python::environment("osc", PACKAGES)
}

impl Client {
    /// As a user would: a password, and the rest is Keystone's to say.
    fn of_keystone(bin: &Path, site: &Site) -> Result<Self> {
        Ok(Self {
            name: "openstack, Keystone",
            program: bin.join("openstack"),
            options: Vec::new(),
            environment: site.variables("member")?,
            base: site.base().to_owned(),
        })
    }

    fn openstack(bin: &Path, base: &str, token: &str) -> Self {
        let endpoint = format!("{base}/v1");
        let options = [
            "--os-auth-type",
            "admin_token",
            "--os-endpoint",
            &endpoint,
            "--os-token",
            token,
        ];
        Self::new("openstack", bin, base, &options)
    }

    fn barbican(bin: &Path, base: &str) -> Self {
        Self::new(
            "barbican",
            bin,
            base,
            &["--no-auth", "--endpoint", base, "--os-project-id", "osc"],
        )
    }

    fn new(name: &'static str, bin: &Path, base: &str, options: &[&str]) -> Self {
        Self {
            name,
            program: bin.join(name),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            environment: Vec::new(),
            base: base.to_owned(),
        }
    }

    /// Runs all commands and gives the number of those that failed.
    fn play(&self, steps: &[Step], verbose: bool) -> Result<usize> {
        let scope = Scope::new(&self.base, self.name);
        let mut uuids = Uuids::new();
        let mut failed = 0;
        for step in steps {
            let fill = |word: &String| scope.fill(word, &uuids);
            let words: Result<Vec<String>, MissingUuid> = step.run.iter().map(fill).collect();
            let problems = match words {
                Err(MissingUuid(number)) => vec![format!("{{uuid:{number}}} has no value")],
                Ok(words) => {
                    let output = self
                        .command(&words, step)
                        .output()
                        .context("running a client")?;
                    if verbose {
                        println!("{}", show(&output));
                    }
                    step.problems(&output, &scope, &mut uuids)
                }
            };
            let verdict = if problems.is_empty() {
                "ok    "
            } else {
                "FAILED"
            };
            println!("{verdict} {} {}", self.name, step.run.join(" "));
            failed += usize::from(!problems.is_empty());
            problems
                .iter()
                .for_each(|problem| println!("  {}", problem.replace('\n', "\n  ")));
        }
        Ok(failed)
    }

    fn command(&self, words: &[String], step: &Step) -> Command {
        let mut command = Command::new(&self.program);
        // The caller's own cloud settings must not show through.
        command
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| !name.starts_with("OS_")))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(&self.options).args(words);
        if step.prints.is_some() {
            command.args(["-f", "json"]);
        }
        command
    }
}

impl Step {
    /// What is wrong with the output of the command.
    fn problems(&self, output: &Output, scope: &Scope, uuids: &mut Uuids) -> Vec<String> {
        let errors = String::from_utf8_lossy(&output.stderr);
        if let Some(text) = &self.fails {
            let as_told = !output.status.success() && errors.contains(text);
            return if as_told {
                Vec::new()
            } else {
                vec![format!("should fail with {text:?}\n{}", show(output))]
            };
        }
        if !output.status.success() {
            return vec![format!("ended with {}\n{}", output.status, show(output))];
        }
        let Some(expected) = &self.prints else {
            let silent = output.stdout.trim_ascii().is_empty();
            return if silent {
                Vec::new()
            } else {
                vec![format!("should print nothing\n{}", show(output))]
            };
        };
        match serde_json::from_slice::<Json>(&output.stdout) {
            Ok(printed) => {
                let differences = compare::json_differences(expected, &printed, scope, uuids);
                differences.iter().map(ToString::to_string).collect()
            }
            Err(error) => vec![format!("prints no JSON: {error}\n{}", show(output))],
        }
    }
}

fn show(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    format!(
        "stdout: {}\nstderr: {}",
        text(&output.stdout),
        text(&output.stderr)
    )
}
