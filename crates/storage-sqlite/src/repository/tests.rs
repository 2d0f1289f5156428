//! Counts: right after whatever happened, and worth what they cost. And rows
//! that nobody wrote.

mod clean_up;
mod corrupt;
mod model;
mod quotas;
mod room;
mod seek;
mod sweep;
mod upgrade;

use std::sync::Arc;

use donjon_domain::{
    ListScope, Page, PageRequest, ProjectId, Secret, SecretFilter, SecretQuery, Start, Timestamp,
    ports::{Counted, Reading, Repository, RepositoryError, RepositoryExt, Turn},
};
use donjon_testkit::{FixedClock, block_on, sample};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{Ballast, OpenOptions, SqliteRepository};

/// A database in a folder of its own.
struct Fixture {
    repository: Option<SqliteRepository>,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (repository, _) = SqliteRepository::create(options(&folder)).unwrap();
        Self {
            repository: Some(repository),
            folder,
        }
    }

    fn repository(&self) -> &SqliteRepository {
        self.repository.as_ref().unwrap()
    }

    /// Closes the database and opens it again.
    fn reopen(&mut self) {
        drop(self.repository.take());
        let (repository, opened) = SqliteRepository::open(options(&self.folder)).unwrap();
        assert!(opened.was_clean);
        self.repository = Some(repository);
    }

    /// A connection past the repository.
    fn raw(&self) -> Connection {
        Connection::open(self.folder.path().join("donjon.db")).unwrap()
    }

    fn write(
        &self,
        mut job: impl FnMut(&mut dyn donjon_domain::ports::WriteTx) -> Result<(), RepositoryError>
        + Send
        + 'static,
    ) {
        block_on(self.repository().write_with(move |tx| job(tx))).unwrap();
    }

    fn sweep(&self, horizon: Timestamp, limit: usize) -> usize {
        let swept = self
            .repository()
            .submit_with(move |tx| tx.sweep(horizon, limit));
        block_on(swept).unwrap()
    }

    fn clean_up(&self, horizon: Timestamp, rows: usize) -> usize {
        let removed = self
            .repository()
            .submit_with(move |tx| tx.clean_up(horizon, rows));
        block_on(removed).unwrap()
    }

    /// What one column of one row holds, past the repository.
    fn column(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn assert_sound(&self) {
        let wrong = block_on(self.repository().check()).unwrap();
        assert_eq!(wrong, Vec::<String>::new());
    }
}

fn options(folder: &TempDir) -> OpenOptions {
    let clock = Arc::new(FixedClock::new(sample::NOW));
    let path = folder.path().join("donjon.db");
    OpenOptions {
        ballast: Ballast {
            path: path.with_file_name("ballast"),
            bytes: 0,
        },
        ..OpenOptions::new(path, clock)
    }
}

fn page_of(project: &str, start: Start, limit: u32) -> SecretQuery {
    SecretQuery {
        scope: ListScope::Project(ProjectId::new(project)),
        filter: SecretFilter::default(),
        sort: Vec::new(),
        page: PageRequest { start, limit },
    }
}

fn list(repository: &dyn Repository, query: &SecretQuery, now: Timestamp) -> Page<Secret> {
    let query = query.clone();
    block_on(
        repository.read_with(Reading::Scan(Turn::SERVER), move |tx| {
            tx.list_secrets(&query, now)
        }),
    )
    .map_err(|error: RepositoryError| error)
    .unwrap()
}

fn at(seconds: i64) -> Timestamp {
    sample::NOW.plus_seconds(seconds)
}

fn count(repository: &dyn Repository, project: &str, now: Timestamp) -> u64 {
    let project = ProjectId::new(project);
    block_on(repository.read_with(Reading::Point, move |tx| tx.count_secrets(&project, now)))
        .map_err(|error: RepositoryError| error)
        .unwrap()
}

/// How many of these a project has at [`sample::NOW`].
fn counted(repository: &dyn Repository, project: &str, counted: Counted) -> u64 {
    let project = ProjectId::new(project);
    block_on(repository.read_with(Reading::Point, move |tx| {
        tx.count(&project, counted, sample::NOW)
    }))
    .map_err(|error: RepositoryError| error)
    .unwrap()
}
