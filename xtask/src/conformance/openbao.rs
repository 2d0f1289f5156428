//! `conformance openbao`: a real OpenBao from PyPI: the contract of outside secret stores, kept by `store-vault`, and a
//! server that keeps payloads there while it is sealed and killed.

mod whole;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::tools::NEXTEST;
use crate::kit::{openbao, run};
use crate::suite::report::Tally;

const TESTS: [&str; 6] = [
    "-p",
    "donjon-store-vault",
    "--test",
    "openbao",
    "--run-ignored",
    "all",
];

/// What nextest says of the tests that it would run.
#[derive(Deserialize)]
struct List {
    #[serde(rename = "test-count")]
    tests: usize,
}

/// Hold store-vault and a whole server against a real OpenBao
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// # Errors
/// OpenBao cannot be had, or the contract is broken.
pub(crate) fn run(_: &Args) -> Result<()> {
    tally().map(drop)
}

/// As [`run`], and counts tests, none of which has failed.
///
/// # Errors
/// As [`run`].
pub(crate) fn tally() -> Result<Tally> {
    let program = openbao::program()?;
    println!("{}", program.display());
    let mut tests = NEXTEST.command()?;
    run::command(tests.arg("run").args(TESTS).env("DONJON_BAO", program))?;
    let mut list = NEXTEST.command()?;
    list.arg("list").args(TESTS);
    let list = run::stdout(list.args(["--message-format", "json"]))?;
    let list: List = serde_json::from_slice(&list).context("reading the list of tests")?;
    let tests = list.tests + whole::run()?;
    Ok(Tally {
        tests,
        passed: tests,
        ..Tally::default()
    })
}
