//! `test`: everything that must hold before a change goes in. CI runs this and nothing else.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

use crate::kit::tools::{self, DENY, NEXTEST};
use crate::kit::{run, workspace};
use crate::{crash, docs, golden, layers};

/// Run every check, in order, up to the first that fails
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run these checks alone
    #[arg(value_name = "CHECK", value_parser = names())]
    only: Vec<String>,
}

/// One check.
struct Step {
    name: &'static str,
    /// What it comes to.
    command: &'static str,
    run: fn() -> Result<()>,
}

/// What `cargo metadata` tells that matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
}

const SERVER: &str = "donjon-server";

const STEPS: &[Step] = &[
    Step {
        name: "format",
        command: "cargo fmt --all --check",
        run: format,
    },
    Step {
        name: "clippy",
        command: "cargo clippy --workspace --all-targets -- -D warnings",
        run: clippy,
    },
    Step {
        name: "features",
        command: "cargo clippy -p donjon-server --no-default-features [--features ONE] -- -D warnings",
        run: features,
    },
    Step {
        name: "tests",
        command: "cargo nextest run --workspace",
        run: nextest,
    },
    Step {
        name: "doctests",
        command: "cargo test --workspace --doc",
        run: doctests,
    },
    Step {
        name: "deny",
        command: "cargo deny --offline check --allow unused-wrapper bans licenses sources",
        run: deny,
    },
    Step {
        name: "layers",
        command: "cargo xtask layers",
        run: || layers::run(&layers::Args::default()),
    },
    Step {
        name: "golden",
        command: "cargo xtask conformance golden",
        run: || golden::run(&golden::Args::default()),
    },
    Step {
        name: "crash",
        command: "cargo xtask crash --cycles 5",
        run: || kill_loop(5, false),
    },
    Step {
        name: "rotation",
        command: "cargo xtask crash --rotation --cycles 20",
        run: || kill_loop(20, true),
    },
    Step {
        name: "docs",
        command: "cargo xtask docs --dev",
        run: || {
            docs::run(&docs::Args {
                dev: true,
                walk: false,
            })
        },
    },
];

/// # Errors
/// The first check that fails; the message tells how to run it alone.
pub(crate) fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    let wanted =
        |step: &&Step| args.only.is_empty() || args.only.iter().any(|name| name == step.name);
    let steps: Vec<&Step> = STEPS.iter().filter(wanted).collect();
    let count = steps.len();
    for (number, step) in (1..).zip(steps) {
        let name = step.name;
        println!("\n=== {number}/{count} {name}: {}", step.command);
        let step_started = Instant::now();
        (step.run)().with_context(|| {
            format!("{name} failed; run it alone with: cargo xtask test {name}")
        })?;
        println!(
            "=== {number}/{count} {name} passed in {:.1} s",
            step_started.elapsed().as_secs_f64()
        );
    }
    println!(
        "\nall {count} checks passed in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

fn cargo(args: &[&str]) -> Result<()> {
    run::command(
        Command::new("cargo")
            .args(args)
            .current_dir(workspace::root()),
    )
}

fn format() -> Result<()> {
    tools::need_component("fmt", "rustfmt")?;
    cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> Result<()> {
    tools::need_component("clippy", "clippy")?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

/// The server without any plugin, and with each by itself.
fn features() -> Result<()> {
    tools::need_component("clippy", "clippy")?;
    let mut command = Command::new("cargo");
    command
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace::root());
    let metadata: Metadata = serde_json::from_slice(&run::stdout(&mut command)?)?;
    let server = metadata
        .packages
        .into_iter()
        .find(|package| package.name == SERVER);
    let features = server.context("the workspace has no server")?.features;
    let plugins = features.into_keys().filter(|feature| is_plugin(feature));
    for feature in std::iter::once(String::new()).chain(plugins) {
        println!("--- {SERVER} with {feature:?}");
        let mut args = vec!["clippy", "-p", SERVER, "--no-default-features"];
        args.extend(["--features", &feature, "--", "-D", "warnings"]);
        cargo(&args)?;
    }
    Ok(())
}

/// Builds that must fail their tests are none.
fn is_plugin(feature: &str) -> bool {
    feature != "default" && !feature.starts_with("danger-")
}

fn nextest() -> Result<()> {
    tools::need_program(
        "softhsm2-util",
        "the tests of HSMs need SoftHSM2; on Debian: apt-get install softhsm2",
    )?;
    run::command(NEXTEST.command()?.args(["run", "--workspace"]))
}

fn doctests() -> Result<()> {
    cargo(&["test", "--workspace", "--doc"])
}

fn kill_loop(cycles: u64, rotation: bool) -> Result<()> {
    crash::run(&crash::Args {
        cycles,
        connections: 32,
        seed: None,
        rotation,
        danger_ack_before_commit: false,
    })
}

fn deny() -> Result<()> {
    // Cargo deny looks at the crates of all platforms, and a build fetches only those of its own.
    cargo(&["fetch", "--locked"])?;
    run::command(DENY.command()?.args([
        "--offline",
        "check",
        // The test kit is its own only wrapper, see `deny.toml`.
        "--allow",
        "unused-wrapper",
        "bans",
        "licenses",
        "sources",
    ]))
}
