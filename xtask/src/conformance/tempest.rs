//! `conformance tempest`: the tests of barbican-tempest-plugin, its RBAC tests among them, run by tempest.
//!
//! They run twice: with the default rules, which the plugin calls to enforce scope, and against another Donjon with the
//! old ones, for the tests of quotas that know no others. The names of the second run begin with `legacy/`.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::kit::server::Launch;
use crate::suite::site::{Server, Site};
use crate::suite::{Outcome, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "tempest",
    packages: &[
        "tempest==47.0.0",
        "barbican-tempest-plugin==4.6.0",
        "python-subunit==1.4.6",
    ],
    peers: true,
    tune: with_stores,
    run,
};

/// The tests of the old rules.
const LEGACY: &str = r"barbican_tempest_plugin\.tests\.api\.";

fn with_stores(launch: &mut Launch) {
    launch.env("DONJON_SECRET_STORES__MULTIPLE", "true");
}

fn with_old_rules(launch: &mut Launch) {
    with_stores(launch);
    launch.env("DONJON_POLICY__DEFAULTS", "legacy");
}

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let mut outcomes = tempest(run, run.site, "", None)?;
    // Nobody else's rules can be changed from here.
    if run.site.server == Server::Donjon && run.rest().is_empty() {
        let site = Site::donjon(with_old_rules)?;
        outcomes.extend(tempest(run, &site, "legacy/", Some(LEGACY))?);
    }
    Ok(outcomes)
}

/// Runs the tests that `only`, else the caller, else nobody chooses, with a prefix before their names.
fn tempest(run: &Run<'_>, site: &Site, prefix: &str, only: Option<&str>) -> Result<Vec<Outcome>> {
    let folder = run.folder().join(format!("tempest-{prefix}"));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("tempest.conf"), settings(site, only.is_none()))?;
    let mut command = Command::new(run.bin.join("python"));
    command.arg(run.tests().join("run.py"));
    command.arg(&folder).arg(prefix).args(only);
    command.args(run.rest());
    run.outcomes(&mut command, |command| {
        command.current_dir(&folder);
    })
}

/// `tempest.conf`: tempest makes the users of each test itself.
fn settings(site: &Site, scope: bool) -> String {
    let admin = site.keystone.admin();
    let region = site.keystone.region();
    format!(
        "[DEFAULT]\nlog_file = tempest.log\nuse_stderr = false\n\
         [oslo_concurrency]\nlock_path = locks\n\
         [auth]\nuse_dynamic_credentials = true\ncreate_isolated_networks = false\n\
         admin_username = {}\nadmin_password = {}\nadmin_project_name = {}\n\
         admin_domain_name = Default\nadmin_system = all\n\
         [identity]\nauth_version = v3\nuri_v3 = {}\nregion = {region}\n\
         [service_available]\nbarbican = true\ncinder = false\nglance = false\nhorizon = false\n\
         neutron = false\nnova = false\nswift = false\n\
         [key_manager]\nregion = {region}\nmin_microversion = 1.0\nmax_microversion = 1.2\n\
         [barbican_tempest]\nenable_multiple_secret_stores = true\n\
         [enforce_scope]\nbarbican = {scope}\n",
        admin.name,
        admin.password,
        admin.project,
        site.keystone.auth_url(),
    )
}
