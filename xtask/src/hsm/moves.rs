//! From a root key in a file into a token, and out of it again, with requests served in between.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::kit::custody::{rotate, visit};
use crate::kit::hsm::Token;
use crate::kit::run;
use crate::kit::server::Launch;

const CURRENT: &str = "DONJON_ROOT_KEY__CURRENT";
const PREVIOUS: &str = "DONJON_ROOT_KEY__PREVIOUS";

/// Moves and comes back, in a token without keys. What was written at any time is read with each root key.
///
/// # Errors
/// A start, a rotation or an answer that was not the right one.
pub(super) fn there_and_back(name: &str, donjon: &Path, token: &Token) -> Result<()> {
    token.make_keys(donjon)?;
    let mut launch = Launch::new(donjon, "noauth")?;
    let mut projects = Vec::new();
    visit(&launch, &mut projects)?;
    let first = launch.data_dir().join("root.key");

    token.let_in(&mut launch);
    launch.config(&token.doctor(donjon)?)?;
    launch.env(PREVIOUS, &format!("file:{}", first.display()));
    rotate(&launch, &mut projects)?;
    launch.forget(PREVIOUS);
    fs::remove_file(&first)?;
    visit(&launch, &mut projects)?;

    let second = token.folder().join("second.key");
    run::stdout(Command::new(donjon).args(["root-key", "new"]).arg(&second))?;
    launch.env(CURRENT, &format!("file:{}", second.display()));
    launch.env(PREVIOUS, "pkcs11:");
    rotate(&launch, &mut projects)?;
    launch.forget(PREVIOUS);
    // Nothing leads to the token any more.
    launch.config("")?;
    launch.within(&[]);
    visit(&launch, &mut projects)?;
    println!(
        "{name}: the root key moved from a file into the token and into another file; {} projects were read each time",
        projects.len()
    );
    Ok(())
}
