//! `conformance barbicanclient`: the functional tests of python-barbicanclient, from its source distribution.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::kit::python;
use crate::suite::{Outcome, Run, Suite};

const CLIENT: &str = "python-barbicanclient==7.6.0";

pub(crate) const SUITE: Suite = Suite {
    name: "barbicanclient",
    packages: &[
        CLIENT,
        "python-openstackclient==10.5.0",
        "oslotest==6.1.1",
        "testtools==2.9.1",
    ],
    peers: true,
    tune: |_| (),
    run,
};

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let source = python::source(CLIENT)?;
    // One who may do all that the tests do: they give everybody access, and read quotas.
    let user = run.site.keystone.user("everything")?;
    let settings = format!(
        "[keymanager]\nurl = {}\nusername = {}\npassword = {}\nproject_name = {}\nproject_id = {}\n\
         project_domain_name = Default\n[identity]\nuri = {}\nauth_version = v3\ndomain_name = Default\n",
        run.site.base(),
        user.name,
        user.password,
        user.project,
        user.project_id,
        run.site.keystone.auth_url(),
    );
    // The tests look for it below the folder that they run in.
    fs::create_dir(run.folder().join("etc"))?;
    fs::write(run.folder().join("etc/functional_tests.conf"), settings)?;
    let tests = source.join("functionaltests");
    run.pytest(&[&tests as &Path], |command| {
        command.arg("--rootdir").arg(&source);
    })
}
