//! What is ended, and what is not.

use donjon_domain::{
    ListScope, PageRequest, ProjectId, SecretFilter, SecretQuery, Start,
    ports::{SecretReads, Turn},
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
        (0..2_000).try_for_each(|number| tx.insert_secret(&sample::secret(number, "project"), None))
    });
    donjon_testkit::block_on(filled)
        .map_err(|error: RepositoryError| error)
        .unwrap();

    let path = crate::file::resolve(&path).unwrap();
    let shared = Arc::new(Shared::new());
    let mut reader = Reader::open(&path, 64, &shared).unwrap();
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

/// Those of projects are ended at once here.
fn readers_without_time() -> (tempfile::TempDir, Arc<Readers>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("donjon.db");
    let clock = Arc::new(donjon_testkit::FixedClock::new(sample::NOW));
    drop(SqliteRepository::create(OpenOptions::new(&path, clock)).unwrap());
    let path = crate::file::resolve(&path).unwrap();
    let mut readers = Readers::open(&path, 1, 1, Arc::new(Shared::new())).unwrap();
    readers.scan_time_max = Duration::ZERO;
    (folder, Arc::new(readers))
}

fn count_to(connection: &Connection, end: i64) -> Result<(), TxError> {
    let sql = "WITH RECURSIVE numbers (n) AS \
               (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1) \
               SELECT max(n) FROM numbers";
    let counted = connection.query_row(sql, [end], |_| Ok(()));
    counted.map_err(|error| storage(Failure::from(error).into()))
}

fn scan(turns: &Turns<Scan>, turn: Turn, end: i64) -> oneshot::Receiver<Result<(), TxError>> {
    let (reply, answer) = oneshot::channel();
    let job: ScanJob = Box::new(move |tx| count_to(tx.connection(), end));
    turns.push(turn, Scan { job, reply }).unwrap();
    answer
}

#[test]
fn scans_of_the_server_take_as_long_as_they_take() {
    let (_folder, readers) = readers_without_time();
    let turns = readers.start_scans(8).unwrap();
    let of_project = scan(&turns, Turn::of(&ProjectId::new("project")), 1_000_000);
    assert!(donjon_testkit::block_on(of_project).unwrap().is_err());
    let of_server = scan(&turns, Turn::SERVER, 1_000_000);
    assert!(donjon_testkit::block_on(of_server).unwrap().is_ok());
    assert!(!readers.shared.is_read_for_long());
    // But not longer than storage is open, and the log does not wait for them.
    let endless = scan(&turns, Turn::SERVER, i64::MAX);
    while !readers.shared.is_read_for_long() {
        thread::yield_now();
    }
    turns.close();
    readers.close();
    assert!(donjon_testkit::block_on(endless).unwrap().is_err());
    assert!(!readers.shared.is_read_for_long());
}

#[test]
fn the_whole_file_is_looked_at_for_as_long_as_it_takes() {
    let (_folder, readers) = readers_without_time();
    let look = || {
        let (reply, answer) = oneshot::channel();
        readers.start_check(reply).unwrap();
        donjon_testkit::block_on(answer).unwrap()
    };
    assert_eq!(look().unwrap(), Vec::<String>::new());
    readers.close();
    let error = look().unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unavailable);
}
