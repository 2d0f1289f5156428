//! From a key that lives long to the key and the commitment of one envelope.
//!
//! Invariant: both depend on key, salt, suite and context, and neither tells anything about the other.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    header::{COMMITMENT_BYTES, SALT_BYTES},
    key::{KEY_BYTES, Key},
};

/// What one envelope is sealed with.
pub(crate) struct Derived {
    /// The key of XChaCha20-Poly1305.
    pub(crate) key: Zeroizing<[u8; KEY_BYTES]>,
    /// Stands in the header, and is no secret.
    pub(crate) commitment: [u8; COMMITMENT_BYTES],
}

/// ```text
/// prk        = HKDF-Extract(salt, KEK)
/// key        = HKDF-Expand(prk, "donjon/env/1/enc" || suite || SHA-256(ctx), 32)
/// commitment = HKDF-Expand(prk, "donjon/env/1/com" || suite || SHA-256(ctx), 32)
/// ```
///
/// # Source
/// RFC 5869 with SHA-256; the labels are those of this format.
pub(crate) fn derive(
    kek: &Key,
    salt: &[u8; SALT_BYTES],
    suite: u8,
    context_digest: &[u8; 32],
) -> Derived {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), kek.expose_bytes());
    prk.as_mut_slice().zeroize();
    let expand = |label: &[u8], out: &mut [u8; 32]| {
        hkdf.expand_multi_info(&[label, &[suite], context_digest], out)
            .expect("32 bytes are less than 255 hashes");
    };
    let mut derived = Derived {
        key: Zeroizing::new([0; KEY_BYTES]),
        commitment: [0; COMMITMENT_BYTES],
    };
    expand(LABEL_KEY, &mut derived.key);
    expand(LABEL_COMMITMENT, &mut derived.commitment);
    derived
}

const LABEL_KEY: &[u8] = b"donjon/env/1/enc";
const LABEL_COMMITMENT: &[u8] = b"donjon/env/1/com";

#[cfg(test)]
mod tests;
