//! The notices of what is linked into the program, which have to go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::kit::{run, workspace};

/// How the names of files with such texts begin, in capitals.
const NAMES: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// What `cargo metadata` tells that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// Of a registry; none of this workspace.
    source: Option<String>,
}

/// Each package of others' that the server is built of with its licence, and each text with those that it comes from.
///
/// # Errors
/// Cargo does not run, or a package has neither a licence nor a text.
pub(super) fn text() -> Result<String> {
    let linked = linked()?;
    let mut metadata = Command::new("cargo");
    metadata
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(workspace::root());
    let metadata: Metadata = serde_json::from_slice(&run::stdout(&mut metadata)?)?;
    let mut packages = BTreeMap::new();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        if package.source.is_none() || !linked.contains(&name) {
            continue;
        }
        let texts = texts(package.manifest_path.parent().unwrap_or(Path::new("")))?;
        ensure!(
            package.license.is_some() || !texts.is_empty(),
            "{name} has no licence"
        );
        packages.insert(name, (package.license.clone().unwrap_or_default(), texts));
    }
    ensure!(!packages.is_empty(), "the server is built of nothing");
    Ok(together(&packages))
}

/// Names and versions of what is linked in, as `NAME VERSION`.
fn linked() -> Result<BTreeSet<String>> {
    let mut tree = Command::new("cargo");
    tree.args(["tree", "--locked", "--package", "donjon-server"])
        .args(["--edges", "normal,no-proc-macro", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(workspace::root());
    let lines = String::from_utf8(run::stdout(&mut tree)?)?;
    let name = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    };
    Ok(lines.lines().filter_map(name).collect())
}

/// The texts that lie beside a manifest.
fn texts(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_uppercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            texts.insert(text.replace('\r', ""));
        }
    }
    Ok(texts)
}

/// Licences and texts by package.
fn together(packages: &BTreeMap<String, (String, BTreeSet<String>)>) -> String {
    let mut text =
        "What donjon is built of, with the licences that their authors give:\n\n".to_owned();
    let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, (licence, texts)) in packages {
        text.push_str(&format!("  {name}: {licence}\n"));
        for text in texts {
            holders.entry(text).or_default().push(name);
        }
    }
    for (notice, names) in holders {
        let rule = "-".repeat(72);
        text.push_str(&format!(
            "\n{rule}\n{}:\n\n{}\n",
            names.join(", "),
            notice.trim_end()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_once_with_all_that_it_comes_from() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let packages = BTreeMap::from([
            ("a 1.0.0".to_owned(), ("MIT".to_owned(), texts(&["same\n"]))),
            (
                "b 2.0.0".to_owned(),
                ("MIT OR X".to_owned(), texts(&["own", "same\n"])),
            ),
        ]);
        let text = together(&packages);
        assert!(text.contains("\n  b 2.0.0: MIT OR X\n"), "{text}");
        assert!(text.contains("\nb 2.0.0:\n\nown\n"), "{text}");
        assert!(text.contains("\na 1.0.0, b 2.0.0:\n\nsame\n"), "{text}");
    }

    #[test]
    fn all_that_is_linked_in_is_told() {
        let text = text().unwrap();
        for package in ["tokio", "rustls", "clap", "rusqlite"] {
            assert!(text.contains(&format!("\n  {package} ")), "{package}");
        }
        assert!(!text.contains("\n  donjon-"), "{text}");
        assert!(!text.contains("\n  proptest "));
    }
}
