//! `KeyGenerator` in software: which algorithms and lengths are made, by what,
//! and in which form.
//!
//! Randomness comes through the `Entropy` port alone. Private keys live in types
//! that wipe themselves; numbers that the search for primes throws away are left
//! to the allocator.

mod dsa;
mod encoding;
mod recipe;
mod rng;

use std::{fmt, sync::Arc};

use donjon_domain::{
    SecretBytes,
    ports::{
        Entropy, Generated, GenerationError, GenerationErrorKind, GenerationRequest, KeyGenerator,
        KeyPair,
    },
};
use ed25519_dalek::pkcs8::KeypairBytes;
use p256::elliptic_curve::Generate;
use zeroize::Zeroizing;

use self::{
    encoding::{Encoder, Form},
    recipe::{Curve, Pair},
    rng::EntropyRng,
};

/// Makes keys in software.
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
pub struct SoftwareGenerator {
    entropy: Arc<dyn Entropy>,
}

impl SoftwareGenerator {
    /// Draws all keys from `entropy`.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy }
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
            GenerationRequest::Symmetric(_) => false,
            GenerationRequest::KeyPair(spec, passphrase) => match recipe::pair(spec) {
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

fn unsupported() -> GenerationError {
    GenerationError::new(GenerationErrorKind::Unsupported)
}

fn internal(source: impl std::error::Error + Send + Sync + 'static) -> GenerationError {
    GenerationError::with_source(GenerationErrorKind::Internal, source)
}

#[cfg(test)]
mod tests;
