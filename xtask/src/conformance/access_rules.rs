//! `conformance access-rules`: what an application credential with access rules reaches, over a real Keystone.

use anyhow::Result;

use crate::suite::{Outcome, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "access-rules",
    packages: &[],
    peers: true,
    tune: |_| (),
    run,
};

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    run.pytest(&[&run.tests()], |_| ())
}
