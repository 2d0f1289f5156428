//! The real clock and the real source of randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use donjon_domain::{
    Timestamp,
    ports::{Clock, Entropy},
};

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

/// The random generator of the operating system, asked anew each time: a
/// generator in the process would repeat itself after a snapshot of the
/// machine is started twice.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OsEntropy;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time comes from"
    )]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is a machine without a clock; the epoch is as good a guess.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there is nothing safe left to do: a key or a token
        // made of zeroes would be worse than a request that dies.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_of_this_century() {
        let year_2025 = Timestamp::parse_iso8601("2025").unwrap();
        let year_2100 = Timestamp::parse_iso8601("2100").unwrap();
        assert!((year_2025..year_2100).contains(&SystemClock.now()));
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(OsEntropy.uuid_v4(), OsEntropy.uuid_v4());
    }
}
