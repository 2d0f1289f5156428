//! `conformance SUITE`: holds the server and its parts against what Barbican, its clients and its libraries do.

mod barbicanclient;

use anyhow::Result;

use crate::{golden, osc, policy, schemathesis, suite};

/// Compare the server and its parts with Barbican, its clients and its libraries
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Suite {
    /// Run the functional tests of python-barbicanclient
    Barbicanclient(suite::Args),
    Golden(golden::Args),
    Osc(osc::Args),
    Policy(policy::Args),
    Schemathesis(schemathesis::Args),
}

/// # Errors
/// What the suite found.
pub(crate) fn run(suite: &Suite) -> Result<()> {
    match suite {
        Suite::Barbicanclient(args) => suite::run(&barbicanclient::SUITE, args),
        Suite::Golden(args) => golden::run(args),
        Suite::Osc(args) => osc::run(args),
        Suite::Policy(args) => policy::run(args),
        Suite::Schemathesis(args) => schemathesis::run(args),
    }
}
