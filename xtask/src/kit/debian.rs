//! Packages of Debian 12, unpacked into a folder under the target folder and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::kit::{run, workspace};

/// Debian's own interpreter, for which its packages are made.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

const RELEASE: &str = "VERSION_CODENAME=bookworm";

/// Fetches `packages`, without what they depend on, and gives the folder that holds their files, `usr` among them.
///
/// # Errors
/// This is not Debian 12, its Python is missing, or `apt-get` could not fetch.
pub(crate) fn packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(
        release.lines().any(|line| line.trim() == RELEASE),
        "this runs programs of Debian 12 with its Python, and /etc/os-release says that this is another system"
    );
    ensure!(
        Path::new(PYTHON).exists(),
        "{PYTHON} is missing; apt-get install python3"
    );
    let folder = workspace::target().join("debian").join(name);
    let root = folder.join("root");
    let marker = folder.join("unpacked");
    let wanted = packages.join("\n");
    if fs::read_to_string(&marker).is_ok_and(|unpacked| unpacked == wanted) {
        return Ok(root);
    }
    println!("fetching {} into {}", packages.join(", "), folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let archives = folder.join("archives");
    fs::create_dir_all(&archives)?;
    let mut fetch = Command::new("apt-get");
    // Its own user for downloads need not be able to write here.
    fetch.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]);
    fetch.args(packages).current_dir(&archives);
    run::command(&mut fetch).context("fetching Debian packages; try `apt-get update` before")?;
    for archive in fs::read_dir(&archives)? {
        let mut unpack = Command::new("dpkg");
        unpack.arg("-x").arg(archive?.path()).arg(&root);
        run::command(&mut unpack)?;
    }
    fs::write(&marker, wanted)?;
    Ok(root)
}
