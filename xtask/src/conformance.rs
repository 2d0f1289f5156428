//! `conformance SUITE`: holds the server and its parts against what Barbican, its clients and its libraries do.

mod barbicanclient;
mod old;
mod sdk;
mod services;

use anyhow::Result;

use crate::{golden, osc, policy, schemathesis, suite};

/// Compare the server and its parts with Barbican, its clients and its libraries
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Suite {
    /// Run the functional tests of python-barbicanclient
    Barbicanclient(suite::Args),
    Golden(golden::Args),
    /// Run the client of Debian 12
    Old(suite::Args),
    Osc(osc::Args),
    Policy(policy::Args),
    Schemathesis(schemathesis::Args),
    /// Run the tests of openstacksdk, and more of them
    Sdk(suite::Args),
    /// Run classes of Cinder, Manila, Nova, Octavia and Swift
    Services(suite::Args),
}

/// # Errors
/// What the suite found.
pub(crate) fn run(suite: &Suite) -> Result<()> {
    match suite {
        Suite::Barbicanclient(args) => suite::run(&barbicanclient::SUITE, args),
        Suite::Golden(args) => golden::run(args),
        Suite::Old(args) => suite::run(&old::SUITE, args),
        Suite::Osc(args) => osc::run(args),
        Suite::Policy(args) => policy::run(args),
        Suite::Schemathesis(args) => schemathesis::run(args),
        Suite::Sdk(args) => suite::run(&sdk::SUITE, args),
        Suite::Services(args) => suite::run(&services::SUITE, args),
    }
}
