//! The 32 bytes that seal and open envelopes.
//!
//! Invariant: the bytes live in one heap allocation from construction to drop and are wiped there, so moving a [`Key`]
//! leaves no copy behind. Not here: making keys, keeping them, finding them by id.

use std::fmt;

use zeroize::Zeroizing;

/// Length of a [`Key`].
pub const KEY_BYTES: usize = 32;

/// A key that wraps keys or seals payloads: the root key, or the key of a project.
///
/// Wiped on drop. There is no `Clone`, no comparison and no `Display`; `Debug` does not show the bytes.
pub struct Key(Box<Zeroizing<[u8; KEY_BYTES]>>);

impl Key {
    /// Takes over the bytes; what was handed in is wiped.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self::from(&*bytes)
    }

    /// The bytes themselves, which is what one needs to wrap this key under another.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl From<&[u8; KEY_BYTES]> for Key {
    /// Copies the bytes; wiping the original is left to its owner.
    fn from(bytes: &[u8; KEY_BYTES]) -> Self {
        // Filled in place: `Box::new(*bytes)` could leave a copy on the stack.
        let mut key = Box::new(Zeroizing::new([0; KEY_BYTES]));
        key.copy_from_slice(bytes);
        Self(key)
    }
}

impl TryFrom<&[u8]> for Key {
    type Error = KeyLengthError;

    /// Copies the bytes, for instance those that [`open`](crate::open) gave back for a wrapped key.
    fn try_from(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        let bytes: &[u8; KEY_BYTES] = bytes.try_into().map_err(|source| KeyLengthError {
            bytes: bytes.len(),
            source,
        })?;
        Ok(Self::from(bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(32 bytes)")
    }
}

/// The bytes given for a [`Key`] are not 32.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a key of {bytes} bytes, want 32")]
pub struct KeyLengthError {
    bytes: usize,
    source: std::array::TryFromSliceError,
}

#[cfg(test)]
mod tests;
