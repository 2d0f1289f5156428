//! Bytes that look random and are always the same.

use std::sync::{Mutex, PoisonError};

use donjon_domain::ports::Entropy;

/// A repeatable stream of bytes: equal seeds give equal streams. Anybody can
/// guess it.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// Starts the stream of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            let word = next(&mut state).to_le_bytes();
            for (byte, random) in chunk.iter_mut().zip(word) {
                *byte = random;
            }
        }
    }
}

/// One step of SplitMix64.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Bytes from this stream on.
pub(crate) fn bytes(state: &mut u64, count: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| next(state).to_be_bytes());
    words.flatten().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_stream() {
        let (one, two, other) = (
            SeededEntropy::new(1),
            SeededEntropy::new(1),
            SeededEntropy::new(2),
        );
        let first = one.uuid_v4();
        assert_eq!(first, two.uuid_v4());
        assert_ne!(first, one.uuid_v4());
        assert_ne!(first, other.uuid_v4());
    }

    #[test]
    fn every_length_is_filled() {
        let mut bytes = [0; 13];
        SeededEntropy::new(3).fill(&mut bytes);
        assert!(bytes.iter().filter(|byte| **byte == 0).count() < 3);
    }
}
