//! SQLite keeps the contracts of the ports.

use std::{ops::Deref, sync::Arc};

use donjon_storage_sqlite::{Ballast, OpenOptions, SqliteRepository};
use donjon_testkit::{FixedClock, sample};
use tempfile::TempDir;

/// A new database in a folder of its own.
struct Fresh {
    repository: SqliteRepository,
    _folder: TempDir,
}

impl Fresh {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("donjon.db");
        let clock = Arc::new(FixedClock::new(sample::NOW));
        let options = OpenOptions {
            ballast: Ballast {
                path: path.with_file_name("ballast"),
                bytes: 4_096,
            },
            ..OpenOptions::new(path, clock)
        };
        let (repository, _) = SqliteRepository::create(options).expect("a new database");
        Self {
            repository,
            _folder: folder,
        }
    }
}

impl Deref for Fresh {
    type Target = SqliteRepository;

    fn deref(&self) -> &SqliteRepository {
        &self.repository
    }
}

donjon_testkit::repository_contract!(Fresh::new());
donjon_testkit::token_store_contract!(Fresh::new());
