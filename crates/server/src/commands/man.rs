//! `donjon man`.

use anyhow::Context;
use clap::CommandFactory;

use crate::{
    cli,
    exit::{Exit, Failure, OrExit},
};

/// Writes manual pages of section 1, `donjon.1` and one for each verb. Blocks.
///
/// # Errors
/// The folder is not there, or cannot be written.
pub(crate) fn man(args: &cli::Man) -> Result<Exit, Failure> {
    clap_mangen::generate_to(cli::Cli::command(), &args.folder)
        .with_context(|| format!("{}: cannot be written", args.folder.display()))
        .or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
