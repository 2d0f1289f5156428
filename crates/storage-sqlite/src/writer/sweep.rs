//! Takes expired secrets out of the counts, a few at a time, so that lists need
//! not subtract more and more of them. The secrets themselves stay, as Barbican
//! keeps them.
//!
//! If the clock goes back, what was taken out too early is brought back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use donjon_domain::{Timestamp, ports::Clock};

use super::Writer;

/// When the next sweep is, and by which clock.
pub(super) struct Sweep {
    clock: Arc<dyn Clock>,
    due: Instant,
}

/// How often there is a sweep.
const EVERY: Duration = Duration::from_secs(30);

/// How soon the next one follows where there is more to sweep.
const PAUSE: Duration = Duration::from_millis(20);

/// Secrets per transaction.
pub(crate) const SWEPT_AT_ONCE: usize = 256;

/// What expired so lately is left alone: a request that is under way may have
/// looked at the clock before.
const MARGIN_S: i64 = 60;

impl Sweep {
    pub(super) fn new(clock: Arc<dyn Clock>, now: Instant) -> Self {
        Self {
            clock,
            due: now + EVERY,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    fn horizon(&self) -> Timestamp {
        self.clock.now().plus_seconds(-MARGIN_S)
    }
}

impl Writer {
    pub(super) fn sweep_some(&mut self, now: Instant) {
        let horizon = self.sweep.horizon();
        let swept = self.run_own(move |tx| tx.sweep(horizon, SWEPT_AT_ONCE));
        let more = swept.is_ok_and(|swept| swept >= SWEPT_AT_ONCE);
        self.sweep.due = now + if more { PAUSE } else { EVERY };
    }
}
