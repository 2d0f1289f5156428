//! `layers`: the real graph of the workspace's crates beside the documented one.
//!
//! Who may import which outside crate is `deny.toml`'s matter; `--prove` shows that its rows work.

mod prove;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::kit::table::Table;
use crate::kit::{run, workspace};

/// The table of docs/ARCHITECTURE.md: each crate and the crates of this workspace that it imports.
const DOCUMENTED: &[(&str, &[&str])] = &[
    ("donjon-api", &["donjon-app", "donjon-domain"]),
    ("donjon-app", &["donjon-domain", "donjon-oslo-policy"]),
    (
        "donjon-auth-keystone",
        &["donjon-domain", "donjon-http-client"],
    ),
    ("donjon-auth-local", &["donjon-domain"]),
    ("donjon-crypto-pkcs11", &["donjon-domain"]),
    (
        "donjon-crypto-software",
        &["donjon-domain", "donjon-envelope"],
    ),
    (
        "donjon-crypto-vault",
        &["donjon-domain", "donjon-vault-client"],
    ),
    ("donjon-domain", &[]),
    ("donjon-envelope", &[]),
    ("donjon-http-client", &[]),
    ("donjon-kmip-ttlv", &[]),
    ("donjon-oslo-policy", &[]),
    (
        "donjon-server",
        &[
            "donjon-api",
            "donjon-app",
            "donjon-auth-keystone",
            "donjon-auth-local",
            "donjon-crypto-pkcs11",
            "donjon-crypto-software",
            "donjon-crypto-vault",
            "donjon-domain",
            "donjon-oslo-policy",
            "donjon-storage-sqlite",
            "donjon-store-kmip",
            "donjon-store-vault",
            "donjon-transport",
            "donjon-vault-client",
        ],
    ),
    ("donjon-storage-sqlite", &["donjon-domain"]),
    ("donjon-store-folder", &["donjon-domain"]),
    (
        "donjon-store-kmip",
        &["donjon-domain", "donjon-http-client", "donjon-kmip-ttlv"],
    ),
    (
        "donjon-store-vault",
        &["donjon-domain", "donjon-vault-client"],
    ),
    ("donjon-testkit", &["donjon-domain"]),
    ("donjon-transport", &[]),
    (
        "donjon-vault-client",
        &["donjon-domain", "donjon-http-client"],
    ),
    ("xtask", &[]),
];

/// What tests may import besides what their crate imports.
const FOR_TESTS: &str = "donjon-testkit";

/// Print the graph of the workspace's crates and compare it with the documented one
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Add a wrong edge for each ban of deny.toml, one at a time, and check that cargo deny refuses it
    #[arg(long)]
    prove: bool,
}

/// What `cargo metadata` tells that matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Crates of the workspace that one of them imports.
#[derive(Debug, Default)]
struct Imports {
    normal: BTreeSet<String>,
    in_tests: BTreeSet<String>,
}

/// # Errors
/// An edge too many or too few, or a ban that does not work.
pub(crate) fn run(args: &Args) -> Result<()> {
    let graph = graph(&metadata()?);
    let mut table = Table::new(&["crate", "imports", "in tests", "verdict"]);
    let mut wrong = Vec::new();
    for (name, imports) in &graph {
        let differences = differences(name, imports);
        let verdict = if differences.is_empty() {
            "as documented".to_owned()
        } else {
            differences.join(", ")
        };
        table.row([
            name.clone(),
            short(&imports.normal),
            short(&imports.in_tests),
            verdict,
        ]);
        wrong.extend(
            differences
                .into_iter()
                .map(|difference| format!("{name} {difference}")),
        );
    }
    for (name, _) in DOCUMENTED
        .iter()
        .filter(|(name, _)| !graph.contains_key(*name))
    {
        wrong.push(format!("{name} is not there"));
    }
    println!("{table}");
    ensure!(
        wrong.is_empty(),
        "the graph is not the documented one: {}",
        wrong.join("; ")
    );
    if args.prove {
        prove::run(&graph)
    } else {
        Ok(())
    }
}

fn metadata() -> Result<Metadata> {
    let mut command = Command::new("cargo");
    command
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace::root());
    Ok(serde_json::from_slice(&run::stdout(&mut command)?)?)
}

fn graph(metadata: &Metadata) -> BTreeMap<String, Imports> {
    let members: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let imports = |package: &Package| {
        let mut imports = Imports::default();
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| members.contains(dependency.name.as_str()))
        {
            let in_tests = dependency.kind.as_deref() == Some("dev");
            let list = if in_tests {
                &mut imports.in_tests
            } else {
                &mut imports.normal
            };
            list.insert(dependency.name.clone());
        }
        imports
    };
    metadata
        .packages
        .iter()
        .map(|package| (package.name.clone(), imports(package)))
        .collect()
}

fn differences(name: &str, imports: &Imports) -> Vec<String> {
    let Some((_, documented)) = DOCUMENTED.iter().find(|(known, _)| *known == name) else {
        return vec!["is not documented".to_owned()];
    };
    let documented: BTreeSet<String> = documented
        .iter()
        .map(|import| (*import).to_owned())
        .collect();
    let too_many = imports
        .normal
        .difference(&documented)
        .map(|import| format!("must not import {import}"));
    let too_few = documented
        .difference(&imports.normal)
        .map(|import| format!("does not import {import}"));
    let in_tests = imports
        .in_tests
        .iter()
        .filter(|import| *import != FOR_TESTS && !documented.contains(*import))
        .map(|import| format!("must not import {import} in tests"));
    too_many.chain(too_few).chain(in_tests).collect()
}

/// Names without the common prefix.
fn short(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(|name| name.trim_start_matches("donjon-"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(normal: &[&str], in_tests: &[&str]) -> Imports {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Imports {
            normal: set(normal),
            in_tests: set(in_tests),
        }
    }

    #[test]
    fn edges_too_many_and_too_few_are_named() {
        assert!(
            differences(
                "donjon-app",
                &imports(
                    &["donjon-domain", "donjon-oslo-policy"],
                    &["donjon-testkit"]
                )
            )
            .is_empty()
        );
        assert_eq!(
            differences(
                "donjon-app",
                &imports(&["donjon-api"], &["donjon-storage-sqlite"])
            ),
            [
                "must not import donjon-api",
                "does not import donjon-domain",
                "does not import donjon-oslo-policy",
                "must not import donjon-storage-sqlite in tests"
            ]
        );
        assert_eq!(
            differences("donjon-new", &imports(&[], &[])),
            ["is not documented"]
        );
    }
}
