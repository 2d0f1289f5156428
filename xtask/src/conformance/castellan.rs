//! `conformance castellan`: the functional tests of Castellan's Barbican key manager, from its source distribution.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::kit::python;
use crate::suite::{Outcome, Run, Suite};

const CASTELLAN: &str = "castellan==5.8.0";

pub(crate) const SUITE: Suite = Suite {
    name: "castellan",
    packages: &[
        CASTELLAN,
        "python-barbicanclient==7.6.0",
        "oslotest==6.1.1",
        "testtools==2.9.1",
    ],
    peers: true,
    tune: |_| (),
    run,
};

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let source = python::source(CASTELLAN)?;
    let user = run.site.keystone.user("member")?;
    let auth_url = run.site.keystone.auth_url();
    let settings = format!(
        "[identity]\nauth_url = {auth_url}\nusername = {}\npassword = {}\nproject_name = {}\n",
        user.name, user.password, user.project,
    );
    // The tests look for it below the folder that they run in.
    let folder = run.folder().join("etc/castellan");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("castellan-functional.conf"), settings)?;
    // Those of Vault need a Vault.
    let tests = source.join("castellan/tests/functional/key_manager/test_barbican_key_manager.py");
    run.pytest(&[&tests as &Path], |command| {
        command.arg("--rootdir").arg(&source);
        // Options of Castellan, which `castellan_options.py` has oslo.config take from the environment.
        command.args(["-p", "castellan_options"]);
        command.env("OS_BARBICAN__AUTH_ENDPOINT", &auth_url);
        command.env("OS_BARBICAN__BARBICAN_ENDPOINT", run.site.base());
    })
}
