//! When the log (WAL) is written back into the database file.
//!
//! A passive checkpoint copies what no reader needs any more and waits for
//! nobody. One that empties the log waits for readers, unless one of the server's
//! own takes long; it is due when nothing
//! else is to do, when something was deleted, because the log still shows it,
//! and when the log has grown too long. New readers do not prolong the wait:
//! once all is copied they read the database file alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::Writer;
use crate::{
    failure::{Broken, Failure, Reach},
    settings::BUSY_TIMEOUT,
    shared::StopCause,
    ticks,
};

/// How far the log is, and what is due.
pub(super) struct Log {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicI64>,
    /// How many of them a checkpoint has copied.
    copied: i64,
    /// When a passive checkpoint is due, whatever the number of pages.
    copy_at: Option<Instant>,
    /// When the log has to be emptied for the sake of what was deleted.
    purge_at: Option<Instant>,
    /// From when on emptying the log may keep writers waiting.
    insist_at: Option<Instant>,
}

/// A passive checkpoint is due after so many pages (4 MiB) or so much time.
const COPY_PAGES: i64 = 1_000;
const COPY_AFTER: Duration = Duration::from_secs(1);

/// A longer log (32 MiB) is emptied, even if jobs have to wait.
const PAGES_MAX: i64 = 8_192;

/// After a delete the log is emptied within this time under load, or as soon
/// as there is nothing to do; and if readers are in the way, then within the
/// second time at any price. Deleted ciphertext may be in the log for 60 s.
const PURGE_AFTER: Duration = Duration::from_secs(20);
const INSIST_AFTER: Duration = Duration::from_secs(40);

/// How long jobs wait for readers when the log is emptied: a little each time,
/// then longer than any read may take.
const SHORT_WAIT: Duration = Duration::from_millis(50);
const LONG_WAIT: Duration = Duration::from_secs(8);

/// After an attempt that readers were in the way of.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What has to be done about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Copy what no reader needs, and wait for nobody.
    Copy,
    /// Copy and empty it, and wait so long for readers.
    Empty(Duration),
}

impl Log {
    /// Counts the pages of every commit on `connection`.
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI64::new(0));
        let counter = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            counter.store(i64::from(count), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            pages,
            copied: 0,
            copy_at: None,
            purge_at: None,
            insist_at: None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages() == 0
    }

    /// A batch was committed.
    pub(super) fn note_commit(&mut self, now: Instant) {
        if self.pages() < self.copied {
            // The log began anew.
            self.copied = 0;
        }
        self.copy_at.get_or_insert(now + COPY_AFTER);
    }

    /// The log shows something that was deleted.
    pub(super) fn purge_soon(&mut self, now: Instant) {
        self.purge_at.get_or_insert(now + PURGE_AFTER);
        self.insist_at.get_or_insert(now + INSIST_AFTER);
    }

    /// The pages that are in the log.
    pub(super) fn frames(&self) -> u32 {
        u32::try_from(self.pages()).unwrap_or(0)
    }

    fn pages(&self) -> i64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// While somebody reads for long, to wait for readers is in vain.
    fn due(&self, now: Instant, is_read_for_long: bool) -> Option<Due> {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_read_for_long {
            return is_past(self.copy_at).then_some(Due::Copy);
        }
        let pages = self.pages();
        if is_past(self.insist_at) || pages >= 2 * PAGES_MAX {
            Some(Due::Empty(LONG_WAIT))
        } else if is_past(self.purge_at) || pages >= PAGES_MAX {
            Some(Due::Empty(SHORT_WAIT))
        } else if pages - self.copied >= COPY_PAGES || is_past(self.copy_at) {
            Some(Due::Copy)
        } else {
            None
        }
    }

    fn note_copied(&mut self, pages: i64, copied: i64, now: Instant) {
        self.copied = copied;
        self.copy_at = (copied < pages).then_some(now + COPY_AFTER);
    }

    fn note_emptied(&mut self) {
        self.pages.store(0, Ordering::Relaxed);
        self.copied = 0;
        self.copy_at = None;
        self.purge_at = None;
        self.insist_at = None;
    }
}

impl Writer {
    /// Makes the checkpoint that is due, if one is.
    pub(super) fn checkpoint_if_due(&mut self, now: Instant) {
        match self.log.due(now, self.shared.is_read_for_long()) {
            Some(Due::Empty(wait)) => self.empty_log_within(wait),
            Some(Due::Copy) => self.copy_log(now),
            None => {}
        }
    }

    /// Empties the log while there is nothing else to do.
    pub(super) fn empty_log(&mut self) {
        let is_in_vain = self.log.is_empty() || self.shared.is_read_for_long();
        if !self.is_stopped() && !is_in_vain {
            self.empty_log_within(SHORT_WAIT);
        }
    }

    fn empty_log_within(&mut self, wait: Duration) {
        if !self.scrub_log() && self.is_stopped() {
            return;
        }
        match truncate(&self.connection, wait) {
            Ok(true) => self.log.note_emptied(),
            Ok(false) => {
                let again = ticks::now() + TRY_AGAIN_AFTER;
                self.log.copy_at = Some(again);
                self.log.purge_at = self.log.purge_at.map(|_| again);
            }
            Err(failure) => self.checkpoint_failed(failure.into()),
        }
    }

    fn copy_log(&mut self, now: Instant) {
        if !self.scrub_log() && self.is_stopped() {
            return;
        }
        match checkpoint(&self.connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok((_, pages, copied)) => self.log.note_copied(pages, copied, now),
            Err(failure) => self.checkpoint_failed(failure.into()),
        }
    }

    /// Nothing is lost by a checkpoint that fails, but a failed sync must not
    /// be tried again: the system may call the second attempt a success.
    pub(super) fn checkpoint_failed(&mut self, broken: Broken) {
        match broken.reach {
            Reach::Disk => self.stop(StopCause::Disk, &broken.why),
            Reach::Damage => self.stop(StopCause::Damage, &broken.why),
            Reach::Room => self.make_room(&broken.why),
            Reach::Transaction => tracing::warn!(why = broken.why, "checkpoint failed"),
        }
        self.log.copy_at = Some(ticks::now() + TRY_AGAIN_AFTER);
    }
}

/// Writes the whole log back and empties it. `false` where readers were in the
/// way for longer than `wait`.
pub(crate) fn truncate(connection: &Connection, wait: Duration) -> Result<bool, Failure> {
    connection.busy_timeout(wait)?;
    let done = checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let (busy, _, _) = done?;
    Ok(busy == 0)
}

/// Whether it was in the way of others, pages in the log, pages copied.
fn checkpoint(connection: &Connection, sql: &str) -> Result<(i64, i64, i64), Failure> {
    let counts = connection
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(counts)
}

#[cfg(test)]
mod tests;
