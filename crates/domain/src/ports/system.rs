//! Time and randomness come from outside, so that tests are exact.

use uuid::Builder;

use crate::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now. Never blocks.
    fn now(&self) -> Timestamp;
}

/// Draws random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with bytes that nobody can guess. May block only while the
    /// operating system has not gathered enough entropy after a boot.
    fn fill(&self, bytes: &mut [u8]);

    /// A fresh version 4 UUID.
    fn uuid_v4(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }
}
