//! `donjon root-key`.

mod shares;

use std::{io::Write, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use donjon_crypto_software::{PassphraseKey, RootKey};
use donjon_domain::ports::Entropy;

use super::ask;
use crate::{
    assembly::Installation,
    cli::{self, Place},
    data_dir::{self, DataDir},
    exit::{Exit, Failure, OrExit},
    hsm::Hsms,
    root_key::RootKeys,
    system::OsEntropy,
};

/// Makes keys, or looks at those that are configured.
///
/// # Errors
/// [`Exit::RootKey`] where a key cannot be read, or is not the one of the data;
/// else as the folder or storage says.
pub(crate) fn root_key(verb: &cli::RootKey) -> Result<Exit, Failure> {
    match verb {
        cli::RootKey::New(new) => make(new),
        cli::RootKey::Check(place) => check(place),
        cli::RootKey::Split(split) => shares::split(split),
        cli::RootKey::Join(join) => shares::join(join),
    }
}

fn make(new: &cli::RootKeyNew) -> Result<Exit, Failure> {
    if new.passphrase {
        let contents = PassphraseKey::generate(&OsEntropy).to_file_contents();
        let file = new
            .file
            .as_deref()
            .context("a passphrase needs a file for its salt");
        let file = file.or_exit(Exit::Config)?;
        data_dir::write_private(file, contents.as_bytes()).or_exit(Exit::Other)?;
        // A bare name would be taken for a passphrase.
        let whole = std::path::absolute(file).or_exit(Exit::Other)?;
        return tell(&format!(
            "{}: made; root_key.current = \"passphrase:{}\" names it. Back it up: without it the \
             passphrase opens nothing",
            file.display(),
            whole.display()
        ));
    }
    hand_over(&RootKey::generate(&OsEntropy), new.file.as_deref())
}

/// Writes a key to a file, or to stdout.
fn hand_over(key: &RootKey, file: Option<&Path>) -> Result<Exit, Failure> {
    let contents = key.to_file_contents();
    match file {
        Some(file) => {
            data_dir::write_private(file, contents.as_bytes()).or_exit(Exit::Other)?;
            tell(&format!("{}: root key {}", file.display(), key.id()))
        }
        None => {
            std::io::stdout()
                .write_all(contents.as_bytes())
                .or_exit(Exit::Other)?;
            tell(&format!("root key {}", key.id()))
        }
    }
}

fn check(place: &Place) -> Result<Exit, Failure> {
    let settings = ask::load(place)?;
    let keys = &settings.root_key;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Other)?;
    runtime.block_on(ids(keys))?;
    if !settings.data_dir.exists() {
        return ask::print("no data yet");
    }
    if DataDir::is_in_use(&settings.data_dir) {
        return ask::print("the data is in use; a running server has checked its own keys");
    }
    runtime.block_on(async {
        let mut data = DataDir::open_whole(&settings.data_dir, keys)?;
        Installation::open(&settings, &mut data)
            .await?
            .close()
            .await
    })?;
    ask::print("the data opens with these keys")
}

/// Prints the ids of both keys.
async fn ids(keys: &RootKeys) -> Result<(), Failure> {
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let mut hsms = Hsms::default();
    let current = keys.current.open(&mut hsms, &entropy).await;
    let current = current.or_exit(Exit::RootKey)?.id();
    ask::print(&format!("current   {current}  {}", keys.current))?;
    let Some(source) = &keys.previous else {
        return Ok(());
    };
    let previous = source.open(&mut hsms, &entropy).await;
    let previous = previous.or_exit(Exit::RootKey)?.id();
    ask::print(&format!("previous  {previous}  {source}"))?;
    if previous == current {
        let same = anyhow!("root_key.previous is the same key as root_key.current; take it out");
        return Err(Failure::new(Exit::RootKey, same));
    }
    Ok(())
}

fn tell(text: &str) -> Result<Exit, Failure> {
    writeln!(std::io::stderr(), "{text}").or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
