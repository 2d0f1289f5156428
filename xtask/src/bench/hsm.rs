//! What it costs that the root key is in an HSM, once the key of the project is known: nothing but the start.

use std::path::Path;

use anyhow::Result;

use super::figures::{Report, Target};
use super::first_token;
use super::sides::{self, Compared, Side};
use crate::kit::hsm::softhsm::SoftHsm;
use crate::kit::server::Launch;

/// # Errors
/// SoftHSM2 is lacking, an answer that was no success, or a server that does not start.
pub(super) fn measure(donjon: &Path, rounds: u32, seconds: u32) -> Result<Compared> {
    let launch = Launch::new(donjon, "tokens")?;
    let software = Side::fill(launch.start_again()?, first_token(&launch)?)?;
    let hsm = SoftHsm::new()?;
    hsm.token().make_keys(donjon)?;
    let mut launch = Launch::new(donjon, "tokens")?;
    hsm.token().let_in(&mut launch);
    launch.config(&hsm.token().doctor(donjon)?)?;
    let inside = Side::fill(launch.start_again()?, first_token(&launch)?)?;
    sides::compare(software, inside, rounds, seconds)
}

pub(super) fn report(compared: &Compared, report: &mut Report) {
    compared.report(
        [
            "(k) GET payload, root key in a file",
            "(k) with the root key in SoftHSM2",
        ],
        Target::AtMost(1.1),
        report,
    );
}
