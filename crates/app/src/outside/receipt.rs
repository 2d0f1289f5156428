//! What is kept, sealed, of a payload that was put into a store.
//!
//! `1 ‖ store ‖ put ‖ key ‖ HMAC-SHA-256(key, payload) ‖ locator`: a version,
//! two ids of 16 bytes, a random key and what it makes of the payload, 32 bytes
//! each, and the rest. Sealed and bound to the secret, so that nobody who edits
//! the database points it at another payload, and nobody who edits the store
//! makes it give other bytes unseen.
//!
//! # Source
//! RFC 2104; FIPS 180-4; docs/format.md.

use donjon_domain::{
    Outside, PutId, SecretBytes, SecretStoreId,
    ports::{Entropy, Locator},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) struct Receipt {
    pub(crate) outside: Outside,
    pub(crate) locator: Locator,
    key: Zeroizing<[u8; 32]>,
    digest: [u8; 32],
}

impl Receipt {
    pub(crate) fn new(
        outside: Outside,
        locator: Locator,
        payload: &SecretBytes,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        let digest = keyed(&key, payload).finalize().into_bytes().into();
        Self {
            outside,
            locator,
            key,
            digest,
        }
    }

    /// Whether this is what was put.
    pub(crate) fn is_of(&self, payload: &SecretBytes) -> bool {
        // Compares in constant time.
        keyed(&self.key, payload).verify_slice(&self.digest).is_ok()
    }

    pub(crate) fn encode(&self) -> SecretBytes {
        let parts: [&[u8]; 6] = [
            &[VERSION],
            self.outside.store.as_bytes(),
            self.outside.put.as_bytes(),
            &*self.key,
            &self.digest,
            self.locator.as_bytes(),
        ];
        SecretBytes::new(parts.concat())
    }

    /// `None` for what [`Self::encode`] did not make.
    pub(crate) fn decode(bytes: &SecretBytes) -> Option<Self> {
        let (version, rest) = bytes.expose().split_first()?;
        let (store, rest) = rest.split_first_chunk()?;
        let (put, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (digest, locator) = rest.split_first_chunk()?;
        (*version == VERSION).then_some(())?;
        Some(Self {
            outside: Outside {
                store: SecretStoreId::from_bytes(*store),
                put: PutId::from_bytes(*put),
            },
            locator: Locator::new(locator).ok()?,
            key: Zeroizing::new(*key),
            digest: *digest,
        })
    }
}

fn keyed(key: &[u8; 32], payload: &SecretBytes) -> Hmac<Sha256> {
    // A key as long as this is not hashed first, so this is `new_from_slice`
    // without its error.
    let mut block = Zeroizing::new([0; 64]);
    if let Some(start) = block.first_chunk_mut() {
        *start = *key;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(payload.expose());
    mac
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use donjon_testkit::{SeededEntropy, sample};

    use super::*;

    fn receipt(payload: &[u8]) -> Receipt {
        let outside = Outside {
            store: sample::secret_store(1, "s").id,
            put: sample::put_id(2),
        };
        let locator = Locator::new(*b"where").unwrap();
        let payload = SecretBytes::new(payload.to_vec());
        Receipt::new(outside, locator, &payload, &SeededEntropy::new(1))
    }

    fn is_of(receipt: &Receipt, payload: &[u8]) -> bool {
        receipt.is_of(&SecretBytes::new(payload.to_vec()))
    }

    #[test]
    fn it_knows_its_payload_and_no_other() {
        let receipt = Receipt::decode(&receipt(b"hush").encode()).unwrap();
        assert!(is_of(&receipt, b"hush"));
        for other in [&b""[..], b"hus", b"husH", b"hush\0"] {
            assert!(!is_of(&receipt, other));
        }
        assert_eq!(receipt.locator.as_bytes(), b"where");
        assert_eq!(receipt.outside.put, sample::put_id(2));
    }

    #[test]
    fn the_digest_is_hmac_sha_256() {
        // Test case 1 of RFC 4231 has a shorter key; padded with zeros it is
        // the same key.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let payload = SecretBytes::new(b"Hi There".to_vec());
        let digest: [u8; 32] = keyed(&key, &payload).finalize().into_bytes().into();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn what_was_not_encoded_is_none() {
        let whole = receipt(b"x").encode();
        let bytes = whole.expose();
        for cut in [0, 1, 16, 97 - 1, 97] {
            let cut = SecretBytes::new(bytes[..cut].to_vec());
            assert!(Receipt::decode(&cut).is_none());
        }
        let mut other = bytes.to_vec();
        other[0] = 2;
        assert!(Receipt::decode(&SecretBytes::new(other)).is_none());
    }
}
