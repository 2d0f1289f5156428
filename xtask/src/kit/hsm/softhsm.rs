//! SoftHSM2, of the system, with a folder of tokens that can be taken away.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{PIN, Token, first_of};
use crate::kit::{python, run};

const LACKING: &str = "on Debian: apt-get install softhsm2";
const BARBICAN: &[&str] = &["barbican==23.0.0"];

/// SoftHSM2 with one token.
#[derive(Debug)]
pub(crate) struct SoftHsm(Token);

impl SoftHsm {
    /// A token without keys.
    ///
    /// # Errors
    /// SoftHSM2 is lacking.
    pub(crate) fn new() -> Result<Self> {
        let mut token = Token::new(module()?)?;
        let tokens = token.folder().join("tokens");
        fs::create_dir(&tokens)?;
        let conf = token.folder().join("softhsm2.conf");
        fs::write(
            &conf,
            format!(
                "directories.tokendir = {}\nlog.level = ERROR\n",
                tokens.display()
            ),
        )?;
        token
            .env
            .push(("SOFTHSM2_CONF".to_owned(), conf.display().to_string()));
        let mut util = Command::new("softhsm2-util");
        util.args(["--init-token", "--free", "--label", "barbican"]);
        util.args(["--pin", PIN, "--so-pin", PIN]);
        run::stdout(util.env("SOFTHSM2_CONF", conf)).context(LACKING)?;
        Ok(Self(token))
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0
    }

    /// Has a real Barbican make its two keys.
    ///
    /// # Errors
    /// Barbican could not be had, or did not make them.
    pub(crate) fn let_barbican_make_keys(&self) -> Result<()> {
        let bin = python::environment("barbican-manage", BARBICAN)?;
        let config = self.0.folder().join("barbican.conf");
        let text = format!(
            "[p11_crypto_plugin]\nlibrary_path = {}\ntoken_labels = barbican\nlogin = {PIN}\nmkek_label = barbican_mkek\n\
             hmac_label = barbican_hmac\nhmac_key_type = CKK_GENERIC_SECRET\n\
             hmac_keygen_mechanism = CKM_GENERIC_SECRET_KEY_GEN\n",
            self.0.module().display()
        );
        fs::write(&config, text)?;
        for verb in ["gen_mkek", "gen_hmac"] {
            let mut manage = Command::new(bin.join("barbican-manage"));
            manage.arg("--config-file").arg(&config).args(["hsm", verb]);
            manage.envs(self.0.env.iter().map(|(name, value)| (name, value)));
            let told = run::stdout(&mut manage)?;
            let told = String::from_utf8_lossy(&told).into_owned();
            ensure!(
                told.contains("successfully generated"),
                "barbican-manage hsm {verb}: {told}"
            );
        }
        Ok(())
    }

    /// All calls into the module fail from now on.
    pub(crate) fn take_away(&self) -> Result<()> {
        let folder = self.0.folder();
        Ok(fs::rename(folder.join("tokens"), folder.join("away"))?)
    }

    pub(crate) fn bring_back(&self) -> Result<()> {
        let folder = self.0.folder();
        Ok(fs::rename(folder.join("away"), folder.join("tokens"))?)
    }
}

fn module() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SOFTHSM2_MODULE") {
        return Ok(path.into());
    }
    first_of(&[
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ])
    .with_context(|| format!("no SoftHSM2; {LACKING}"))
}
