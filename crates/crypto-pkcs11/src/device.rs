//! Threads that call into the module, so that nobody else waits for a device
//! that hangs, and a pool of sessions, one to a thread.
//!
//! Invariants: there are never more sessions than configured, apart from those
//! of threads that were given up because their call did not return; a caller
//! gets an answer after the device's patience at the latest; the module is
//! begun anew only while no call is on its way.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use donjon_domain::Breaker;

use crate::{
    DeviceConfig, DeviceError, Module,
    answer::{Answer, Outcome, Slot},
    link::Link,
};

/// A token, and the threads that talk to it. They end when it is dropped.
pub struct Device(Arc<Shared>);

/// What a thread does for a caller; a second time where the session was lost.
pub(crate) type Call = Box<dyn FnMut(&Link) -> Outcome + Send>;

struct Shared {
    module: Arc<Module>,
    config: DeviceConfig,
    breaker: Breaker,
    pool: Mutex<Pool>,
    /// A call waits, or all is over.
    work: Condvar,
    /// There is something to watch again, or all is over.
    watch: Condvar,
    /// A thread has let go of the module.
    left: Condvar,
    /// What the token said to the PIN, if it did not like it.
    refused: Mutex<Option<DeviceError>>,
    /// Since when a thread logs in. One at a time, so that a wrong PIN is tried
    /// once; one that does not return holds the others up for a while only.
    connecting: Mutex<Option<Instant>>,
    turn: Condvar,
    log_ins: AtomicU64,
}

#[derive(Default)]
struct Pool {
    /// Numbers of the calls that wait for a thread.
    queue: VecDeque<u64>,
    flights: HashMap<u64, Flight>,
    next: u64,
    /// Threads, without those that were given up.
    workers: usize,
    /// Those of them that wait for a call.
    idle: usize,
    /// Threads that were given up and did not come back.
    lost: usize,
    /// All that were started and not joined.
    threads: Vec<JoinHandle<()>>,
    /// Those of them that have let go of the module.
    leaving: Vec<ThreadId>,
    is_watched: bool,
    is_over: bool,
}

/// A call that was not answered yet.
struct Flight {
    /// `None` while a thread carries it out.
    call: Option<Call>,
    deadline: Instant,
    slot: Arc<Slot>,
}

// === impl Device ===

impl Device {
    /// A device that nothing was asked of yet.
    #[must_use]
    pub fn new(module: Arc<Module>, config: DeviceConfig) -> Self {
        Self(Arc::new(Shared {
            module,
            breaker: Breaker::new(FAILURES_MAX, config.rest),
            config,
            pool: Mutex::default(),
            work: Condvar::new(),
            watch: Condvar::new(),
            left: Condvar::new(),
            refused: Mutex::default(),
            connecting: Mutex::default(),
            turn: Condvar::new(),
            log_ins: AtomicU64::new(0),
        }))
    }

    /// The module.
    #[must_use]
    pub fn module(&self) -> &Arc<Module> {
        &self.0.module
    }

    /// How the device is reached.
    #[must_use]
    pub fn config(&self) -> &DeviceConfig {
        &self.0.config
    }

    /// How often a PIN was shown to the token.
    #[must_use]
    pub fn log_ins(&self) -> u64 {
        self.0.log_ins.load(Ordering::Relaxed)
    }

    /// How many threads there are, those among them that do not come back.
    #[must_use]
    pub fn threads(&self) -> usize {
        let pool = lock(&self.0.pool);
        pool.workers + pool.lost
    }

    /// Hands a call to a thread. Never blocks.
    pub(crate) fn submit(&self, call: Call) -> Answer {
        let shared = &self.0;
        let refused = lock(&shared.refused).clone();
        if let Some(refused) = refused {
            return Answer::ready(Err(refused));
        }
        let at = now();
        if !shared.breaker.admits(at) {
            return Answer::ready(Err(DeviceError::Resting));
        }
        let mut pool = lock(&shared.pool);
        if pool.queue.len() >= QUEUE_MAX || !shared.man(&mut pool) {
            return Answer::ready(Err(DeviceError::Busy));
        }
        let slot = Arc::new(Slot::default());
        let number = pool.next;
        pool.next += 1;
        let flight = Flight {
            call: Some(call),
            deadline: at + shared.config.patience,
            slot: Arc::clone(&slot),
        };
        pool.flights.insert(number, flight);
        pool.queue.push_back(number);
        drop(pool);
        shared.work.notify_one();
        shared.watch.notify_one();
        Answer::of(&slot)
    }
}

impl Drop for Device {
    /// Waits until no thread is in the module, for modules do not bear it when
    /// the process ends meanwhile; not for those that hang.
    fn drop(&mut self) {
        let mut pool = lock(&self.0.pool);
        pool.is_over = true;
        self.0.work.notify_all();
        self.0.watch.notify_all();
        let began = now();
        while pool.workers > 0 {
            let left = PARTING.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.0.left.wait_timeout(pool, left);
            pool = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let threads = pool.take_leaving();
        drop(pool);
        // A thread is not gone before its library has cleaned up after it, which must not be while the
        // process ends, and takes no time.
        for thread in threads {
            drop(thread.join());
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Sees to it that somebody takes the next call. Whether somebody will.
    fn man(self: &Arc<Self>, pool: &mut Pool) -> bool {
        if !pool.is_watched {
            let shared = Arc::clone(self);
            pool.is_watched = spawn("donjon-hsm-watch", move || shared.watch()).is_some();
        }
        let is_short = pool.idle <= pool.queue.len() && pool.workers < self.config.sessions_max;
        if is_short && pool.lost < LOST_MAX {
            let shared = Arc::clone(self);
            if let Some(thread) = spawn("donjon-hsm", move || shared.work()) {
                pool.workers += 1;
                pool.threads.retain(|thread| !thread.is_finished());
                pool.threads.push(thread);
            }
        }
        pool.is_watched && pool.workers > 0
    }

    /// Carries out calls, until all is over or this thread was given up.
    fn work(&self) {
        let mut link = None;
        while let Some((number, mut call)) = self.next_call() {
            let outcome = self.carry_out(&mut link, &mut call);
            if !self.answer(number, outcome) {
                break;
            }
        }
        let generation = self.module.enter();
        if let Some(link) = link.filter(|link| link.generation == *generation) {
            link.close();
        }
        drop(generation);
        self.leave();
    }

    fn leave(&self) {
        let mut pool = lock(&self.pool);
        pool.workers -= 1;
        pool.leaving.push(thread::current().id());
        drop(pool);
        self.left.notify_all();
    }

    fn next_call(&self) -> Option<(u64, Call)> {
        let mut pool = lock(&self.pool);
        loop {
            if pool.is_over {
                return None;
            }
            if let Some(number) = pool.queue.pop_front() {
                // Else nobody waits for it any more.
                let flight = pool.flights.get_mut(&number);
                if let Some(call) = flight.and_then(|flight| flight.call.take()) {
                    return Some((number, call));
                }
                continue;
            }
            pool.idle += 1;
            pool = self.work.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.idle -= 1;
        }
    }

    /// Tells the caller. Whether this thread is still needed.
    fn answer(&self, number: u64, outcome: Outcome) -> bool {
        let mut pool = lock(&self.pool);
        let flight = pool.flights.remove(&number);
        let Some(flight) = flight else {
            // It came back after all.
            pool.lost -= 1;
            pool.workers += 1;
            return pool.workers <= self.config.sessions_max;
        };
        drop(pool);
        self.learn(outcome.as_ref().err());
        flight.slot.fill(outcome);
        true
    }

    /// Gives up calls whose time is over, with the threads that carry them out.
    fn watch(self: Arc<Self>) {
        let mut pool = lock(&self.pool);
        while !pool.is_over {
            let Some(first) = pool.flights.values().map(|flight| flight.deadline).min() else {
                pool = self
                    .watch
                    .wait(pool)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let at = now();
            if at < first {
                let waited = self.watch.wait_timeout(pool, first - at);
                pool = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let late: Vec<u64> = pool
                .flights
                .iter()
                .filter(|(_, flight)| flight.deadline <= at)
                .map(|(number, _)| *number)
                .collect();
            let late: Vec<Flight> = late
                .iter()
                .filter_map(|number| pool.flights.remove(number))
                .collect();
            for flight in late {
                if flight.call.is_none() {
                    pool.workers -= 1;
                    pool.lost += 1;
                }
                let error = DeviceError::TimedOut {
                    patience: self.config.patience,
                };
                self.learn(Some(&error));
                flight.slot.fill(Err(error));
            }
            let PoolSize { waiting, workers } = pool.size();
            if waiting > 0 && workers == 0 {
                self.man(&mut pool);
            }
        }
    }

    /// Counts failures that are the device's, and says when it comes and goes.
    fn learn(&self, error: Option<&DeviceError>) {
        match error {
            Some(error) if error.is_outage() => {
                if self.breaker.failed(now()) {
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        "the HSM fails; keys that were unwrapped before are served, and it is tried again \
                         every {} ms",
                        self.config.rest.as_millis()
                    );
                }
            }
            _ => {
                if self.breaker.succeeded() {
                    tracing::info!("the HSM answers again");
                }
            }
        }
    }

    // === calls ===

    fn carry_out(&self, link: &mut Option<Link>, call: &mut Call) -> Outcome {
        let mut outcome = self.attempt(link, call);
        if is_lost(&outcome) {
            // Perhaps only the session is gone.
            outcome = self.attempt(link, call);
        }
        if is_lost(&outcome) && self.module.restart() {
            outcome = self.attempt(link, call);
        }
        outcome
    }

    fn attempt(&self, link: &mut Option<Link>, call: &mut Call) -> Outcome {
        let generation = self.module.enter();
        let current = match link.take() {
            Some(link) if link.generation == *generation => link,
            // Its handle is nobody's now, or somebody else's.
            _ => self.connect(*generation)?,
        };
        let outcome = call(&current);
        if is_lost(&outcome) {
            current.close();
        } else {
            *link = Some(current);
        }
        outcome
    }

    fn connect(&self, generation: u64) -> Result<Link, DeviceError> {
        self.wait_for_turn();
        let refused = lock(&self.refused).clone();
        let opened = match refused {
            Some(refused) => Err(refused),
            None => Link::open(&self.module, &self.config, generation, &self.log_ins),
        };
        if let Err(error @ DeviceError::Pin { .. }) = &opened {
            *lock(&self.refused) = Some(error.clone());
        }
        *lock(&self.connecting) = None;
        self.turn.notify_one();
        opened
    }

    fn wait_for_turn(&self) {
        let mut since = lock(&self.connecting);
        while let Some(taken) = *since {
            let left = self.config.patience.saturating_sub(taken.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.turn.wait_timeout(since, left);
            since = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *since = Some(now());
    }
}

/// The time that threads wait by, which are no tasks of a runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "a module is waited for in real time, whatever a test makes of the runtime's"
)]
fn now() -> Instant {
    Instant::now()
}

fn is_lost(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(DeviceError::is_lost)
}

struct PoolSize {
    waiting: usize,
    workers: usize,
}

impl Pool {
    /// The threads that have let go of the module, which are about to end.
    fn take_leaving(&mut self) -> Vec<JoinHandle<()>> {
        let leaving = std::mem::take(&mut self.leaving);
        let threads = std::mem::take(&mut self.threads);
        let is_leaving = |thread: &JoinHandle<()>| leaving.contains(&thread.thread().id());
        threads.into_iter().filter(is_leaving).collect()
    }

    fn size(&self) -> PoolSize {
        PoolSize {
            waiting: self.queue.len(),
            workers: self.workers,
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    if let Err(error) = &spawned {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "no thread for the HSM"
        );
    }
    spawned.ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole at every point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("module", &self.0.module)
            .field("token", &self.0.config.token)
            .finish_non_exhaustive()
    }
}

/// Failures in a row after which it is left alone.
const FAILURES_MAX: u32 = 3;
/// How long it takes at most to let go of a device.
const PARTING: Duration = Duration::from_secs(2);
/// Calls that wait for a thread.
const QUEUE_MAX: usize = 256;
/// Threads that may hang at a time.
const LOST_MAX: usize = 16;
