//! `conformance pykmip`: a real PyKMIP from PyPI: the contract of outside secret stores, kept by `store-kmip`, and a
//! server that keeps payloads there while it is killed.

use anyhow::{Result, ensure};

use crate::conformance::contract;
use crate::conformance::project::Project;
use crate::kit::build::{self, Profile};
use crate::kit::pykmip::PyKmip;
use crate::kit::server::Launch;
use crate::suite::report::Tally;

const TESTS: [&str; 7] = [
    "-p",
    "donjon-store-kmip",
    "--test",
    "kmip",
    "--run-ignored",
    "only",
    "pykmip::",
];

/// Hold store-kmip and a whole server against a real PyKMIP
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// # Errors
/// PyKMIP cannot be had, or the contract is broken.
pub(crate) fn run(_: &Args) -> Result<()> {
    tally().map(drop)
}

/// As [`run`], and counts tests, none of which has failed.
///
/// # Errors
/// As [`run`].
pub(crate) fn tally() -> Result<Tally> {
    let pykmip = PyKmip::start()?;
    let port = pykmip.port().to_string();
    let variables = [
        ("DONJON_PYKMIP", pykmip.folder().as_os_str()),
        ("DONJON_PYKMIP_PORT", port.as_ref()),
    ];
    let tests = contract::run(&TESTS, &variables)? + whole(pykmip)?;
    Ok(Tally {
        tests,
        passed: tests,
        ..Tally::default()
    })
}

/// A whole server. How many facts were checked.
fn whole(mut pykmip: PyKmip) -> Result<usize> {
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    launch.config(&format!(
        "[[secret_stores]]\nname = \"kmip\"\nglobal_default = true\n{}",
        pykmip.settings()
    ))?;
    let server = launch.start_again()?;
    let web = Project::new(&server, "web");
    let stored = web.store("kept in PyKMIP")?;
    ensure!(web.read(&stored)?.text() == "kept in PyKMIP");
    let ordered = web.order()?;
    ensure!(web.read(&ordered)?.body.len() == 32);
    println!("a secret is stored and read, an order makes a key");
    pykmip.kill();
    web.expect(&stored, 503)?;
    ensure!(web.try_store("lost?")?.status == 503);
    pykmip.start_again()?;
    let back = web.wait(&stored)?;
    println!("killed: 503; read again {back:.1} s after it was started");
    ensure!(web.read(&stored)?.text() == "kept in PyKMIP");
    let later = web.store("kept afterwards")?;
    web.delete(&later)?;
    web.expect(&later, 404)?;
    server.stop()?;
    Ok(4)
}
