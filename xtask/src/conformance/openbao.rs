//! `conformance openbao`: a real OpenBao from PyPI: the contracts that its adapters keep, and servers that have payloads
//! and root keys in it while it is sealed, killed and back again.

mod custody;
mod whole;

use anyhow::Result;

use crate::conformance::contract;
use crate::kit::openbao;
use crate::suite::report::Tally;

const TESTS: [&str; 10] = [
    "-p",
    "donjon-crypto-vault",
    "-p",
    "donjon-store-vault",
    "-p",
    "donjon-vault-client",
    "--test",
    "openbao",
    "--run-ignored",
    "all",
];

/// Hold its adapters and a whole server against a real OpenBao
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long OpenBao is away under load
    #[arg(long, default_value_t = SECONDS)]
    seconds: u64,
}

const SECONDS: u64 = 20;

impl Default for Args {
    fn default() -> Self {
        Self { seconds: SECONDS }
    }
}

/// # Errors
/// OpenBao cannot be had, or the contract is broken.
pub(crate) fn run(args: &Args) -> Result<()> {
    tally(args).map(drop)
}

/// As [`run`], and counts tests, none of which has failed.
///
/// # Errors
/// As [`run`].
pub(crate) fn tally(args: &Args) -> Result<Tally> {
    let program = openbao::program()?;
    println!("{}", program.display());
    let variables = [("DONJON_BAO", program.as_os_str())];
    let tests = contract::run(&TESTS, &variables)? + whole::run()? + custody::run(args.seconds)?;
    Ok(Tally {
        tests,
        passed: tests,
        ..Tally::default()
    })
}
