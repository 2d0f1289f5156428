//! The body of an envelope: the plaintext, as it is or filled up to a multiple of 64 bytes.
//!
//! Invariant: a plaintext has exactly one padded body, and no other one is accepted.

use zeroize::{Zeroize, Zeroizing};

use crate::{header::OVERHEAD_BYTES, open::OpenError};

/// How much the length of an envelope tells about the length of its plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Rounded up: 4 bytes of length and the plaintext, filled with zeros to a multiple of 64.
    Blocks64,
    /// Exactly. For large opaque payloads, whose length is no secret.
    None,
}

impl Padding {
    /// Length of the envelope for a plaintext of `plain_bytes`.
    ///
    /// `None` if [`seal`](crate::seal) would refuse, above 2^32 - 1 bytes.
    #[must_use]
    pub fn sealed_bytes(self, plain_bytes: usize) -> Option<usize> {
        self.body_bytes(plain_bytes)?.checked_add(OVERHEAD_BYTES)
    }

    fn body_bytes(self, plain_bytes: usize) -> Option<usize> {
        u32::try_from(plain_bytes).ok()?;
        match self {
            Self::Blocks64 => plain_bytes
                .checked_add(LENGTH_BYTES)?
                .checked_next_multiple_of(BLOCK_BYTES),
            Self::None => Some(plain_bytes),
        }
    }
}

/// Whether a padded body can have this length.
pub(crate) fn is_padded_length(body_bytes: usize) -> bool {
    body_bytes != 0 && body_bytes.is_multiple_of(BLOCK_BYTES)
}

/// Appends the padded body of `plain` to `out`, which must have room for it, or growing leaves plaintext behind.
pub(crate) fn pad_into(out: &mut Vec<u8>, length: u32, plain: &[u8]) {
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(plain);
    let filling =
        (LENGTH_BYTES + plain.len()).next_multiple_of(BLOCK_BYTES) - LENGTH_BYTES - plain.len();
    out.resize(out.len() + filling, 0);
}

/// Turns a padded body into its plaintext, in place.
pub(crate) fn unpad(body: &mut Zeroizing<Vec<u8>>) -> Result<(), OpenError> {
    let plain_bytes = padded_plain_bytes(body).ok_or(OpenError)?;
    move_to_front(body, plain_bytes);
    body.truncate(plain_bytes);
    Ok(())
}

/// Moves the plaintext over its length and wipes behind it, where its last bytes would stand once more.
fn move_to_front(body: &mut [u8], plain_bytes: usize) {
    body.copy_within(LENGTH_BYTES..LENGTH_BYTES + plain_bytes, 0);
    if let Some(rest) = body.get_mut(plain_bytes..) {
        rest.zeroize();
    }
}

/// Length of the plaintext in a padded body, `None` if the body is not what [`pad_into`] makes.
fn padded_plain_bytes(body: &[u8]) -> Option<usize> {
    let (length, rest) = body.split_first_chunk::<LENGTH_BYTES>()?;
    let plain_bytes = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let filling = rest.get(plain_bytes..)?;
    let shortest = filling.len() < BLOCK_BYTES && is_padded_length(body.len());
    (shortest && filling.iter().all(|byte| *byte == 0)).then_some(plain_bytes)
}

const BLOCK_BYTES: usize = 64;
const LENGTH_BYTES: usize = size_of::<u32>();

#[cfg(test)]
mod tests;
