//! `test`: everything that must hold before a change goes in. CI runs this and nothing else.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::kit::tools::{self, DENY, NEXTEST};
use crate::kit::{run, workspace};
use crate::{crash, docs, golden, layers};

/// Run every check, in order, up to the first that fails
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// One check.
struct Step {
    name: &'static str,
    /// What to type to run this check alone.
    alone: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        alone: "cargo fmt --all --check",
        run: format,
    },
    Step {
        name: "clippy",
        alone: "cargo clippy --workspace --all-targets -- -D warnings",
        run: clippy,
    },
    Step {
        name: "tests",
        alone: "cargo nextest run --workspace",
        run: nextest,
    },
    Step {
        name: "doctests",
        alone: "cargo test --workspace --doc",
        run: doctests,
    },
    Step {
        name: "deny",
        alone: "cargo deny --offline check bans licenses sources",
        run: deny,
    },
    Step {
        name: "layers",
        alone: "cargo xtask layers",
        run: || layers::run(&layers::Args::default()),
    },
    Step {
        name: "recorded exchanges",
        alone: "cargo xtask conformance golden",
        run: || golden::run(&golden::Args::default()),
    },
    Step {
        name: "kill loop",
        alone: "cargo xtask crash --cycles 5",
        run: kill_loop,
    },
    Step {
        name: "commands of the docs",
        alone: "cargo xtask docs --dev",
        run: || docs::run(&docs::Args { dev: true }),
    },
];

/// # Errors
/// The first check that fails; the message tells how to run it alone.
pub(crate) fn run(_args: &Args) -> Result<()> {
    let started = Instant::now();
    let count = STEPS.len();
    for (number, step) in (1..).zip(STEPS) {
        println!("\n=== {number}/{count} {}: {}", step.name, step.alone);
        let step_started = Instant::now();
        (step.run)()
            .with_context(|| format!("{} failed; run it alone with: {}", step.name, step.alone))?;
        println!(
            "=== {number}/{count} {} passed in {:.1} s",
            step.name,
            step_started.elapsed().as_secs_f64()
        );
    }
    println!(
        "\nall {count} checks passed in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
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

fn nextest() -> Result<()> {
    run::command(NEXTEST.command()?.args(["run", "--workspace"]))
}

fn doctests() -> Result<()> {
    cargo(&["test", "--workspace", "--doc"])
}

fn kill_loop() -> Result<()> {
    crash::run(&crash::Args {
        cycles: 5,
        connections: 32,
        seed: None,
        danger_ack_before_commit: false,
    })
}

fn deny() -> Result<()> {
    // Cargo deny looks at the crates of all platforms, and a build fetches only those of its own.
    cargo(&["fetch", "--locked"])?;
    run::command(
        DENY.command()?
            .args(["--offline", "check", "bans", "licenses", "sources"]),
    )
}
