//! What a repository is opened with.

use std::{fmt, path::PathBuf, sync::Arc, thread, time::Duration};

use donjon_domain::ports::Clock;

/// Where the database is and how much it may take.
#[derive(Clone)]
pub struct OpenOptions {
    /// The database file. Its folder has to exist; beside it lie `-wal` and
    /// `-shm` while it is open.
    pub path: PathBuf,
    /// Tells what has expired, for the sweep and the clean-up alone.
    pub clock: Arc<dyn Clock>,
    /// How long a secret stays in the file after it expired, and a token after
    /// it did; then it is removed with all that hangs on it. In whole seconds;
    /// `None` keeps all for ever.
    pub expired_kept: Option<Duration>,
    /// How many writes may wait; one more is refused as overload. At least 1.
    pub queue_jobs_max: usize,
    /// How many writes share one commit. At least 1.
    pub batch_jobs_max: usize,
    /// How many point reads run at a time, each on its caller's thread with a
    /// connection of its own; all together they keep 16 MiB of pages. At least 1.
    pub point_readers: usize,
    /// How many scans of projects run at a time, each on a thread of its own; one
    /// project leaves one of them to others, if there are several. At least 1. One
    /// more thread runs what the server asks for itself.
    pub scan_readers: usize,
    /// How many scans of one project may wait; one more is refused as overload.
    /// Of all projects 16 times as many may wait. At least 1.
    pub scan_queue_jobs_max: usize,
    /// The file that is given up when the disk is full.
    pub ballast: Ballast,
    /// The most pages of 4,096 bytes that the database may have. `None` leaves
    /// it to the disk.
    pub pages_max: Option<u32>,
}

/// A file that holds room on the disk. It is removed when the disk is full, so
/// that deletes and checkpoints still work, and made again when twice its size
/// is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballast {
    /// Where it is; on the file system of the database.
    pub path: PathBuf,
    /// Its size. With 0 there is no such file.
    pub bytes: u64,
}

/// As long as Barbican's own clean-up keeps it by default: 90 days.
const EXPIRED_KEPT: Duration = Duration::from_secs(90 * 86_400);

impl OpenOptions {
    /// The defaults: 1,024 waiting writes in batches of 64, a point reader per
    /// processor (2 to 8), 2 scan readers with 64 waiting scans of a project, 16 MiB of
    /// ballast in the file `ballast` beside the database, and 90 days until what
    /// expired is removed.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let path = path.into();
        let processors = thread::available_parallelism().map_or(2, usize::from);
        Self {
            ballast: Ballast {
                path: path.with_file_name("ballast"),
                bytes: 16 << 20,
            },
            path,
            clock,
            expired_kept: Some(EXPIRED_KEPT),
            queue_jobs_max: 1_024,
            batch_jobs_max: 64,
            point_readers: processors.clamp(2, 8),
            scan_readers: 2,
            scan_queue_jobs_max: 64,
            pages_max: None,
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("path", &self.path)
            .field("expired_kept", &self.expired_kept)
            .field("queue_jobs_max", &self.queue_jobs_max)
            .field("batch_jobs_max", &self.batch_jobs_max)
            .field("point_readers", &self.point_readers)
            .field("scan_readers", &self.scan_readers)
            .field("scan_queue_jobs_max", &self.scan_queue_jobs_max)
            .field("ballast", &self.ballast)
            .field("pages_max", &self.pages_max)
            .finish_non_exhaustive()
    }
}
