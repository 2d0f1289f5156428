//! The deadlines of one connection, kept without a timer per request.
//!
//! A connection has one sleeping timer. Each phase only notes when it began or when it is due, with a few
//! relaxed stores; the task of the connection looks at [`Watch::next_due`] whenever it runs, and
//! re-arms its timer only when that lies earlier than the timer or when the timer fires too early. In steady
//! traffic that is one timer operation in ten seconds instead of two or more per request.
//!
//! Times are milliseconds since the connection began. The connection's own task writes nearly all of
//! them; atomics are here because a body may be read from another task, and no order between them matters.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// What a connection is waiting for and since when.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    head_timeout_ms: u64,
    request_timeout_ms: u64,
    write_stall_timeout_ms: u64,
    answer_timeout_ms: u64,
    linger_ms: u64,
    /// When the wait for a request head began; [`NEVER`] while a request is being answered.
    head_since: AtomicU64,
    request_due: AtomicU64,
    body_due: AtomicU64,
    /// When a write stopped making progress.
    write_since: AtomicU64,
    /// When the answer should be out that the client makes wait.
    answer_due: AtomicU64,
    linger_due: AtomicU64,
    /// Bytes came in that no request has taken up yet, or a body was left unread.
    has_unread: AtomicBool,
    body_waker: Mutex<Option<Waker>>,
}

/// The deadline that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Idle, or a request head is arriving.
    Head,
    /// The service is working.
    Request,
    /// The service waits for the request body.
    Body,
    /// The client does not take its answer.
    Write,
    /// Closed by us, the client is still sending.
    Linger,
}

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// A century: far enough for "never" and still a point in time.
const FAR_MS: u64 = 100 * 365 * 24 * 3_600_000;

impl Watch {
    pub(crate) fn new(limits: &Limits) -> Self {
        let never = || AtomicU64::new(NEVER);
        Self {
            began: Instant::now(),
            head_timeout_ms: ms(limits.head_timeout),
            request_timeout_ms: ms(limits.request_timeout),
            write_stall_timeout_ms: ms(limits.write_stall_timeout),
            answer_timeout_ms: ms(limits.answer_timeout),
            linger_ms: ms(limits.linger),
            head_since: AtomicU64::new(0),
            request_due: never(),
            body_due: never(),
            write_since: never(),
            answer_due: never(),
            linger_due: never(),
            has_unread: AtomicBool::new(false),
            body_waker: Mutex::new(None),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        ms(self.began.elapsed())
    }

    pub(crate) fn instant(&self, at: u64) -> Instant {
        self.began + Duration::from_millis(at.min(FAR_MS))
    }

    /// The nearest deadline, [`NEVER`] if there is none.
    pub(crate) fn next_due(&self) -> (u64, Phase) {
        let write_since = self.write_since.load(Relaxed);
        // While an answer is on its way out, the next request need not be on its way in.
        let head_since = if write_since == NEVER {
            self.head_since.load(Relaxed)
        } else {
            NEVER
        };
        let candidates = [
            (head_since.saturating_add(self.head_timeout_ms), Phase::Head),
            (self.request_due.load(Relaxed), Phase::Request),
            (self.body_due.load(Relaxed), Phase::Body),
            (
                write_since.saturating_add(self.write_stall_timeout_ms),
                Phase::Write,
            ),
            (self.answer_due.load(Relaxed), Phase::Write),
            (self.linger_due.load(Relaxed), Phase::Linger),
        ];
        candidates
            .into_iter()
            .min_by_key(|(due, _)| *due)
            .unwrap_or((NEVER, Phase::Head))
    }

    // Requests.

    /// A request head is complete. Its time is counted from the first [`request_waits`](Self::request_waits),
    /// which comes in the same turn: one that is answered at once costs no look at the clock.
    pub(crate) fn request_began(&self) {
        self.head_since.store(NEVER, Relaxed);
        self.has_unread.store(false, Relaxed);
    }

    /// The service needs longer. Tells whether its time is over.
    pub(crate) fn request_waits(&self) -> bool {
        let now = self.now();
        let due = self.request_due.load(Relaxed);
        if due == NEVER {
            self.request_due
                .store(now.saturating_add(self.request_timeout_ms), Relaxed);
        }
        now >= due
    }

    /// The service has answered; from here on the client has its time for the next request.
    pub(crate) fn request_ended(&self) {
        self.request_due.store(NEVER, Relaxed);
        self.head_since.store(self.now(), Relaxed);
    }

    pub(crate) fn is_reading_head(&self) -> bool {
        self.head_since.load(Relaxed) != NEVER
    }

    // Bodies.

    /// A body has nothing to read until `due`. `waker` is woken then at the latest.
    pub(crate) fn body_waits(&self, due: u64, waker: &Waker) {
        self.body_due.store(due, Relaxed);
        let mut kept = self
            .body_waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    pub(crate) fn body_moves(&self) {
        self.body_due.store(NEVER, Relaxed);
    }

    /// Lets the reader of the body see that its time is over.
    pub(crate) fn wake_body(&self) {
        let waker = self
            .body_waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    // Bytes.

    /// Something came in, or was left lying, that may be unread when the connection closes.
    pub(crate) fn note_unread(&self) {
        self.has_unread.store(true, Relaxed);
    }

    pub(crate) fn has_unread(&self) -> bool {
        self.has_unread.load(Relaxed)
    }

    pub(crate) fn write_waits(&self) {
        if self.write_since.load(Relaxed) == NEVER {
            let now = self.now();
            self.write_since.store(now, Relaxed);
            if self.answer_due.load(Relaxed) == NEVER {
                let due = now.saturating_add(self.answer_timeout_ms);
                self.answer_due.store(due, Relaxed);
            }
        }
    }

    /// All that was to be written is.
    pub(crate) fn answer_is_out(&self) {
        self.answer_due.store(NEVER, Relaxed);
    }

    /// A write went through. Reads the clock only if one had to wait before.
    pub(crate) fn write_moves(&self) {
        if self.write_since.load(Relaxed) != NEVER {
            self.write_since.store(NEVER, Relaxed);
            if self.is_reading_head() {
                self.head_since.store(self.now(), Relaxed);
            }
        }
    }

    pub(crate) fn linger_begins(&self) {
        self.linger_due
            .store(self.now().saturating_add(self.linger_ms), Relaxed);
    }
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch::new(&Limits {
            head_timeout: Duration::from_millis(1_000),
            request_timeout: Duration::from_millis(3_000),
            write_stall_timeout: Duration::from_millis(1_500),
            ..Limits::default()
        })
    }

    #[test]
    fn a_fresh_connection_waits_for_a_head() {
        assert_eq!(watch().next_due(), (1_000, Phase::Head));
    }

    #[test]
    fn phases_follow_a_request() {
        let watch = watch();
        watch.request_began();
        assert_eq!(watch.next_due().0, NEVER);
        assert!(!watch.request_waits());
        let (due, phase) = watch.next_due();
        assert_eq!(phase, Phase::Request);
        assert!((3_000..3_900).contains(&due), "{due}");
        watch.body_waits(200, Waker::noop());
        assert_eq!(watch.next_due(), (200, Phase::Body));
        watch.body_moves();
        watch.request_ended();
        assert_eq!(watch.next_due().1, Phase::Head);
    }

    #[test]
    fn progress_does_not_extend_the_time_of_an_answer() {
        let watch = Watch::new(&Limits {
            write_stall_timeout: Duration::from_millis(1_500),
            answer_timeout: Duration::from_millis(1_000),
            ..Limits::default()
        });
        watch.request_began();
        for _ in 0..3 {
            watch.write_waits();
            let (due, phase) = watch.next_due();
            assert_eq!(phase, Phase::Write);
            assert!((1_000..1_400).contains(&due), "{due}");
            watch.write_moves();
        }
        assert_eq!(watch.next_due().1, Phase::Write);
        watch.answer_is_out();
        assert_eq!(watch.next_due().0, NEVER);
    }

    #[test]
    fn a_stalled_write_suspends_the_head_deadline() {
        let watch = watch();
        watch.write_waits();
        assert_eq!(watch.next_due().1, Phase::Write);
        watch.write_moves();
        assert_eq!(watch.next_due().1, Phase::Head);
    }
}
