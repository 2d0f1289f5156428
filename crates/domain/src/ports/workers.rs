//! Threads beside those that serve requests.

use crate::ports::{BoxFuture, Turn};

/// Runs jobs that take long: a few at once. Those of one turn are started in the
/// order in which they came; the others take turns, so that one of whom no job
/// runs waits for those in the same place alone, not for all jobs of others.
pub trait Workers: Send + Sync {
    /// Queues a job. It is polled on a thread that it may block, and runs to
    /// its end even if the result is dropped. Where the process ends before,
    /// or the job panics, it is dropped. Never blocks.
    ///
    /// The result resolves when the job has ended or was dropped, and at the
    /// latest after the time for which the operator lets a request wait.
    ///
    /// # Errors
    /// [`QueueFull`] where too many jobs of this turn wait, or of all; the job is
    /// dropped then.
    fn start(
        &self,
        turn: Turn,
        job: BoxFuture<'static, ()>,
    ) -> Result<BoxFuture<'static, ()>, QueueFull>;
}

/// Too many jobs wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many jobs wait")]
pub struct QueueFull;
