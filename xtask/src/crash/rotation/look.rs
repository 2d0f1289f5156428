//! What the database says of keys, and how it is damaged for controls: by a script, as nothing here knows SQLite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::{python, run};

const SCRIPT: &str = include_str!("look.py");

/// What is under which key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Keys {
    /// The root key that the installation is moved to.
    pub(crate) installed: String,
    /// How many keys each root key wraps, by its id.
    pub(crate) roots: BTreeMap<String, u64>,
    /// How many rows are sealed.
    pub(crate) sealed: u64,
    /// How many rows each retired key of a project still seals.
    pub(crate) retired: Vec<u64>,
    pub(crate) destroyed: u64,
    /// Rows whose key nobody has.
    pub(crate) orphans: u64,
}

/// A database that no server works on.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    python: &'static Path,
    database: PathBuf,
}

/// Where a change of keys was when the server was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Keys of projects were being wrapped by the new root key.
    Wrapping,
    /// Rows were being sealed by new keys.
    Sealing,
    /// A key sealed nothing any more, and was there.
    Destroying,
}

impl Look {
    /// # Errors
    /// There is no Python.
    pub(crate) fn new(database: PathBuf) -> Result<Self> {
        let python = python::interpreter()?;
        Ok(Self { python, database })
    }

    /// What is under which key.
    ///
    /// # Errors
    /// There is no such database.
    pub(crate) fn keys(&self) -> Result<Keys> {
        let output = self.script("look", &[])?;
        serde_json::from_slice(&output).context("what look.py says")
    }

    /// Makes a payload undecryptable.
    ///
    /// # Errors
    /// There is no such secret.
    pub(crate) fn damage_envelope(&self, secret: &str) -> Result<()> {
        self.script("damage-envelope", &[secret]).map(drop)
    }

    /// Does what a rotation may not: destroys a key that is in use.
    ///
    /// # Errors
    /// There is no such project.
    pub(crate) fn destroy_key(&self, project: &str) -> Result<()> {
        self.script("destroy-key", &[project]).map(drop)
    }

    fn script(&self, verb: &str, rest: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(self.python);
        command.args(["-c", SCRIPT, verb]).arg(&self.database);
        run::stdout(command.args(rest))
    }
}

impl Step {
    pub(crate) const ALL: [Self; 3] = [Self::Wrapping, Self::Sealing, Self::Destroying];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wrapping => "wrapping keys anew",
            Self::Sealing => "sealing rows anew",
            Self::Destroying => "before an empty key was destroyed",
        }
    }
}

impl Keys {
    /// How many keys other root keys wrap than the one that the installation is moved to.
    pub(crate) fn under_others(&self) -> u64 {
        let others = self.roots.iter().filter(|(id, _)| **id != self.installed);
        others.map(|(_, keys)| keys).sum()
    }

    /// The steps that have something to do.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let is_open = |step: &Step| match step {
            Step::Wrapping => self.under_others() > 0,
            Step::Sealing => self.retired.iter().any(|rows| *rows > 0),
            Step::Destroying => self.retired.contains(&0),
        };
        Step::ALL.into_iter().filter(is_open).collect()
    }

    /// What is wrong where everything should be under `root` and under keys in use.
    pub(crate) fn complaints(&self, root: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.installed != root {
            complaints.push(format!("the installation is under {}", self.installed));
        }
        for (id, keys) in self.roots.iter().filter(|(id, _)| *id != root) {
            complaints.push(format!("{keys} keys are under root key {id}"));
        }
        if !self.retired.is_empty() {
            let rows: u64 = self.retired.iter().sum();
            let keys = self.retired.len();
            complaints.push(format!("{rows} rows are under {keys} retired keys"));
        }
        if self.orphans > 0 {
            complaints.push(format!("{} rows are under destroyed keys", self.orphans));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_apart() {
        let keys = |installed: &str, roots: &[(&str, u64)], retired: &[u64], orphans| Keys {
            installed: installed.to_owned(),
            roots: roots.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect(),
            retired: retired.to_vec(),
            orphans,
            ..Keys::default()
        };
        let done = keys("b", &[("b", 3)], &[], 0);
        assert!(done.steps().is_empty() && done.complaints("b").is_empty());
        assert_eq!(done.complaints("a").len(), 2);
        let wrapping = keys("b", &[("a", 1), ("b", 2)], &[], 0);
        assert_eq!(wrapping.steps(), [Step::Wrapping]);
        assert_eq!(wrapping.complaints("b"), ["1 keys are under root key a"]);
        let sealing = keys("b", &[("b", 4)], &[7, 0], 0);
        assert_eq!(sealing.steps(), [Step::Sealing, Step::Destroying]);
        assert_eq!(sealing.complaints("b").len(), 1);
        assert_eq!(keys("b", &[("b", 4)], &[], 2).complaints("b").len(), 1);
    }
}
