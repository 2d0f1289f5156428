//! A Debian 12 that has nothing yet, in a folder, with a stand-in for systemd.
//!
//! `debootstrap` makes it once; an archive under the target folder brings it back, and one of the packages that were
//! fetched later keeps them from being fetched again. It shares the machine's network.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::docs::shell;
use crate::kit::{run, workspace};

const RELEASE: &str = "bookworm";

/// Besides what every Debian has: what the one of a server has.
const PACKAGES: &str = "systemd,ca-certificates,curl";

/// Where a stand-in has precedence.
const SYSTEMCTL: &str = "/usr/local/bin/systemctl";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Packages start no service by themselves, but for the one that this is about.
const POLICY: &str = "#!/bin/sh\ncase $1 in\ndonjon*) exit 0 ;;\n*) exit 101 ;;\nesac\n";

/// The folder goes away when dropped, and so does what is mounted in it.
#[derive(Debug)]
pub(crate) struct CleanRoot {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl CleanRoot {
    /// # Errors
    /// `debootstrap` cannot be had or fails, or this is not root.
    pub(crate) fn new() -> Result<Self> {
        let archive = archive()?;
        let folder = tempfile::Builder::new()
            .prefix("donjon-root-")
            .tempdir_in(cache())?;
        unpack(&archive, folder.path())?;
        let root = Self {
            folder,
            variables: Vec::new(),
        };
        root.mount("proc", "/proc")?;
        root.mount("tmpfs", "/run")?;
        root.write(SYSTEMCTL, include_str!("systemctl"), 0o755)?;
        root.write("/usr/sbin/policy-rc.d", POLICY, 0o755)?;
        root.write("/etc/apt/apt.conf.d/90walk", &apt_settings(), 0o644)?;
        fs::copy("/etc/resolv.conf", root.path("/etc/resolv.conf"))?;
        // By this maintainer scripts know that systemd runs.
        fs::create_dir_all(root.path("/run/systemd/system"))?;
        root.listen()?;
        root.copy_packages(&packages(), &root.path("/var/cache/apt/archives"))?;
        Ok(root)
    }

    /// Where a file of it is.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside.trim_start_matches('/'))
    }

    /// Makes a file, with the folders that it needs.
    pub(crate) fn write(&self, inside: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.path(inside);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    pub(crate) fn variable(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// Runs a command of root to its end, in root's home, and gives its stdout.
    ///
    /// # Errors
    /// It ended with another exit code than 0; the message holds its output.
    pub(crate) fn run(&self, command: &str) -> Result<String> {
        let mut chroot = Command::new("chroot");
        chroot
            .arg(self.folder.path())
            .args(["/bin/sh", "-c"])
            .arg(format!("cd /root\n{command}"))
            .stdin(Stdio::null())
            .env_clear()
            .envs([("PATH", PATH), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell::finish(&mut chroot)
    }

    /// Keeps the packages that were fetched for the next time.
    pub(crate) fn keep_packages(&self) -> Result<()> {
        self.copy_packages(&self.path("/var/cache/apt/archives"), &packages())
    }

    fn copy_packages(&self, from: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(from)?;
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "deb") {
                fs::copy(&path, to.join(name))?;
            }
        }
        Ok(())
    }

    fn mount(&self, kind: &str, inside: &str) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, kind]).arg(self.path(inside));
        run::command(&mut mount)
    }

    /// Hears what services say to systemd.
    fn listen(&self) -> Result<()> {
        let folder = self.path("/run/walk");
        fs::create_dir_all(&folder)?;
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path)
            .with_context(|| format!("listening on {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        let mut notified = File::options()
            .create(true)
            .append(true)
            .open(folder.join("notified"))?;
        thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(bytes) = socket.recv(&mut message) {
                let message = message.get(..bytes).unwrap_or_default();
                if notified.write_all(&[message, b"\n"].concat()).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

impl Drop for CleanRoot {
    fn drop(&mut self) {
        // Services first. What does not end now ends with the name space of the processes.
        let stop = "cd /run/walk && for unit in *.pid; do systemctl stop \"${unit%.pid}\"; done";
        if self.path("/run/walk").exists() {
            drop(self.run(stop));
        }
        for inside in ["/run", "/proc"] {
            let mut umount = Command::new("umount");
            umount.arg("--lazy").arg(self.path(inside));
            drop(umount.stderr(Stdio::null()).status());
        }
    }
}

/// `apt-get` asks nobody, and scripts of packages find the stand-in.
fn apt_settings() -> String {
    format!(
        "APT::Get::Assume-Yes \"true\";\nAcquire::Languages \"none\";\nDPkg::Path \"{PATH}\";\n"
    )
}

fn cache() -> PathBuf {
    workspace::target().join("debian/walk")
}

fn packages() -> PathBuf {
    cache().join("packages")
}

/// The archive of a fresh Debian, made if need be.
fn archive() -> Result<PathBuf> {
    let archive = cache().join(format!("{RELEASE}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    fs::create_dir_all(cache())?;
    println!("making {}", archive.display());
    let folder = tempfile::Builder::new()
        .prefix("debootstrap-")
        .tempdir_in(cache())?;
    let root = folder.path().join("root");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .args(["--variant=minbase", "--include", PACKAGES, RELEASE])
        .arg(&root)
        .stdout(File::create(cache().join("debootstrap.log"))?);
    run::command(&mut debootstrap)
        .context("making a clean Debian as root; on Debian: apt-get install debootstrap")?;
    fs::remove_dir_all(root.join("var/cache/apt/archives"))?;
    let made = folder.path().join("root.tar");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--file"]);
    run::command(tar.arg(&made).arg("--directory").arg(&root).arg("."))?;
    fs::rename(&made, &archive)?;
    Ok(archive)
}

fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--numeric-owner",
        "--same-permissions",
        "--file",
    ]);
    run::command(tar.arg(archive).arg("--directory").arg(folder))
}
