//! Connections that read. Each transaction sees one snapshot of the WAL.
//!
//! Point reads run on their caller's thread. A thread has a favourite
//! connection, so that its page cache is of use, and takes another one where
//! that is busy. Scans run on threads of their own, and are ended where they
//! take longer than [`SCAN_TIME_MAX`]: a checkpoint waits for every reader.

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

use donjon_domain::ports::{RepositoryError, RepositoryErrorKind, TxError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    OpenError,
    failure::{Broken, Failure, Reach},
    settings::{self, Role},
    shared::{Shared, StopCause},
    ticks,
    turns::{Lane, Turns},
    tx::{ProjectNames, ReadTransaction},
};

/// A scan that takes longer is given up as overload.
const SCAN_TIME_MAX: Duration = Duration::from_secs(5);

/// After so many steps of SQLite's machine a scan looks at the time: some ten
/// microseconds, or some ten milliseconds where the steps match patterns.
const STEPS_PER_LOOK: i32 = 2_000;

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
    /// When a scan has to end.
    deadline: Arc<Mutex<Option<Instant>>>,
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
        self.run(&mut slot, None, job)
    }

    /// Starts the threads that run scans, and returns what they wait at. They
    /// end when that is closed.
    pub(crate) fn start_scans(
        self: &Arc<Self>,
        waiting_max: usize,
    ) -> std::io::Result<Arc<Turns<Scan>>> {
        let of_projects = self.scans.len() - 1;
        let turns = Arc::new(Turns::new(of_projects, waiting_max));
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
            let deadline = ticks::now() + SCAN_TIME_MAX;
            let done = self.run(&mut lock(slot), Some(deadline), &mut scan.job);
            turns.finish(turn);
            // Whoever asked may have gone.
            let _ = scan.reply.send(done).is_ok();
        }
    }

    fn run(
        &self,
        slot: &mut Option<Reader>,
        deadline: Option<Instant>,
        job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> Result<(), TxError> {
        let closed = || storage(RepositoryError::new(RepositoryErrorKind::Unavailable));
        let reader = slot.as_mut().ok_or_else(closed)?;
        let (done, broken) = reader.transact(deadline, job);
        if let Some(broken) = broken.filter(|broken| broken.reach == Reach::Damage) {
            tracing::error!(why = broken.why, "a reader found the database damaged");
            self.shared.stop(StopCause::Damage);
        }
        done
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
        let deadline = Arc::new(Mutex::new(None));
        let looked_at = Arc::clone(&deadline);
        let is_late =
            move || lock(&looked_at).is_some_and(|deadline: Instant| deadline < ticks::now());
        connection.progress_handler(STEPS_PER_LOOK, Some(is_late))?;
        Ok(Self {
            connection,
            names: ProjectNames::default(),
            deadline,
        })
    }

    /// Runs `job` on a snapshot; also tells what took it down.
    fn transact(
        &mut self,
        deadline: Option<Instant>,
        mut job: impl FnMut(&mut ReadTransaction<'_>) -> Result<(), TxError>,
    ) -> (Result<(), TxError>, Option<Broken>) {
        if deadline.is_some() {
            *lock(&self.deadline) = deadline;
        }
        if let Err(failure) = execute(&self.connection, "BEGIN") {
            return (Err(storage(failure.into())), None);
        }
        let mut tx = ReadTransaction::new(&self.connection, &mut self.names);
        let done = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
        let broken = tx.take_broken();
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
        (done, broken)
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
        let mut list = |deadline| {
            let list = |tx: &mut ReadTransaction<'_>| {
                let page = tx.list_secrets(&query, sample::NOW);
                page.map(|_| ()).map_err(TxError::Storage)
            };
            reader.transact(Some(deadline), list).0
        };
        let late = ticks::now();
        let Err(TxError::Storage(error)) = list(late) else {
            panic!("the scan was not ended");
        };
        assert_eq!(error.kind(), RepositoryErrorKind::Overloaded);
        // The connection is as good as before.
        assert!(list(late + SCAN_TIME_MAX).is_ok());
    }
}
