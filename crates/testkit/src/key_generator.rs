//! A key generator whose keys anybody can guess.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use donjon_domain::{
    KeySpec, SecretBytes,
    ports::{
        Generated, GenerationError, GenerationErrorKind, GenerationRequest, KeyGenerator, KeyPair,
    },
};

use crate::entropy;

/// `KeyGenerator` for tests. The first key of every generator is the same, and
/// so on; a key pair looks like PEM and contains nothing that fits together.
///
/// It makes symmetric keys for `aes` and `hmacsha256` and pairs for `rsa` and
/// `dsa`, of any whole number of bytes, and says that pairs block.
#[derive(Debug, Default)]
pub struct FakeKeyGenerator {
    inner: Mutex<Inner>,
    released: Condvar,
    blocking: bool,
}

#[derive(Debug, Default)]
struct Inner {
    state: u64,
    made: u64,
    waiting: u64,
    held: bool,
    failures: VecDeque<GenerationErrorKind>,
}

impl FakeKeyGenerator {
    /// A generator that has made nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, saying of every request that it blocks.
    #[must_use]
    pub fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// Makes the next request fail (each call one more request).
    pub fn fail_next(&self, kind: GenerationErrorKind) {
        self.lock().failures.push_back(kind);
    }

    /// Makes requests wait until [`Self::release`] is called; after 20 seconds
    /// they fail as [`GenerationErrorKind::Unavailable`].
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Lets all requests go on that wait since [`Self::hold`].
    pub fn release(&self) {
        self.lock().held = false;
        self.released.notify_all();
    }

    /// How many keys and pairs were made.
    pub fn made(&self) -> u64 {
        self.lock().made
    }

    /// How many requests wait since [`Self::hold`].
    pub fn waiting(&self) -> u64 {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) -> Result<MutexGuard<'_, Inner>, GenerationError> {
        let mut inner = self.lock();
        inner.waiting += 1;
        let (mut inner, _) = self
            .released
            .wait_timeout_while(inner, PATIENCE, |inner| inner.held)
            .unwrap_or_else(PoisonError::into_inner);
        inner.waiting -= 1;
        if inner.held {
            return Err(GenerationError::new(GenerationErrorKind::Unavailable));
        }
        Ok(inner)
    }
}

impl KeyGenerator for FakeKeyGenerator {
    fn blocks(&self, request: GenerationRequest<'_>) -> bool {
        self.blocking || matches!(request, GenerationRequest::KeyPair(..))
    }

    fn generate(&self, request: GenerationRequest<'_>) -> Result<Generated, GenerationError> {
        let mut inner = self.wait()?;
        if let Some(kind) = inner.failures.pop_front() {
            return Err(GenerationError::new(kind));
        }
        let made = match request {
            GenerationRequest::Symmetric(spec) => {
                let bytes = supported_bytes(spec, &["aes", "hmacsha256"])?;
                Generated::Symmetric(SecretBytes::new(inner.draw(bytes)))
            }
            GenerationRequest::KeyPair(spec, passphrase) => {
                let bytes = supported_bytes(spec, &["rsa", "dsa"])?;
                let label = match passphrase {
                    None => "PRIVATE KEY",
                    Some(_) => "ENCRYPTED PRIVATE KEY",
                };
                Generated::KeyPair(KeyPair {
                    private: pem(label, &inner.draw(bytes)),
                    public: pem("PUBLIC KEY", &inner.draw(bytes)),
                })
            }
        };
        inner.made += 1;
        Ok(made)
    }
}

impl Inner {
    fn draw(&mut self, bytes: usize) -> Vec<u8> {
        entropy::bytes(&mut self.state, bytes)
    }
}

/// How many bytes the key has, where the generator makes it.
fn supported_bytes(spec: &KeySpec, algorithms: &[&str]) -> Result<usize, GenerationError> {
    let bits = spec.bit_length.get();
    let known = algorithms
        .iter()
        .any(|known| spec.algorithm.as_str().eq_ignore_ascii_case(known));
    if known && bits.is_multiple_of(8) {
        Ok(usize::from(bits / 8))
    } else {
        Err(GenerationError::new(GenerationErrorKind::Unsupported))
    }
}

/// PEM around something that begins like a DER sequence and ends as `random`.
fn pem(label: &str, random: &[u8]) -> SecretBytes {
    let length = u16::try_from(random.len()).unwrap_or(u16::MAX);
    let der = [&[0x30, 0x82], &length.to_be_bytes()[..], random].concat();
    let body: Vec<String> = der.chunks(48).map(base64).collect();
    let lines = body.join("\n");
    SecretBytes::new(format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n").into())
}

fn base64(bytes: &[u8]) -> String {
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = (0..3).fold(0, |word, at| {
                word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
            });
            (0..4).map(move |at| {
                if at > chunk.len() {
                    '='
                } else {
                    digit(word >> (18 - 6 * at) & 63)
                }
            })
        })
        .collect()
}

fn digit(value: u32) -> char {
    let at = usize::try_from(value).unwrap_or(usize::MAX);
    DIGITS.chars().nth(at).unwrap_or('=')
}

const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use std::thread;

    use donjon_domain::{BitLength, Label};

    use super::*;

    fn spec(algorithm: &str) -> KeySpec {
        KeySpec {
            name: None,
            algorithm: Label::new(algorithm.to_owned()).unwrap(),
            bit_length: BitLength::new(128).unwrap(),
            mode: None,
            expiration: None,
            content_type: None,
        }
    }

    fn key(generator: &FakeKeyGenerator) -> Result<Vec<u8>, GenerationErrorKind> {
        match generator.generate(GenerationRequest::Symmetric(&spec("aes"))) {
            Ok(Generated::Symmetric(key)) => Ok(key.expose().to_vec()),
            Ok(Generated::KeyPair(_)) => panic!("a pair was not asked for"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn two_generators_make_the_same() {
        let (one, two) = (FakeKeyGenerator::new(), FakeKeyGenerator::new());
        assert_eq!(key(&one), key(&two));
        assert_eq!(key(&one), key(&two));
        assert_eq!(one.made(), 2);
    }

    #[test]
    fn failures_come_once() {
        let generator = FakeKeyGenerator::new();
        generator.fail_next(GenerationErrorKind::Unavailable);
        generator.fail_next(GenerationErrorKind::Internal);
        assert_eq!(key(&generator), Err(GenerationErrorKind::Unavailable));
        assert_eq!(key(&generator), Err(GenerationErrorKind::Internal));
        assert_eq!(generator.made(), 0);
        assert!(key(&generator).is_ok());
    }

    #[test]
    fn requests_wait_while_they_are_held() {
        let generator = FakeKeyGenerator::new();
        generator.hold();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| key(&generator));
            while generator.waiting() == 0 {
                thread::yield_now();
            }
            assert_eq!(generator.made(), 0);
            generator.release();
            assert!(waiting.join().unwrap().is_ok());
        });
        assert_eq!((generator.made(), generator.waiting()), (1, 0));
    }

    #[test]
    fn base64_of_every_remainder() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff\xbf", "+/+/"),
        ] {
            assert_eq!(base64(bytes), expected);
        }
    }
}
