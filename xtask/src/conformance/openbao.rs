//! `conformance openbao`: a real OpenBao from PyPI: the contract of outside secret stores, kept by `store-vault`, and a
//! server that keeps payloads there while it is sealed and killed.

mod whole;

use anyhow::Result;

use crate::conformance::contract;
use crate::kit::openbao;
use crate::suite::report::Tally;

const TESTS: [&str; 6] = [
    "-p",
    "donjon-store-vault",
    "--test",
    "openbao",
    "--run-ignored",
    "all",
];

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
    let variables = [("DONJON_BAO", program.as_os_str())];
    let tests = contract::run(&TESTS, &variables)? + whole::run()?;
    Ok(Tally {
        tests,
        passed: tests,
        ..Tally::default()
    })
}
