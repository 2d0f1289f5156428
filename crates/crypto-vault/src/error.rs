//! What goes wrong between here and a key in the transit engine, with what to do about it.

use donjon_domain::ports::{CryptoError, CryptoErrorKind};
use donjon_vault_client::VaultError;

/// The engine does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransitError {
    /// The server cannot be asked, or does not let this one in.
    #[error("the root key is in the transit engine {mount}/ of a server that is of no help now")]
    Server {
        /// Where the engine is mounted.
        mount: String,
        /// What went wrong.
        source: Box<VaultError>,
    },
    /// There is no engine.
    #[error(
        "there is no transit engine at {mount}/ of {url}: make one with `bao secrets enable -path={mount} transit`, \
         or set transit.mount or transit.namespace to where the key is"
    )]
    NoEngine {
        /// Where the engine should be mounted.
        mount: String,
        /// The server.
        url: String,
    },
    /// There is no such key.
    #[error(
        "there is no key {key:?} in the transit engine {mount}/ of {url}: set transit.key to the one that is meant, make \
         a first one with `bao write -f {mount}/keys/{key}`, or restore the one that was deleted; nothing that it wrapped \
         opens without it"
    )]
    NoKey {
        /// Its name.
        key: String,
        /// Where the engine is mounted.
        mount: String,
        /// The server.
        url: String,
    },
    /// The key is there, and its version cannot be used.
    #[error(
        "version {version} of the transit key {key:?} cannot be used; it has versions up to {latest}, decrypts from \
         {min_decryption} on and encrypts from {min_encryption} on (0: the latest counts): set transit.key_version, or lower \
         these with `bao write {mount}/keys/{key}/config min_decryption_version={version} min_encryption_version=0` until \
         `donjon rotate root` has moved everything to another version"
    )]
    NoVersion {
        /// The name of the key.
        key: String,
        /// Where the engine is mounted.
        mount: String,
        /// The one that is configured.
        version: u32,
        /// The newest.
        latest: u32,
        /// The oldest that decrypts.
        min_decryption: u32,
        /// The oldest that encrypts.
        min_encryption: u32,
    },
    /// The token has too few rights.
    #[error(
        "the transit key {key:?} may not be used: its policy needs capability update on {mount}/encrypt/{key}, \
         {mount}/decrypt/{key} and {mount}/hmac/{key}/sha2-256"
    )]
    Denied {
        /// The name of the key.
        key: String,
        /// Where the engine is mounted.
        mount: String,
        /// What the server said.
        source: Box<VaultError>,
    },
    /// The key is there and of no use here.
    #[error(
        "the transit key {key:?} cannot wrap keys: {reason}; take one of type aes256-gcm96 or chacha20-poly1305 that is \
         not convergent"
    )]
    Unfit {
        /// The name of the key.
        key: String,
        /// Why.
        reason: String,
    },
    /// Another key has its name.
    #[error(
        "the transit key {key:?} is not the one that it was at the start: somebody deleted it and made it anew; \
         restore it from a backup, for nothing that it wrapped opens without it"
    )]
    Replaced {
        /// The name of the key.
        key: String,
    },
    /// Wrapped bytes were changed, or belong to another key or another place.
    #[error("it was not wrapped by this version of the transit key for this place, or was changed")]
    DoesNotUnwrap,
}

impl From<TransitError> for CryptoError {
    fn from(error: TransitError) -> Self {
        let kind = match error {
            TransitError::DoesNotUnwrap => CryptoErrorKind::DoesNotOpen,
            // Whatever is wrong with the server, it is not the request.
            _ => CryptoErrorKind::Unavailable,
        };
        Self::with_source(kind, error)
    }
}
