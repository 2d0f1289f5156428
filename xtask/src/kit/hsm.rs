//! Tokens of HSMs in software, each in a folder of its own that goes away, and the server with its root key in one.

pub(crate) mod opencryptoki;
pub(crate) mod softhsm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::kit::run;
use crate::kit::server::Launch;

/// What every token here wants to hear. SoftHSM2 takes 4 to 255 characters, openCryptoki 4 to 8.
pub(crate) const PIN: &str = "12345678";

/// A token with its PIN in a file.
#[derive(Debug)]
pub(crate) struct Token {
    folder: TempDir,
    module: PathBuf,
    /// What programs that use the token are started with.
    env: Vec<(String, String)>,
    /// What stands in front of their command lines.
    within: Vec<String>,
    /// How the command line of the server names it.
    place: Vec<String>,
}

impl Token {
    /// A folder with the PIN, for a token that is to be made.
    fn new(module: PathBuf) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("donjon-hsm-").tempdir()?;
        let pin = folder.path().join("pin");
        fs::write(&pin, PIN)?;
        fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self {
            folder,
            module,
            env: Vec::new(),
            within: Vec::new(),
            place: Vec::new(),
        })
    }

    /// The folder, with the token's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The PKCS#11 module.
    pub(crate) fn module(&self) -> &Path {
        &self.module
    }

    /// Makes a root key, by the server's own command.
    ///
    /// # Errors
    /// It could not.
    pub(crate) fn make_keys(&self, donjon: &Path) -> Result<()> {
        run::stdout(&mut self.ask(donjon, "new-keys")).map(drop)
    }

    /// The configuration that `donjon hsm doctor` prints. What it tells besides goes to the terminal.
    ///
    /// # Errors
    /// It found something wrong.
    pub(crate) fn doctor(&self, donjon: &Path) -> Result<String> {
        let printed = run::stdout(&mut self.ask(donjon, "doctor"))?;
        let config = String::from_utf8(printed).context("what the doctor prints")?;
        ensure!(
            config.contains("[pkcs11]") && !config.contains(PIN),
            "the doctor printed {config}"
        );
        Ok(config)
    }

    /// Starts and other commands of `launch` reach the token.
    pub(crate) fn let_in(&self, launch: &mut Launch) {
        for (name, value) in &self.env {
            launch.env(name, value);
        }
        launch.within(&self.within);
    }

    fn ask(&self, donjon: &Path, verb: &str) -> Command {
        let mut command = run::within(&self.within, donjon);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(["hsm", verb, "--library-path"]);
        command.arg(&self.module).args(&self.place);
        let pin = self.folder().join("pin");
        command.arg(format!("--login-from=file:{}", pin.display()));
        command.current_dir(self.folder());
        command
    }
}

/// The first of these files that is there.
fn first_of(usual: &[&str]) -> Option<PathBuf> {
    let found = usual.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned)
}
