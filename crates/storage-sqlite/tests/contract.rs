//! SQLite keeps the contracts of the ports.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::ops::Deref;

use donjon_storage_sqlite::SqliteRepository;

use fixture::Fixture;

/// A new database, and the folder that keeps it.
struct Fresh {
    repository: SqliteRepository,
    _fixture: Fixture,
}

impl Fresh {
    fn new() -> Self {
        let fixture = Fixture::new();
        Self {
            repository: fixture.create(),
            _fixture: fixture,
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
