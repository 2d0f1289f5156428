//! The thread that writes: the only connection that changes the database, and
//! the only one that makes checkpoints.
//!
//! Jobs that wait are run as one batch: one transaction, a savepoint for each
//! job that writes, one commit, then all answers. In between, checkpoints,
//! each after what moved rows left behind was wiped, the sweep of expired secrets
//! and the clean-up. A failed write or sync ends all of it.

mod batch;
mod checkpoint;
mod clean_up;
mod reserve;
mod scrub;
mod sweep;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use donjon_domain::ports::{Health, RepositoryError, RepositoryErrorKind, TxError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::{checkpoint::Log, clean_up::CleanUp, scrub::Scrub, sweep::Sweep};
pub(crate) use self::{checkpoint::truncate, reserve::Reserve, scrub::scrub_all};
use crate::{
    OpenError, OpenOptions,
    pending::Pending,
    readers::Readers,
    shared::{Shared, StopCause},
    ticks,
    tx::WriteTransaction,
};

/// A unit of writing, which may run more than once.
pub(crate) type Job = Box<dyn FnMut(&mut WriteTransaction<'_>) -> Result<(), TxError> + Send>;

/// A job that waits for its turn.
pub(crate) struct Queued {
    pub(crate) job: Job,
    pub(crate) reply: oneshot::Sender<Result<(), TxError>>,
}

/// Everything the thread owns.
pub(crate) struct Writer {
    connection: Connection,
    inbox: Receiver<Queued>,
    batch_jobs_max: usize,
    pending: Pending,
    log: Log,
    scrub: Scrub,
    sweep: Sweep,
    clean_up: CleanUp,
    reserve: Reserve,
    /// When the room on a full disk is looked at again.
    next_look_at_room: Instant,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
}

/// With nothing to do for so long, the log is written back and emptied.
const IDLE: Duration = Duration::from_secs(1);

/// How often a full disk is looked at.
const LOOK_AT_ROOM_EVERY: Duration = Duration::from_secs(1);

impl Writer {
    pub(crate) fn new(
        mut connection: Connection,
        inbox: Receiver<Queued>,
        options: &OpenOptions,
        reserve: Reserve,
        shared: Arc<Shared>,
        readers: Arc<Readers>,
    ) -> Result<Self, OpenError> {
        let now = ticks::now();
        Ok(Self {
            log: Log::watch(&mut connection)?,
            scrub: Scrub::new(&reserve.database),
            connection,
            inbox,
            batch_jobs_max: options.batch_jobs_max.max(1),
            pending: Pending::default(),
            sweep: Sweep::new(Arc::clone(&options.clock), now),
            clean_up: CleanUp::new(Arc::clone(&options.clock), options.expired_kept, now),
            reserve,
            next_look_at_room: now,
            shared,
            readers,
        })
    }

    /// Runs until nobody can send jobs any more and all are answered. Says
    /// whether the database was left clean.
    pub(crate) fn run(mut self) -> bool {
        loop {
            match self.inbox.recv_timeout(self.patience()) {
                Ok(first) => self.run_jobs(first),
                Err(RecvTimeoutError::Timeout) => self.empty_log(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.is_stopped() {
                self.keep_house();
            }
        }
        self.close()
    }

    fn is_stopped(&self) -> bool {
        self.shared.stopped().is_some()
    }

    /// How long to wait for a job before looking after the house.
    fn patience(&self) -> Duration {
        if self.is_stopped() {
            return Duration::from_secs(3_600);
        }
        let busy = !self.log.is_empty() || self.shared.health() == Health::Full;
        let due = self.sweep.due().min(self.clean_up.due());
        let until_due = due.saturating_duration_since(ticks::now());
        if busy { IDLE.min(until_due) } else { until_due }
    }

    fn run_jobs(&mut self, first: Queued) {
        let mut batch = Vec::with_capacity(self.batch_jobs_max);
        batch.push(first);
        while batch.len() < self.batch_jobs_max {
            match self.inbox.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        if self.is_stopped() {
            for queued in batch {
                let error = RepositoryError::new(RepositoryErrorKind::Unavailable);
                // Whoever asked may have gone.
                let _ = queued.reply.send(Err(TxError::Storage(error))).is_ok();
            }
        } else {
            self.run_batch(batch);
        }
    }

    /// Does what is due, but nothing that takes long while jobs wait.
    fn keep_house(&mut self) {
        let now = ticks::now();
        if self.pending.take_deletion() {
            self.log.purge_soon(now);
        }
        self.checkpoint_if_due(now);
        if self.shared.health() == Health::Full {
            if self.next_look_at_room <= now {
                self.next_look_at_room = now + LOOK_AT_ROOM_EVERY;
                self.look_at_room();
            }
        } else if self.sweep.due() <= now {
            self.sweep_some(now);
        } else if self.clean_up.due() <= now {
            self.clean_up_some(now);
        }
    }

    /// Notes that nothing more can be written, and why.
    fn stop(&self, cause: StopCause, why: &str) {
        tracing::error!(why, ?cause, "writes have stopped, only a restart helps");
        self.shared.stop(cause);
    }

    /// The end in order: everything into the database file, and a note that
    /// it need not be checked.
    fn close(mut self) -> bool {
        self.shared.close();
        self.readers.close();
        let clean = !self.is_stopped()
            // What is left of moved rows is looked for at the next start otherwise.
            && self.scrub_log()
            && self.mark_clean()
            && truncate(&self.connection, Duration::from_secs(5)).is_ok_and(|done| done);
        if clean {
            // The last connection to go removes the empty log.
            let switch = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.connection.set_db_config(switch, false).is_ok();
        }
        clean
    }

    fn mark_clean(&mut self) -> bool {
        self.run_own(|tx| tx.mark_clean(true)).is_ok()
    }
}
