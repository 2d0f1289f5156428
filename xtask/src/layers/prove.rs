//! Shows that each ban of `deny.toml` works: a wrong edge, added to a copy of the workspace, must be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use super::Imports;
use crate::kit::table::Table;
use crate::kit::tools::DENY;
use crate::kit::workspace;

/// What of `deny.toml` matters here.
#[derive(Debug, Deserialize)]
struct DenyFile {
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Who may import it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

/// # Errors
/// A ban whose wrong edge passes, or a workspace that cargo deny refuses as it is.
pub(crate) fn run(graph: &BTreeMap<String, Imports>) -> Result<()> {
    let text =
        fs::read_to_string(workspace::root().join("deny.toml")).context("reading deny.toml")?;
    let file: DenyFile = toml::from_str(&text).context("parsing deny.toml")?;
    let copy = Copy::make()?;
    let refused = copy.refused()?;
    ensure!(
        refused.is_empty(),
        "cargo deny refuses the workspace as it is: {}",
        refused.join(", ")
    );
    let mut table = Table::new(&["ban", "wrong edge from", "verdict"]);
    let mut failed = Vec::new();
    for ban in &file.bans.deny {
        let importer = importer(ban, graph)
            .with_context(|| format!("nobody can import {} wrongly", ban.name))?;
        let refused = copy.refused_with_edge(importer, &ban.name, graph)?;
        let works = refused.contains(&ban.name);
        table.row([
            ban.name.clone(),
            importer.to_owned(),
            if works { "refused" } else { "PASSED" }.to_owned(),
        ]);
        if !works {
            failed.push(ban.name.as_str());
        }
    }
    println!("{table}");
    ensure!(
        failed.is_empty(),
        "wrong edges to {} are not refused",
        failed.join(", ")
    );
    Ok(())
}

/// A crate that must not import what is banned, and that it does not need itself; `api` where it can be.
fn importer<'a>(ban: &Ban, graph: &'a BTreeMap<String, Imports>) -> Option<&'a str> {
    let needed = reachable(&ban.name, graph);
    let may = |name: &&String| {
        **name != ban.name && !ban.wrappers.contains(*name) && !needed.contains(*name)
    };
    let fits = |name: &&String| {
        may(name)
            && graph
                .get(*name)
                .is_some_and(|imports| !imports.normal.contains(&ban.name))
    };
    let first = graph.keys().find(|name| *name == "donjon-api").filter(fits);
    first
        .or_else(|| graph.keys().find(fits))
        .map(String::as_str)
}

/// The crates of the workspace that `name` imports, directly or not; importing it from there would be a circle.
fn reachable(name: &str, graph: &BTreeMap<String, Imports>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![name.to_owned()];
    while let Some(next) = waiting.pop() {
        for import in graph
            .get(&next)
            .into_iter()
            .flat_map(|imports| &imports.normal)
        {
            if found.insert(import.clone()) {
                waiting.push(import.clone());
            }
        }
    }
    found
}

/// A copy of the workspace's manifests and sources, and beside it empty crates.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn make() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("donjon-layers-")
            .tempdir()?;
        let root = workspace::root();
        let copy = Self { folder };
        fs::create_dir(copy.root())?;
        for name in ["Cargo.toml", "Cargo.lock", "deny.toml"] {
            fs::copy(root.join(name), copy.root().join(name))
                .with_context(|| format!("copying {name}"))?;
        }
        for name in ["crates", "xtask", "tests"] {
            copy_sources(&root.join(name), &copy.root().join(name))?;
        }
        Ok(copy)
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// The crates that cargo deny refuses with one more edge; the copy is as before afterwards.
    fn refused_with_edge(
        &self,
        importer: &str,
        banned: &str,
        graph: &BTreeMap<String, Imports>,
    ) -> Result<Vec<String>> {
        let manifest = self.manifest(importer);
        let lock = self.root().join("Cargo.lock");
        let before = (fs::read_to_string(&manifest)?, fs::read_to_string(&lock)?);
        let edge = if graph.contains_key(banned) {
            format!(
                "{banned} = {{ path = {:?} }}",
                self.manifest(banned).parent().unwrap_or(Path::new(""))
            )
        } else {
            match locked_version(&before.1, banned) {
                Some(version) => {
                    format!("{banned} = {{ version = \"={version}\", default-features = false }}")
                }
                None => format!("{banned} = {{ path = {:?} }}", self.stand_in(banned)?),
            }
        };
        fs::write(&manifest, with_dependency(&before.0, &edge))?;
        let refused = self.refused();
        fs::write(&manifest, before.0)?;
        fs::write(&lock, before.1)?;
        refused
    }

    fn manifest(&self, package: &str) -> PathBuf {
        let folder = match package {
            "xtask" => PathBuf::from(package),
            _ => Path::new("crates").join(package.trim_start_matches("donjon-")),
        };
        self.root().join(folder).join("Cargo.toml")
    }

    /// An empty crate of this name, for crates that the workspace does not hold.
    fn stand_in(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join("stand-ins").join(name);
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest =
            format!("[package]\nname = {name:?}\nversion = \"1.0.0\"\nlicense = \"MIT\"\n");
        fs::write(folder.join("Cargo.toml"), manifest)?;
        Ok(folder)
    }

    /// The crates that cargo deny refuses by a ban.
    fn refused(&self) -> Result<Vec<String>> {
        let mut command = DENY.command()?;
        command
            .current_dir(self.root())
            .args(["--offline", "--format", "json", "check", "bans"]);
        let output = command.output().context("running cargo deny")?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let refused = refused_crates(&text);
        if !output.status.success() && refused.is_empty() {
            bail!("cargo deny failed without naming a banned crate:\n{text}");
        }
        Ok(refused)
    }
}

/// The crates named in cargo deny's diagnostics about bans.
fn refused_crates(lines: &str) -> Vec<String> {
    let diagnostics = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    diagnostics
        .filter(|line| {
            line.pointer("/fields/severity")
                .is_some_and(|severity| severity == "error")
        })
        .filter_map(|line| Some(line.pointer("/fields/message")?.as_str()?.to_owned()))
        .filter_map(|message| Some(message.split('\'').nth(1)?.split(' ').next()?.to_owned()))
        .collect()
}

fn with_dependency(manifest: &str, edge: &str) -> String {
    match manifest.split_once("[dependencies]\n") {
        Some((before, after)) => format!("{before}[dependencies]\n{edge}\n{after}"),
        None => format!("{manifest}\n[dependencies]\n{edge}\n"),
    }
}

fn locked_version(lock: &str, name: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(rest.split('"').next()?.to_owned())
}

/// Copies manifests and sources, without what is built or recorded.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            if name != "target" && name != "fuzz" {
                copy_sources(&path, &to.join(name))?;
            }
        } else if name == "Cargo.toml"
            || path.extension().is_some_and(|extension| extension == "rs")
        {
            fs::create_dir_all(to)?;
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_go_under_the_dependencies() {
        assert_eq!(
            with_dependency("[dependencies]\na = 1\n", "b = 2"),
            "[dependencies]\nb = 2\na = 1\n"
        );
        assert_eq!(
            with_dependency("[package]\n", "b = 2"),
            "[package]\n\n[dependencies]\nb = 2\n"
        );
    }

    #[test]
    fn finds_a_locked_version() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.2\"\n[[package]]\nname = \"b\"\nversion = \"3.4.5\"\n";
        assert_eq!(locked_version(lock, "b").as_deref(), Some("3.4.5"));
        assert_eq!(locked_version(lock, "c"), None);
    }
}
