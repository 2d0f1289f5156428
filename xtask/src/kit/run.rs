//! Runs programs whose output goes to the terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs a command and waits for it.
///
/// # Errors
/// It could not be started, or ended with another exit code than 0; the message holds the command line.
pub(crate) fn command(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command
        .status()
        .with_context(|| format!("running {line}"))?;
    ensure!(status.success(), "{line} ended with {status}");
    Ok(())
}

/// Runs a command and gives its stdout, its stderr going to the terminal.
///
/// # Errors
/// As [`command`].
pub(crate) fn stdout(command: &mut Command) -> Result<Vec<u8>> {
    let line = line(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("running {line}"))?;
    ensure!(
        output.status.success(),
        "{line} ended with {}",
        output.status
    );
    Ok(output.stdout)
}

/// A command whose program is started by what stands in `front`, if anything does.
pub(crate) fn within(front: &[String], program: &Path) -> Command {
    let Some((first, rest)) = front.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
