//! `hsm`: the root key moved into tokens of two makers and out again; then the server with its root key in SoftHSM2,
//! whose keys a real Barbican made, and an outage under load.
//!
//! The outage is real for the server: the module's token folder is moved away, so that its calls fail. Projects that
//! were read before have to be served all the while, the others have to get 503, and all of them have to be served
//! again afterwards, by the same process.

mod moves;

use anyhow::{Result, ensure};

use crate::kit::build::{self, Profile};
use crate::kit::custody::Outage;
use crate::kit::hsm::opencryptoki::OpenCryptoki;
use crate::kit::hsm::softhsm::SoftHsm;
use crate::kit::server::Launch;

/// Move the root key into HSMs and out again, run on keys that Barbican made, and take the HSM away under load
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long the HSM is away
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many projects there are; every second one is read before the outage
    #[arg(long, default_value_t = 40)]
    projects: usize,
}

/// # Errors
/// Something that is needed is lacking, the server did not start on the keys, or an answer was not the right one.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(
        args.projects >= 2 && args.seconds > 0,
        "too few projects or seconds"
    );
    let donjon = build::donjon(Profile::Dev, &[])?;
    moves::there_and_back("SoftHSM2", &donjon, SoftHsm::new()?.token())?;
    moves::there_and_back("openCryptoki", &donjon, OpenCryptoki::new()?.token())?;
    let hsm = SoftHsm::new()?;
    hsm.let_barbican_make_keys()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    hsm.token().let_in(&mut launch);
    launch.config(&hsm.token().doctor(&donjon)?)?;
    launch.start_again()?.stop()?;
    println!("the server started on the keys that Barbican made");
    Outage {
        place: "HSM",
        seconds: args.seconds,
        projects: args.projects,
        take_away: &mut || hsm.take_away(),
        bring_back: &mut || hsm.bring_back(),
    }
    .under_load(&launch)
}
