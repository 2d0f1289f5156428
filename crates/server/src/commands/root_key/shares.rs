//! `donjon root-key split` and `join`.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use donjon_crypto_software::{RootKey, RootKeyShare};
use zeroize::Zeroizing;

use super::{ask, hand_over, tell};
use crate::{
    cli, data_dir,
    exit::{Exit, Failure, OrExit},
    system::OsEntropy,
};

pub(super) fn split(split: &cli::RootKeySplit) -> Result<Exit, Failure> {
    let settings = ask::load(&split.place)?;
    let key = settings.root_key.current.load().or_exit(Exit::RootKey)?;
    let shares = key.split(split.shares, split.threshold, &OsEntropy);
    let shares = shares.or_exit(Exit::Other)?;
    for share in &shares {
        match &split.to {
            Some(folder) => write(share, folder).or_exit(Exit::Other)?,
            None => print(share).or_exit(Exit::Other)?,
        }
    }
    tell(&format!(
        "root key {}: {} shares, of which any {} give it",
        key.id(),
        split.shares,
        split.threshold
    ))
}

/// A line, wiped from memory behind itself.
fn line(share: &RootKeyShare) -> Zeroizing<String> {
    let text = share.to_line();
    let mut line = Zeroizing::new(String::with_capacity(text.len() + 1));
    line.push_str(&text);
    line.push('\n');
    line
}

fn write(share: &RootKeyShare, folder: &Path) -> Result<()> {
    let file = folder.join(format!("share-{}", share.number()));
    data_dir::write_private(&file, line(share).as_bytes())
}

fn print(share: &RootKeyShare) -> Result<()> {
    Ok(std::io::stdout().write_all(line(share).as_bytes())?)
}

pub(super) fn join(join: &cli::RootKeyJoin) -> Result<Exit, Failure> {
    let mut shares = Vec::new();
    for file in &join.files {
        let read = File::open(file)
            .with_context(|| format!("{}: cannot be read", file.display()))
            .and_then(|opened| read(opened, &file.display().to_string()));
        shares.extend(read.or_exit(Exit::RootKey)?);
    }
    if join.files.is_empty() {
        shares = read(std::io::stdin().lock(), "stdin").or_exit(Exit::RootKey)?;
    }
    let key = RootKey::join(&shares).or_exit(Exit::RootKey)?;
    hand_over(&key, join.to.as_deref())
}

/// Reads shares, one a line. A share may lie on somebody's stick: who else can
/// read it is not this program's matter, as it alone says nothing.
fn read(from: impl Read, what: &str) -> Result<Vec<RootKeyShare>> {
    let mut text = Zeroizing::new(String::with_capacity(SHARES_BYTES_MAX));
    let limit = SHARES_BYTES_MAX as u64;
    from.take(limit)
        .read_to_string(&mut text)
        .with_context(|| format!("{what}: cannot be read"))?;
    ensure!(text.len() < SHARES_BYTES_MAX, "{what}: too long for shares");
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let share = |(number, line)| {
        RootKeyShare::parse(line).with_context(|| format!("{what}, line {number}"))
    };
    lines.map(share).collect()
}

/// 255 shares are shorter.
const SHARES_BYTES_MAX: usize = 64 * 1024;
