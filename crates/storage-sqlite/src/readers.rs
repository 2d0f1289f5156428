//! Connections that read. Each transaction sees one snapshot of the WAL.
//!
//! Point reads run on their caller's thread. A thread has a favourite
//! connection, so that its page cache is of use, and takes another one where
//! that is busy, and has to give it back: what takes more steps than
//! [`SEEK_LOOKS_MAX`] stands for is no seek but a scan. Scans run on threads of
//! their own, and are ended where they take longer than [`SCAN_TIME_MAX`]: a
//! checkpoint waits for every reader.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
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
    OpenError,
    failure::{Broken, Failure, Reach},
    settings::{self, Role},
    shared::{Shared, StopCause},
    ticks,
    tx::{ProjectNames, ReadTransaction},
};

/// A scan that takes longer is given up as overload.
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

/// All connections that read.
pub(crate) struct Readers {
    points: Vec<Slot>,
    scans: Vec<Slot>,
    shared: Arc<Shared>,
}

/// A connection; `None` once storage was closed.
type Slot = Mutex<Option<Reader>>;

struct Reader {
    connection: Connection,
    names: ProjectNames,
    /// What is left to the transaction; `None` where there is none.
    allowance: Arc<Mutex<Option<Allowance>>>,
}

/// What a transaction may take before it is ended.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    until: Instant,
    looks: u32,
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
                .map(|_| Ok(Mutex::new(Some(Reader::open(path, cache_kib)?))))
                .collect()
        };
        let (points, scans) = (points.max(1), scans.max(1));
        let share = u32::try_from(points).map_or(0, |points| POINTS_CACHE_KIB / points);
        Ok(Self {
            points: open(points, share)?,
            // The last one is the server's own.
            scans: open(scans + 1, SCAN_CACHE_KIB)?,
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

    /// Waits for what is under way and closes every connection.
    pub(crate) fn close(&self) {
        for slot in self.points.iter().chain(&self.scans) {
            drop(lock(slot).take());
        }
    }

    fn run_scans(&self, number: usize, lane: Lane, turns: &Turns<Scan>) {
        let Some(slot) = self.scans.get(number) else {
            return;
        };
        while let Some((turn, mut scan)) = turns.next(lane) {
            let allowance = Allowance::time(SCAN_TIME_MAX);
            let outcome = self.run(&mut lock(slot), allowance, &mut scan.job);
            turns.finish(turn);
            // Whoever asked may have gone.
            let _ = scan.reply.send(outcome.done).is_ok();
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
    fn open(path: &Path, cache_kib: u32) -> Result<Self, OpenError> {
        let mut connection = settings::connect(path, Role::Reader { cache_kib })?;
        let allowance = Arc::new(Mutex::new(None));
        let looked_at = Arc::clone(&allowance);
        let is_used_up = move || lock(&looked_at).as_mut().is_some_and(Allowance::look);
        connection.progress_handler(STEPS_PER_LOOK, Some(is_used_up))?;
        Ok(Self {
            connection,
            names: ProjectNames::default(),
            allowance,
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
            is_used_up: false,
        }
    }

    /// Takes one look; says whether that was one too many.
    fn look(&mut self) -> bool {
        self.looks = self.looks.saturating_sub(1);
        self.is_used_up |= self.looks == 0 || self.until < ticks::now();
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
mod tests {
    use donjon_domain::{
        ListScope, PageRequest, ProjectId, SecretFilter, SecretQuery, Start, ports::SecretReads,
    };
    use donjon_testkit::sample;

    use super::*;
    use crate::{OpenOptions, SqliteRepository};

    #[test]
    fn a_scan_that_takes_too_long_is_overload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("donjon.db");
        let clock = Arc::new(donjon_testkit::FixedClock::new(sample::NOW));
        let options = OpenOptions::new(&path, clock);
        let (repository, _) = SqliteRepository::create(options).unwrap();
        let filled = donjon_domain::ports::RepositoryExt::write_with(&repository, |tx| {
            (0..2_000)
                .try_for_each(|number| tx.insert_secret(&sample::secret(number, "project"), None))
        });
        donjon_testkit::block_on(filled)
            .map_err(|error: RepositoryError| error)
            .unwrap();

        let path = crate::file::resolve(&path).unwrap();
        let mut reader = Reader::open(&path, 64).unwrap();
        let query = SecretQuery {
            scope: ListScope::Project(ProjectId::new("project")),
            filter: SecretFilter {
                name: Some("%".to_owned()),
                ..SecretFilter::default()
            },
            sort: Vec::new(),
            page: PageRequest {
                start: Start::Offset(0),
                limit: 1,
            },
        };
        let mut list = |until| {
            let allowance = Allowance {
                until,
                ..Allowance::time(SCAN_TIME_MAX)
            };
            let list = |tx: &mut ReadTransaction<'_>| {
                let page = tx.list_secrets(&query, sample::NOW);
                page.map(|_| ()).map_err(TxError::Storage)
            };
            reader.transact(allowance, list).done
        };
        let late = ticks::now();
        let Err(TxError::Storage(error)) = list(late) else {
            panic!("the scan was not ended");
        };
        assert_eq!(error.kind(), RepositoryErrorKind::Overloaded);
        // The connection is as good as before.
        assert!(list(late + SCAN_TIME_MAX).is_ok());
    }

    #[test]
    fn a_read_by_key_that_does_not_end_is_overload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("donjon.db");
        let clock = Arc::new(donjon_testkit::FixedClock::new(sample::NOW));
        let options = OpenOptions::new(&path, clock);
        drop(SqliteRepository::create(options).unwrap());
        let path = crate::file::resolve(&path).unwrap();
        let readers = Readers::open(&path, 1, 1, Arc::new(Shared::new())).unwrap();
        let endless = |tx: &mut ReadTransaction<'_>| {
            let sql = "WITH RECURSIVE numbers (n) AS \
                       (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) \
                       SELECT max(n) FROM numbers";
            let counted = tx.connection().query_row(sql, [], |_| Ok(()));
            counted.map_err(|error| storage(Failure::from(error).into()))
        };
        let Err(TxError::Storage(error)) = readers.point(endless) else {
            panic!("the read was not ended");
        };
        assert_eq!(error.kind(), RepositoryErrorKind::Overloaded);
        assert!(readers.seek(endless).is_none());
        assert!(readers.point(|_| Ok(())).is_ok());
    }
}
