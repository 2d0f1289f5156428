//! `KeyGenerator`: which algorithms and lengths are made, by what, and in which
//! form.
//!
//! Keys come from software, or from a `KeySource` where there is one that makes
//! them. Randomness for all else comes through the `Entropy` port alone. Private keys live in types
//! that wipe themselves; numbers that the search for primes throws away are left
//! to the allocator.

mod dsa;
mod encoding;
mod recipe;
pub(crate) mod rng;

use std::{fmt, sync::Arc};

use donjon_domain::{
    SecretBytes,
    ports::{
        Entropy, Generated, GenerationError, GenerationErrorKind, GenerationRequest, KeyGenerator,
        KeyPair, KeySource, RawKey,
    },
};
use ed25519_dalek::pkcs8::KeypairBytes;
use p256::elliptic_curve::Generate;
use rsa::{pkcs1::DecodeRsaPrivateKey, traits::PublicKeyParts};
use zeroize::Zeroizing;

use self::{
    encoding::{Encoder, Form},
    recipe::{Curve, Pair},
    rng::EntropyRng,
};

/// Makes keys, in software unless a source makes them.
///
/// | | algorithm | bits |
/// |---|---|---|
/// | symmetric | `aes` | 64, 128, 192, 256; with mode `xts` 128, 256, 384, 512 |
/// | | `des` | the same, and 56 |
/// | | `3des`, `desede` | the same, and 56, 112, 168 |
/// | | `hmacsha1`, `hmacsha256`, `hmacsha384`, `hmacsha512` | whole bytes from 64 |
/// | pair | `rsa` (e = 65537) | 1024, 2048, 3072, 4096 |
/// | | `dsa` (new domain parameters each time) | 1024, 2048, 3072, 4096 |
/// | | `ec` (NIST curves) | 256, 384, 521 |
/// | | `ed25519` | 256 |
///
/// Symmetric keys are plain random bytes, without parity. Private keys are
/// PKCS#8, public ones SubjectPublicKeyInfo: in PEM, of DSA in DER, as Barbican
/// has them. With a passphrase that is not empty the private key is encrypted
/// (PBES2: PBKDF2 with HMAC-SHA-256 and AES-256-CBC).
///
/// A source makes all symmetric keys, and those pairs of `rsa` and `ec` that it
/// says it makes; nothing of that is made in software while it is away.
pub struct SoftwareGenerator {
    entropy: Arc<dyn Entropy>,
    source: Option<Arc<dyn KeySource>>,
}

impl SoftwareGenerator {
    /// Draws all keys from `entropy`.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            entropy,
            source: None,
        }
    }

    /// Draws keys from `source`, and from `entropy` what that does not make.
    #[must_use]
    pub fn with_source(entropy: Arc<dyn Entropy>, source: Arc<dyn KeySource>) -> Self {
        Self {
            entropy,
            source: Some(source),
        }
    }

    /// The source, where it makes such keys.
    fn source_of(&self, pair: Pair) -> Option<(&dyn KeySource, RawKey)> {
        let key = match pair {
            Pair::Rsa(bits) => RawKey::Rsa(bits),
            Pair::Ec(curve) => RawKey::Ec(curve.bits()),
            Pair::Dsa(_) | Pair::Ed25519 => return None,
        };
        let source = self.source.as_deref()?;
        source.makes(key).then_some((source, key))
    }

    /// A pair of the private key that a source has made.
    fn pair_of(
        &self,
        pair: Pair,
        raw: &[u8],
        pem: Encoder<'_>,
    ) -> Result<KeyPair, GenerationError> {
        match pair {
            Pair::Rsa(bits) => {
                let key = rsa::PrivateKey::from_pkcs1_der(raw).map_err(internal)?;
                if key.n().bit_width() != u32::from(bits) {
                    return Err(internal(WrongSize));
                }
                pem.pair(&key, key.as_public_key())
            }
            // A shorter one would do for what comes next.
            Pair::Ec(curve) if raw.len() != usize::from(curve.bits().div_ceil(8)) => {
                Err(internal(WrongSize))
            }
            Pair::Ec(Curve::P256) => {
                let key = p256::SecretKey::from_slice(raw).map_err(internal)?;
                pem.pair(&key, &key.public_key())
            }
            Pair::Ec(Curve::P384) => {
                let key = p384::SecretKey::from_slice(raw).map_err(internal)?;
                pem.pair(&key, &key.public_key())
            }
            Pair::Ec(Curve::P521) => {
                let key = p521::SecretKey::from_slice(raw).map_err(internal)?;
                pem.pair(&key, &key.public_key())
            }
            Pair::Dsa(_) | Pair::Ed25519 => Err(unsupported()),
        }
    }

    fn pair(
        &self,
        pair: Pair,
        passphrase: Option<&SecretBytes>,
    ) -> Result<KeyPair, GenerationError> {
        let rng = &mut EntropyRng(&*self.entropy);
        let pem = Encoder {
            form: Form::Pem,
            passphrase,
            entropy: &*self.entropy,
        };
        if let Some((source, key)) = self.source_of(pair) {
            return self.pair_of(pair, source.private(key)?.expose(), pem);
        }
        match pair {
            Pair::Rsa(bits) => {
                let key = rsa::PrivateKey::new(rng, usize::from(bits)).map_err(internal)?;
                pem.pair(&key, key.as_public_key())
            }
            Pair::Dsa(size) => {
                let key = dsa::generate(rng, size)?;
                let form = Form::Der;
                Encoder { form, ..pem }.pair(&key, key.verifying_key())
            }
            Pair::Ec(Curve::P256) => {
                let key = p256::SecretKey::generate_from_rng(rng);
                pem.pair(&key, &key.public_key())
            }
            Pair::Ec(Curve::P384) => {
                let key = p384::SecretKey::generate_from_rng(rng);
                pem.pair(&key, &key.public_key())
            }
            Pair::Ec(Curve::P521) => {
                let key = p521::SecretKey::generate_from_rng(rng);
                pem.pair(&key, &key.public_key())
            }
            Pair::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                self.entropy.fill(&mut *seed);
                let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
                // Version 1, without the public key: OpenSSL 3.0 reads no other.
                let private = KeypairBytes {
                    secret_key: *seed,
                    public_key: None,
                };
                pem.pair(&private, &public)
            }
        }
    }
}

impl KeyGenerator for SoftwareGenerator {
    fn blocks(&self, request: GenerationRequest<'_>) -> bool {
        match request {
            GenerationRequest::Symmetric(spec) => {
                self.source.is_some() && recipe::symmetric(spec).is_some()
            }
            GenerationRequest::KeyPair(spec, passphrase) => match recipe::pair(spec) {
                Some(pair) if self.source_of(pair).is_some() => true,
                Some(Pair::Rsa(_) | Pair::Dsa(_)) => true,
                Some(Pair::Ec(_) | Pair::Ed25519) => encoding::encrypts(passphrase),
                None => false,
            },
        }
    }

    fn generate(&self, request: GenerationRequest<'_>) -> Result<Generated, GenerationError> {
        match request {
            GenerationRequest::Symmetric(spec) => {
                let bytes = recipe::symmetric(spec).ok_or_else(unsupported)?;
                if let Some(source) = &self.source {
                    let key = source.random(bytes)?;
                    if key.len() != bytes {
                        return Err(internal(WrongSize));
                    }
                    return Ok(Generated::Symmetric(key));
                }
                let mut key = Zeroizing::new(vec![0; bytes]);
                self.entropy.fill(&mut key);
                Ok(Generated::Symmetric(SecretBytes::from_zeroizing(key)))
            }
            GenerationRequest::KeyPair(spec, passphrase) => {
                let pair = recipe::pair(spec).ok_or_else(unsupported)?;
                self.pair(pair, passphrase).map(Generated::KeyPair)
            }
        }
    }
}

impl fmt::Debug for SoftwareGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareGenerator").finish_non_exhaustive()
    }
}

/// A key that is not the one that was ordered.
#[derive(Debug, thiserror::Error)]
#[error("the source made a key of another size")]
struct WrongSize;

fn unsupported() -> GenerationError {
    GenerationError::new(GenerationErrorKind::Unsupported)
}

fn internal(source: impl std::error::Error + Send + Sync + 'static) -> GenerationError {
    GenerationError::with_source(GenerationErrorKind::Internal, source)
}

#[cfg(test)]
mod tests;
