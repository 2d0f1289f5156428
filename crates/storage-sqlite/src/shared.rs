//! What the writer tells the others: how storage is, and that it stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    thread,
};

use donjon_domain::ports::Health;
use tokio::sync::watch;

/// Why writes have stopped for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopCause {
    /// A write or a sync failed: what is on the disk is not known. The next
    /// start reads it back.
    Disk,
    /// The database is damaged. A restart does not help; a backup does.
    Damage,
    /// The writer met a defect of its own.
    Defect,
}

/// Read by everybody, written by the writer, and by readers that take long.
#[derive(Debug)]
pub(crate) struct Shared {
    health: AtomicU8,
    is_closing: AtomicBool,
    long_reads: AtomicUsize,
    stopped: watch::Sender<Option<StopCause>>,
}

/// Stops everything where the thread that owns it panics: nobody else would
/// notice that there is no writer any more.
#[derive(Debug)]
pub(crate) struct StopOnPanic(pub(crate) Arc<Shared>);

const GOOD: u8 = 0;
const FULL: u8 = 1;
const STOPPED: u8 = 2;

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            health: AtomicU8::new(GOOD),
            is_closing: AtomicBool::new(false),
            long_reads: AtomicUsize::new(0),
            stopped: watch::Sender::new(None),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            GOOD => Health::Good,
            FULL => Health::Full,
            _ => Health::Stopped,
        }
    }

    /// Notes whether the disk is full. Stopped storage stays stopped.
    pub(crate) fn set_full(&self, full: bool) {
        let (from, to) = if full { (GOOD, FULL) } else { (FULL, GOOD) };
        // Where it fails, the health is the wanted one already, or stopped.
        let _ = self
            .health
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
    }

    /// No new jobs are taken, and those end that may take as long as they like.
    pub(crate) fn begin_closing(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Whether to wait for readers is in vain: one takes longer than others may.
    pub(crate) fn is_read_for_long(&self) -> bool {
        self.long_reads.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn begin_long_read(&self) {
        self.long_reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end_long_read(&self) {
        self.long_reads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Writes have ended in order.
    pub(crate) fn close(&self) {
        self.health.store(STOPPED, Ordering::Release);
    }

    /// Writes have stopped; the first cause stays.
    pub(crate) fn stop(&self, cause: StopCause) {
        self.health.store(STOPPED, Ordering::Release);
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                *stopped = Some(cause);
            }
            first
        });
    }

    pub(crate) fn stopped(&self) -> Option<StopCause> {
        *self.stopped.borrow()
    }

    pub(crate) fn watch_stop(&self) -> watch::Receiver<Option<StopCause>> {
        self.stopped.subscribe()
    }
}

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!("the writer panicked: writes have stopped");
            self.0.stop(StopCause::Defect);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopped_storage_stays_stopped() {
        let shared = Shared::new();
        shared.set_full(true);
        assert_eq!(shared.health(), Health::Full);
        shared.set_full(false);
        assert_eq!(shared.health(), Health::Good);
        shared.stop(StopCause::Disk);
        shared.stop(StopCause::Damage);
        for full in [true, false] {
            shared.set_full(full);
            assert_eq!(shared.health(), Health::Stopped);
        }
        assert_eq!(shared.stopped(), Some(StopCause::Disk));
    }

    #[test]
    fn a_panic_stops_and_an_end_does_not() {
        let shared = Arc::new(Shared::new());
        drop(StopOnPanic(Arc::clone(&shared)));
        assert_eq!(shared.stopped(), None);
        let guard = StopOnPanic(Arc::clone(&shared));
        let ended = thread::spawn(move || {
            let _guard = guard;
            panic!("a defect");
        });
        assert!(ended.join().is_err());
        assert_eq!(shared.stopped(), Some(StopCause::Defect));
    }
}
