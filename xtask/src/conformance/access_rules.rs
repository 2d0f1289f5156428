//! `conformance access-rules`: what an application credential with access rules reaches, over a real Keystone.

use anyhow::Result;

use crate::kit::python;
use crate::suite::{Outcome, PYTEST, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "access-rules",
    packages: &[],
    peers: true,
    tune: |_| (),
    run,
};

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    // The tests make their requests themselves.
    let bin = python::environment(SUITE.name, &[PYTEST])?;
    run.pytest_with(&bin.join("python"), &[&run.tests()], |_| ())
}
