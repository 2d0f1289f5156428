//! `donjon config check`.

use std::io::Write;

use anyhow::Context;
use donjon_transport::Tls;

use crate::{
    cli,
    commands::policy::warn,
    config::Config,
    exit::{Exit, Failure, OrExit},
    policy,
};

/// Prints the configuration in force, if the files that it names for TLS and
/// policy can be used. Blocks.
///
/// # Errors
/// [`Exit::Config`] where something is wrong with it.
pub(crate) fn check(overrides: &cli::Overrides) -> Result<Exit, Failure> {
    let config = Config::load(overrides).or_exit(Exit::Config)?;
    let settings = &config.settings;
    let tls = settings.tls.clone().map(Tls::load).transpose();
    tls.context("tls").or_exit(Exit::Config)?;
    let (_, overrides) = policy::load(&settings.policy).or_exit(Exit::Config)?;
    if let (Some(path), Some(overrides)) = (&settings.policy.file, &overrides) {
        warn(path, overrides)?;
    }
    write!(std::io::stdout(), "{config}").or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
