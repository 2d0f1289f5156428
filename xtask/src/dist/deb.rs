//! The Debian package, made by `dpkg-deb`.
//!
//! An upgrade keeps data and settings; removing and purging keep `/var/lib/donjon`, for it holds keys.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Program, make_folder, place, place_docs, place_files, source_time};
use crate::kit::{run, workspace};

/// Makes the package of `program` in `folder` and gives its path. The maintainer is that of `DEBFULLNAME` and `DEBEMAIL`.
///
/// # Errors
/// A file is lacking, or `dpkg-deb` does not run.
pub(super) fn build(program: &Program, folder: &Path) -> Result<PathBuf> {
    let root = workspace::root();
    let stage = tempfile::Builder::new().prefix("donjon-deb-").tempdir()?;
    let tree = stage.path().join("tree");
    let docs = tree.join("usr/share/doc/donjon");
    let binary = program.binary();
    place(&binary, &tree.join("usr/bin/donjon"), 0o755)?;
    for (from, to) in [
        ("docs/donjon.service", "lib/systemd/system/donjon.service"),
        ("docs/donjon.toml", "etc/donjon/donjon.toml"),
        ("README.md", "usr/share/doc/donjon/README.md"),
    ] {
        place(&root.join(from), &tree.join(to), 0o644)?;
    }
    place_docs(&root.join("docs"), &docs)?;
    let manual = tree.join("usr/share/man/man1");
    place_files(&program.manual(), &manual)?;
    for page in fs::read_dir(&manual)? {
        compress(&page?.path())?;
    }
    write(
        &docs.join("copyright"),
        include_str!("deb/copyright"),
        0o644,
    )?;
    let notices = docs.join("third-party.txt");
    place(&program.notices(), &notices, 0o644)?;
    compress(&notices)?;
    let changelog = docs.join("changelog");
    write(&changelog, &changelog_text()?, 0o644)?;
    compress(&changelog)?;
    control(&tree, &binary)?;
    let name = format!(
        "donjon_{}_{}.deb",
        env!("CARGO_PKG_VERSION"),
        architecture()
    );
    let package = folder.join(name);
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--build"])
        .args([&tree, &package])
        .env("SOURCE_DATE_EPOCH", source_time().to_string());
    run::command(&mut dpkg)
        .context("making the Debian package; on Debian: apt-get install dpkg")?;
    Ok(package)
}

fn control(tree: &Path, binary: &Path) -> Result<()> {
    let folder = tree.join("DEBIAN");
    make_folder(&folder)?;
    let write = |name: &str, text: &str, mode| write(&folder.join(name), text, mode);
    let glibc = glibc(&fs::read(binary)?).unwrap_or_else(|| "2.17".to_owned());
    let text = format!(
        "Package: donjon\nVersion: {}\nArchitecture: {}\nMaintainer: {}\n\
         Depends: adduser, procps, libc6 (>= {glibc}), libgcc-s1\nSection: admin\nPriority: optional\n\
         Description: key manager with the REST API of OpenStack Barbican\n \
         Keeps passwords, keys and certificates in one file, sealed under a root\n \
         key, and speaks the REST API of OpenStack Barbican.\n",
        env!("CARGO_PKG_VERSION"),
        architecture(),
        maintainer()
    );
    write("control", &text, 0o644)?;
    write("conffiles", "/etc/donjon/donjon.toml\n", 0o644)?;
    write("postinst", include_str!("deb/postinst"), 0o755)?;
    write("prerm", include_str!("deb/prerm"), 0o755)?;
    write("postrm", include_str!("deb/postrm"), 0o755)?;
    write("md5sums", &md5sums(tree)?, 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Without name and time in the head.
fn compress(file: &Path) -> Result<()> {
    run::command(Command::new("gzip").args(["-9", "-n"]).arg(file))
}

/// One entry, for what there is to tell stands in `CHANGELOG.md`.
fn changelog_text() -> Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date"])
        .arg(format!("@{}", source_time()))
        .env("LC_ALL", "C");
    let date = String::from_utf8(run::stdout(&mut date)?)?;
    Ok(format!(
        "donjon ({}) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n -- {}  {}\n",
        env!("CARGO_PKG_VERSION"),
        maintainer(),
        date.trim()
    ))
}

/// As Debian's own tools take it.
fn maintainer() -> String {
    let variable =
        |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    format!(
        "{} <{}>",
        variable("DEBFULLNAME", "Donjon developers"),
        variable("DEBEMAIL", "donjon@localhost")
    )
}

/// What `dpkg --verify` compares with.
fn md5sums(tree: &Path) -> Result<String> {
    let mut sums = Command::new("sh");
    sums.args([
        "-c",
        "find usr lib -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum",
    ]);
    Ok(String::from_utf8(run::stdout(sums.current_dir(tree))?)?)
}

/// Debian's name of this machine's kind.
fn architecture() -> &'static str {
    let names = BTreeMap::from([("x86_64", "amd64"), ("aarch64", "arm64"), ("x86", "i386")]);
    names
        .get(env::consts::ARCH)
        .copied()
        .unwrap_or(env::consts::ARCH)
}

/// The newest version of glibc whose symbols a program asks for.
fn glibc(program: &[u8]) -> Option<String> {
    let mark = b"GLIBC_2.";
    let starts = program.windows(mark.len()).enumerate();
    let versions = starts
        .filter(|(_, part)| part == mark)
        .filter_map(|(at, _)| {
            let digits = program.get(at + mark.len()..)?.iter();
            let digits: Vec<u8> = digits.copied().take_while(u8::is_ascii_digit).collect();
            String::from_utf8(digits).ok()?.parse::<u32>().ok()
        });
    versions.max().map(|minor| format!("2.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_counts() {
        let program = b"x\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_PRIVATE\0";
        assert_eq!(glibc(program).as_deref(), Some("2.34"));
        assert_eq!(glibc(b"static"), None);
    }

    #[test]
    fn a_package_keeps_settings_and_purges_no_data() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(program.binary(), "GLIBC_2.36").unwrap();
        fs::create_dir(program.manual()).unwrap();
        fs::write(program.notices(), "nobody").unwrap();
        fs::write(program.manual().join("donjon.1"), ".TH donjon 1\n").unwrap();
        let package = build(&program, folder.path()).unwrap();
        let told = |args: &[&str]| {
            let output = Command::new("dpkg-deb")
                .args(args)
                .arg(&package)
                .output()
                .unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        };
        let contents = told(&["--contents"]);
        for path in [
            "./usr/bin/donjon",
            "./lib/systemd/system/donjon.service",
            "./etc/donjon/donjon.toml",
            "./usr/share/man/man1/donjon.1.gz",
            "./usr/share/doc/donjon/changelog.gz",
            "./usr/share/doc/donjon/copyright",
            "./usr/share/doc/donjon/third-party.txt.gz",
        ] {
            assert!(contents.contains(path), "{path}\n{contents}");
        }
        assert!(!contents.contains("/var/"), "{contents}");
        assert!(told(&["--field"]).contains("libc6 (>= 2.36)"));
        assert!(!include_str!("deb/postrm").contains("rm -"));
    }
}
