//! The list of places where Donjon answers otherwise on purpose.
//!
//! An entry must be allowed, needed and documented, else the run fails.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::format::Group;

/// One entry of `tests/golden-exceptions.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    group: String,
    scenario: String,
    /// Counted from 1.
    step: usize,
    /// The status that Barbican gave.
    recorded: u16,
    /// The status that Donjon gives instead.
    pub(crate) answers: u16,
    reason: String,
    /// Barbican lets somebody in who does not belong.
    #[serde(default)]
    lets_in: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

impl Exceptions {
    /// Reads the list and checks each entry against the recordings and, once it exists, `docs/compat.md`.
    ///
    /// # Errors
    /// An entry that is not allowed, that names no recorded step, or that is not documented.
    pub(crate) fn read(file: &Path, compat: &Path, groups: &[Group]) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let list: Self =
            toml::from_str(&text).with_context(|| format!("parsing {}", file.display()))?;
        let documented = compat
            .exists()
            .then(|| fs::read_to_string(compat))
            .transpose()?;
        for entry in &list.exception {
            entry
                .check(groups)
                .with_context(|| format!("{}: {}", file.display(), entry.name()))?;
            let place = format!("{}/{}", entry.group, entry.scenario);
            let told = documented.as_ref().is_none_or(|text| text.contains(&place));
            ensure!(
                told,
                "{} does not name the exception {place}",
                compat.display()
            );
        }
        Ok(list)
    }

    /// The entry for a step, counted from 1.
    pub(crate) fn find(&self, group: &str, scenario: &str, step: usize) -> Option<&Exception> {
        self.exception
            .iter()
            .find(|entry| entry.group == group && entry.scenario == scenario && entry.step == step)
    }
}

impl Exception {
    /// Group, scenario and step as one text.
    pub(crate) fn name(&self) -> String {
        format!("{}/{} step {}", self.group, self.scenario, self.step)
    }

    fn check(&self, groups: &[Group]) -> Result<()> {
        let group = groups
            .iter()
            .find(|group| group.group == self.group)
            .context("no such group")?;
        let scenario = group
            .scenarios
            .iter()
            .find(|scenario| scenario.name == self.scenario)
            .context("no such scenario")?;
        let step = self
            .step
            .checked_sub(1)
            .and_then(|at| scenario.steps.get(at))
            .context("no such step")?;
        let recorded = step.response.status;
        ensure!(
            recorded == self.recorded,
            "the recorded status is {recorded}, not {}",
            self.recorded
        );
        ensure!(
            recorded >= 500 || self.lets_in,
            "allowed only where the recorded status is a 5xx, or with lets_in = true"
        );
        ensure!(self.answers < 500, "a 5xx is no better answer");
        ensure!(!self.reason.trim().is_empty(), "give a reason");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(entry: &str, compat: Option<&str>) -> Result<Exceptions> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.toml");
        fs::write(&file, entry).unwrap();
        let docs = folder.path().join("compat.md");
        if let Some(text) = compat {
            fs::write(&docs, text).unwrap();
        }
        let step = |status: u16| json!({"request": {"method": "GET", "path": "/"}, "response": {"status": status}});
        let group = json!({
            "format": 1, "group": "g", "title": "", "recorded_from": "", "policy": "any",
            "scenarios": [{"name": "s", "why": "", "steps": [step(500), step(200)]}]
        });
        Exceptions::read(&file, &docs, &[serde_json::from_value(group).unwrap()])
    }

    fn entry(step: usize, recorded: u16, more: &str) -> String {
        format!(
            "[[exception]]\ngroup = 'g'\nscenario = 's'\nstep = {step}\nrecorded = {recorded}\n\
             answers = 400\nreason = 'because'\n{more}"
        )
    }

    #[test]
    fn only_failures_and_holes_may_be_listed() {
        assert!(read("", None).is_ok());
        let list = read(&entry(1, 500, ""), None).unwrap();
        assert!(list.find("g", "s", 1).is_some() && list.find("g", "s", 2).is_none());
        assert!(read(&entry(2, 200, ""), None).is_err());
        assert!(read(&entry(2, 200, "lets_in = true"), None).is_ok());
    }

    #[test]
    fn entries_must_fit_the_recording() {
        assert!(read(&entry(1, 501, ""), None).is_err());
        assert!(read(&entry(3, 500, ""), None).is_err());
        assert!(read(&entry(0, 500, ""), None).is_err());
    }

    #[test]
    fn entries_must_be_documented() {
        assert!(read(&entry(1, 500, ""), Some("see g/s here")).is_ok());
        assert!(read(&entry(1, 500, ""), Some("nothing")).is_err());
    }
}
