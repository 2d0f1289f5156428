//! Leaves a service or device alone that fails again and again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Closed until a number of calls in a row has failed; then it lets one call
/// through after each rest, until one succeeds.
#[derive(Debug)]
pub struct Breaker {
    failures_max: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    /// Nobody is let through before; `None` while it is closed.
    opens: Option<Instant>,
}

impl Breaker {
    /// Opens after `failures_max` (1 or more) failures in a row, and rests for
    /// `rest` then.
    #[must_use]
    pub fn new(failures_max: u32, rest: Duration) -> Self {
        Self {
            failures_max,
            rest,
            state: Mutex::new(State {
                failures: 0,
                opens: None,
            }),
        }
    }

    /// Whether a call may begin. After a rest the first one that asks may, and
    /// the others wait for another rest, unless that call succeeds before.
    pub fn admits(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match state.opens {
            None => true,
            Some(opens) if now < opens => false,
            Some(_) => {
                state.opens = Some(now + self.rest);
                true
            }
        }
    }

    /// A call succeeded. Whether calls were kept back before.
    pub fn succeeded(&self) -> bool {
        let mut state = self.lock();
        state.failures = 0;
        state.opens.take().is_some()
    }

    /// A call failed. Whether calls are kept back from now on, and were not
    /// before.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.failures_max {
            return false;
        }
        state.opens.replace(now + self.rest).is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "some instant to count from; nothing waits"
)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_rests_and_closes() {
        let breaker = Breaker::new(3, Duration::from_secs(5));
        let at = Instant::now();
        let after = |seconds| at + Duration::from_secs(seconds);
        assert!(!breaker.failed(at) && !breaker.failed(at));
        assert!(breaker.admits(at));
        assert!(breaker.failed(at), "the third opens it");
        assert!(!breaker.failed(at), "and is told once");
        assert!(!breaker.admits(after(4)));
        assert!(breaker.admits(after(5)), "one may try");
        assert!(!breaker.admits(after(5)), "the others wait");
        assert!(!breaker.failed(after(6)));
        assert!(!breaker.admits(after(10)));
        assert!(breaker.admits(after(11)));
        assert!(breaker.succeeded());
        assert!(!breaker.succeeded(), "told once");
        assert!(breaker.admits(after(11)) && breaker.admits(after(11)));
        assert!(!breaker.failed(after(11)), "it counts anew");
    }
}
