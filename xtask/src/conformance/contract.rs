//! Tests of an adapter that need a server of somebody else's, and are ignored without it.

use std::ffi::OsStr;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::run;
use crate::kit::tools::NEXTEST;

/// What nextest says of the tests that it would run.
#[derive(Deserialize)]
struct List {
    #[serde(rename = "test-count")]
    tests: usize,
}

/// Runs the tests that these arguments of nextest select. How many there are.
///
/// # Errors
/// One failed.
pub(super) fn run(tests: &[&str], variables: &[(&str, &OsStr)]) -> Result<usize> {
    let mut command = NEXTEST.command()?;
    command.arg("run").args(tests);
    run::command(command.envs(variables.iter().copied()))?;
    let mut list = NEXTEST.command()?;
    list.arg("list").args(tests);
    let list = run::stdout(list.args(["--message-format", "json"]))?;
    let list: List = serde_json::from_slice(&list).context("reading the list of tests")?;
    Ok(list.tests)
}
