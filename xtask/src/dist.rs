//! `dist`: the release tarball and the Debian package, the same bytes for the same sources and toolchain.

mod deb;
mod notices;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::kit::build::{self, Profile};
use crate::kit::{run, sums, workspace};

/// Build the release tarball and the Debian package in target/dist: program, unit file, docs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pack the development build, to try the packages
    #[arg(long)]
    dev: bool,
}

/// # Errors
/// The build failed, a file is lacking, or GNU tar or dpkg-deb does not run.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let program = Program::make(args.dev)?;
    let name = format!(
        "donjon-{}-{}-linux",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    );
    let stage = tempfile::Builder::new().prefix("donjon-dist-").tempdir()?;
    let top = stage.path().join(&name);
    place(&program.binary(), &top.join("bin/donjon"), 0o755)?;
    place_files(&program.manual(), &top.join("man"))?;
    place(&program.notices(), &top.join("third-party.txt"), 0o644)?;
    place(
        &root.join("docs/donjon.service"),
        &top.join("donjon.service"),
        0o644,
    )?;
    place(
        &root.join("docs/donjon.toml"),
        &top.join("donjon.toml"),
        0o644,
    )?;
    place(&root.join("README.md"), &top.join("README.md"), 0o644)?;
    place(&root.join("LICENSE"), &top.join("LICENSE"), 0o644)?;
    place_docs(&root.join("docs"), &top.join("docs"))?;
    let folder = folder()?;
    let tarball = folder.join(format!("{name}.tar.gz"));
    pack(stage.path(), &name, &tarball)?;
    let package = deb::build(&program, &folder)?;
    for made in [tarball, package] {
        println!(
            "{}  {}",
            sums::sha256_hex(&fs::read(&made)?),
            made.display()
        );
    }
    Ok(())
}

/// Builds the Debian package alone, of the development build or of the release, and gives its path.
///
/// # Errors
/// As [`run`].
pub(crate) fn package(dev: bool) -> Result<PathBuf> {
    deb::build(&Program::make(dev)?, &folder()?)
}

/// A folder with the program as it is handed out, and its manual.
#[derive(Debug)]
struct Program {
    folder: TempDir,
}

impl Program {
    fn make(dev: bool) -> Result<Self> {
        let profile = if dev { Profile::Dev } else { Profile::Release };
        let built = build::donjon(profile, &[])?;
        let folder = tempfile::Builder::new()
            .prefix("donjon-program-")
            .tempdir()?;
        let program = Self { folder };
        // A third of the size.
        let mut strip = Command::new("strip");
        strip.args(["--strip-unneeded", "--remove-section=.comment", "-o"]);
        run::command(strip.arg(program.binary()).arg(&built))
            .context("stripping the program; on Debian: apt-get install binutils")?;
        fs::create_dir(program.manual())?;
        let mut man = Command::new(&built);
        run::command(man.arg("man").arg(program.manual()))?;
        fs::write(program.notices(), notices::text()?)?;
        Ok(program)
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("donjon")
    }

    /// What others want to be told with what they wrote.
    fn notices(&self) -> PathBuf {
        self.folder.path().join("third-party.txt")
    }

    /// A folder with pages of section 1.
    fn manual(&self) -> PathBuf {
        self.folder.path().join("man")
    }
}

fn folder() -> Result<PathBuf> {
    let folder = workspace::target().join("dist");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The files that lie in a folder itself.
fn place_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        place(&path, &to.join(path.file_name().unwrap_or_default()), 0o644)?;
    }
    Ok(())
}

/// The documents, with the folders they lie in.
fn place_docs(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            place_docs(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            place(&path, &to.join(name), 0o644)?;
        }
    }
    Ok(())
}

/// Packs `name` in `folder`: sorted, owned by root, every time that of the last commit, no time in the gzip head.
fn pack(folder: &Path, name: &str, tarball: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--format=ustar",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.arg(format!("--mtime=@{}", source_time()));
    tar.args(["--use-compress-program", "gzip -9 -n"])
        .arg("--file")
        .arg(tarball);
    tar.arg("--directory").arg(folder).arg(name);
    run::command(&mut tar)
}

/// Seconds since 1970: `SOURCE_DATE_EPOCH`, else the time of the last commit, else 0.
fn source_time() -> u64 {
    let from_env = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse().ok());
    let from_git = || {
        let output = Command::new("git")
            .args(["log", "-1", "--format=%ct"])
            .current_dir(workspace::root())
            .output()
            .ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    from_env.or_else(from_git).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_packings_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let pack_once = |number: u32| {
            let stage = folder.path().join(number.to_string());
            for name in ["b", "a", "c"] {
                let source = folder.path().join("source");
                fs::write(&source, name).unwrap();
                place(&source, &stage.join("top").join(name), 0o644).unwrap();
            }
            let tarball = folder.path().join(format!("{number}.tar.gz"));
            pack(&stage, "top", &tarball).unwrap();
            fs::read(tarball).unwrap()
        };
        assert_eq!(pack_once(1), pack_once(2));
    }
}
