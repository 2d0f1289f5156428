//! Connections that read. Each transaction sees one snapshot of the WAL.
//!
//! Point reads run on their caller's thread. A thread has a favourite
//! connection, so that its page cache is of use, and takes another one where
//! that is busy, and has to give it back: what takes more steps than
//! [`SEEK_LOOKS_MAX`] stands for is no seek but a scan. Scans run on threads of
//! their own, and are ended where they take longer than [`SCAN_TIME_MAX`]: a
//! checkpoint waits for every reader. Those of the server itself, which walk
//! whole tables, have a thread of their own and go on until storage is closed;
//! from that time on no checkpoint waits for them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use donjon_domain::ports::{Lane, RepositoryError, RepositoryErrorKind, Turns, TxError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    OpenError, check,
    failure::{Broken, Failure, Reach},
    settings::{self, Role},
    shared::{Shared, StopCause},
    ticks,
    tx::{ProjectNames, ReadTransaction},
};

/// A scan of a project that takes longer is given up as overload.
const SCAN_TIME_MAX: Duration = Duration::from_secs(5);

/// A read by key that takes longer is given up as overload: its thread serves
/// others too.
const POINT_TIME_MAX: Duration = Duration::from_secs(1);

/// So many projects may have all the scans waiting that one may have.
const PROJECTS_FULL: usize = 16;

/// After so many steps of SQLite's machine a reader looks at the time: some ten
/// microseconds, or some ten milliseconds where the steps match patterns.
const STEPS_PER_LOOK: i32 = 2_000;

/// A seek that looks so often is none: 32,000 steps pass some 6,000 blocks of 256
/// rows, or some 5,000 secrets that expired and were not swept yet.
const SEEK_LOOKS_MAX: u32 = 16;

/// Memory for pages that all point readers share out. With two of them the index
/// over the ids of 200,000 secrets fits in each.
const POINTS_CACHE_KIB: u32 = 16 << 10;

/// Memory for pages of one scan, which reads most of them once.
const SCAN_CACHE_KIB: u32 = 2 << 10;

/// A scan that waits for its thread.
pub(crate) type ScanJob = Box<dyn FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError> + Send>;

pub(crate) struct Scan {
    pub(crate) job: ScanJob,
    pub(crate) reply: oneshot::Sender<Result<(), TxError>>,
}

/// Where what a look at the whole file found goes to.
pub(crate) type CheckReply = oneshot::Sender<Result<Vec<String>, RepositoryError>>;

/// All connections that read.
pub(crate) struct Readers {
    points: Vec<Slot>,
    scans: Vec<Slot>,
    /// Held while the whole file is looked at, by one at a time.
    checking: Mutex<()>,
    path: PathBuf,
    scan_time_max: Duration,
    shared: Arc<Shared>,
}

/// A connection; `None` once storage was closed.
type Slot = Mutex<Option<Reader>>;

struct Reader {
    connection: Connection,
    names: ProjectNames,
    /// What is left to the transaction; `None` where there is none.
    allowance: Arc<Mutex<Option<Allowance>>>,
    shared: Arc<Shared>,
}

/// What a transaction may take before it is ended.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    until: Instant,
    looks: u32,
    /// Whether it may go on after its time, until storage is closed.
    is_patient: bool,
    /// Whether it does so.
    is_long: bool,
    is_used_up: bool,
}

/// How a transaction ended.
struct Outcome {
    done: Result<(), TxError>,
    /// What took it down.
    broken: Option<Broken>,
    /// Whether it was ended because its [`Allowance`] was used up.
    is_cut: bool,
}

// === impl Readers ===

impl Readers {
    pub(crate) fn open(
        path: &Path,
        points: usize,
        scans: usize,
        shared: Arc<Shared>,
    ) -> Result<Self, OpenError> {
        let open = |count: usize, cache_kib| -> Result<Vec<Slot>, OpenError> {
            (0..count)
                .map(|_| Ok(Mutex::new(Some(Reader::open(path, cache_kib, &shared)?))))
                .collect()
        };
        let (points, scans) = (points.max(1), scans.max(1));
        let share = u32::try_from(points).map_or(0, |points| POINTS_CACHE_KIB / points);
        Ok(Self {
            points: open(points, share)?,
            // The last one is the server's own.
            scans: open(scans + 1, SCAN_CACHE_KIB)?,
            checking: Mutex::new(()),
            path: path.to_owned(),
            scan_time_max: SCAN_TIME_MAX,
            shared,
        })
    }

    /// Runs `job` on this thread.
    pub(crate) fn point(
        &self,
        job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> Result<(), TxError> {
        let mut slot = self.free_point_slot();
        self.run(&mut slot, Allowance::time(POINT_TIME_MAX), job)
            .done
    }

    /// Runs `job` on this thread while that takes little; `None` where it does
    /// not, and nothing came of it.
    pub(crate) fn seek(
        &self,
        job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> Option<Result<(), TxError>> {
        let mut slot = self.free_point_slot();
        let allowance = Allowance {
            looks: SEEK_LOOKS_MAX,
            ..Allowance::time(POINT_TIME_MAX)
        };
        let outcome = self.run(&mut slot, allowance, job);
        (!outcome.is_cut).then_some(outcome.done)
    }

    /// Starts the threads that run scans, and returns what they wait at. They
    /// end when that is closed.
    pub(crate) fn start_scans(
        self: &Arc<Self>,
        waiting_max: usize,
    ) -> std::io::Result<Arc<Turns<Scan>>> {
        let of_projects = self.scans.len() - 1;
        let turns = Arc::new(Turns::new(of_projects, waiting_max, PROJECTS_FULL));
        for number in 0..self.scans.len() {
            let lane = if number < of_projects {
                Lane::Projects
            } else {
                Lane::Server
            };
            let (readers, waiting) = (Arc::clone(self), Arc::clone(&turns));
            let started = thread::Builder::new()
                .name(format!("donjon-scan-{number}"))
                .spawn(move || readers.run_scans(number, lane, &waiting));
            if let Err(error) = started {
                turns.close();
                return Err(error);
            }
        }
        Ok(turns)
    }

    /// Looks at the whole file on a thread and a connection of its own, and says
    /// what does not hold. One such look at a time.
    pub(crate) fn start_check(self: &Arc<Self>, reply: CheckReply) -> std::io::Result<()> {
        let readers = Arc::clone(self);
        thread::Builder::new()
            .name("donjon-check".to_owned())
            .spawn(move || {
                let _one = lock(&readers.checking);
                if !reply.is_closed() {
                    // Whoever asked may have gone.
                    let _ = reply.send(readers.check()).is_ok();
                }
            })?;
        Ok(())
    }

    fn check(&self) -> Result<Vec<String>, RepositoryError> {
        let closed = || RepositoryError::new(RepositoryErrorKind::Unavailable);
        if self.shared.is_closing() {
            return Err(closed());
        }
        let opened = Reader::open(&self.path, SCAN_CACHE_KIB, &self.shared);
        let opened = opened.map_err(|error| {
            RepositoryError::with_source(RepositoryErrorKind::Unavailable, error)
        })?;
        let (mut slot, mut wrong) = (Some(opened), Vec::new());
        // One snapshot each, so that the log can be emptied in between.
        for rule in check::RULES {
            let outcome = self.run(&mut slot, self.of_server(), |tx| {
                let found = check::check(tx.connection(), *rule).map_err(RepositoryError::from);
                wrong.extend(found.map_err(storage)?);
                Ok(())
            });
            match outcome.done {
                Ok(()) => {}
                Err(_) if self.shared.is_closing() => return Err(closed()),
                Err(TxError::Storage(error)) => return Err(error),
                Err(TxError::Abandoned) => {
                    return Err(RepositoryError::new(RepositoryErrorKind::Internal));
                }
            }
        }
        Ok(wrong)
    }

    /// Waits for what is under way and closes every connection.
    pub(crate) fn close(&self) {
        self.shared.begin_closing();
        for slot in self.points.iter().chain(&self.scans) {
            drop(lock(slot).take());
        }
        drop(lock(&self.checking));
    }

    fn run_scans(&self, number: usize, lane: Lane, turns: &Turns<Scan>) {
        let Some(slot) = self.scans.get(number) else {
            return;
        };
        while let Some((turn, mut scan)) = turns.next(lane) {
            let allowance = match lane {
                Lane::Projects => Allowance::time(self.scan_time_max),
                Lane::Server => self.of_server(),
            };
            let outcome = self.run(&mut lock(slot), allowance, &mut scan.job);
            turns.finish(turn);
            // Whoever asked may have gone.
            let _ = scan.reply.send(outcome.done).is_ok();
        }
    }

    fn of_server(&self) -> Allowance {
        Allowance {
            is_patient: true,
            ..Allowance::time(self.scan_time_max)
        }
    }

    fn run(
        &self,
        slot: &mut Option<Reader>,
        allowance: Allowance,
        job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> Outcome {
        let Some(reader) = slot.as_mut() else {
            let closed = RepositoryError::new(RepositoryErrorKind::Unavailable);
            return Outcome::failed(storage(closed));
        };
        let outcome = reader.transact(allowance, job);
        let broken = outcome.broken.as_ref();
        if let Some(broken) = broken.filter(|broken| broken.reach == Reach::Damage) {
            tracing::error!(why = broken.why, "a reader found the database damaged");
            self.shared.stop(StopCause::Damage);
        }
        outcome
    }

    /// This thread's favourite where it is free, else any that is, else the
    /// favourite when it is.
    fn free_point_slot(&self) -> MutexGuard<'_, Option<Reader>> {
        let favourite = FAVOURITE.with(|number| *number) % self.points.len();
        let (before, after) = self.points.split_at(favourite);
        let in_order = || after.iter().chain(before);
        let free = in_order().find_map(|slot| match slot.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        match (free, in_order().next()) {
            (Some(guard), _) => guard,
            (None, Some(slot)) => lock(slot),
            (None, None) => unreachable!("there is at least one slot"),
        }
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Numbers threads in the order in which they first read.
    static FAVOURITE: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

// === impl Reader ===

impl Reader {
    fn open(path: &Path, cache_kib: u32, shared: &Arc<Shared>) -> Result<Self, OpenError> {
        let mut connection = settings::connect(path, Role::Reader { cache_kib })?;
        let allowance = Arc::new(Mutex::new(None::<Allowance>));
        let (looked_at, seen) = (Arc::clone(&allowance), Arc::clone(shared));
        let is_used_up = move || {
            let mut allowance = lock(&looked_at);
            allowance.as_mut().is_some_and(|left| left.look(&seen))
        };
        connection.progress_handler(STEPS_PER_LOOK, Some(is_used_up))?;
        Ok(Self {
            connection,
            names: ProjectNames::default(),
            allowance,
            shared: Arc::clone(shared),
        })
    }

    /// Runs `job` on a snapshot.
    fn transact(
        &mut self,
        allowance: Allowance,
        mut job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> Outcome {
        if let Err(failure) = execute(&self.connection, "BEGIN") {
            return Outcome::failed(storage(failure.into()));
        }
        *lock(&self.allowance) = Some(allowance);
        let mut tx = ReadTransaction::new(&self.connection, &mut self.names);
        let done = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
        let broken = tx.take_broken();
        let left = lock(&self.allowance).take();
        let ended = execute(&self.connection, "COMMIT");
        let done = match (done, ended) {
            (Ok(Ok(())), Err(failure)) => Err(storage(failure.into())),
            (Ok(done), _) => done,
            (Err(_panic), _) => Err(panicked()),
        };
        if !self.connection.is_autocommit() {
            // A snapshot that does not end would stop every checkpoint.
            let _ = execute(&self.connection, "ROLLBACK").is_ok();
        }
        if left.is_some_and(|allowance| allowance.is_long) {
            self.shared.end_long_read();
        }
        Outcome {
            done,
            broken,
            is_cut: left.is_some_and(|allowance| allowance.is_used_up),
        }
    }
}

// === impl Allowance ===

impl Allowance {
    /// So much time from now on.
    fn time(time: Duration) -> Self {
        Self {
            until: ticks::now() + time,
            looks: u32::MAX,
            is_patient: false,
            is_long: false,
            is_used_up: false,
        }
    }

    /// Takes one look; says whether that was one too many.
    fn look(&mut self, shared: &Shared) -> bool {
        if !self.is_patient {
            self.looks = self.looks.saturating_sub(1);
        }
        let is_late = self.until < ticks::now();
        if is_late && self.is_patient && !self.is_long {
            self.is_long = true;
            shared.begin_long_read();
        }
        let is_over = is_late && (!self.is_patient || shared.is_closing());
        self.is_used_up |= self.looks == 0 || is_over;
        self.is_used_up
    }
}

// === impl Outcome ===

impl Outcome {
    fn failed(error: TxError) -> Self {
        Self {
            done: Err(error),
            broken: None,
            is_cut: false,
        }
    }
}

/// Runs a statement without parameters or rows.
pub(crate) fn execute(connection: &Connection, sql: &str) -> Result<(), Failure> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// A job panicked: the caller's fault, and no reason to take anybody else down.
pub(crate) fn panicked() -> TxError {
    storage(RepositoryError::with_source(
        RepositoryErrorKind::Internal,
        "the job panicked",
    ))
}

fn storage(error: RepositoryError) -> TxError {
    TxError::Storage(error)
}

/// A panic while the lock is held leaves nothing half done that matters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
