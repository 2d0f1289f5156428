//! Cargo tools at pinned versions.
//!
//! A tool on `PATH` is used if it is the pinned version or a newer one. Otherwise the pinned one is built into
//! `target/tools`. A tool that cannot be had is an error: a check is never skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::kit::run;
use crate::kit::workspace;

/// A program that cargo installs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CargoTool {
    /// Package and program.
    name: &'static str,
    /// The oldest version that is used, and the one that is installed.
    version: &'static str,
}

pub(crate) const NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    version: "0.9.143",
};
pub(crate) const DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
};

impl CargoTool {
    /// A command that runs the tool in the root of the workspace, installed first if need be.
    ///
    /// # Errors
    /// The tool is lacking and cargo could not install it.
    pub(crate) fn command(&self) -> Result<Command> {
        let mut command = Command::new(self.path()?);
        // What cargo hands its own subcommands: their name without the prefix.
        command
            .arg(self.name.trim_start_matches("cargo-"))
            .current_dir(workspace::root());
        Ok(command)
    }

    fn path(&self) -> Result<PathBuf> {
        let folder = workspace::target().join("tools");
        let installed = folder.join("bin").join(self.name);
        let on_path = PathBuf::from(self.name);
        for candidate in [&on_path, &installed] {
            if self.is_usable(candidate) {
                return Ok(candidate.clone());
            }
        }
        self.install(&folder)?;
        ensure!(
            self.is_usable(&installed),
            "{} was installed but does not run",
            installed.display()
        );
        Ok(installed)
    }

    fn is_usable(&self, program: &Path) -> bool {
        let Ok(output) = Command::new(program).arg("--version").output() else {
            return false;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = text
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(version);
        output.status.success() && found >= version(self.version)
    }

    fn install(&self, folder: &Path) -> Result<()> {
        let Self { name, version } = self;
        println!(
            "{name} {version} or newer is lacking: building it into {} (some minutes)",
            folder.display()
        );
        let mut command = Command::new("cargo");
        command
            .args(["install", "--locked", "--version", version, "--root"])
            .arg(folder)
            .arg(name);
        run::command(&mut command)
            .with_context(|| format!("{name} could not be installed, so its check fails"))
    }
}

/// Fails with the command that adds a rustup component if a cargo subcommand is lacking.
///
/// # Errors
/// `cargo NAME --version` does not run.
pub(crate) fn need_component(subcommand: &str, component: &str) -> Result<()> {
    let output = Command::new("cargo")
        .args([subcommand, "--version"])
        .output()
        .context("running cargo")?;
    if !output.status.success() {
        bail!("cargo {subcommand} is lacking: rustup component add {component}");
    }
    Ok(())
}

/// Fails with the packages that have a program, if it is lacking.
///
/// # Errors
/// The program does not run.
pub(crate) fn need_program(program: &str, hint: &str) -> Result<()> {
    if Command::new(program).arg("--version").output().is_err() {
        bail!("{program} is lacking: {hint}");
    }
    Ok(())
}

fn version(text: &str) -> Option<Vec<u64>> {
    let numbers = text.split('-').next()?;
    numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_order_by_number() {
        assert!(version("0.20.2") > version("0.9.143"));
        assert!(version("1.0.0") >= version("1.0.0"));
        assert!(version("nonsense") < version("0.0.1"));
        assert_eq!(version("1.2.3-rc.1"), Some(vec![1, 2, 3]));
    }
}
