//! A pool without threads.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use donjon_domain::ports::{BoxFuture, QueueFull, Turn, Workers};

use crate::block_on;

/// `Workers` for tests. Jobs run one after the other when somebody waits for
/// one of them, on that thread; held back, they run when the test says so.
pub struct FakeWorkers(Arc<Queue>);

#[derive(Default)]
struct Queue {
    inner: Mutex<Inner>,
    waiting_max: usize,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// Whose jobs have run, the last one at the end.
    ran: Vec<Turn>,
    /// How many were ever started.
    started: u64,
    held: bool,
}

struct Job {
    number: u64,
    turn: Turn,
    run: BoxFuture<'static, ()>,
}

impl FakeWorkers {
    /// A pool in which up to four jobs of a project wait.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(4)
    }

    /// A pool in which up to so many jobs of a project wait.
    #[must_use]
    pub fn with_room_for(waiting_max: usize) -> Self {
        Self(Arc::new(Queue {
            inner: Mutex::default(),
            waiting_max,
        }))
    }

    /// From now on nothing runs but by [`Self::run_all`], and whoever waits
    /// is told at once that it took too long.
    pub fn hold(&self) {
        self.0.lock().held = true;
    }

    /// Runs all that waits, and what that starts.
    pub fn run_all(&self) {
        while self.0.run_one() {}
    }

    /// Runs the next job that waits. Whether there was one.
    pub fn run_one(&self) -> bool {
        self.0.run_one()
    }

    /// Drops all that waits, as the end of a process does.
    pub fn drop_all(&self) {
        let dropped = {
            let mut inner = self.0.lock();
            std::mem::take(&mut inner.jobs)
        };
        drop(dropped);
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().jobs.len()
    }
}

impl Workers for FakeWorkers {
    fn start(
        &self,
        turn: Turn,
        job: BoxFuture<'static, ()>,
    ) -> Result<BoxFuture<'static, ()>, QueueFull> {
        let number = self.0.push(turn, job)?;
        let queue = Arc::clone(&self.0);
        Ok(Box::pin(async move {
            while queue.is_due(number) {
                queue.run_one();
            }
        }))
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, turn: Turn, run: BoxFuture<'static, ()>) -> Result<u64, QueueFull> {
        let mut inner = self.lock();
        let waiting = inner.jobs.iter().filter(|job| job.turn == turn).count();
        if waiting >= self.waiting_max {
            // A job may hold what comes back here when it is dropped.
            drop(inner);
            drop(run);
            return Err(QueueFull);
        }
        inner.started += 1;
        let number = inner.started;
        inner.jobs.push_back(Job { number, turn, run });
        Ok(number)
    }

    fn is_due(&self, number: u64) -> bool {
        let inner = self.lock();
        !inner.held && inner.jobs.iter().any(|job| job.number == number)
    }

    fn run_one(&self) -> bool {
        let job = {
            let mut inner = self.lock();
            inner.take()
        };
        job.map(|job| block_on(job.run)).is_some()
    }
}

impl Inner {
    /// The first job of who ran longest ago, or never.
    fn take(&mut self) -> Option<Job> {
        let last_run = |job: &Job| self.ran.iter().rposition(|turn| *turn == job.turn);
        let jobs = self.jobs.iter().enumerate();
        let (at, _) = jobs.min_by_key(|(_, job)| last_run(job))?;
        let job = self.jobs.remove(at)?;
        self.ran.push(job.turn);
        Some(job)
    }
}

impl Default for FakeWorkers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeWorkers")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(workers: &FakeWorkers, ran: &Arc<Mutex<u32>>) -> Result<(), QueueFull> {
        let ran = Arc::clone(ran);
        let job = async move { *ran.lock().unwrap() += 1 };
        workers.start(Turn::SERVER, Box::pin(job)).map(block_on)
    }

    #[test]
    fn what_is_held_back_runs_or_is_dropped_when_told() {
        let (workers, ran) = (FakeWorkers::with_room_for(2), Arc::default());
        count(&workers, &ran).unwrap();
        assert_eq!(*ran.lock().unwrap(), 1);
        workers.hold();
        count(&workers, &ran).unwrap();
        count(&workers, &ran).unwrap();
        assert_eq!(count(&workers, &ran), Err(QueueFull));
        assert_eq!((*ran.lock().unwrap(), workers.waiting()), (1, 2));
        workers.run_all();
        assert_eq!(*ran.lock().unwrap(), 3);
        count(&workers, &ran).unwrap();
        workers.drop_all();
        workers.run_all();
        assert_eq!(*ran.lock().unwrap(), 3);
        assert_eq!(Arc::strong_count(&ran), 1);
    }
}
