//! `donjon init`.

use std::io::Write;

use crate::{
    assembly::Installation,
    cli::{Overrides, Place},
    config::Config,
    data_dir::{DataDir, Stage},
    exit::{Exit, Failure, OrExit},
    welcome::{self, Welcome},
};

/// Makes a data folder. One that is whole stays as it is.
///
/// # Errors
/// As the folder, its root key or storage says.
pub(crate) fn init(place: &Place) -> Result<Exit, Failure> {
    let overrides = Overrides {
        place: place.clone(),
        ..Overrides::default()
    };
    let settings = Config::load(&overrides).or_exit(Exit::Config)?.settings;
    let mut data = DataDir::open_or_create(&settings.data_dir, &settings.root_key)?;
    if data.stage() == Stage::Whole {
        let text = format!("{}: made before, nothing to do\n", data.path().display());
        std::io::stderr()
            .write_all(text.as_bytes())
            .or_exit(Exit::Other)?;
        return Ok(Exit::Good);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Other)?;
    runtime.block_on(async {
        let installation = Installation::open(&settings, &mut data).await?;
        installation.close().await
    })?;
    let text = Welcome {
        data: &data,
        root_key: data.root_key(&settings.root_key),
        endpoint: None,
        auth: &settings.auth,
        flags: welcome::flags(place),
    }
    .to_string();
    std::io::stderr()
        .write_all(text.as_bytes())
        .or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
