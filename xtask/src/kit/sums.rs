//! SHA-256 sums of files, and the check of a folder against its `SHA256SUMS`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes` in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Checks that `SHA256SUMS` in `folder` lists exactly its files that end in `.{extension}`, with their sums.
///
/// Returns the names, sorted.
///
/// # Errors
/// A file that is missing, not listed or changed; the message names it.
pub(crate) fn check_folder(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let list = folder.join("SHA256SUMS");
    let text = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let listed = parse(&text)?;
    for (name, sum) in &listed {
        let path = folder.join(name);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            sha256_hex(&bytes) == *sum,
            "{} is not the recorded file: its SHA-256 differs",
            path.display()
        );
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(&format!(".{extension}")) && !listed.contains_key(&name) {
            bail!(
                "{} is not listed in SHA256SUMS",
                folder.join(name).display()
            );
        }
    }
    Ok(listed.into_keys().collect())
}

fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    text.lines()
        .map(|line| {
            let (sum, name) = line
                .split_once("  ")
                .with_context(|| format!("SHA256SUMS: cannot read {line:?}"))?;
            Ok((name.to_owned(), sum.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_unlisted_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.json"), "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fs::write(at("SHA256SUMS"), format!("{sum}  a.json\n")).unwrap();
        assert_eq!(check_folder(folder.path(), "json").unwrap(), ["a.json"]);

        fs::write(at("b.json"), "{}").unwrap();
        assert!(
            check_folder(folder.path(), "json")
                .unwrap_err()
                .to_string()
                .contains("b.json")
        );
        fs::remove_file(at("b.json")).unwrap();

        fs::write(at("a.json"), "abd").unwrap();
        assert!(
            check_folder(folder.path(), "json")
                .unwrap_err()
                .to_string()
                .contains("a.json")
        );
    }
}
