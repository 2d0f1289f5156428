//! `KeyWrapper` with one version of a transit key.

use std::{fmt, sync::Arc};

use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, Entropy, KeyWrapper},
};
use donjon_vault_client::{SetupError, VaultClient, is_path};
use subtle::ConstantTimeEq;

use crate::{TransitError, engine::Engine, wrapped};

/// Which key is the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitConfig {
    /// Where the engine is mounted: path segments with slashes between.
    pub mount: String,
    /// The name of the key: letters, digits, - and _.
    pub key: String,
    /// Its version, from 1 on.
    pub version: u32,
}

/// Wraps keys with a root key that stays in the transit engine.
///
/// Unwrapping is one call to the server, wrapping is four.
pub struct TransitWrapper {
    engine: Engine,
    id: RootKeyId,
}

impl TransitConfig {
    /// # Errors
    /// [`SetupError::Path`].
    pub fn check(&self) -> Result<(), SetupError> {
        if !is_path(&self.mount) {
            return Err(SetupError::Path("mount"));
        }
        if !is_path(&self.key) || self.key.contains('/') {
            return Err(SetupError::Path("key"));
        }
        Ok(())
    }
}

impl TransitWrapper {
    /// Finds the key, and tries whether it wraps as it has to. `config` has
    /// passed its check.
    ///
    /// # Errors
    /// [`TransitError`] names what to mend.
    pub async fn open(
        server: VaultClient,
        config: TransitConfig,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Self, TransitError> {
        let engine = Engine {
            server,
            mount: config.mount,
            key: config.key,
            version: config.version,
        };
        let id = RootKeyId::from_bytes(engine.identify(ID_LABEL).await?);
        let wrapper = Self { engine, id };
        wrapper.probe(entropy).await?;
        wrapper.tell().await;
        Ok(wrapper)
    }

    /// Wraps and unwraps something.
    async fn probe(&self, entropy: &Arc<dyn Entropy>) -> Result<(), TransitError> {
        let engine = &self.engine;
        let unfit = |reason: &str| TransitError::Unfit {
            key: engine.key.clone(),
            reason: reason.to_owned(),
        };
        let mut plain = [0; 32];
        entropy.fill(&mut plain);
        let made = engine.encrypt(&plain, b"probe").await?;
        let again = engine.encrypt(&plain, b"probe").await?;
        if made == again {
            return Err(unfit("it encrypts equal keys alike"));
        }
        let back = engine.decrypt(&made, b"probe").await?;
        if back.is_none_or(|back| *back != plain) {
            return Err(unfit("what it encrypts it does not decrypt"));
        }
        if engine.decrypt(&made, b"other").await?.is_some() {
            return Err(unfit(
                "the server does not look at associated data, which OpenBao and Vault from 1.13 on do",
            ));
        }
        Ok(())
    }

    /// Says what an operator may want to change.
    async fn tell(&self) {
        let engine = &self.engine;
        let Ok(Some(found)) = engine.describe().await else {
            return;
        };
        if found.exportable || found.allow_plaintext_backup {
            tracing::warn!(
                "the transit key {:?} may be taken out of the server (exportable or allow_plaintext_backup)",
                engine.key
            );
        }
        if found.deletion_allowed {
            tracing::warn!(
                "the transit key {:?} may be deleted (deletion_allowed), and nothing opens without it",
                engine.key
            );
        }
        if engine.version < found.latest_version {
            tracing::info!(
                "the transit key {:?} has a newer version {}, and version {} is used; `donjon rotate root` moves to \
                 the one that transit.key_version names",
                engine.key,
                found.latest_version,
                engine.version
            );
        }
    }

    /// # Errors
    /// Another key is there now, or none.
    async fn is_same(&self) -> Result<(), TransitError> {
        let id = self.engine.identify(ID_LABEL).await?;
        if id == *self.id.as_bytes() {
            return Ok(());
        }
        Err(TransitError::Replaced {
            key: self.engine.key.clone(),
        })
    }

    async fn wrap_there(
        &self,
        key: &SecretBytes,
        binding: WrapBinding<'_>,
    ) -> Result<Vec<u8>, TransitError> {
        let engine = &self.engine;
        let aad = wrapped::binding_bytes(&binding);
        // Before, so that nothing is asked of a key that is not the one: a policy that
        // may create lets the server make a key where there is none.
        self.is_same().await?;
        let made = engine.encrypt(key.expose(), &aad).await?;
        let back = engine.decrypt(&made, &aad).await?;
        // And after, for what opens now has to open by the key that is kept.
        self.is_same().await?;
        match back {
            Some(back) if bool::from(back.as_slice().ct_eq(key.expose())) => {
                Ok(wrapped::join(self.id, engine.version, &made))
            }
            _ => Err(engine.garbled("encrypt")),
        }
    }

    async fn unwrap_there(
        &self,
        bytes: &[u8],
        binding: WrapBinding<'_>,
    ) -> Result<SecretBytes, TransitError> {
        let engine = &self.engine;
        let made = wrapped::split(bytes, self.id, engine.version);
        let made = made.ok_or(TransitError::DoesNotUnwrap)?;
        let aad = wrapped::binding_bytes(&binding);
        match engine.decrypt(made, &aad).await? {
            Some(plain) => Ok(SecretBytes::from_zeroizing(plain)),
            None => {
                // Else it is not the bytes that are wrong.
                self.is_same().await?;
                Err(TransitError::DoesNotUnwrap)
            }
        }
    }
}

impl KeyWrapper for TransitWrapper {
    fn id(&self) -> RootKeyId {
        self.id
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        Box::pin(async move { Ok(self.wrap_there(key, binding).await?) })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(async move { Ok(self.unwrap_there(wrapped, binding).await?) })
    }
}

impl fmt::Debug for TransitWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitWrapper")
            .field("server", &self.engine.server)
            .field("mount", &self.engine.mount)
            .field("key", &self.engine.key)
            .field("version", &self.engine.version)
            .field("id", &self.id)
            .finish()
    }
}

const ID_LABEL: &[u8] = b"donjon/transit-root-key-id/1\0";
