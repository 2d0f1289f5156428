//! A real Barbican, installed from PyPI, on SQLite, that believes a Keystone.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::kit::daemon::Daemon;
use crate::kit::keystone::Keystone;
use crate::kit::{python, workspace};

pub(crate) const VERSION: &str = "23.0.0";

/// A running Barbican: one of several secret stores, simple_crypto, so that it has the resources of stores; orders
/// carried out while they are made; access rules and service tokens as Donjon takes them; default policy and limits.
#[derive(Debug)]
pub(crate) struct Barbican {
    daemon: Daemon,
    // Dropped after the process.
    _folder: TempDir,
}

impl Barbican {
    /// Installs and starts one.
    ///
    /// # Errors
    /// It cannot be had, or does not start.
    pub(crate) fn start(keystone: &Keystone) -> Result<Self> {
        let package = format!("barbican=={VERSION}");
        let python = python::environment("barbican", &[&package])?.join("python");
        let folder = tempfile::Builder::new().prefix("barbican-").tempdir()?;
        fs::write(
            folder.path().join("barbican.conf"),
            settings(&folder, keystone)?,
        )?;
        let mut command = Command::new(python);
        command
            .arg(workspace::root().join("xtask/src/kit/serve_barbican.py"))
            .arg(folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path());
        let log = folder.path().join("barbican.log");
        let daemon = Daemon::start(&mut command, &log).context("starting Barbican")?;
        Ok(Self {
            daemon,
            _folder: folder,
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.daemon.port())
    }
}

fn settings(folder: &TempDir, keystone: &Keystone) -> Result<String> {
    // The same user of the project `service` that Donjon has.
    let user = keystone.user("donjon")?;
    let url = keystone.auth_url();
    Ok(format!(
        "[DEFAULT]\ndb_auto_create = True\n\
         [database]\nconnection = sqlite:///{}/barbican.db\n\
         [secretstore]\nenable_multiple_secret_stores = True\nstores_lookup_suffix = software\n\
         [secretstore:software]\nsecret_store_plugin = store_crypto\ncrypto_plugin = simple_crypto\n\
         global_default = True\n\
         [simple_crypto_plugin]\nkek = YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=\n\
         [keystone_authtoken]\nauth_type = password\nauth_url = {url}\nwww_authenticate_uri = {url}\n\
         username = {}\npassword = {}\nproject_name = {}\n\
         user_domain_name = Default\nproject_domain_name = Default\ninterface = public\n\
         service_type = key-manager\nservice_token_roles_required = True\n",
        folder.path().display(),
        user.name,
        user.password,
        user.project,
    ))
}
