//! The repository: what the ports see of the writer and the readers.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread::{self, JoinHandle},
};

use donjon_domain::{
    Timestamp, TokenHash, TokenId, TokenRow,
    ports::{
        BoxFuture, Health, NoTurn, ReadJob, Reading, Repository, RepositoryError,
        RepositoryErrorKind, TokenStore, Turn, Turns, TxError, WriteJob,
    },
};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::{
    OpenError, OpenErrorKind, OpenOptions, file,
    migrate::{self, MIGRATIONS, Migrated},
    readers::{Readers, Scan, ScanJob, lock},
    settings::{self, Role},
    shared::{Shared, StopCause, StopOnPanic},
    tx::{ReadTransaction, WriteTransaction},
    writer::{Job, Queued, Reserve, Writer, scrub_all, truncate},
};

/// `Repository` and `TokenStore` on one SQLite file.
///
/// Dropping it closes it, and waits for that. [`SqliteRepository::close`] says
/// whether it went well.
pub struct SqliteRepository {
    writes: RwLock<Option<mpsc::SyncSender<Queued>>>,
    scans: Arc<Turns<Scan>>,
    readers: Arc<Readers>,
    shared: Arc<Shared>,
    closed: watch::Receiver<Option<bool>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What was found and done at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Whether the file was closed in order the last time. A new file was.
    pub was_clean: bool,
    /// Which scripts were applied, if any.
    pub migrated: Option<Migrated>,
    /// How many commits the file has seen.
    pub commit_seq: u64,
}

impl SqliteRepository {
    /// Makes a new database and opens it. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`OpenErrorKind::Exists`] where there is any file at the path, and those
    /// of [`SqliteRepository::open`].
    pub fn create(options: OpenOptions) -> Result<(Self, Opened), OpenError> {
        file::create(&file::resolve(&options.path)?)?;
        Self::open(options)
    }

    /// Opens a database that [`SqliteRepository::create`] made, or an empty
    /// file that it was interrupted over. Brings it to the newest schema, and
    /// copies it first if that changes anything. Blocks: some milliseconds
    /// after an orderly close, else as long as it takes to check the whole
    /// file (about 1 s for 1 GiB).
    ///
    /// On a full disk the ballast is given up for it, if it is there; then
    /// nothing can be added ([`Health::Full`]) until there is room again.
    ///
    /// The caller has to see to it that nobody else has the file open.
    ///
    /// # Errors
    /// One of [`OpenErrorKind`], each of which the operator can act on. Nothing
    /// was changed then, except by scripts that were applied to the end, and but
    /// for the ballast where there is no room without it either.
    pub fn open(options: OpenOptions) -> Result<(Self, Opened), OpenError> {
        let path = file::resolve(&options.path)?;
        file::check(&path)?;
        let shared = Arc::new(Shared::new());
        let reserve = Reserve {
            ballast: options.ballast.clone(),
            database: path.clone(),
            pages_max: options.pages_max,
        };
        let (connection, opened) = with_room(&reserve, &shared, || {
            let connection = settings::connect(&path, Role::Writer)?;
            let opened = prepare(&connection, &path, options.clock.now())?;
            Ok((connection, opened))
        })?;
        if let Some(pages) = options.pages_max {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        if shared.health() == Health::Good {
            hold_ballast(&reserve, &shared)?;
        }
        let readers = Arc::new(Readers::open(
            &path,
            options.point_readers,
            options.scan_readers,
            Arc::clone(&shared),
        )?);
        let (queue, inbox) = mpsc::sync_channel(options.queue_jobs_max.max(1));
        let writer = Writer::new(
            connection,
            inbox,
            &options,
            reserve,
            Arc::clone(&shared),
            Arc::clone(&readers),
        )?;
        let guard = StopOnPanic(Arc::clone(&shared));
        let start = || -> io::Result<_> {
            let scans = readers.start_scans(options.scan_queue_jobs_max)?;
            let (done, closed) = watch::channel(None);
            let thread = thread::Builder::new()
                .name("donjon-writer".to_owned())
                .spawn(move || {
                    let _guard = guard;
                    let clean = writer.run();
                    done.send_replace(Some(clean));
                })?;
            Ok((scans, closed, thread))
        };
        let (scans, closed, thread) = start().map_err(|error| OpenError::io(&path, error))?;
        let repository = Self {
            writes: RwLock::new(Some(queue)),
            scans,
            readers,
            shared,
            closed,
            writer: Mutex::new(Some(thread)),
        };
        Ok((repository, opened))
    }

    /// Ends in order: finishes what waits, writes the log back, and notes that
    /// the file need not be checked at the next start. Whatever comes after is
    /// refused as unavailable. May be called more than once.
    ///
    /// # Errors
    /// [`RepositoryErrorKind::Unavailable`] where writes had stopped before, or
    /// stopped over this. Nothing that was answered is lost.
    pub fn close(
        &self,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send + 'static + use<> {
        self.refuse_new_jobs();
        let mut closed = self.closed.clone();
        async move {
            match closed.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(true)) => Ok(()),
                _ => Err(unavailable()),
            }
        }
    }

    /// Resolves when writes have stopped for good, which only a restart can
    /// change; never after an orderly close.
    pub fn stopped(&self) -> impl Future<Output = StopCause> + Send + 'static + use<> {
        let mut stopped = self.shared.watch_stop();
        async move {
            if let Ok(cause) = stopped.wait_for(Option::is_some).await.map(|cause| *cause)
                && let Some(cause) = cause
            {
                return cause;
            }
            std::future::pending().await
        }
    }

    /// Counts everything again, lets SQLite look at every page, and says what
    /// does not hold, a line each. Takes as long as reading all of it, during
    /// which the log grows; on a thread of its own, one such look at a time.
    ///
    /// # Errors
    /// As reads fail; [`RepositoryErrorKind::Unavailable`] where storage is
    /// closed meanwhile.
    pub async fn check(&self) -> Result<Vec<String>, RepositoryError> {
        let (reply, answer) = oneshot::channel();
        let started = self.readers.start_check(reply);
        started.map_err(|error| {
            RepositoryError::with_source(RepositoryErrorKind::Overloaded, error)
        })?;
        answer.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Gives a job to the writer. It is in the queue when this returns.
    fn submit(&self, job: Job) -> BoxFuture<'static, Result<(), TxError>> {
        let (reply, answer) = oneshot::channel();
        let queue = self.writes.read().unwrap_or_else(PoisonError::into_inner);
        let sent = match queue.as_ref() {
            Some(queue) => queue
                .try_send(Queued { job, reply })
                .map_err(|error| refusal(&error)),
            None => Err(RepositoryErrorKind::Unavailable),
        };
        wait_for(sent, answer, RepositoryErrorKind::OutcomeUnknown)
    }

    /// Gives a job to the writer, and returns what it returned.
    fn submit_with<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&mut WriteTransaction<'_>) -> Result<T, RepositoryError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, RepositoryError>> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let done = self.submit(Box::new(move |tx| {
            *lock(&slot) = Some(job(tx).map_err(TxError::Storage)?);
            Ok(())
        }));
        Box::pin(async move { take_result(done.await, &result) })
    }

    /// Gives a job to the threads that scan.
    fn scan(&self, turn: Turn, job: ScanJob) -> BoxFuture<'static, Result<(), TxError>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.scans.push(turn, Scan { job, reply });
        let sent = sent.map_err(|refused| match refused {
            NoTurn::Full => RepositoryErrorKind::Overloaded,
            NoTurn::Closed => RepositoryErrorKind::Unavailable,
        });
        wait_for(sent, answer, RepositoryErrorKind::Unavailable)
    }

    /// Gives a job of the server's own to its thread, and returns what it returned.
    fn scan_with<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&mut ReadTransaction<'_>) -> Result<T, RepositoryError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, RepositoryError>> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let done = self.scan(
            Turn::SERVER,
            Box::new(move |tx| {
                *lock(&slot) = Some(job(tx).map_err(TxError::Storage)?);
                Ok(())
            }),
        );
        Box::pin(async move { take_result(done.await, &result) })
    }

    fn refuse_new_jobs(&self) {
        let mut writes = self.writes.write().unwrap_or_else(PoisonError::into_inner);
        drop(writes.take());
        self.scans.close();
        self.shared.begin_closing();
    }
}

impl Repository for SqliteRepository {
    fn read(&self, reading: Reading, mut job: ReadJob) -> BoxFuture<'_, Result<(), TxError>> {
        match reading {
            Reading::Point => Box::pin(async move { self.readers.point(|tx| job(tx)) }),
            Reading::Seek(turn) => Box::pin(async move {
                match self.readers.seek(|tx| job(tx)) {
                    Some(done) => done,
                    None => self.scan(turn, Box::new(move |tx| job(tx))).await,
                }
            }),
            Reading::Scan(turn) => self.scan(turn, Box::new(move |tx| job(tx))),
        }
    }

    fn write(&self, mut job: WriteJob) -> BoxFuture<'_, Result<(), TxError>> {
        self.submit(Box::new(move |tx| job(tx)))
    }

    fn health(&self) -> Health {
        self.shared.health()
    }
}

impl TokenStore for SqliteRepository {
    fn insert_token(&self, row: TokenRow) -> BoxFuture<'_, Result<(), RepositoryError>> {
        self.submit_with(move |tx| tx.insert_token(&row))
    }

    fn find_token(
        &self,
        hash: TokenHash,
    ) -> BoxFuture<'_, Result<Option<TokenRow>, RepositoryError>> {
        Box::pin(async move {
            let mut found = None;
            let done = self.readers.point(|tx| {
                found = tx.find_token(hash).map_err(TxError::Storage)?;
                Ok(())
            });
            done.map_err(storage_error)?;
            Ok(found)
        })
    }

    fn list_tokens(&self) -> BoxFuture<'_, Result<Vec<TokenRow>, RepositoryError>> {
        self.scan_with(|tx| tx.list_tokens())
    }

    fn remove_token(&self, id: TokenId) -> BoxFuture<'_, Result<bool, RepositoryError>> {
        self.submit_with(move |tx| tx.remove_token(id))
    }

    fn record_token_uses(
        &self,
        uses: Vec<(TokenId, Timestamp)>,
    ) -> BoxFuture<'_, Result<(), RepositoryError>> {
        self.submit_with(move |tx| {
            uses.iter()
                .try_for_each(|(id, at)| tx.record_token_use(*id, *at))
        })
    }
}

impl Drop for SqliteRepository {
    fn drop(&mut self) {
        self.refuse_new_jobs();
        if let Some(writer) = lock(&self.writer).take() {
            // Whatever the thread had to say, it said in the log.
            let _ = writer.join().is_ok();
        }
    }
}

impl fmt::Debug for SqliteRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteRepository")
            .field("health", &self.shared.health())
            .finish_non_exhaustive()
    }
}

/// Reads a file back as the last process left it, checks it where that was not
/// in order, and brings it to the newest schema.
fn prepare(connection: &Connection, path: &Path, now: Timestamp) -> Result<Opened, OpenError> {
    // What a failed sync left in the log may be known to the system alone. This
    // writes it into the database file and syncs that, before anything new is
    // written behind it.
    if !truncate(connection, settings::BUSY_TIMEOUT)? {
        let here = path.display().to_string();
        return Err(OpenError::new(OpenErrorKind::InUse, here));
    }
    let version = migrate::inspect(connection, path, MIGRATIONS)?;
    let was_clean =
        version == 0 || connection.query_row("SELECT clean FROM state", [], |row| row.get(0))?;
    if !was_clean {
        quick_check(connection)?;
    }
    let migrated = migrate::migrate(connection, path, version, MIGRATIONS, now)?;
    let is_older = migrated.as_ref().is_some_and(|migrated| migrated.from > 0);
    if !was_clean || is_older {
        wipe_residue(connection)?;
    }
    let commit_seq: i64 = connection.query_row(
        "UPDATE state SET clean = 0, commit_seq = commit_seq + 1 RETURNING commit_seq",
        [],
        |row| row.get(0),
    )?;
    // SQLite made the log, but does not say whether its name is durable.
    file::sync_folder(path).map_err(|error| OpenError::io(path, error))?;
    Ok(Opened {
        was_clean,
        migrated,
        commit_seq: commit_seq.unsigned_abs(),
    })
}

/// Wipes what was left of moved rows and not wiped in time.
fn wipe_residue(connection: &Connection) -> Result<(), OpenError> {
    let wiped = scrub_all(connection, || {
        truncate(connection, settings::BUSY_TIMEOUT).map(|_done| ())
    })?;
    if wiped > 0 {
        tracing::info!(pages = wiped, "wiped what was left of moved rows");
    }
    Ok(())
}

fn quick_check(connection: &Connection) -> Result<(), OpenError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(OpenError::new(OpenErrorKind::Corrupt, found))
    }
}

/// Opens what needs some room on the disk: where there is none, with what the
/// ballast held. Then only deletes may use what is left of that.
fn with_room<T>(
    reserve: &Reserve,
    shared: &Shared,
    mut open: impl FnMut() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let error = match open() {
        Err(error) if error.kind() == OpenErrorKind::Full => error,
        opened => return opened,
    };
    let released = reserve
        .release()
        .map_err(|error| OpenError::io(&reserve.ballast.path, error))?;
    if !released {
        return Err(error);
    }
    let error: &dyn std::error::Error = &error;
    tracing::warn!(error, "the disk is full: the ballast is given up to start");
    shared.set_full(true);
    open()
}

/// Without room for the ballast the disk counts as full from the start.
fn hold_ballast(reserve: &Reserve, shared: &Shared) -> Result<(), OpenError> {
    match reserve.hold() {
        Ok(()) => Ok(()),
        Err(error) => {
            let error = OpenError::io(&reserve.ballast.path, error);
            if error.kind() != OpenErrorKind::Full {
                return Err(error);
            }
            tracing::warn!("no room for the ballast: only reads and deletes work");
            shared.set_full(true);
            Ok(())
        }
    }
}

/// Waits for the answer to a job, if it was sent. Where whoever has the job
/// goes without an answer, the outcome is `lost`.
fn wait_for(
    sent: Result<(), RepositoryErrorKind>,
    answer: oneshot::Receiver<Result<(), TxError>>,
    lost: RepositoryErrorKind,
) -> BoxFuture<'static, Result<(), TxError>> {
    Box::pin(async move {
        sent.map_err(|kind| TxError::Storage(RepositoryError::new(kind)))?;
        answer
            .await
            .unwrap_or_else(|_| Err(TxError::Storage(RepositoryError::new(lost))))
    })
}

fn refusal<T>(error: &mpsc::TrySendError<T>) -> RepositoryErrorKind {
    match error {
        mpsc::TrySendError::Full(_) => RepositoryErrorKind::Overloaded,
        mpsc::TrySendError::Disconnected(_) => RepositoryErrorKind::Unavailable,
    }
}

fn take_result<T>(
    done: Result<(), TxError>,
    result: &Mutex<Option<T>>,
) -> Result<T, RepositoryError> {
    done.map_err(storage_error)?;
    lock(result)
        .take()
        .ok_or_else(|| RepositoryError::new(RepositoryErrorKind::Internal))
}

/// Jobs of this crate fail by storage alone.
fn storage_error(error: TxError) -> RepositoryError {
    match error {
        TxError::Storage(error) => error,
        TxError::Abandoned => RepositoryError::new(RepositoryErrorKind::Internal),
    }
}

fn unavailable() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Unavailable)
}

#[cfg(test)]
mod tests;
