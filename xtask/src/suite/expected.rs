//! The list of tests that a suite is expected to fail or to skip, each with the reason.
//!
//! `tests/conformance/SUITE.toml`:
//!
//! ```toml
//! [[expected]]
//! test = "module.Class.name"  # of skipped tests, `*` at the end stands for all that begin so
//! server = "donjon"           # or "barbican", or "both"
//! verdict = "skipped"         # "failed" without this line
//! reason = "…"
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::outcome::Verdict;
use super::site::Server;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    #[serde(default)]
    expected: Vec<Entry>,
}

/// One line of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) test: String,
    server: Servers,
    #[serde(default)]
    pub(crate) verdict: Wanted,
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Servers {
    Donjon,
    Barbican,
    Both,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    #[default]
    Failed,
    Skipped,
}

impl Expected {
    /// Reads a list; a suite without a file expects every test to pass.
    ///
    /// # Errors
    /// Not as described above, or without a reason.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text)?;
        for (number, entry) in list.expected.iter().enumerate() {
            let test = &entry.test;
            ensure!(!entry.reason.trim().is_empty(), "{test}: no reason");
            ensure!(
                !test.contains('*') || entry.verdict == Wanted::Skipped && test.ends_with('*'),
                "{test}: tests that fail are named one by one"
            );
            let earlier = list.expected.iter().take(number);
            let same = |other: &Entry| {
                other.test == *test
                    && (other.server == entry.server
                        || other.server == Servers::Both
                        || entry.server == Servers::Both)
            };
            ensure!(!earlier.clone().any(same), "{test} stands there twice");
        }
        Ok(list)
    }

    /// What holds for a server. For one that may be anything, what holds for both does.
    pub(crate) fn of(&self, server: Server) -> Vec<&Entry> {
        let entries = self.expected.iter();
        entries.filter(|entry| entry.server.has(server)).collect()
    }
}

impl Entry {
    pub(crate) fn names(&self, test: &str) -> bool {
        match self.test.strip_suffix('*') {
            Some(start) => test.starts_with(start),
            None => self.test == test,
        }
    }

    pub(crate) fn wants(&self, verdict: Verdict) -> bool {
        matches!(
            (self.verdict, verdict),
            (Wanted::Failed, Verdict::Failed) | (Wanted::Skipped, Verdict::Skipped)
        )
    }
}

impl Servers {
    fn has(self, server: Server) -> bool {
        match server {
            Server::Donjon => self != Self::Barbican,
            Server::Barbican => self != Self::Donjon,
            Server::Other => self == Self::Both,
        }
    }
}
