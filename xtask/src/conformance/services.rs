//! `conformance services`: classes of OpenStack's services, imported as libraries and called as the services call them.

use anyhow::Result;

use crate::kit::python;
use crate::suite::{Outcome, PYTEST, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "services",
    packages: &[],
    peers: true,
    tune: |_| (),
    run,
};

const CASTELLAN: &str = "castellan==5.8.0";
const CLIENT: &str = "python-barbicanclient==7.6.0";

/// Folder of the tests and packages of each service. Each has an environment of its own, as in a cloud.
const SERVICES: &[(&str, &[&str])] = &[
    (
        "cinder",
        &[
            "cinder==29.0.0",
            "os-brick==7.1.1",
            "cursive==0.3.1",
            CASTELLAN,
            CLIENT,
        ],
    ),
    ("manila", &["manila==23.0.1", CASTELLAN, CLIENT]),
    ("nova", &["nova==34.0.0", CASTELLAN, CLIENT]),
    ("octavia", &["octavia==19.0.0", CASTELLAN, CLIENT]),
    ("swift", &["swift==2.38.3", CASTELLAN, CLIENT]),
];

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (name, packages) in SERVICES {
        let packages: Vec<&str> = packages.iter().copied().chain([PYTEST]).collect();
        let bin = python::environment(&format!("services-{name}"), &packages)?;
        let tests = run.tests().join(name);
        outcomes.extend(run.pytest_with(&bin.join("python"), &[&tests], |_| ())?);
    }
    Ok(outcomes)
}
