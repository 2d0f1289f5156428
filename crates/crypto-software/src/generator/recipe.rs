//! What a request asks for, or that nothing here makes it. No cryptography.

use donjon_domain::KeySpec;

/// A kind of key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// RSA with this many bits.
    Rsa(u16),
    /// DSA.
    Dsa(DsaSize),
    /// ECDSA or ECDH, the key does not say.
    Ec(Curve),
    /// Ed25519.
    Ed25519,
}

/// Bits of the two primes of DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DsaSize {
    /// Bits of p.
    pub(super) p: u16,
    /// Bits of q, the order of the group.
    pub(super) q: u16,
}

/// A curve of NIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) fn bits(self) -> u16 {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }
}

/// How many bytes the symmetric key has, at most 4,095.
pub(super) fn symmetric(spec: &KeySpec) -> Option<usize> {
    let bits = spec.bit_length.get();
    let lengths: &[u16] = if is(spec, "aes") {
        &[]
    } else if is(spec, "des") {
        DES
    } else if is(spec, "3des") || is(spec, "desede") {
        TRIPLE_DES
    } else if HMACS.iter().any(|name| is(spec, name)) {
        // Any key will do for an HMAC, but short ones can be guessed.
        return whole_bytes(bits).filter(|_| bits >= HMAC_BITS_MIN);
    } else {
        return None;
    };
    let usual = if spec.is_xts() { XTS } else { BLOCKS };
    (usual.contains(&bits) || lengths.contains(&bits))
        .then(|| whole_bytes(bits))
        .flatten()
}

/// What kind of pair it is.
pub(super) fn pair(spec: &KeySpec) -> Option<Pair> {
    let bits = spec.bit_length.get();
    if is(spec, "rsa") {
        [1_024, 2_048, 3_072, 4_096]
            .contains(&bits)
            .then_some(Pair::Rsa(bits))
    } else if is(spec, "dsa") {
        // As OpenSSL chooses them, and with it Barbican.
        let q = match bits {
            1_024 => 160,
            2_048 | 3_072 | 4_096 => 256,
            _ => return None,
        };
        Some(Pair::Dsa(DsaSize { p: bits, q }))
    } else if is(spec, "ec") {
        match bits {
            256 => Some(Pair::Ec(Curve::P256)),
            384 => Some(Pair::Ec(Curve::P384)),
            521 => Some(Pair::Ec(Curve::P521)),
            _ => None,
        }
    } else if is(spec, "ed25519") {
        (bits == 256).then_some(Pair::Ed25519)
    } else {
        None
    }
}

fn is(spec: &KeySpec, algorithm: &str) -> bool {
    spec.algorithm.as_str().eq_ignore_ascii_case(algorithm)
}

fn whole_bytes(bits: u16) -> Option<usize> {
    bits.is_multiple_of(8).then_some(usize::from(bits / 8))
}

const HMACS: [&str; 4] = ["hmacsha1", "hmacsha256", "hmacsha384", "hmacsha512"];
const HMAC_BITS_MIN: u16 = 64;

/// Lengths that Barbican makes for every cipher, and those for the mode XTS,
/// which takes two keys.
const BLOCKS: &[u16] = &[64, 128, 192, 256];
const XTS: &[u16] = &[128, 256, 384, 512];

/// Lengths of one, two and three keys of DES, without parity bits.
const DES: &[u16] = &[56];
const TRIPLE_DES: &[u16] = &[56, 112, 168];
