//! Development tasks of this workspace: `cargo xtask` lists them.
//!
//! One file per verb, `kit` for what they share. It imports no crate of the workspace and treats the server as a
//! program. CI calls these verbs and nothing else.

#![expect(clippy::print_stdout, reason = "the verbs report on stdout")]

mod bench;
mod conformance;
mod crash;
mod dist;
mod docs;
mod golden;
mod hsm;
mod layers;
mod policy;
mod schemathesis;
mod suite;
mod test;

mod kit;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Development tasks of the Donjon workspace
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test
  cargo xtask test clippy tests
  cargo xtask conformance golden
  cargo xtask layers --prove
  cargo xtask docs --dev";

#[derive(Debug, Subcommand)]
enum Verb {
    Test(test::Args),
    Layers(layers::Args),
    #[command(subcommand)]
    Conformance(conformance::Suite),
    Crash(crash::Args),
    Bench(bench::Args),
    Hsm(hsm::Args),
    Docs(docs::Args),
    Dist(dist::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Test(args) => test::run(args),
        Verb::Layers(args) => layers::run(args),
        Verb::Conformance(suite) => conformance::run(suite),
        Verb::Crash(args) => crash::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Hsm(args) => hsm::run(args),
        Verb::Docs(args) => docs::run(args),
        Verb::Dist(args) => dist::run(args),
    }
}
