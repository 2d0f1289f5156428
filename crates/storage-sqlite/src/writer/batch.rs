//! Runs jobs: one transaction, one commit, then all answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use donjon_domain::ports::{Health, RepositoryError, RepositoryErrorKind, TxError};
use tokio::sync::oneshot;

use super::{Job, Queued, Writer};
use crate::{
    failure::{Broken, Reach},
    readers::{execute, lock, panicked},
    shared::StopCause,
    ticks,
    tx::{RELEASE_JOB, ROLLBACK_JOB, WriteTransaction},
};

type Outcome = Result<(), TxError>;

impl Writer {
    /// Runs a batch and answers it. Jobs are answered after the commit, failed
    /// ones too, because they may have seen what a neighbour wrote.
    pub(super) fn run_batch(&mut self, mut batch: Vec<Queued>) {
        let mut done = self.attempt(&mut batch);
        if let Err(broken) = &done
            && broken.reach == Reach::Room
        {
            self.undo();
            self.make_room(&broken.why);
            // With creates refused and the ballast gone, deletes may work.
            done = self.attempt(&mut batch);
        }
        match done {
            Ok(outcomes) => answer(batch, outcomes),
            Err(broken) => {
                let kind = self.fail(&broken);
                let all = batch.iter().map(|_| Err(storage(kind))).collect();
                answer(batch, all);
            }
        }
    }

    /// Runs a job of the writer's own, and returns what it returned.
    pub(super) fn run_own<T: Send + 'static>(
        &mut self,
        mut job: impl FnMut(&mut WriteTransaction<'_>) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, TxError> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let job: Job = Box::new(move |tx| {
            *lock(&slot) = Some(job(tx).map_err(TxError::Storage)?);
            Ok(())
        });
        let (reply, mut answer) = oneshot::channel();
        self.run_batch(vec![Queued { job, reply }]);
        let outcome = answer.try_recv();
        outcome.unwrap_or_else(|_| Err(storage(RepositoryErrorKind::Internal)))?;
        lock(&result)
            .take()
            .ok_or_else(|| storage(RepositoryErrorKind::Internal))
    }

    /// Runs all jobs in one transaction and commits it.
    fn attempt(&mut self, batch: &mut [Queued]) -> Result<Vec<Outcome>, Broken> {
        execute(&self.connection, "BEGIN IMMEDIATE")?;
        let changes_before = self.connection.total_changes();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut writes = false;
        for queued in &mut *batch {
            let (outcome, wrote) = self.run_job(&mut queued.job)?;
            writes |= wrote && outcome.is_ok();
            outcomes.push(outcome);
        }
        let changes = self.connection.total_changes() != changes_before || self.pending.has_moved();
        if writes && changes {
            self.pending.flush(&self.connection)?;
            #[cfg(feature = "danger-ack-before-commit")]
            answer_early(batch, &mut outcomes);
            execute(&self.connection, "COMMIT")?;
            self.pending.keep_batch();
            self.log.note_commit(ticks::now());
        } else {
            execute(&self.connection, "ROLLBACK")?;
        }
        Ok(outcomes)
    }

    /// Runs one job; a failed one is undone. Also says whether it wrote.
    fn run_job(&mut self, job: &mut Job) -> Result<(Outcome, bool), Broken> {
        let full = self.shared.health() == Health::Full;
        let mut tx = WriteTransaction::new(&self.connection, &mut self.pending, full);
        let done = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
        let wrote = tx.wrote();
        if let Some(broken) = tx.take_broken() {
            return Err(broken);
        }
        let outcome = done.unwrap_or_else(|_panic| Err(panicked()));
        if outcome.is_ok() {
            if wrote {
                execute(&self.connection, RELEASE_JOB)?;
            }
            self.pending.keep_job();
        } else {
            if wrote {
                execute(&self.connection, ROLLBACK_JOB)?;
                execute(&self.connection, RELEASE_JOB)?;
            }
            self.pending.undo_job();
        }
        Ok((outcome, wrote))
    }

    /// Gives up a batch: undoes it, stops where that is all that is left, and
    /// says what its jobs get to know.
    fn fail(&mut self, broken: &Broken) -> RepositoryErrorKind {
        match broken.reach {
            Reach::Disk => {
                self.stop(StopCause::Disk, &broken.why);
                RepositoryErrorKind::OutcomeUnknown
            }
            Reach::Damage => {
                self.undo();
                self.stop(StopCause::Damage, &broken.why);
                RepositoryErrorKind::Corrupt
            }
            Reach::Room => {
                self.undo();
                RepositoryErrorKind::Full
            }
            Reach::Transaction => {
                tracing::error!(why = broken.why, "batch undone");
                self.undo();
                RepositoryErrorKind::Internal
            }
        }
    }

    /// Undoes the transaction under way, if SQLite has not done so itself.
    pub(super) fn undo(&mut self) {
        self.pending.undo_batch();
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(failure) = execute(&self.connection, "ROLLBACK") {
            self.stop(StopCause::Defect, &failure.to_string());
        }
    }
}

/// Answers before the commit, as nobody should: the crash harness has to find
/// out that something is lost.
#[cfg(feature = "danger-ack-before-commit")]
#[expect(
    clippy::disallowed_methods,
    reason = "the time between answer and commit is what is wanted"
)]
fn answer_early(batch: &mut [Queued], outcomes: &mut [Outcome]) {
    for (queued, outcome) in batch.iter_mut().zip(outcomes) {
        let (nobody, _) = oneshot::channel();
        let reply = std::mem::replace(&mut queued.reply, nobody);
        let _ = reply.send(std::mem::replace(outcome, Ok(()))).is_ok();
    }
    // A kill has to fall between answer and commit often enough to be seen.
    std::thread::sleep(std::time::Duration::from_millis(5));
}

fn answer(batch: Vec<Queued>, outcomes: Vec<Outcome>) {
    for (queued, outcome) in batch.into_iter().zip(outcomes) {
        // Whoever asked may have gone.
        let _ = queued.reply.send(outcome).is_ok();
    }
}

fn storage(kind: RepositoryErrorKind) -> TxError {
    TxError::Storage(RepositoryError::new(kind))
}
