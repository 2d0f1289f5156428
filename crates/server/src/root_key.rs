//! Where root keys come from: what the configuration names, read with the care
//! that each kind of place needs.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use donjon_crypto_software::{
    PassphraseKey, RootKey, RootKeyWrapper, read_credential, read_private,
};
use donjon_domain::ports::{Entropy, KeyWrapper};
use zeroize::Zeroizing;

use crate::{
    hsm::{HsmKey, Hsms},
    terminal,
    transit::TransitKey,
};

/// The root keys of an installation: exactly one in use, and at most one that
/// was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootKeys {
    pub(crate) current: RootKeySource,
    /// Whether `current` is the file in the data folder because nothing else
    /// was said. Only then a first start makes one.
    pub(crate) is_default: bool,
    pub(crate) previous: Option<RootKeySource>,
}

/// One root key's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootKeySource {
    /// A file with the key.
    File(PathBuf),
    /// A credential of systemd with the key.
    Credential(CredentialName),
    /// A file with salt and cost; the key follows from a passphrase.
    Passphrase(PathBuf, PassphraseSource),
    /// A variable with the key in base64.
    Env(String),
    /// Keys of an HSM, which stay in it.
    Hsm(Box<HsmKey>),
    /// A key of OpenBao or Vault, which stays in it.
    Transit(Box<TransitKey>),
}

/// Where a passphrase comes from. Never an argument: other users see those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PassphraseSource {
    /// A file; a line end behind it does not belong to it.
    File(PathBuf),
    /// A credential of systemd, likewise.
    Credential(CredentialName),
    /// Somebody types it in.
    Terminal,
}

/// The name of a file in `$CREDENTIALS_DIRECTORY`: no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialName(String);

impl RootKeys {
    fn sources(&self) -> impl Iterator<Item = &RootKeySource> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
    }

    pub(crate) fn has_hsm(&self) -> bool {
        self.sources()
            .any(|source| matches!(source, RootKeySource::Hsm(_)))
    }

    pub(crate) fn has_transit(&self) -> bool {
        self.sources()
            .any(|source| matches!(source, RootKeySource::Transit(_)))
    }

    /// How many unwrapped keys of projects are kept. In memory, unwrapping costs
    /// microseconds; an HSM or a server may be away when they are needed.
    pub(crate) fn keks_max(&self) -> usize {
        let limits = self.sources().filter_map(|source| match source {
            RootKeySource::Hsm(key) => Some(key.draft.pkek_cache_limit),
            RootKeySource::Transit(key) => Some(key.pkek_cache_limit),
            _ => None,
        });
        limits.max().unwrap_or(KEKS_MAX)
    }
}

// === impl RootKeySource ===

impl RootKeySource {
    /// Reads `SCHEME:PLACE`. A passphrase comes from the terminal until
    /// something else is said.
    ///
    /// # Errors
    /// Never shows the text: it may be a key.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            anyhow!(
                "has to be file:PATH, credential:NAME, passphrase:FILE, env:NAME, pkcs11: or transit:; a key itself \
                 cannot stand here, and one that did has been seen by whoever reads this place"
            )
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(wrong)?;
        match scheme {
            "file" if !rest.is_empty() => Ok(Self::File(rest.into())),
            "credential" => CredentialName::parse(rest).map(Self::Credential),
            // A passphrase in this place is more likely than a bare name.
            "passphrase" if rest.contains('/') => {
                Ok(Self::Passphrase(rest.into(), PassphraseSource::Terminal))
            }
            "passphrase" => bail!(
                "has to name the key file that `donjon root-key new --passphrase` made, with a slash in its \
                 path; a passphrase cannot stand here"
            ),
            "env" => {
                ensure!(
                    is_variable(rest),
                    "has to name a variable behind env:, one that does not begin with DONJON_"
                );
                Ok(Self::Env(rest.to_owned()))
            }
            _ => Err(wrong()),
        }
    }

    /// The same place with the passphrase from elsewhere; `None` where there
    /// is no passphrase.
    pub(crate) fn with_passphrase_from(self, source: PassphraseSource) -> Option<Self> {
        match self {
            Self::Passphrase(path, _) => Some(Self::Passphrase(path, source)),
            _ => None,
        }
    }

    /// Whether something is in this place, right or not.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::File(path) | Self::Passphrase(path, _) => path.exists(),
            Self::Credential(name) => name.path().is_ok_and(|path| path.exists()),
            Self::Env(name) => env::var_os(name).is_some(),
            Self::Hsm(key) => key.library_path.exists(),
            // Whether it is there, the server says.
            Self::Transit(_) => true,
        }
    }

    /// How to make a key for this place, as a line for people.
    pub(crate) fn recipe(&self) -> String {
        match self {
            Self::File(path) => format!(
                "a key in a place of its own is made by hand: \
                 (umask 077; head -c 32 /dev/urandom | base64 > {})",
                path.display()
            ),
            Self::Credential(name) => format!(
                "make one with `donjon root-key new`, and give it to the service with \
                 LoadCredentialEncrypted={name}:FILE"
            ),
            Self::Passphrase(path, _) => format!(
                "make the key file with `donjon root-key new --passphrase {}`",
                path.display()
            ),
            Self::Env(_) => "make one with `donjon root-key new`".to_owned(),
            Self::Hsm(_) => {
                "set pkcs11.library_path to the module that came with the HSM".to_owned()
            }
            Self::Transit(key) => key.recipe(),
        }
    }

    /// Reads the key, or finds it in its HSM, with what `hsms` knows already.
    /// Blocks for the read, and for as long as somebody types.
    ///
    /// # Errors
    /// What is wrong with the place, or with what is there.
    pub(crate) async fn open(
        &self,
        hsms: &mut Hsms,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Arc<dyn KeyWrapper>> {
        let root = match self {
            Self::Hsm(key) => return hsms.open(key, entropy).await,
            Self::Transit(key) => return key.open(entropy).await,
            other => other.load()?,
        };
        Ok(Arc::new(RootKeyWrapper::new(root, Arc::clone(entropy))))
    }

    /// Reads a key into memory. Blocks for the read, and for as long as somebody
    /// types.
    ///
    /// # Errors
    /// What is wrong with the place, or with what is there.
    pub(crate) fn load(&self) -> Result<RootKey> {
        match self {
            Self::File(path) => RootKey::from_file(path).context("root key"),
            Self::Credential(name) => {
                RootKey::from_credential(&name.path()?).with_context(|| self.to_string())
            }
            Self::Passphrase(path, source) => {
                let key = PassphraseKey::from_file(path).context("root key")?;
                let passphrase = source.read(path).context("passphrase of the root key")?;
                Ok(key.derive(&passphrase)?)
            }
            Self::Env(name) => {
                let text = env::var_os(name)
                    .with_context(|| format!("{self}: the variable is not set"))?
                    .into_encoded_bytes();
                let key =
                    RootKey::parse(&Zeroizing::new(text)).with_context(|| self.to_string())?;
                tracing::warn!(
                    "{self}: a key in the environment is read by whatever sees /proc/{}/environ, and \
                     stays there; use file:, credential: or passphrase:",
                    std::process::id()
                );
                Ok(key)
            }
            Self::Hsm(_) | Self::Transit(_) => bail!("{self}: it stays there"),
        }
    }
}

/// For people, who may look there: a path alone where it is one.
impl fmt::Display for RootKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Passphrase(path, _) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Hsm(key) => key.fmt(f),
            Self::Transit(key) => key.fmt(f),
        }
    }
}

// === impl PassphraseSource ===

impl PassphraseSource {
    /// Reads `file:PATH`, `credential:NAME` or `terminal`.
    ///
    /// # Errors
    /// Never shows the text: it may be the passphrase.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "terminal" => Ok(Self::Terminal),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("credential", name)) => CredentialName::parse(name).map(Self::Credential),
            _ => bail!(
                "has to be file:PATH, credential:NAME or terminal; a passphrase or PIN itself cannot stand here"
            ),
        }
    }

    /// Reads the passphrase: 1 to 1,024 bytes. `what` says for which key.
    ///
    /// # Errors
    /// As the place says, or where it is empty or too long.
    pub(crate) fn read(&self, what: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let mut passphrase = match self {
            Self::File(path) => read_private(path, PASSPHRASE_BYTES_MAX)?,
            Self::Credential(name) => read_credential(&name.path()?, PASSPHRASE_BYTES_MAX)?,
            Self::Terminal => terminal::ask(
                &format!("Passphrase for {}: ", what.display()),
                PASSPHRASE_BYTES_MAX,
            )?,
        };
        if passphrase.ends_with(b"\n") {
            passphrase.pop();
        }
        let is_good = !passphrase.is_empty() && passphrase.len() as u64 <= PASSPHRASE_BYTES_MAX;
        ensure!(
            is_good,
            "{self}: a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes"
        );
        Ok(passphrase)
    }
}

impl PassphraseSource {
    /// As the configuration names it.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn to_config(&self) -> String {
        match self {
            Self::File(path) => format!("file:{}", path.display()),
            Self::Credential(name) => format!("credential:{name}"),
            Self::Terminal => "terminal".to_owned(),
        }
    }
}

impl fmt::Display for PassphraseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::Terminal => f.write_str("terminal"),
        }
    }
}

// === impl CredentialName ===

impl CredentialName {
    fn parse(text: &str) -> Result<Self> {
        let is_good = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\0']);
        ensure!(is_good, "has to name a credential, not a path");
        Ok(Self(text.to_owned()))
    }

    fn path(&self) -> Result<PathBuf> {
        let folder = env::var_os(CREDENTIALS_DIRECTORY).with_context(|| {
            format!(
                "credential {self}: {CREDENTIALS_DIRECTORY} is not set; systemd sets it for a unit with \
                 LoadCredential= or LoadCredentialEncrypted="
            )
        })?;
        Ok(Path::new(&folder).join(&self.0))
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_variable(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins_well && name.chars().all(is_plain) && !name.starts_with("DONJON_")
}

const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const PASSPHRASE_BYTES_MAX: u64 = 1024;
const KEKS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_named_by_its_scheme() {
        let credential = |name: &str| CredentialName(name.to_owned());
        let good = [
            ("file:/k", RootKeySource::File("/k".into())),
            (
                "credential:donjon.root",
                RootKeySource::Credential(credential("donjon.root")),
            ),
            (
                "passphrase:./k",
                RootKeySource::Passphrase("./k".into(), PassphraseSource::Terminal),
            ),
            ("env:ROOT_KEY", RootKeySource::Env("ROOT_KEY".to_owned())),
        ];
        for (text, expected) in good {
            assert_eq!(RootKeySource::parse(text).unwrap(), expected);
        }
        for bad in [
            "",
            "file:",
            "/k",
            "credential:",
            "credential:../k",
            "credential:a/b",
            "passphrase:correct horse",
            "env:",
            "env:A=B",
            "env:1A",
            "env:DONJON_KEY",
            "base64:AAAA",
        ] {
            let error = RootKeySource::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("has to "), "{error}");
            assert!(!error.contains("correct horse"), "{error}");
        }
    }

    #[test]
    fn passphrases_come_from_places_too() {
        assert_eq!(
            PassphraseSource::parse("terminal").unwrap(),
            PassphraseSource::Terminal
        );
        assert_eq!(
            PassphraseSource::parse("file:/p").unwrap(),
            PassphraseSource::File("/p".into())
        );
        for bad in ["", "file:", "correct horse", "credential:a/b", "env:A"] {
            let error = PassphraseSource::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("correct horse"), "{error}");
        }
    }
}
