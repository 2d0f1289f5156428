//! Builds programs of this workspace by cargo and finds them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::{run, workspace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// The lines of `cargo build --message-format=json` that matter.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds the server with these cargo features and gives its path.
///
/// # Errors
/// The build failed; cargo has told why.
pub(crate) fn donjon(profile: Profile, features: &[&str]) -> Result<PathBuf> {
    let mut args = vec!["--package", "donjon-server", "--bin", "donjon"];
    let list = features.join(",");
    if !features.is_empty() {
        args.extend(["--features", &list]);
    }
    build(profile, &args, "bin", "donjon")
}

/// Builds a bench target in release mode and gives its path.
///
/// # Errors
/// The build failed; cargo has told why.
pub(crate) fn bench(package: &str, name: &str) -> Result<PathBuf> {
    build(
        Profile::Release,
        &["--package", package, "--bench", name],
        "bench",
        name,
    )
}

fn build(profile: Profile, args: &[&str], kind: &str, name: &str) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace::root())
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(args);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = run::stdout(&mut command)?;
    let messages = output
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok());
    messages
        .filter(|message: &Message| message.reason == "compiler-artifact")
        .filter(|message| {
            let target = message.target.as_ref();
            target.is_some_and(|target| {
                target.name == name && target.kind.iter().any(|known| known == kind)
            })
        })
        .find_map(|message| message.executable)
        .with_context(|| format!("cargo built no {kind} {name}"))
}
