//! Threads on which orders are carried out that take long, so that requests
//! have theirs for themselves. Projects take turns. What waits here waits in the
//! database too: a job that is dropped is only begun anew.

use std::{
    fmt, io,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use donjon_domain::ports::{BoxFuture, Lane, QueueFull, Turn, Turns, Workers};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

/// Jobs of one project that wait. Enough that a thread finds one when it is free;
/// the others wait in the database.
const WAITING_MAX: usize = 4;

/// So many projects may have as many waiting. Each job is small; what it is about
/// is read when it runs.
const PROJECTS_FULL: usize = 256;

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
    tasks: Arc<Turns<Task>>,
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
        let threads = settings.threads.get();
        let tasks = Arc::new(Turns::new(threads, WAITING_MAX, PROJECTS_FULL));
        let (is_alive, alive) = mpsc::channel(1);
        let is_stopping = Arc::new(AtomicBool::new(false));
        for number in 1..=threads {
            let worker = Worker {
                runtime: Handle::current(),
                tasks: Arc::clone(&tasks),
                is_stopping: Arc::clone(&is_stopping),
                _is_alive: is_alive.clone(),
            };
            let started = thread::Builder::new()
                .name(format!("order-{number}"))
                .spawn(move || worker.run());
            if let Err(error) = started {
                tasks.close();
                return Err(error);
            }
        }
        Ok(Self {
            runtime: Handle::current(),
            wait: settings.wait,
            tasks,
            is_stopping,
            alive: Mutex::new(Some(alive)),
        })
    }

    /// Drops what waits and waits for what runs, up to `patience`. Whether all
    /// has ended. What has not is begun anew at the next start.
    pub(crate) async fn stop(&self, patience: Duration) -> bool {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.tasks.close();
        let alive = lock(&self.alive).take();
        match alive {
            Some(mut alive) => timeout(patience, alive.recv()).await.is_ok(),
            None => true,
        }
    }
}

impl Workers for WorkerThreads {
    fn start(
        &self,
        turn: Turn,
        job: BoxFuture<'static, ()>,
    ) -> Result<BoxFuture<'static, ()>, QueueFull> {
        let (sender, ended) = oneshot::channel();
        let task = Task {
            job,
            _ended: sender,
        };
        // A full queue, or one that is closed because the server stops.
        self.tasks.push(turn, task).map_err(|_full| QueueFull)?;
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
    fn start(
        &self,
        _turn: Turn,
        _job: BoxFuture<'static, ()>,
    ) -> Result<BoxFuture<'static, ()>, QueueFull> {
        Err(QueueFull)
    }
}

struct Worker {
    runtime: Handle,
    tasks: Arc<Turns<Task>>,
    is_stopping: Arc<AtomicBool>,
    _is_alive: mpsc::Sender<()>,
}

impl Worker {
    fn run(self) {
        while let Some((turn, Task { job, _ended })) = self.tasks.next(Lane::Projects) {
            if self.is_stopping.load(Ordering::Relaxed) {
                drop(job);
            } else {
                let run = || self.runtime.block_on(job);
                if catch_unwind(AssertUnwindSafe(run)).is_err() {
                    tracing::error!("the job of an order panicked; the order waits");
                }
            }
            // Before whoever waits for the end learns of it.
            self.tasks.finish(turn);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads end after what they do. After a stop they have been told already.
impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.tasks.close();
    }
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

    use donjon_domain::ProjectId;
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

    fn turn(project: &str) -> Turn {
        Turn::of(&ProjectId::new(project))
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
        block_on(pool.threads.start(turn("a"), job).unwrap());
        // It runs on: the next one ends after it.
        open.send(()).unwrap();
        let (ran, runs) = oneshot::channel();
        let next = Box::pin(async move {
            let _ = ran.send(());
        });
        drop(pool.threads.start(turn("a"), next).unwrap());
        block_on(runs).unwrap();
    }

    #[test]
    fn a_panic_costs_one_job() {
        let pool = pool(1, LONG);
        let panics = Box::pin(async { panic!("as the test wants it") });
        block_on(pool.threads.start(turn("a"), panics).unwrap());
        let (ran, runs) = oneshot::channel();
        let next = Box::pin(async move {
            let _ = ran.send(());
        });
        block_on(pool.threads.start(turn("a"), next).unwrap());
        block_on(runs).unwrap();
    }

    #[test]
    fn several_threads_work_side_by_side() {
        let pool = pool(2, LONG);
        let (open, job) = gated();
        let first = pool.threads.start(turn("a"), job).unwrap();
        // Were there one thread, nobody would open the gate.
        let opens = Box::pin(async move {
            let _ = open.send(());
        });
        block_on(pool.threads.start(turn("b"), opens).unwrap());
        block_on(first);
    }

    #[test]
    fn a_project_leaves_a_thread_to_others() {
        let pool = pool(2, LONG);
        let gates: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let (open, job) = gated();
                drop(pool.threads.start(turn("a"), job).unwrap());
                open
            })
            .collect();
        // The gates of all the others are shut.
        block_on(pool.threads.start(turn("b"), Box::pin(async {})).unwrap());
        drop(gates);
    }

    /// With one thread, while a job of one project runs and others of it wait.
    #[test]
    fn the_next_job_is_of_who_has_none_running() {
        let pool = pool(1, LONG);
        let (open, first) = gated();
        let (began, begins) = oneshot::channel();
        let first = Box::pin(async move {
            let _ = began.send(());
            first.await;
        });
        drop(pool.threads.start(turn("a"), first).unwrap());
        block_on(begins).unwrap();
        let gates: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let (open, job) = gated();
                drop(pool.threads.start(turn("a"), job).unwrap());
                open
            })
            .collect();
        let other = pool.threads.start(turn("b"), Box::pin(async {})).unwrap();
        open.send(()).unwrap();
        block_on(other);
        drop(gates);
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
        let running = pool.threads.start(turn("a"), running).unwrap();
        block_on(begins).unwrap();
        let (ran, never) = oneshot::channel();
        let waiting = Box::pin(async move {
            let _ = ran.send(());
        });
        let waiting = pool.threads.start(turn("a"), waiting).unwrap();
        let stopped = pool
            ._runtime
            .block_on(pool.threads.stop(Duration::from_millis(5)));
        assert!(!stopped, "the job runs");
        open.send(()).unwrap();
        block_on(running);
        block_on(waiting);
        assert!(block_on(never).is_err());
        let late = pool.threads.start(turn("a"), Box::pin(async {}));
        assert!(matches!(late, Err(QueueFull)));
    }

    #[test]
    fn idle_threads_end_with_a_stop() {
        let pool = pool(3, LONG);
        assert!(pool._runtime.block_on(pool.threads.stop(LONG)));
    }
}
