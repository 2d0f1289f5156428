//! What the tests of several modules need: fixed inputs, and envelopes that are authentic but wrong.

use sha2::{Digest, Sha256};

use crate::{
    Context, HEADER_BYTES, KEK_ID_BYTES, Key, Kind, RANDOM_BYTES, SUITE, VERSION, aead,
    derive::derive,
};

pub(crate) const KEK_ID: [u8; KEK_ID_BYTES] = [0x4b; KEK_ID_BYTES];

pub(crate) const CONTEXT: Context<'static> = Context {
    deployment: b"deployment",
    project: b"project",
    object: b"object",
    kind: Kind::Payload,
    version: 1,
};

pub(crate) const KINDS: [Kind; 6] = [
    Kind::Payload,
    Kind::Private,
    Kind::Public,
    Kind::Passphrase,
    Kind::Kek,
    Kind::Canary,
];

pub(crate) fn key() -> Key {
    Key::from(&bytes::<32>("key"))
}

pub(crate) fn random() -> [u8; RANDOM_BYTES] {
    bytes("random")
}

/// Bytes that look random and depend on `seed` alone.
pub(crate) fn bytes<const N: usize>(seed: &str) -> [u8; N] {
    plain(seed, N).try_into().unwrap()
}

/// A plaintext that looks random and depends on `seed` and `length` alone.
pub(crate) fn plain(seed: &str, length: usize) -> Vec<u8> {
    let blocks =
        (0..length.div_ceil(32)).map(|block| Sha256::digest(format!("{seed}/{length}/{block}")));
    blocks.flatten().take(length).collect()
}

/// The parts of an envelope, to be sealed as they are.
///
/// Unlike a bit flipped in a sealed envelope, what is wrong here is authentic, so that only the check meant for it can
/// refuse it. The header is laid out by hand, not by the code under test.
pub(crate) struct Forgery<'a> {
    pub(crate) magic: [u8; 2],
    pub(crate) version: u8,
    pub(crate) suite: u8,
    pub(crate) flags: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) body: &'a [u8],
    pub(crate) commitment: Option<[u8; 32]>,
    /// The context that goes into the derived key.
    pub(crate) derived_for: Context<'a>,
    /// The context that goes behind the header in the additional data.
    pub(crate) bound_to: Option<Context<'a>>,
}

impl Default for Forgery<'_> {
    /// Wrong in nothing.
    fn default() -> Self {
        Self {
            magic: *b"DJ",
            version: VERSION,
            suite: SUITE,
            flags: 0,
            reserved: [0; 3],
            body: b"body",
            commitment: None,
            derived_for: CONTEXT,
            bound_to: Some(CONTEXT),
        }
    }
}

impl Forgery<'_> {
    pub(crate) fn seal(&self) -> Vec<u8> {
        let random = random();
        let (salt, nonce) = random.split_at(32);
        let context_digest = self.derived_for.digest().ok().unwrap();
        let derived = derive(
            &key(),
            salt.try_into().unwrap(),
            self.suite,
            &context_digest,
        );

        let mut header = self.magic.to_vec();
        header.extend([self.version, self.suite, self.flags]);
        header.extend(self.reserved);
        header.extend(KEK_ID);
        header.extend(random);
        header.extend(self.commitment.unwrap_or(derived.commitment));
        let header: [u8; HEADER_BYTES] = header.try_into().unwrap();

        let aad = match self.bound_to {
            Some(context) => context.aad(&header).ok().unwrap(),
            None => header.to_vec(),
        };
        let mut body = self.body.to_vec();
        let tag = aead::encrypt(&derived.key, nonce.try_into().unwrap(), &aad, &mut body).unwrap();
        [&header[..], &body, &tag].concat()
    }
}
