//! Mounts and processes of the walk are its own: they go away with it, whatever ends it.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kit::run;

/// Set for the program that runs inside.
const INSIDE: &str = "XTASK_WALK_INSIDE";

/// A shell as process 1 takes what is orphaned; `"$@"` alone would take its place.
const PROCESS_1: &str = "\"$@\"; exit $?";

pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Runs this program with the same arguments inside.
///
/// # Errors
/// It failed there, or this is not root.
pub(crate) fn enter() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the walk makes a root of its own and mounts in it, so it has to be started by root");
    }
    let program = env::current_exe().context("finding this program")?;
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", PROCESS_1, "walk"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1");
    // Whose cloud it is must not show through.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            unshare.env_remove(name);
        }
    }
    run::command(&mut unshare)
}
