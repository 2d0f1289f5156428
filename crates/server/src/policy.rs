//! The rules in force: the defaults that the configuration names, and the file
//! that replaces some of them.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use donjon_app::Policy;
use donjon_oslo_policy::{LoadError, Notice, PolicyFile};

use crate::config::{PolicySettings, exposure};

/// What a file did to the rules.
#[derive(Debug)]
pub(crate) struct Overrides {
    /// How many rules it has.
    pub(crate) rules: usize,
    /// What is likely not meant.
    pub(crate) notices: Vec<Notice>,
}

/// The rules, and what the file did to them; `None` without a file. Blocks.
///
/// # Errors
/// The file cannot be used; the text names file and line.
pub(crate) fn load(settings: &PolicySettings) -> Result<(Policy, Option<Overrides>)> {
    let policy = Policy::new(settings.defaults);
    let overrides = settings.file.as_deref().map(|path| read(&policy, path));
    Ok((policy, overrides.transpose()?))
}

/// Puts the rules of a file in place of the defaults. Blocks.
///
/// # Errors
/// The file cannot be used; the text names file and line. Then the rules stay as
/// they were.
pub(crate) fn read(policy: &Policy, path: &Path) -> Result<Overrides> {
    let text = text(path)?;
    let place = |line: usize| format!("{}:{line}", path.display());
    let file = PolicyFile::parse(&text)
        .map_err(|error| anyhow!("{}: {}", place(error.line()), error.problem()))?;
    match policy.override_with(&file) {
        Ok(notices) => Ok(Overrides {
            rules: file.rules().count(),
            notices,
        }),
        Err(error) => Err(match line_of(&file, &error) {
            Some(line) => anyhow!("{}: {error}", place(line)),
            None => anyhow!("{}: {error}", path.display()),
        }),
    }
}

/// Tells the log what is likely not meant.
pub(crate) fn warn(path: &Path, overrides: &Overrides) {
    for notice in &overrides.notices {
        tracing::warn!("{}: {notice}", path.display());
    }
}

fn text(path: &Path) -> Result<String> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    exposure::refuse_writable_by_all(path, &file)?;
    let mut text = String::new();
    let bytes_max = u64::try_from(PolicyFile::BYTES_MAX)?;
    let bytes = file.take(bytes_max + 1).read_to_string(&mut text);
    let bytes = bytes.with_context(unreadable)?;
    ensure!(
        bytes <= PolicyFile::BYTES_MAX,
        "{}: longer than {bytes_max} bytes, which is no policy",
        path.display()
    );
    Ok(text)
}

/// Where the file says what the error is about.
fn line_of(file: &PolicyFile, error: &LoadError) -> Option<usize> {
    let named: Vec<&str> = match error {
        LoadError::Circle(names) => names.iter().map(String::as_str).collect(),
        LoadError::NegatedUndefined { rule, .. }
        | LoadError::Parse { rule, .. }
        | LoadError::TooDeep(rule)
        | LoadError::TooCostly(rule)
        | LoadError::Duplicate(rule) => vec![rule],
        _ => Vec::new(),
    };
    file.rules()
        .find(|(name, _, _)| named.contains(name))
        .map(|(_, _, line)| line)
}

#[cfg(test)]
mod tests;
