//! The files of `tests/golden`, as described in their README, and the check of their sums.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::json::Json;
use crate::kit::sums;

/// One file: scenarios about one subject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    format: u32,
    pub(crate) group: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "recorded_from")]
    _recorded_from: String,
    pub(crate) policy: Policy,
    pub(crate) scenarios: Vec<Scenario>,
}

/// The default rules under which a group was recorded.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    Any,
    Default,
    Legacy,
}

/// Steps that are sent in order and share their placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    #[serde(rename = "why")]
    _why: String,
    pub(crate) steps: Vec<Step>,
}

/// One request and what its answer has to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(default)]
    pub(crate) why: String,
    /// Seconds to wait before the request.
    #[serde(default)]
    pub(crate) wait: u64,
    pub(crate) request: Request,
    pub(crate) response: Expected,
    /// JSON pointers of arrays in the answer whose order is free.
    #[serde(default)]
    pub(crate) unordered: Vec<String>,
    /// Parts of the answer that are not compared: `body` or the name of a header.
    #[serde(default)]
    pub(crate) loose: Vec<String>,
    /// Statuses that are as good as the recorded one.
    #[serde(default)]
    pub(crate) also: Vec<u16>,
    #[serde(default, rename = "note")]
    _note: String,
    #[serde(default, rename = "said")]
    _said: Option<Json>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<Body>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Absent: not compared. `Some(None)`: was empty.
    #[serde(default, deserialize_with = "present")]
    pub(crate) body: Option<Option<Body>>,
}

/// A request or response body in one of its notations.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Json(Json),
    Text(String),
    Base64(String),
    /// That many bytes, in responses only.
    Length(usize),
    /// One PEM block with this label, in responses only.
    Pem(String),
}

/// Tells a `null` from an absent key.
fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Body>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads every group of `folder`, sorted by name, after checking all files against `SHA256SUMS`.
///
/// # Errors
/// A file that is missing, is not listed, has another sum or does not parse.
pub(crate) fn read_groups(folder: &Path) -> Result<Vec<Group>> {
    let names = sums::check_folder(folder, "json")?;
    names
        .iter()
        .map(|name| read_group(&folder.join(name)))
        .collect()
}

fn read_group(path: &Path) -> Result<Group> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let group: Group =
        serde_json::from_slice(&text).with_context(|| format!("parsing {}", path.display()))?;
    ensure!(
        group.format == 1,
        "{}: format {} is not known",
        path.display(),
        group.format
    );
    if path
        .file_stem()
        .is_none_or(|stem| stem != group.group.as_str())
    {
        bail!("{}: holds the group {}", path.display(), group.group);
    }
    Ok(group)
}
