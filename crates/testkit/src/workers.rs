//! A pool without threads.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use donjon_domain::ports::{BoxFuture, QueueFull, Workers};

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
    jobs: VecDeque<BoxFuture<'static, ()>>,
    /// How many were ever started, and how many have left the queue.
    started: u64,
    left: u64,
    held: bool,
}

impl FakeWorkers {
    /// A pool in which up to four jobs wait.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room_for(4)
    }

    /// A pool in which up to so many jobs wait.
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

    /// Drops all that waits, as the end of a process does.
    pub fn drop_all(&self) {
        let dropped = {
            let mut inner = self.0.lock();
            inner.left = inner.started;
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
    fn start(&self, job: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>, QueueFull> {
        let number = self.0.push(job)?;
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

    fn push(&self, job: BoxFuture<'static, ()>) -> Result<u64, QueueFull> {
        let mut inner = self.lock();
        if inner.jobs.len() >= self.waiting_max {
            // A job may hold what comes back here when it is dropped.
            drop(inner);
            drop(job);
            return Err(QueueFull);
        }
        inner.jobs.push_back(job);
        inner.started += 1;
        Ok(inner.started)
    }

    fn is_due(&self, number: u64) -> bool {
        let inner = self.lock();
        !inner.held && inner.left < number
    }

    fn run_one(&self) -> bool {
        let job = {
            let mut inner = self.lock();
            let job = inner.jobs.pop_front();
            inner.left += u64::from(job.is_some());
            job
        };
        job.map(block_on).is_some()
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
        workers.start(Box::pin(job)).map(block_on)
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
