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

/// How often there is a sweep. One that finds nothing costs a look at an index.
const EVERY: Duration = Duration::from_secs(5);

/// How soon the next one follows where there is more to sweep.
const PAUSE: Duration = Duration::from_millis(20);

/// Secrets per transaction.
pub(crate) const SWEPT_AT_ONCE: usize = 256;

/// What expired so lately is left alone: a request that is under way may have
/// looked at the clock before. One that takes longer counts rows instead, and
/// with a longer margin a project would have more that lists have to subtract.
const MARGIN_S: i64 = 10;

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

    /// After a sweep that took so many.
    fn plan_next(&mut self, now: Instant, swept: usize) {
        let more = swept >= SWEPT_AT_ONCE;
        self.due = now + if more { PAUSE } else { EVERY };
    }
}

impl Writer {
    pub(super) fn sweep_some(&mut self, now: Instant) {
        let horizon = self.sweep.horizon();
        let swept = self.run_own(move |tx| tx.sweep(horizon, SWEPT_AT_ONCE));
        self.sweep.plan_next(now, swept.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use donjon_testkit::{FixedClock, sample};

    use super::*;
    use crate::ticks;

    #[test]
    fn what_expired_is_swept_within_some_seconds() {
        let now = ticks::now();
        let mut sweep = Sweep::new(Arc::new(FixedClock::new(sample::NOW)), now);
        let some = Duration::from_secs(15);
        let until_due = |sweep: &Sweep| sweep.due().duration_since(now);
        let margin = sample::NOW.as_micros() - sweep.horizon().as_micros();
        let margin = Duration::from_micros(u64::try_from(margin).unwrap());
        assert!(until_due(&sweep) + margin <= some);
        sweep.plan_next(now, SWEPT_AT_ONCE - 1);
        assert!(until_due(&sweep) + margin <= some);
        // A thousand expire per second, and are not left to pile up.
        sweep.plan_next(now, SWEPT_AT_ONCE);
        assert!(until_due(&sweep) <= Duration::from_millis(100));
    }
}
