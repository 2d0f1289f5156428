//! XChaCha20-Poly1305 on buffers that this crate owns.
//!
//! Invariant: the tag is checked over the whole ciphertext before a byte of plaintext exists. Not here: headers,
//! commitments, padding.

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, aead::inout::InOutBuf};
use zeroize::Zeroizing;

use crate::{
    header::{NONCE_BYTES, TAG_BYTES},
    key::KEY_BYTES,
};

/// `ciphertext || tag = XChaCha20-Poly1305(key, nonce, aad, body)`; the ciphertext takes the place of the body.
///
/// `None` if the body is longer than the block counter reaches, 256 GiB.
///
/// # Source
/// RFC 8439 section 2.8; draft-irtf-cfrg-xchacha-03 section 2.
pub(crate) fn encrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    body: &mut [u8],
) -> Option<[u8; TAG_BYTES]> {
    XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, body.into())
        .ok()
        .map(Into::into)
}

/// `body = XChaCha20-Poly1305^-1(key, nonce, aad, ciphertext || tag)`, in a buffer of exactly its length.
///
/// `None` if the tag does not fit.
///
/// # Source
/// RFC 8439 section 2.8; draft-irtf-cfrg-xchacha-03 section 2.
pub(crate) fn decrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG_BYTES],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(vec![0; ciphertext.len()]);
    let buffer = InOutBuf::new(ciphertext, &mut body).ok()?;
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, buffer, tag.into())
        .ok()?;
    Some(body)
}

#[cfg(test)]
mod tests;
