//! `conformance SUITE`: holds the server against what Barbican and its clients do.

use anyhow::Result;

use crate::{golden, osc};

/// Compare the server with Barbican and its clients
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Suite {
    Golden(golden::Args),
    Osc(osc::Args),
}

/// # Errors
/// What the suite found.
pub(crate) fn run(suite: &Suite) -> Result<()> {
    match suite {
        Suite::Golden(args) => golden::run(args),
        Suite::Osc(args) => osc::run(args),
    }
}
