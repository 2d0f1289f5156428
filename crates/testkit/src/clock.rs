//! A clock that stands still.

use std::sync::atomic::{AtomicI64, Ordering};

use donjon_domain::{Timestamp, ports::Clock};

/// Shows the time it was set to, until it is set again.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_micros()))
    }

    /// Sets it, back as well as forth.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }

    /// Moves it by this many seconds (back where negative).
    pub fn advance_seconds(&self, seconds: i64) {
        self.set(self.now().plus_seconds(seconds));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_when_told() {
        let clock = FixedClock::new(Timestamp::from_micros(5));
        assert_eq!(clock.now(), Timestamp::from_micros(5));
        clock.advance_seconds(2);
        assert_eq!(clock.now(), Timestamp::from_micros(2_000_005));
        clock.set(Timestamp::from_micros(1));
        assert_eq!(clock.now(), Timestamp::from_micros(1));
    }
}
