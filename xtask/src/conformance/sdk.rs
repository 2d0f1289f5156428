//! `conformance sdk`: openstacksdk's own functional tests of the key manager, and tests of each of its methods.

use anyhow::Result;

use crate::suite::{Outcome, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "sdk",
    packages: &[
        "openstacksdk==4.22.0",
        "fixtures==4.3.2",
        "oslotest==6.1.1",
        "requests-mock==1.12.1",
        "testtools==2.9.1",
    ],
    peers: true,
    tune: |launch| launch.env("DONJON_SECRET_STORES__MULTIPLE", "true"),
    run,
};

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let tests = run.tests();
    run.pytest(&[&tests], |_| ())
}
