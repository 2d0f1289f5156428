//! What an envelope belongs to, and how that becomes bytes.
//!
//! Invariant: different contexts have different encodings, because every field stands behind its length. The encoding
//! is never stored; whoever opens must know it. Not here: any rule about what a field may contain.

use sha2::{Digest, Sha256};

use crate::header::HEADER_BYTES;

/// What an envelope belongs to: authenticated, not encrypted, and not part of the envelope.
///
/// An envelope opens only under the context that it was sealed with, so bytes moved to another deployment, project,
/// object, kind or version are refused. Any bytes will do, of up to 2^32 - 1 each and empty ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// Id of the installation.
    pub deployment: &'a [u8],
    /// Id of the project that owns the object.
    pub project: &'a [u8],
    /// Id of the secret, or of the key when a key is wrapped.
    pub object: &'a [u8],
    /// What the plaintext is.
    pub kind: Kind,
    /// Counts the payloads of one object.
    pub version: u32,
}

/// What the plaintext of an envelope is.
///
/// The texts of [`Kind::as_str`] are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The payload of a secret: `payload`.
    Payload,
    /// Where a payload is that is kept elsewhere.
    Locator,
    /// A private key: `private`.
    Private,
    /// A public key: `public`.
    Public,
    /// The passphrase of a private key: `passphrase`.
    Passphrase,
    /// A wrapped key, of a project or of the server: `kek`.
    Kek,
    /// The known plaintext that tells at start whether the root key is the right one: `canary`.
    Canary,
}

/// A field is longer than its four-byte length can say.
pub(crate) struct FieldTooLong {
    pub(crate) bytes: usize,
}

// === impl Context ===

impl Context<'_> {
    /// `SHA-256(ctx)`.
    ///
    /// # Source
    /// FIPS 180-4.
    pub(crate) fn digest(&self) -> Result<[u8; 32], FieldTooLong> {
        let mut hash = Sha256::new();
        self.encode(|part| hash.update(part))?;
        Ok(hash.finalize().into())
    }

    /// `aad = header || ctx`.
    pub(crate) fn aad(&self, header: &[u8; HEADER_BYTES]) -> Result<Vec<u8>, FieldTooLong> {
        let lengths_and_version = 6 * size_of::<u32>();
        let fields = self.deployment.len()
            + self.project.len()
            + self.object.len()
            + self.kind.as_str().len();
        let mut aad = Vec::with_capacity(HEADER_BYTES + lengths_and_version + fields);
        aad.extend_from_slice(header);
        self.encode(|part| aad.extend_from_slice(part))?;
        Ok(aad)
    }

    /// Hands out `ctx` piece by piece: five times the length of a field in four bytes, then the field.
    fn encode(&self, mut take: impl FnMut(&[u8])) -> Result<(), FieldTooLong> {
        let version = self.version.to_be_bytes();
        let kind = self.kind.as_str().as_bytes();
        for field in [self.deployment, self.project, self.object, kind, &version] {
            take(&length_prefix(field.len())?);
            take(field);
        }
        Ok(())
    }
}

fn length_prefix(bytes: usize) -> Result<[u8; 4], FieldTooLong> {
    match u32::try_from(bytes) {
        Ok(length) => Ok(length.to_be_bytes()),
        Err(_) => Err(FieldTooLong { bytes }),
    }
}

// === impl Kind ===

impl Kind {
    /// The text that stands for this kind in the encoded context.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Locator => "locator",
            Self::Private => "private",
            Self::Public => "public",
            Self::Passphrase => "passphrase",
            Self::Kek => "kek",
            Self::Canary => "canary",
        }
    }
}

#[cfg(test)]
mod tests;
