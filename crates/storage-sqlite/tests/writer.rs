//! One writer: jobs share commits, and each stands for itself.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use donjon_domain::ports::{
    Health, Reading, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt, Turn, TxError,
};
use donjon_storage_sqlite::{OpenOptions, SqliteRepository};
use donjon_testkit::{block_on, sample};

use fixture::{
    Fixture, Held, add_kek, assert_sound, delete, has, insert, insert_sealed, kind, queue,
};

#[test]
fn jobs_that_wait_share_a_commit() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    let before = fixture.commit_seq();
    let held = Held::new(&repository);
    let waiting: Vec<_> = (1..=64).map(|number| insert(&repository, number)).collect();
    held.release();
    waiting.into_iter().for_each(|done| block_on(done).unwrap());
    assert_eq!(fixture.commit_seq(), before + 1);
}

#[test]
fn a_batch_has_a_limit() {
    let fixture = Fixture::new();
    let options = OpenOptions {
        batch_jobs_max: 10,
        ..fixture.options()
    };
    let (repository, _) = SqliteRepository::create(options).unwrap();
    let before = fixture.commit_seq();
    let held = Held::new(&repository);
    let waiting: Vec<_> = (1..=25).map(|number| insert(&repository, number)).collect();
    held.release();
    waiting.into_iter().for_each(|done| block_on(done).unwrap());
    assert_eq!(fixture.commit_seq(), before + 3);
}

#[test]
fn a_failed_job_undoes_itself_alone() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    block_on(insert(&repository, 1)).unwrap();
    let before = fixture.commit_seq();
    let held = Held::new(&repository);
    let first = insert(&repository, 2);
    let fails = queue(&repository, |tx| {
        tx.insert_secret(&sample::secret(3, "project"), None)?;
        tx.insert_secret(&sample::secret(4, "new project"), None)?;
        tx.delete_secret(sample::secret_id(1))?;
        tx.delete_secret(sample::secret_id(2))?;
        Err(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    let panics = repository.write(Box::new(|tx| {
        tx.insert_secret(&sample::secret(5, "new project"), None)
            .map_err(TxError::Storage)?;
        panic!("a job may have a defect")
    }));
    let last = insert(&repository, 6);
    held.release();
    block_on(first).unwrap();
    assert_eq!(kind(block_on(fails)), RepositoryErrorKind::Corrupt);
    let Err(TxError::Storage(error)) = block_on(panics) else {
        panic!("a job that panics fails");
    };
    assert_eq!(error.kind(), RepositoryErrorKind::Internal);
    block_on(last).unwrap();
    let there: Vec<_> = (1..=6).filter(|number| has(&repository, *number)).collect();
    assert_eq!(there, [1, 2, 6]);
    assert_eq!(fixture.commit_seq(), before + 1);
    assert_sound(&repository);
    assert_eq!(repository.health(), Health::Good);
}

#[test]
fn jobs_that_change_nothing_commit_nothing() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    let before = fixture.commit_seq();
    block_on(repository.write(Box::new(|_| Ok(())))).unwrap();
    assert!(!delete(&repository, 1).unwrap());
    let taken = sample::secret(1, "project");
    let fails = block_on(repository.write_with(move |tx| {
        tx.insert_secret(&taken, None)?;
        tx.insert_secret(&taken, None)
    }));
    assert_eq!(kind(fails), RepositoryErrorKind::Duplicate);
    assert_eq!(fixture.commit_seq(), before);
}

#[test]
fn a_full_queue_is_overload() {
    let fixture = Fixture::new();
    let options = OpenOptions {
        queue_jobs_max: 3,
        ..fixture.options()
    };
    let (repository, _) = SqliteRepository::create(options).unwrap();
    let held = Held::new(&repository);
    let waiting: Vec<_> = (1..=3).map(|number| insert(&repository, number)).collect();
    let refused = insert(&repository, 4);
    assert_eq!(kind(block_on(refused)), RepositoryErrorKind::Overloaded);
    held.release();
    waiting.into_iter().for_each(|done| block_on(done).unwrap());
    assert!(!has(&repository, 4));
}

#[test]
fn a_write_is_queued_without_being_polled() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    let held = Held::new(&repository);
    let secret = sample::secret(1, "project");
    drop(repository.write(Box::new(move |tx| {
        tx.insert_secret(&secret, None).map_err(TxError::Storage)
    })));
    held.release();
    block_on(repository.write(Box::new(|_| Ok(())))).unwrap();
    assert!(has(&repository, 1));
}

#[test]
fn a_read_that_panics_harms_nobody() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    for reading in [Reading::Point, Reading::Scan(Turn::SERVER)] {
        for _ in 0..20 {
            let done = block_on(repository.read(reading, Box::new(|_| panic!("a defect"))));
            let Err(TxError::Storage(error)) = done else {
                panic!("a job that panics fails");
            };
            assert_eq!(error.kind(), RepositoryErrorKind::Internal);
        }
    }
    assert!(!has(&repository, 1));
    block_on(insert(&repository, 1)).unwrap();
    // No snapshot was left open: an orderly end needs all of them to be gone.
    block_on(repository.close()).unwrap();
}

#[test]
fn reads_do_not_wait_for_a_write() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    block_on(insert(&repository, 1)).unwrap();
    let held = Held::new(&repository);
    assert!(has(&repository, 1));
    held.release();
}

#[test]
fn more_point_reads_than_connections_wait_for_each_other() {
    let fixture = Fixture::new();
    let options = OpenOptions {
        point_readers: 1,
        ..fixture.options()
    };
    let (repository, _) = SqliteRepository::create(options).unwrap();
    block_on(insert(&repository, 1)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..200).for_each(|_| assert!(has(&repository, 1))));
        }
    });
}

#[test]
fn a_long_batch_of_large_payloads_is_whole() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    for number in 0..100 {
        insert_sealed(&repository, number, vec![7; 20_000]).unwrap();
    }
    for number in (0..100).step_by(3) {
        assert!(delete(&repository, number).unwrap());
    }
    assert_sound(&repository);
}
