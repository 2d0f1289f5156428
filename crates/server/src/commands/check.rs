//! `donjon config check`.

use std::io::Write;

use crate::{
    cli,
    config::Config,
    exit::{Exit, Failure, OrExit},
};

/// Prints the configuration in force.
///
/// # Errors
/// [`Exit::Config`] where something is wrong with it.
pub(crate) fn check(overrides: &cli::Overrides) -> Result<Exit, Failure> {
    let config = Config::load(overrides).or_exit(Exit::Config)?;
    write!(std::io::stdout(), "{config}").or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
