//! Root keys: making them, reading them with care, deriving them from
//! passphrases, telling two of them apart.

mod file;
mod passphrase;
mod shares;

use std::{fmt, path::Path};

use base64ct::{Base64, Encoding as _};
use donjon_domain::{RootKeyId, ports::Entropy};
use donjon_envelope::{KEY_BYTES, Key};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use self::{
    file::{RootKeyFileError, read_credential, read_private},
    passphrase::{DerivationError, InvalidPassphraseKey, PassphraseKey},
    shares::{InvalidShare, InvalidSplit, JoinError, RootKeyShare},
};

/// 32 bytes that wrap all other keys. Wiped when dropped; `Debug` shows the id
/// alone.
pub struct RootKey {
    id: RootKeyId,
    key: Key,
}

/// The text is neither 32 raw bytes nor the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a root key is 32 raw bytes, or their base64 in one line")]
pub struct InvalidRootKey;

impl RootKey {
    /// The most bytes that a root key file has; a longer one is none.
    const FILE_BYTES_MAX: u64 = 64;

    /// Draws a new root key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *bytes);
        Self::from_key(Key::from_bytes(bytes))
    }

    /// Reads 32 raw bytes, or their base64 with or without a line end.
    ///
    /// # Errors
    /// [`InvalidRootKey`] for anything else.
    pub fn parse(contents: &[u8]) -> Result<Self, InvalidRootKey> {
        if let Ok(key) = Key::try_from(contents) {
            return Ok(Self::from_key(key));
        }
        let text = contents.trim_ascii();
        let mut decoded = Zeroizing::new([0; KEY_BYTES]);
        match Base64::decode(text, &mut *decoded) {
            Ok(bytes) if bytes.len() == KEY_BYTES => Ok(Self::from_key(Key::from_bytes(decoded))),
            _ => Err(InvalidRootKey),
        }
    }

    /// Reads a file under the conditions of [`read_private`]. Blocks for the
    /// read.
    ///
    /// # Errors
    /// [`RootKeyFileError`] names what to mend.
    pub fn from_file(path: &Path) -> Result<Self, RootKeyFileError> {
        Self::from_contents(path, &read_private(path, Self::FILE_BYTES_MAX)?)
    }

    /// Reads a credential of systemd under the conditions of
    /// [`read_credential`]. Blocks for the read.
    ///
    /// # Errors
    /// [`RootKeyFileError`] names what to mend.
    pub fn from_credential(path: &Path) -> Result<Self, RootKeyFileError> {
        Self::from_contents(path, &read_credential(path, Self::FILE_BYTES_MAX)?)
    }

    fn from_contents(path: &Path, contents: &[u8]) -> Result<Self, RootKeyFileError> {
        Self::parse(contents).map_err(|source| RootKeyFileError::Contents {
            path: path.to_owned(),
            source,
        })
    }

    /// The key as a file holds it: base64 and a line end.
    #[must_use]
    pub fn to_file_contents(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(vec![0; Base64::encoded_len(self.key.expose_bytes()) + 1]);
        let length = Base64::encode(self.key.expose_bytes(), &mut text).map_or(0, str::len);
        text.truncate(length);
        text.push(b'\n');
        Zeroizing::new(String::from_utf8_lossy(&text).into_owned())
    }

    /// Tells this root key apart from others.
    ///
    /// `id = SHA-256("donjon/root-key-id/1" || key)`, its first 16 bytes. The
    /// key has 256 random bits, so its hash says nothing about it.
    #[must_use]
    pub fn id(&self) -> RootKeyId {
        self.id
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    fn from_key(key: Key) -> Self {
        let digest = Sha256::new()
            .chain_update(ID_LABEL)
            .chain_update(key.expose_bytes())
            .finalize();
        let mut id = [0; 16];
        id.iter_mut()
            .zip(digest)
            .for_each(|(byte, digest)| *byte = digest);
        Self {
            id: RootKeyId::from_bytes(id),
            key,
        }
    }
}

const ID_LABEL: &str = "donjon/root-key-id/1";

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
