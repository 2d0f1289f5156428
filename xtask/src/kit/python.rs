//! Python programs at pinned versions, in virtual environments under the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kit::{run, workspace};

/// The names under which an interpreter is looked for, the likeliest first.
const INTERPRETERS: &[&str] = &[
    "python3",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.14",
];

/// Fails with exit code 1 unless the interpreter is new enough and can make virtual environments.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// Installs `packages` (`NAME==VERSION`) into the environment `name`, unless they are there, and gives its `bin` folder.
///
/// # Errors
/// No Python from 3.10 with `venv`, or pip could not install.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace::target().join("python").join(name);
    let bin = folder.join("bin");
    let marker = folder.join("installed");
    let wanted = packages.join("\n");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(bin);
    }
    println!(
        "installing {} into {}",
        packages.join(", "),
        folder.display()
    );
    let python = interpreter()?;
    run::command(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let mut pip = Command::new(bin.join("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(packages);
    run::command(&mut pip).context("installing Python packages")?;
    fs::write(&marker, wanted)?;
    Ok(bin)
}

/// Gets the source distribution of `package` (`NAME==VERSION`), unless it is there, and gives its root folder.
///
/// # Errors
/// No Python as above, or pip could not get it.
pub(crate) fn source(package: &str) -> Result<PathBuf> {
    let folder = workspace::target().join("python/sources").join(package);
    if !folder.exists() {
        println!("getting the source of {package} into {}", folder.display());
        let parent = folder.parent().context("no folder for sources")?;
        fs::create_dir_all(parent)?;
        let making = tempfile::tempdir_in(parent)?;
        let python = interpreter()?;
        let name = package.split("==").next().unwrap_or(package);
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
        pip.args(["--disable-pip-version-check", "--no-binary", name, "--dest"]);
        run::command(pip.arg(making.path()).arg(package)).context("getting a Python package")?;
        let archive = only_entry(making.path())?;
        let mut tar = Command::new(python);
        tar.args(["-m", "tarfile", "-e"]);
        run::command(tar.arg(&archive).arg(making.path()))?;
        fs::remove_file(archive)?;
        fs::rename(making.path(), &folder)?;
    }
    only_entry(&folder)
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    let first = entries.next().transpose()?;
    let first = first.with_context(|| format!("{} is empty", folder.display()))?;
    Ok(first.path())
}

/// # Errors
/// No Python from 3.10.
pub(crate) fn interpreter() -> Result<&'static Path> {
    for name in INTERPRETERS {
        let probe = Command::new(name).args(["-c", PROBE]).output();
        if probe.is_ok_and(|output| output.status.success()) {
            return Ok(Path::new(name));
        }
    }
    bail!("no Python from 3.10 with venv and pip; on Debian: apt-get install python3 python3-venv")
}
