//! A database in a folder of its own, and ways to look behind it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

use donjon_domain::{
    ContentType, Sealed, Secret, SecretId, StoredPayload,
    ports::{
        BoxFuture, Reading, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt,
        TxError, WriteTx,
    },
};
use donjon_storage_sqlite::{Ballast, OpenError, OpenOptions, Opened, SqliteRepository};
use donjon_testkit::{FixedClock, block_on, sample};
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder for one database.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) clock: Arc<FixedClock>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(FixedClock::new(sample::NOW)),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("donjon.db")
    }

    /// A file beside the database.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path().into_os_string();
        path.push(suffix);
        path.into()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Options with a small ballast, so that tests write little.
    pub(crate) fn options(&self) -> OpenOptions {
        let options = OpenOptions::new(self.path(), self.clock.clone());
        OpenOptions {
            ballast: Ballast {
                bytes: 8_192,
                ..options.ballast.clone()
            },
            ..options
        }
    }

    pub(crate) fn create(&self) -> SqliteRepository {
        let (repository, _) =
            SqliteRepository::create(self.options()).expect("the database is made");
        repository
    }

    pub(crate) fn open(&self) -> Result<(SqliteRepository, Opened), OpenError> {
        SqliteRepository::open(self.options())
    }

    /// A connection past the repository.
    pub(crate) fn raw(&self) -> Connection {
        let connection = Connection::open(self.path()).expect("the database opens");
        connection
            .busy_timeout(Duration::from_secs(5))
            .expect("a timeout is set");
        connection
    }

    pub(crate) fn commit_seq(&self) -> i64 {
        self.raw()
            .query_row("SELECT commit_seq FROM state", [], |row| row.get(0))
            .expect("there is a state")
    }

    pub(crate) fn log_bytes(&self) -> u64 {
        self.beside("-wal")
            .metadata()
            .map_or(0, |found| found.len())
    }
}

/// The insertion of a secret without payload; it is queued already.
pub(crate) fn insert(
    repository: &SqliteRepository,
    number: u64,
) -> BoxFuture<'_, Result<(), RepositoryError>> {
    let secret = sample::secret(number, "project");
    queue(repository, move |tx| tx.insert_secret(&secret, None))
}

/// Queues a job at once, unlike `write_with`, which does so when it is polled.
pub(crate) fn queue(
    repository: &SqliteRepository,
    mut job: impl FnMut(&mut dyn WriteTx) -> Result<(), RepositoryError> + Send + 'static,
) -> BoxFuture<'_, Result<(), RepositoryError>> {
    let done = repository.write(Box::new(move |tx| job(tx).map_err(TxError::Storage)));
    Box::pin(async move {
        done.await.map_err(|error| match error {
            TxError::Storage(error) => error,
            TxError::Abandoned => panic!("no job is abandoned here"),
        })
    })
}

/// The insertion of a secret with a payload under KEK 1.
pub(crate) fn insert_sealed(
    repository: &SqliteRepository,
    number: u64,
    envelope: Vec<u8>,
) -> Result<(), RepositoryError> {
    let secret = Secret {
        content_type: Some(ContentType::OctetStream),
        ..sample::secret(number, "project")
    };
    let payload = StoredPayload::from(Sealed {
        envelope,
        ..sample::sealed(1, 0)
    });
    block_on(repository.write_with(move |tx| tx.insert_secret(&secret, Some(&payload))))
}

pub(crate) fn add_kek(repository: &SqliteRepository) {
    block_on(repository.write_with(|tx| tx.insert_kek(&sample::kek(1, "project"))))
        .expect("the KEK is new");
}

pub(crate) fn delete(repository: &SqliteRepository, number: u64) -> Result<bool, RepositoryError> {
    block_on(repository.write_with(move |tx| tx.delete_secret(sample::secret_id(number))))
}

pub(crate) fn has(repository: &SqliteRepository, number: u64) -> bool {
    found(repository, sample::secret_id(number)).expect("the read succeeds")
}

pub(crate) fn found(repository: &SqliteRepository, id: SecretId) -> Result<bool, RepositoryError> {
    block_on(repository.read_with(Reading::Point, move |tx| Ok(tx.secret(id)?.is_some())))
}

pub(crate) fn kind<T>(done: Result<T, RepositoryError>) -> RepositoryErrorKind {
    done.err().expect("it fails").kind()
}

/// Checks that all counts are right and the file is whole.
pub(crate) fn assert_sound(repository: &SqliteRepository) {
    let wrong = block_on(repository.check()).expect("the check runs");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Holds the writer in a job, so that what follows comes in one batch.
pub(crate) struct Held<'r> {
    go: mpsc::Sender<()>,
    done: BoxFuture<'r, Result<(), TxError>>,
}

impl<'r> Held<'r> {
    pub(crate) fn new(repository: &'r SqliteRepository) -> Self {
        let (go, wait) = mpsc::channel();
        let (reached, begins) = mpsc::channel();
        let done = repository.write(Box::new(move |_| {
            reached.send(()).map_err(|_gone| TxError::Abandoned)?;
            // The end of the channel is the sign to go on.
            assert!(wait.recv().is_err());
            Ok(())
        }));
        begins.recv().expect("the job begins");
        Self { go, done }
    }

    pub(crate) fn release(self) {
        drop(self.go);
        block_on(self.done).expect("the job ends");
    }
}

/// Waits until something holds, for 20 seconds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let (_never, pause) = mpsc::channel::<()>();
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        assert!(pause.recv_timeout(Duration::from_millis(20)).is_err());
    }
    panic!("not after 20 s: {what}");
}

/// Whether any file in the folder has these bytes in it.
pub(crate) fn any_file_has(folder: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(folder).expect("the folder is read");
    entries
        .map(|entry| entry.expect("an entry").path())
        .any(|path| {
            let contents = std::fs::read(path).unwrap_or_default();
            contents.windows(bytes.len()).any(|window| window == bytes)
        })
}
