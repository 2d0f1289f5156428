//! The token itself: how it is drawn, how it looks, and its keyed hash.

use base64ct::{Base64UrlUnpadded, Encoding};
use donjon_domain::{SecretBytes, TokenHash, ports::Entropy};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Hashes tokens under one key. Wiped when dropped.
pub(super) struct TokenHasher(Hmac<Sha256>);

/// The key does not have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("token hash key of {bytes} bytes, 32 are needed")]
pub struct InvalidHashKey {
    /// How many bytes it has.
    pub bytes: usize,
}

/// Draws a token: `djn_`, then base64url of 32 random bytes. 256 bits cannot be
/// guessed, so the hash needs no salt and no stretching.
pub(super) fn draw(entropy: &dyn Entropy) -> SecretBytes {
    let mut random = Zeroizing::new([0_u8; RANDOM_BYTES]);
    entropy.fill(&mut *random);
    let encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(&*random));
    SecretBytes::new([PREFIX, &encoded].concat().into_bytes())
}

/// Whether a text can be a token of ours at all. Says nothing secret: length
/// and prefix are the same for all of them.
pub(super) fn is_shaped_like_ours(text: &str) -> bool {
    text.len() == TOKEN_BYTES && text.starts_with(PREFIX)
}

impl TokenHasher {
    pub(super) fn new(key: &SecretBytes) -> Result<Self, InvalidHashKey> {
        let bytes = key.len();
        if bytes != KEY_BYTES {
            return Err(InvalidHashKey { bytes });
        }
        let hmac = Hmac::new_from_slice(key.expose()).ok();
        hmac.map(Self).ok_or(InvalidHashKey { bytes })
    }

    /// HMAC-SHA-256(key, token), over the text as the client sends it.
    ///
    /// # Source
    /// RFC 2104, FIPS 180-4.
    pub(super) fn hash(&self, token: &[u8]) -> TokenHash {
        let tag = self.0.clone().chain_update(token).finalize();
        TokenHash::from_bytes(tag.into_bytes().into())
    }
}

const KEY_BYTES: usize = 32;
const RANDOM_BYTES: usize = 32;
const PREFIX: &str = "djn_";
const TOKEN_BYTES: usize = PREFIX.len() + 43;
