//! A key source whose keys anybody can guess.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use donjon_domain::{
    SecretBytes,
    ports::{GenerationError, GenerationErrorKind, KeySource, RawKey},
};

use crate::entropy;

/// `KeySource` for tests. It makes random bytes and keys on curves; the first
/// key of every source is the same, and so on.
#[derive(Debug, Default)]
pub struct FakeKeySource {
    state: Mutex<u64>,
    made: AtomicUsize,
    is_away: AtomicBool,
}

impl FakeKeySource {
    /// A source that has made nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on it is out of reach, or in reach again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// How many keys it has made.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    fn draw(&self, bytes: usize) -> Result<Vec<u8>, GenerationError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(GenerationError::new(GenerationErrorKind::Unavailable));
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(entropy::bytes(&mut state, bytes))
    }
}

impl KeySource for FakeKeySource {
    fn random(&self, bytes: usize) -> Result<SecretBytes, GenerationError> {
        Ok(SecretBytes::new(self.draw(bytes)?))
    }

    fn makes(&self, key: RawKey) -> bool {
        matches!(key, RawKey::Ec(256 | 384 | 521))
    }

    fn private(&self, key: RawKey) -> Result<SecretBytes, GenerationError> {
        match key {
            RawKey::Ec(bits) if self.makes(key) => {
                let mut scalar = self.draw(usize::from(bits.div_ceil(8)))?;
                // Less than the order of the group, whichever it is.
                if let Some(first) = scalar.first_mut() {
                    *first = 0;
                }
                Ok(SecretBytes::new(scalar))
            }
            _ => Err(GenerationError::new(GenerationErrorKind::Unsupported)),
        }
    }
}
