//! The 112 bytes in front of the ciphertext. The layout is the table in the crate's documentation.
//!
//! Invariant: a [`Parsed`] envelope has a known version and suite, no unknown flag, zero reserved bytes and a possible
//! length. Nothing in it is authenticated yet.

use crate::{open::OpenError, padding};

/// Version of the format that this crate writes and reads.
pub const VERSION: u8 = 1;
/// The one suite that this crate writes and reads: HKDF-SHA256, XChaCha20-Poly1305, commitment.
pub const SUITE: u8 = 0x01;

/// Length of the id of the key that sealed an envelope.
pub const KEK_ID_BYTES: usize = 16;
/// Length of the salt, the first part of the random bytes of an envelope.
pub const SALT_BYTES: usize = 32;
/// Length of the nonce, the second part of the random bytes of an envelope.
pub const NONCE_BYTES: usize = 24;
/// Length of the commitment.
pub const COMMITMENT_BYTES: usize = 32;
/// Length of the header.
pub const HEADER_BYTES: usize = 112;
/// Length of the tag behind the ciphertext.
pub const TAG_BYTES: usize = 16;
/// What an envelope adds to a plaintext that is not padded, and the length of the shortest envelope.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// The fields of a header to be written.
pub(crate) struct Header<'a> {
    pub(crate) padded: bool,
    pub(crate) kek_id: &'a [u8; KEK_ID_BYTES],
    pub(crate) salt: &'a [u8; SALT_BYTES],
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) commitment: &'a [u8; COMMITMENT_BYTES],
}

/// An envelope taken apart, not authenticated.
pub(crate) struct Parsed<'a> {
    /// The header as a whole, for the additional data.
    pub(crate) header: &'a [u8; HEADER_BYTES],
    pub(crate) fields: Header<'a>,
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8; TAG_BYTES],
}

// === impl Header ===

impl Header<'_> {
    pub(crate) fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = SUITE;
        bytes[4] = if self.padded { FLAG_PADDED } else { 0 };
        bytes[8..24].copy_from_slice(self.kek_id);
        bytes[24..56].copy_from_slice(self.salt);
        bytes[56..80].copy_from_slice(self.nonce);
        bytes[80..112].copy_from_slice(self.commitment);
        bytes
    }
}

// === impl Parsed ===

impl<'a> Parsed<'a> {
    pub(crate) fn new(envelope: &'a [u8]) -> Result<Self, OpenError> {
        Self::split(envelope).ok_or(OpenError)
    }

    fn split(envelope: &'a [u8]) -> Option<Self> {
        let header = envelope.first_chunk()?;
        let (magic, rest) = envelope.split_first_chunk()?;
        let ([version, suite, flags], rest) = rest.split_first_chunk()?;
        let (reserved, rest) = rest.split_first_chunk()?;
        let (kek_id, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (commitment, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;

        let known = *magic == MAGIC && *version == VERSION && *suite == SUITE;
        let clear = *flags & !FLAG_PADDED == 0 && *reserved == [0; 3];
        let padded = *flags & FLAG_PADDED != 0;
        let possible = !padded || padding::is_padded_length(ciphertext.len());
        (known && clear && possible).then_some(Self {
            header,
            fields: Header {
                padded,
                kek_id,
                salt,
                nonce,
                commitment,
            },
            ciphertext,
            tag,
        })
    }
}

const MAGIC: [u8; 2] = *b"DJ";
const FLAG_PADDED: u8 = 1;

#[cfg(test)]
mod tests;
