//! Monotonic time, for deadlines that have nothing to do with the time of day.

use std::time::Instant;

/// Now. Deadlines of checkpoints and scans must not move when somebody sets
/// the clock, so the `Clock` port, which tells the time of day, is no help.
#[expect(clippy::disallowed_methods, reason = "no port tells monotonic time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
