//! Removes what expired long ago, with all that hangs on it, a few rows at a
//! time, so that jobs never wait long.
//!
//! A clock that is ahead must not destroy anything. So what goes is decided by
//! what the clock said one turn before: whoever sets it right in between has
//! lost nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use donjon_domain::{Timestamp, ports::Clock};

use super::Writer;

/// When the next turn is, and what it may remove.
pub(super) struct CleanUp {
    clock: Arc<dyn Clock>,
    /// How long what expired is kept; `None` for ever.
    kept: Option<Duration>,
    due: Instant,
    /// What the clock said at the last turn.
    seen: Option<Timestamp>,
    /// What the turn under way removes: all that expired until then.
    under_way: Option<Timestamp>,
}

/// How often there is a turn.
const EVERY: Duration = Duration::from_secs(600);

/// How soon a turn goes on that has more to remove.
const PAUSE: Duration = Duration::from_millis(20);

/// Rows per transaction, of all tables together.
pub(crate) const REMOVED_AT_ONCE: usize = 64;

impl CleanUp {
    pub(super) fn new(clock: Arc<dyn Clock>, kept: Option<Duration>, now: Instant) -> Self {
        Self {
            clock,
            kept,
            due: now,
            seen: None,
            under_way: None,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Until when a secret has to have expired to be removed now, if anything
    /// may be. Begins a turn where none is under way.
    fn horizon(&mut self) -> Option<Timestamp> {
        let kept = i64::try_from(self.kept?.as_secs()).unwrap_or(i64::MAX);
        if self.under_way.is_none() {
            let now = self.clock.now();
            let before = self.seen.replace(now)?;
            self.under_way = Some(before.min(now).plus_seconds(-kept));
        }
        self.under_way
    }

    fn plan_next(&mut self, now: Instant, more: bool) {
        if !more {
            self.under_way = None;
        }
        self.due = now + if more { PAUSE } else { EVERY };
    }
}

impl Writer {
    pub(super) fn clean_up_some(&mut self, now: Instant) {
        let more = self.clean_up.horizon().is_some_and(|horizon| {
            let removed = self.run_own(move |tx| tx.clean_up(horizon, REMOVED_AT_ONCE));
            removed.is_ok_and(|removed| removed >= REMOVED_AT_ONCE)
        });
        self.clean_up.plan_next(now, more);
    }
}

#[cfg(test)]
mod tests {
    use donjon_testkit::{FixedClock, sample};

    use super::*;
    use crate::ticks;

    const KEPT: Duration = Duration::from_secs(100);

    fn clean_up(kept: Option<Duration>) -> (Arc<FixedClock>, CleanUp) {
        let clock = Arc::new(FixedClock::new(sample::NOW));
        let clean_up = CleanUp::new(clock.clone(), kept, ticks::now());
        (clock, clean_up)
    }

    fn turn(clean_up: &mut CleanUp) -> Option<Timestamp> {
        let horizon = clean_up.horizon();
        clean_up.plan_next(ticks::now(), false);
        horizon
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(sample::NOW.plus_seconds(seconds))
    }

    #[test]
    fn what_goes_was_due_a_turn_before() {
        let (clock, mut clean_up) = clean_up(Some(KEPT));
        assert_eq!(turn(&mut clean_up), None);
        clock.set(sample::NOW.plus_seconds(600));
        assert_eq!(turn(&mut clean_up), at(-100));
        assert_eq!(turn(&mut clean_up), at(500));
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_while_removes_nothing() {
        let (clock, mut clean_up) = clean_up(Some(KEPT));
        // Wrong from the start.
        clock.set(sample::NOW.plus_seconds(1_000_000));
        assert_eq!(turn(&mut clean_up), None);
        clock.set(sample::NOW);
        assert_eq!(turn(&mut clean_up), at(-100));
        // Wrong in between.
        clock.set(sample::NOW.plus_seconds(1_000_000));
        assert_eq!(turn(&mut clean_up), at(-100));
        clock.set(sample::NOW.plus_seconds(1));
        assert_eq!(turn(&mut clean_up), at(-99));
    }

    #[test]
    fn a_turn_goes_on_as_it_began() {
        let (clock, mut clean_up) = clean_up(Some(KEPT));
        let now = ticks::now();
        assert_eq!(turn(&mut clean_up), None);
        assert_eq!(clean_up.horizon(), at(-100));
        clean_up.plan_next(now, true);
        assert_eq!(clean_up.due(), now + PAUSE);
        clock.set(sample::NOW.plus_seconds(50));
        assert_eq!(clean_up.horizon(), at(-100));
        clean_up.plan_next(now, false);
        assert_eq!(clean_up.due(), now + EVERY);
    }

    #[test]
    fn for_ever_is_for_ever() {
        let (clock, mut clean_up) = clean_up(None);
        for seconds in [0, 1_000_000, 2_000_000] {
            clock.set(sample::NOW.plus_seconds(seconds));
            assert_eq!(turn(&mut clean_up), None);
        }
    }
}
