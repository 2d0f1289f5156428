//! Threads on which orders are carried out that take long, so that requests
//! have theirs for themselves. What waits here waits in the database too: a
//! job that is dropped is only begun anew.

use std::{
    fmt, io,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use donjon_domain::ports::{BoxFuture, QueueFull, Workers};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

/// Jobs that wait. Each is small; what it is about is read when it runs.
const WAITING_MAX: usize = 64;

/// How many threads there are, and how long requests wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    pub(crate) threads: NonZero<usize>,
    pub(crate) wait: Duration,
}

/// The threads. They end when this is dropped, each after its job.
pub(crate) struct WorkerThreads {
    runtime: Handle,
    wait: Duration,
    queue: Mutex<Option<SyncSender<Task>>>,
    is_stopping: Arc<AtomicBool>,
    /// Ends when the last thread does.
    alive: Mutex<Option<mpsc::Receiver<()>>>,
}

struct Task {
    job: BoxFuture<'static, ()>,
    /// Dropped after the job.
    _ended: oneshot::Sender<()>,
}

impl WorkerThreads {
    /// Starts the threads. To be called on a runtime, on which what jobs wait
    /// for goes on.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn start(settings: WorkerSettings) -> io::Result<Self> {
        let (queue, tasks) = sync_channel(WAITING_MAX);
        let (is_alive, alive) = mpsc::channel(1);
        let tasks = Arc::new(Mutex::new(tasks));
        let is_stopping = Arc::new(AtomicBool::new(false));
        for number in 1..=settings.threads.get() {
            let worker = Worker {
                runtime: Handle::current(),
                tasks: Arc::clone(&tasks),
                is_stopping: Arc::clone(&is_stopping),
                _is_alive: is_alive.clone(),
            };
            thread::Builder::new()
                .name(format!("order-{number}"))
                .spawn(move || worker.run())?;
        }
        Ok(Self {
            runtime: Handle::current(),
            wait: settings.wait,
            queue: Mutex::new(Some(queue)),
            is_stopping,
            alive: Mutex::new(Some(alive)),
        })
    }

    /// Drops what waits and waits for what runs, up to `patience`. Whether all
    /// has ended. What has not is begun anew at the next start.
    pub(crate) async fn stop(&self, patience: Duration) -> bool {
        self.is_stopping.store(true, Ordering::Relaxed);
        drop(lock(&self.queue).take());
        let alive = lock(&self.alive).take();
        match alive {
            Some(mut alive) => timeout(patience, alive.recv()).await.is_ok(),
            None => true,
        }
    }
}

impl Workers for WorkerThreads {
    fn start(&self, job: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>, QueueFull> {
        let (sender, ended) = oneshot::channel();
        let task = Task {
            job,
            _ended: sender,
        };
        // A full queue, or one that is closed because the server stops.
        let queued = match &*lock(&self.queue) {
            Some(queue) => queue.try_send(task).map_err(drop),
            None => Err(()),
        };
        queued.map_err(|()| QueueFull)?;
        let waited = {
            let _on_runtime = self.runtime.enter();
            sleep(self.wait)
        };
        Ok(Box::pin(async move {
            tokio::select! {
                _ = ended => {}
                () = waited => {}
            }
        }))
    }
}

/// For verbs that only look.
#[derive(Debug)]
pub(crate) struct NoWorkers;

impl Workers for NoWorkers {
    fn start(&self, _job: BoxFuture<'static, ()>) -> Result<BoxFuture<'static, ()>, QueueFull> {
        Err(QueueFull)
    }
}

struct Worker {
    runtime: Handle,
    tasks: Arc<Mutex<Receiver<Task>>>,
    is_stopping: Arc<AtomicBool>,
    _is_alive: mpsc::Sender<()>,
}

impl Worker {
    fn run(self) {
        loop {
            // In a statement of its own, for the lock must not last.
            let task = lock(&self.tasks).recv();
            let Ok(Task { job, _ended }) = task else {
                return;
            };
            if self.is_stopping.load(Ordering::Relaxed) {
                continue;
            }
            let run = || self.runtime.block_on(job);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                tracing::error!("the job of an order panicked; the order waits");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for WorkerThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerThreads")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Deref;

    use donjon_testkit::block_on;
    use tokio::runtime::Runtime;

    use super::*;

    struct Pool {
        threads: WorkerThreads,
        _runtime: Runtime,
    }

    impl Deref for Pool {
        type Target = WorkerThreads;

        fn deref(&self) -> &WorkerThreads {
            &self.threads
        }
    }

    fn pool(threads: usize, wait: Duration) -> Pool {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let settings = WorkerSettings {
            threads: NonZero::new(threads).unwrap(),
            wait,
        };
        let started = runtime.block_on(async { WorkerThreads::start(settings) });
        Pool {
            threads: started.unwrap(),
            _runtime: runtime,
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    donjon_testkit::workers_contract!(pool(1, LONG));

    /// A job that ends when the other end says so.
    fn gated() -> (oneshot::Sender<()>, BoxFuture<'static, ()>) {
        let (open, gate) = oneshot::channel();
        (open, Box::pin(async move { drop(gate.await) }))
    }

    #[test]
    fn nobody_waits_for_longer_than_allowed() {
        let pool = pool(1, Duration::from_millis(5));
        let (open, job) = gated();
        block_on(pool.threads.start(job).unwrap());
        // It runs on: the next one ends after it.
        open.send(()).unwrap();
        let (ran, runs) = oneshot::channel();
        let next = Box::pin(async move {
            let _ = ran.send(());
        });
        drop(pool.threads.start(next).unwrap());
        block_on(runs).unwrap();
    }

    #[test]
    fn a_panic_costs_one_job() {
        let pool = pool(1, LONG);
        let panics = Box::pin(async { panic!("as the test wants it") });
        block_on(pool.threads.start(panics).unwrap());
        let (ran, runs) = oneshot::channel();
        let next = Box::pin(async move {
            let _ = ran.send(());
        });
        block_on(pool.threads.start(next).unwrap());
        block_on(runs).unwrap();
    }

    #[test]
    fn several_threads_work_side_by_side() {
        let pool = pool(2, LONG);
        let (open, job) = gated();
        let first = pool.threads.start(job).unwrap();
        // Were there one thread, nobody would open the gate.
        let opens = Box::pin(async move {
            let _ = open.send(());
        });
        block_on(pool.threads.start(opens).unwrap());
        block_on(first);
    }

    #[test]
    fn a_stop_waits_for_what_runs_and_drops_what_waits() {
        let pool = pool(1, LONG);
        let (open, job) = gated();
        let (began, begins) = oneshot::channel();
        let running = Box::pin(async move {
            let _ = began.send(());
            job.await;
        });
        let running = pool.threads.start(running).unwrap();
        block_on(begins).unwrap();
        let (ran, never) = oneshot::channel();
        let waiting = Box::pin(async move {
            let _ = ran.send(());
        });
        let waiting = pool.threads.start(waiting).unwrap();
        let stopped = pool
            ._runtime
            .block_on(pool.threads.stop(Duration::from_millis(5)));
        assert!(!stopped, "the job runs");
        open.send(()).unwrap();
        block_on(running);
        block_on(waiting);
        assert!(block_on(never).is_err());
        let late = pool.threads.start(Box::pin(async {}));
        assert!(matches!(late, Err(QueueFull)));
    }

    #[test]
    fn idle_threads_end_with_a_stop() {
        let pool = pool(3, LONG);
        assert!(pool._runtime.block_on(pool.threads.stop(LONG)));
    }
}
