//! `conformance SUITE`: holds the server and its parts against what Barbican, its clients and its libraries do.

mod access_rules;
mod all;
mod backends;
mod barbicanclient;
mod castellan;
mod contract;
mod old;
mod openbao;
pub(crate) mod osc;
mod outage;
mod project;
mod pykmip;
mod sdk;
mod services;
mod tempest;

use anyhow::Result;

use crate::{golden, policy, schemathesis, suite};

/// Compare the server and its parts with Barbican, its clients and its libraries
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Suite {
    /// Run every suite, and print one table of all
    All(all::Args),
    /// Try what an application credential with access rules reaches
    AccessRules(suite::Args),
    Backends(backends::Args),
    /// Run the functional tests of python-barbicanclient
    Barbicanclient(suite::Args),
    /// Run the functional tests of Castellan, by which Nova and others reach a key manager
    Castellan(suite::Args),
    Golden(golden::Args),
    /// Run the client of Debian 12
    Old(suite::Args),
    Openbao(openbao::Args),
    /// Run the commands of the openstack program, and compare what they print
    Osc(suite::Args),
    /// Stop Keystone, kill it and start it again under load
    Outage(suite::Args),
    Policy(policy::Args),
    Pykmip(pykmip::Args),
    Schemathesis(schemathesis::Args),
    /// Run the tests of openstacksdk, and more of them
    Sdk(suite::Args),
    /// Run classes of Cinder, Manila, Nova, Octavia and Swift
    Services(suite::Args),
    /// Run the tests of barbican-tempest-plugin
    Tempest(suite::Args),
}

/// # Errors
/// What the suite found.
pub(crate) fn run(suite: &Suite) -> Result<()> {
    match suite {
        Suite::All(args) => all::run(args),
        Suite::AccessRules(args) => suite::run(&access_rules::SUITE, args),
        Suite::Backends(args) => backends::run(args),
        Suite::Barbicanclient(args) => suite::run(&barbicanclient::SUITE, args),
        Suite::Castellan(args) => suite::run(&castellan::SUITE, args),
        Suite::Golden(args) => golden::run(args),
        Suite::Old(args) => suite::run(&old::SUITE, args),
        Suite::Openbao(args) => openbao::run(args),
        Suite::Osc(args) => suite::run(&osc::SUITE, args),
        Suite::Outage(args) => suite::run(&outage::SUITE, args),
        Suite::Policy(args) => policy::run(args),
        Suite::Pykmip(args) => pykmip::run(args),
        Suite::Schemathesis(args) => schemathesis::run(args),
        Suite::Sdk(args) => suite::run(&sdk::SUITE, args),
        Suite::Services(args) => suite::run(&services::SUITE, args),
        Suite::Tempest(args) => suite::run(&tempest::SUITE, args),
    }
}
