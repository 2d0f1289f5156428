//! `Repository` and `TokenStore` in memory, with real transactions: a job that
//! fails leaves nothing behind.
//!
//! One lock, a copy of everything per write: right for tests and nothing else.
//! Every future is ready when it is first polled.

mod list;
mod state;
mod table;
mod tokens;
mod tx;

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use donjon_domain::ports::{
    BoxFuture, Health, ReadJob, Reading, Repository, RepositoryError, RepositoryErrorKind, TxError,
    WriteJob,
};

use self::{state::State, tx::Tx};

/// Keeps everything in memory.
#[derive(Default)]
pub struct MemoryRepository {
    inner: Mutex<Inner>,
    twice: bool,
}

#[derive(Default)]
struct Inner {
    state: State,
    health: Option<Health>,
    failures: VecDeque<Option<RepositoryErrorKind>>,
    loses_outcome: bool,
}

impl MemoryRepository {
    /// An empty database.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs every job twice, as an engine that retries transactions may: the
    /// effects of the first run are thrown away. A job that is not repeatable
    /// shows it.
    #[must_use]
    pub fn running_jobs_twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// Makes the next write fail before it runs (each call one more write).
    pub fn fail_next_write(&self, kind: RepositoryErrorKind) {
        self.lock().failures.push_back(Some(kind));
    }

    /// Makes a write fail before it runs, `after` others that do not.
    pub fn fail_later_write(&self, after: usize, kind: RepositoryErrorKind) {
        let failures = &mut self.lock().failures;
        failures.extend(std::iter::repeat_n(None, after));
        failures.push_back(Some(kind));
    }

    /// Makes the next write that succeeds say that its outcome is unknown.
    pub fn lose_next_outcome(&self) {
        self.lock().loses_outcome = true;
    }

    /// What [`Repository::health`] says from now on. While it is
    /// [`Health::Stopped`] every write fails with
    /// [`RepositoryErrorKind::Unavailable`], while it is [`Health::Full`]
    /// whatever adds something fails with [`RepositoryErrorKind::Full`].
    pub fn set_health(&self, health: Health) {
        self.lock().health = Some(health);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `job` on a copy of everything, and keeps the copy where it succeeds.
    fn transact<T, E>(
        &self,
        storage: impl FnOnce(RepositoryError) -> E,
        mut job: impl FnMut(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.lock();
        if let Err(error) = inner.admit_write() {
            return Err(storage(error));
        }
        let full = inner.health() == Health::Full;
        if self.twice {
            // Its outcome is that of a transaction which never happened.
            let _ = job(&mut Tx::new(inner.state.clone(), full)).is_ok();
        }
        let mut tx = Tx::new(inner.state.clone(), full);
        let value = job(&mut tx)?;
        inner.state = tx.into_state();
        if std::mem::take(&mut inner.loses_outcome) {
            let unknown = RepositoryError::new(RepositoryErrorKind::OutcomeUnknown);
            return Err(storage(unknown));
        }
        Ok(value)
    }
}

impl Inner {
    fn health(&self) -> Health {
        self.health.unwrap_or(Health::Good)
    }

    fn admit_write(&mut self) -> Result<(), RepositoryError> {
        if let Some(kind) = self.failures.pop_front().flatten() {
            return Err(RepositoryError::new(kind));
        }
        if self.health() == Health::Stopped {
            return Err(RepositoryError::new(RepositoryErrorKind::Unavailable));
        }
        Ok(())
    }
}

impl Repository for MemoryRepository {
    fn read(&self, _reading: Reading, mut job: ReadJob) -> BoxFuture<'_, Result<(), TxError>> {
        Box::pin(async move {
            let snapshot = self.lock().state.clone();
            if self.twice {
                let _ = job(&mut Tx::new(snapshot.clone(), false)).is_ok();
            }
            job(&mut Tx::new(snapshot, false))
        })
    }

    fn write(&self, mut job: WriteJob) -> BoxFuture<'_, Result<(), TxError>> {
        Box::pin(async move { self.transact(TxError::Storage, |tx| job(tx)) })
    }

    fn health(&self) -> Health {
        self.lock().health()
    }
}

impl fmt::Debug for MemoryRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRepository")
            .field("twice", &self.twice)
            .finish_non_exhaustive()
    }
}
