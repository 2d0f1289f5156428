//! Storage as transactions. A use case hands over a closure, and the closure
//! is one transaction: rules stay with the use case, tables with the adapter.
//!
//! The shape fits engines that retry transactions and run on several nodes: a
//! closure may run more than once, ids and times are made outside of it, and
//! no type of a driver shows.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::ports::{BoxError, BoxFuture, ReadTx, Turn, WriteTx};

/// A unit of reading: sees one snapshot. May run more than once.
pub type ReadJob = Box<dyn FnMut(&mut dyn ReadTx) -> Result<(), TxError> + Send>;

/// A unit of writing: all or nothing. May run more than once; its reads see
/// its own writes.
pub type WriteJob = Box<dyn FnMut(&mut dyn WriteTx) -> Result<(), TxError> + Send>;

/// How long a read is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A handful of rows by key: microseconds.
    Point,
    /// A page of a list that is mostly as cheap as [`Reading::Point`]. Where it
    /// turns out not to be, the job runs again, as a scan in this turn.
    Seek(Turn),
    /// A list that may visit many rows: milliseconds, never on a thread that
    /// serves requests. Those who ask for many take turns.
    Scan(Turn),
}

/// Stores everything that lasts.
pub trait Repository: Send + Sync {
    /// Runs `job` on a snapshot. Resolves with its outcome.
    fn read(&self, reading: Reading, job: ReadJob) -> BoxFuture<'_, Result<(), TxError>>;

    /// Runs `job` in a transaction of its own. Resolves after its effects are
    /// durable, or after they were undone because it failed. The job runs to
    /// its end even if the future is dropped.
    fn write(&self, job: WriteJob) -> BoxFuture<'_, Result<(), TxError>>;

    /// How storage is.
    fn health(&self) -> Health;
}

/// How storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes work.
    Good,
    /// The disk is full: reads and deletes work.
    Full,
    /// Writes have stopped for good; only a restart helps.
    Stopped,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub enum TxError {
    /// The job gave up; what it had done is undone.
    Abandoned,
    /// Storage failed.
    Storage(RepositoryError),
}

/// Storage failed.
#[derive(Debug)]
pub struct RepositoryError {
    kind: RepositoryErrorKind,
    source: Option<BoxError>,
}

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepositoryErrorKind {
    /// Too many jobs wait; try again soon.
    Overloaded,
    /// The disk is full; creating fails until there is room.
    Full,
    /// Storage stopped; nothing helps but a restart.
    Unavailable,
    /// The commit failed in a way that leaves its outcome open.
    OutcomeUnknown,
    /// A row makes no sense.
    Corrupt,
    /// A row with this key is there already.
    Duplicate,
    /// Anything else.
    Internal,
}

// === carrying results out of a transaction ===

/// Transactions with a result.
pub trait RepositoryExt: Repository {
    /// Runs `job` on a snapshot and returns what it returned.
    fn read_with<T, E>(
        &self,
        reading: Reading,
        job: impl FnMut(&mut dyn ReadTx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static;

    /// Runs `job` in a transaction and returns what it returned; where that is
    /// an error, its writes are undone.
    fn write_with<T, E>(
        &self,
        job: impl FnMut(&mut dyn WriteTx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static;
}

impl<R: Repository + ?Sized> RepositoryExt for R {
    async fn read_with<T, E>(
        &self,
        reading: Reading,
        mut job: impl FnMut(&mut dyn ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static,
    {
        let slot = Slot::new();
        let inside = slot.clone();
        let done = self
            .read(reading, Box::new(move |tx| inside.fill(job(tx))))
            .await;
        slot.finish(done)
    }

    async fn write_with<T, E>(
        &self,
        mut job: impl FnMut(&mut dyn WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static,
    {
        let slot = Slot::new();
        let inside = slot.clone();
        let done = self.write(Box::new(move |tx| inside.fill(job(tx)))).await;
        slot.finish(done)
    }
}

/// Carries the result of the last run of a job to its caller.
struct Slot<T, E>(Arc<Mutex<Option<Result<T, E>>>>);

impl<T, E: From<RepositoryError>> Slot<T, E> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn fill(&self, result: Result<T, E>) -> Result<(), TxError> {
        let outcome = if result.is_ok() {
            Ok(())
        } else {
            Err(TxError::Abandoned)
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        outcome
    }

    fn finish(self, done: Result<(), TxError>) -> Result<T, E> {
        if let Err(TxError::Storage(error)) = done {
            return Err(error.into());
        }
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(RepositoryError::new(RepositoryErrorKind::Internal).into()))
    }
}

// === impl RepositoryError ===

impl RepositoryError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: RepositoryErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: RepositoryErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> RepositoryErrorKind {
        self.kind
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RepositoryErrorKind::Overloaded => "storage is overloaded",
            RepositoryErrorKind::Full => "storage is full",
            RepositoryErrorKind::Unavailable => "storage has stopped",
            RepositoryErrorKind::OutcomeUnknown => "outcome of the commit is unknown",
            RepositoryErrorKind::Corrupt => "stored row makes no sense",
            RepositoryErrorKind::Duplicate => "row exists",
            RepositoryErrorKind::Internal => "storage failed",
        })
    }
}

impl std::error::Error for RepositoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for TxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("transaction was given up"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Abandoned => None,
            Self::Storage(error) => Some(error),
        }
    }
}
