//! Root keys in the transit engine of OpenBao or Vault: what the configuration
//! says about one, and opening it.

use std::{fmt, num::NonZero, sync::Arc};

use anyhow::Result;
use donjon_domain::ports::{Entropy, KeyWrapper};

use crate::config::VaultServer;

/// One version of a key in OpenBao or Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransitKey {
    pub(crate) server: VaultServer,
    pub(crate) mount: String,
    pub(crate) key: String,
    pub(crate) version: NonZero<u32>,
    /// How many keys of projects are kept unwrapped.
    pub(crate) pkek_cache_limit: usize,
}

impl TransitKey {
    /// How to make it, as a line for people.
    pub(crate) fn recipe(&self) -> String {
        format!(
            "make one with `bao write -f {}/keys/{}`",
            self.mount, self.key
        )
    }

    /// Finds the key and tries it. Blocks for reading files; waits for the
    /// server.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    #[cfg(feature = "crypto-vault")]
    pub(crate) async fn open(&self, entropy: &Arc<dyn Entropy>) -> Result<Arc<dyn KeyWrapper>> {
        use anyhow::Context;
        use donjon_crypto_vault::{TransitConfig, TransitWrapper};
        use donjon_vault_client::VaultClient;

        let config = TransitConfig {
            mount: self.mount.clone(),
            key: self.key.clone(),
            version: self.version.get(),
        };
        config.check().context("transit")?;
        let server = self.server.client_config().context("transit")?;
        let client = VaultClient::new(server).context("transit")?;
        let opened = TransitWrapper::open(client, config, entropy).await?;
        tracing::info!("root key {} is {self}", opened.id());
        Ok(Arc::new(opened))
    }

    /// There is no support in this build.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "crypto-vault"))]
    pub(crate) async fn open(&self, _: &Arc<dyn Entropy>) -> Result<Arc<dyn KeyWrapper>> {
        anyhow::bail!("{self}: this build of donjon has no support for it (feature crypto-vault)")
    }
}

/// For people.
impl fmt::Display for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "version {} of transit key {:?} in {}/ of {}",
            self.version, self.key, self.mount, self.server.url
        )?;
        match &self.server.namespace {
            Some(namespace) => write!(f, " (namespace {namespace})"),
            None => Ok(()),
        }
    }
}
