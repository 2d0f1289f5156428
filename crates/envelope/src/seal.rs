//! Plaintext to envelope.
//!
//! Invariant: plaintext is written once, into the buffer that becomes the envelope, and encrypted there.

use std::mem;

use zeroize::Zeroizing;

use crate::{
    aead,
    context::{Context, FieldTooLong},
    derive::derive,
    header::{HEADER_BYTES, Header, KEK_ID_BYTES, NONCE_BYTES, SALT_BYTES, SUITE},
    key::Key,
    padding::{self, Padding},
};

/// Random bytes that one envelope takes: 32 of salt, then 24 of nonce.
pub const RANDOM_BYTES: usize = SALT_BYTES + NONCE_BYTES;

/// Seals one plaintext under a key.
///
/// `plain` is 0 to 2^32 - 1 bytes. The result is one envelope v1 of [`Padding::sealed_bytes`]: a 112-byte header, the
/// plaintext encrypted, padded or not, and a 16-byte tag. `kek_id` names `key` for whoever opens and is readable in the
/// envelope. `random` must be fresh from the operating system for every envelope; a generator in the process would
/// repeat itself after a fork or in the clone of a virtual machine. CPU only, never blocks: about 3 microseconds, and 2
/// more for each 1 000 bytes, on a small virtual machine.
///
/// # Errors
/// [`SealError::TooLong`] if `plain` or a field of `context` is longer than 2^32 - 1 bytes.
///
/// # Source
/// RFC 5869, RFC 8439, draft-irtf-cfrg-xchacha-03; the format is in the documentation of the crate.
pub fn seal(
    key: &Key,
    kek_id: [u8; KEK_ID_BYTES],
    context: &Context<'_>,
    plain: &[u8],
    random: &[u8; RANDOM_BYTES],
    padding: Padding,
) -> Result<Vec<u8>, SealError> {
    let too_long = SealError::TooLong { bytes: plain.len() };
    let (Ok(length), Some(envelope_bytes)) = (
        u32::try_from(plain.len()),
        padding.sealed_bytes(plain.len()),
    ) else {
        return Err(too_long);
    };

    let (salt, nonce) = split_random(random);
    let derived = derive(key, salt, SUITE, &context.digest()?);
    let header = Header {
        padded: padding == Padding::Blocks64,
        kek_id: &kek_id,
        salt,
        nonce,
        commitment: &derived.commitment,
    }
    .to_bytes();
    let aad = context.aad(&header)?;

    // Room for everything at once, as a vector that grows leaves its old content behind. Wiped if we do not get to the end.
    let mut envelope = Zeroizing::new(Vec::with_capacity(envelope_bytes));
    envelope.extend_from_slice(&header);
    match padding {
        Padding::Blocks64 => padding::pad_into(&mut envelope, length, plain),
        Padding::None => envelope.extend_from_slice(plain),
    }
    let body = envelope.get_mut(HEADER_BYTES..).unwrap_or_default();
    let tag = aead::encrypt(&derived.key, nonce, &aad, body).ok_or(too_long)?;
    envelope.extend_from_slice(&tag);
    Ok(mem::take(&mut *envelope))
}

/// Why a plaintext was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The plaintext, or a field of the context, is longer than 2^32 - 1 bytes.
    #[error("{bytes} bytes are more than an envelope can count")]
    TooLong {
        /// The length that was too much.
        bytes: usize,
    },
}

impl From<FieldTooLong> for SealError {
    fn from(error: FieldTooLong) -> Self {
        Self::TooLong { bytes: error.bytes }
    }
}

fn split_random(random: &[u8; RANDOM_BYTES]) -> (&[u8; SALT_BYTES], &[u8; NONCE_BYTES]) {
    random
        .split_first_chunk()
        .and_then(|(salt, nonce)| Some((salt, nonce.first_chunk()?)))
        .expect("56 bytes are 32 and 24")
}

#[cfg(test)]
mod tests;
