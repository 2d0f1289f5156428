//! `donjon config convert`.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, ensure};

use crate::{
    cli,
    config::{convert, exposure},
    exit::{Exit, Failure, OrExit},
};

/// Writes the configuration that a `barbican.conf` becomes, and tells on
/// stderr what became of its keys. Blocks.
///
/// # Errors
/// [`Exit::Config`] where that file makes no sense, or where the result needs
/// a hand before a server starts with it; it is written then all the same.
pub(crate) fn convert(args: &cli::ConfigConvert) -> Result<Exit, Failure> {
    let converted = convert::convert(&args.from).or_exit(Exit::Config)?;
    let toml = converted.toml().or_exit(Exit::Other)?;
    match &args.output {
        Some(path) => create(path)
            .and_then(|mut file| Ok(file.write_all(toml.as_bytes())?))
            .with_context(|| format!("{}: cannot be made", path.display())),
        None => print(&toml, converted.has_secret()),
    }
    .or_exit(Exit::Other)?;
    write!(io::stderr(), "{converted}").or_exit(Exit::Other)?;
    let check = converted.check();
    check
        .context("written, but no server starts with it yet")
        .or_exit(Exit::Config)?;
    Ok(Exit::Good)
}

/// For its owner alone: it may hold a password.
fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    Ok(options.open(path)?)
}

/// A redirection makes files that others may read.
fn print(toml: &str, has_secret: bool) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    let is_open = |stdout: &io::Stdout| exposure::is_file_readable_by_others(stdout.as_fd());
    ensure!(
        !has_secret || stdout.is_terminal() || !is_open(&stdout)?,
        "it holds a password, and others may read the file that stdout goes to; say --output FILE"
    );
    Ok(stdout.write_all(toml.as_bytes())?)
}
