//! Root keys in HSMs: what the configuration says about one, and opening it.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use donjon_domain::SecretBytes;

use crate::root_key::PassphraseSource;

#[cfg(feature = "pkcs11")]
mod devices;

#[cfg(feature = "pkcs11")]
pub(crate) use self::devices::Devices as Hsms;

/// There is none in this build.
#[cfg(not(feature = "pkcs11"))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Hsms {}

#[cfg(not(feature = "pkcs11"))]
impl Hsms {
    /// # Errors
    /// Always.
    pub(crate) async fn open(
        &mut self,
        key: &HsmKey,
        _: &Arc<dyn donjon_domain::ports::Entropy>,
    ) -> anyhow::Result<Arc<dyn donjon_domain::ports::KeyWrapper>> {
        anyhow::bail!("{key}: this build of donjon has no support for HSMs (feature pkcs11)")
    }

    /// # Errors
    /// Always.
    pub(crate) async fn key_source(
        &mut self,
        _: &HsmToken,
    ) -> anyhow::Result<Arc<dyn donjon_domain::ports::KeySource>> {
        anyhow::bail!("this build of donjon has no support for HSMs (feature pkcs11)")
    }
}

/// What `[pkcs11]` says, complete or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HsmDraft {
    pub(crate) library_path: Option<PathBuf>,
    pub(crate) token_serial_number: Option<String>,
    pub(crate) token_labels: Vec<String>,
    pub(crate) slot_id: Option<u64>,
    pub(crate) pin: Option<Pin>,
    pub(crate) mkek_label: Option<String>,
    pub(crate) hmac_label: Option<String>,
    /// A name that is known.
    pub(crate) hmac_key_type: Option<String>,
    /// A name that is known.
    pub(crate) key_wrap_mechanism: Option<String>,
    pub(crate) rw_session: bool,
    pub(crate) pkek_cache_limit: usize,
    pub(crate) sessions: usize,
    pub(crate) timeout: Duration,
}

/// A root key in an HSM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HsmKey {
    pub(crate) library_path: PathBuf,
    pub(crate) pin: Pin,
    pub(crate) mkek_label: String,
    pub(crate) hmac_label: String,
    /// The rest.
    pub(crate) draft: HsmDraft,
}

/// A token of an HSM, for what needs none of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HsmToken {
    pub(crate) library_path: PathBuf,
    pub(crate) pin: Pin,
    /// The rest.
    pub(crate) draft: HsmDraft,
}

/// Where a PIN comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    /// The configuration.
    Given(Arc<SecretBytes>),
    /// A file, a credential or a terminal.
    From(PassphraseSource),
}

/// For people.
impl fmt::Display for HsmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HSM keys {:?} and {:?} by {}",
            self.mkek_label,
            self.hmac_label,
            self.library_path.display()
        )
    }
}
