//! What `[transit]` says, and `root_key.* = "transit:..."`.

use std::{num::NonZero, ops::RangeInclusive};

use anyhow::{Context, Result, bail, ensure};

use super::{
    Layer, keys,
    pkcs11::decode,
    settings::Values,
    value::{Kind, Source},
    vault::{self, filled},
};
use crate::transit::TransitKey;

/// Reads what stands behind `transit:`, attributes that count instead of keys
/// of the table: `key=a;key_version=2`.
///
/// # Errors
/// An attribute that is unknown or there twice, or something needed is missing.
/// Never shows a token.
pub(super) fn key(values: &Values<'_>, attributes: &str) -> Result<TransitKey> {
    ensure!(
        cfg!(feature = "crypto-vault"),
        "this build of donjon has no support for root keys in OpenBao or Vault (feature crypto-vault)"
    );
    let mut layer = values.layer();
    let mut seen = Vec::new();
    for attribute in attributes.split(';').filter(|part| !part.is_empty()) {
        let (name, text) = attribute
            .split_once('=')
            .context("has to look like transit: or transit:key=NAME;key_version=2")?;
        let known = keys::KEYS.iter().find(|key| {
            key.path.strip_prefix("transit.") == Some(name) && key.kind != Kind::Secret
        });
        // Its name may be a token.
        let known = known.with_context(|| format!("unknown attribute; there are {}", names()))?;
        ensure!(!seen.contains(&known.path), "{name} is there twice");
        seen.push(known.path);
        let text = decode(text).with_context(|| format!("{name}: wrong %-encoding"))?;
        let value = known.kind.parse(&text);
        let value = value.with_context(|| format!("{name}: has to be {}", known.kind.name()))?;
        layer.insert(known.path, (value, Source::Default));
    }
    forget_other_login(&mut layer, &seen);
    table(&Values::of(&layer))
}

/// A way to log in that is said behind the colon is not said twice by the table.
fn forget_other_login(layer: &mut Layer, seen: &[&str]) {
    let is_said = |names: &[&str]| names.iter().any(|name| seen.contains(name));
    if is_said(&["transit.token_file"]) {
        for key in ["transit.token", "transit.role_id", "transit.secret_id_file"] {
            layer.remove(key);
        }
    }
    if is_said(&["transit.role_id", "transit.secret_id_file"]) {
        layer.remove("transit.token");
        layer.remove("transit.token_file");
    }
}

fn table(values: &Values<'_>) -> Result<TransitKey> {
    let server = vault::server(
        values,
        "transit",
        "a root key in OpenBao or Vault",
        TIMEOUT_MS,
    )?;
    let version = u32::try_from(values.count("transit.key_version", VERSIONS)?)?;
    let Some(version) = NonZero::new(version) else {
        bail!("transit.key_version is at least 1");
    };
    let mount = values.each("transit.mount", plain_path)?;
    let key = values.each("transit.key", plain_name)?;
    Ok(TransitKey {
        server,
        mount: mount.context("transit.mount is not set")?,
        key: key.context("transit.key is not set")?,
        version,
        pkek_cache_limit: usize::try_from(values.count("transit.pkek_cache_limit", KEKS)?)?,
    })
}

fn plain_path(text: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_segment = |segment: &str| !segment.is_empty() && segment.chars().all(is_plain);
    ensure!(
        text.split('/').all(is_segment),
        "has to be a path of letters, digits, - and _, with slashes between"
    );
    filled(text)
}

fn plain_name(text: &str) -> Result<String> {
    ensure!(!text.contains('/'), "has to be a name without slashes");
    plain_path(text)
}

fn names() -> String {
    let names = keys::KEYS.iter().filter(|key| key.kind != Kind::Secret);
    let names = names.filter_map(|key| key.path.strip_prefix("transit."));
    names.collect::<Vec<_>>().join(", ")
}

/// As for an HSM.
const TIMEOUT_MS: u64 = 5_000;
const VERSIONS: RangeInclusive<u64> = 1..=u32::MAX as u64;
/// As the longest of Barbican's reach: one key for each project.
const KEKS: RangeInclusive<u64> = 1..=1_000_000;
