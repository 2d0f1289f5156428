//! Lists do not visit what lies before the page.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use donjon_domain::ports::{QuotaReads, SecretReads};

use super::*;
use crate::{
    settings::{Role, connect},
    tx::{EXPIRED, PENDING, ProjectNames, ReadTransaction, SWEPT_EARLY, list_queries},
};

const SECRETS: u64 = 20_000;

/// Two projects with many secrets each, of which a run in the middle was
/// deleted and one in ten has expired.
fn many() -> Fixture {
    let fixture = Fixture::new();
    for (project, first) in [("other", SECRETS), ("project", 0)] {
        fixture.write(move |tx| {
            for number in first..first + SECRETS {
                let secret = Secret {
                    expiration: number.is_multiple_of(10).then(|| at(0)),
                    ..sample::secret(number, project)
                };
                tx.insert_secret(&secret, None)?;
            }
            for number in first + 8_000..first + 12_000 {
                tx.delete_secret(sample::secret_id(number))?;
            }
            Ok(())
        });
    }
    fixture
}

/// How many steps SQLite's machine takes for a list of 10.
fn steps(fixture: &Fixture, start: Start, now: Timestamp) -> u64 {
    steps_of(fixture, |tx| {
        let page = tx.list_secrets(&page_of("project", start, 10), now);
        assert_eq!(page.unwrap().items.len(), 10);
    })
}

/// How many steps SQLite's machine takes for what `read` does.
fn steps_of(fixture: &Fixture, read: impl FnOnce(&mut ReadTransaction<'_>)) -> u64 {
    let path = crate::file::resolve(&fixture.folder.path().join("donjon.db")).unwrap();
    let mut connection = connect(&path, Role::Reader { cache_kib: 2_048 }).unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count)).unwrap();
    let mut names = ProjectNames::default();
    let mut tx = ReadTransaction::new(&connection, &mut names);
    read(&mut tx);
    steps.load(Ordering::Relaxed)
}

#[test]
fn a_page_far_behind_costs_little_more_than_the_first() {
    let fixture = many();
    while fixture.sweep(at(0), 1_000) > 0 {}
    let now = at(1);
    let first = steps(&fixture, Start::Offset(0), now);
    // A handful of steps for each of some 60 blocks, and for each of up to 256
    // rows of one block. Visiting every row would take more than 100,000.
    for offset in [5_000, 9_000, 13_000, 14_000] {
        let far = steps(&fixture, Start::Offset(offset), now);
        assert!(far < first + 3_000, "{far} steps, {first} for the first");
    }
    let after = steps(&fixture, Start::After(sample::secret_id(15_001)), now);
    assert!(
        after < first + 5_000,
        "{after} steps, {first} for the first"
    );
}

#[test]
fn what_was_not_swept_yet_costs_a_look_at_an_index() {
    let fixture = many();
    let first = steps(&fixture, Start::Offset(0), at(1));
    let far = steps(&fixture, Start::Offset(13_000), at(1));
    assert!(first < 15_000, "{first} steps for 1,600 expired secrets");
    assert!(far < first + 3_000, "{far} steps, {first} for the first");
}

/// A page as a seek, and whether each run of its job was on a thread for scans.
fn seek(fixture: &Fixture, start: Start, now: Timestamp) -> (Page<Secret>, Vec<bool>) {
    let query = page_of("project", start, 10);
    let runs = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&runs);
    let turn = Turn::of(&ProjectId::new("project"));
    let read = fixture
        .repository()
        .read_with(Reading::Seek(turn), move |tx| {
            let thread = std::thread::current();
            let scans = thread
                .name()
                .is_some_and(|name| name.starts_with("donjon-scan"));
            noted.lock().unwrap().push(scans);
            tx.list_secrets(&query, now)
        });
    let page = block_on(read).map_err(|error: RepositoryError| error);
    let runs = runs.lock().unwrap().clone();
    (page.unwrap(), runs)
}

#[test]
fn a_seek_past_much_that_was_not_swept_becomes_a_scan() {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        (0..SECRETS).try_for_each(|number| {
            let secret = Secret {
                expiration: (number % 4 > 0).then(|| at(60)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)
        })
    });
    for start in [
        Start::Offset(4_000),
        Start::After(sample::secret_id(15_996)),
    ] {
        // Nothing has expired yet, and the page is read on this thread.
        let (page, runs) = seek(&fixture, start, at(59));
        assert_eq!((page.total, page.items.len()), (SECRETS, 10));
        assert_eq!(runs, [false], "{start:?}");
    }
    let expected: Vec<_> = (4_000..4_010)
        .map(|number| sample::secret_id(number * 4))
        .collect();
    let check = |page: &Page<Secret>| {
        assert_eq!((page.offset, page.total), (4_000, SECRETS / 4));
        let found: Vec<_> = page.items.iter().map(|secret| secret.id).collect();
        assert_eq!(found, expected);
    };
    for start in [
        Start::Offset(4_000),
        Start::After(sample::secret_id(15_996)),
    ] {
        let (page, runs) = seek(&fixture, start, at(60));
        check(&page);
        assert_eq!(runs, [false, true], "{start:?}");
    }
    // Once they are swept, it is a seek again.
    while fixture.sweep(at(60), 1_000) > 0 {}
    let (page, runs) = seek(&fixture, Start::Offset(4_000), at(61));
    check(&page);
    assert_eq!(runs, [false]);
    // So it is for a page at a time before the sweep, which visits all rows.
    let (page, runs) = seek(&fixture, Start::Offset(4_000), at(59));
    assert_eq!((page.total, runs), (SECRETS, vec![false, true]));
}

#[test]
fn swept_regions_are_passed_over() {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        (0..SECRETS).try_for_each(|number| {
            let inner = (5..SECRETS - 5).contains(&number);
            let secret = Secret {
                expiration: inner.then(|| at(0)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)
        })
    });
    assert_eq!(fixture.sweep(at(0), usize::MAX), 19_990);
    let steps = steps(&fixture, Start::Offset(0), at(1));
    assert!(steps < 5_000, "{steps} steps");
}

#[test]
fn a_limit_is_checked_without_counting_all_that_expired() {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        (0..SECRETS).try_for_each(|number| {
            let secret = Secret {
                expiration: (number >= 100).then(|| at(60)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)
        })
    });
    let project = ProjectId::new("project");
    let check = |number: u64, seconds: i64, expected: bool, steps_max: u64| {
        let steps = steps_of(&fixture, |tx| {
            let found = tx.has_at_least(&project, Counted::Secrets, number, at(seconds));
            assert_eq!(found.unwrap(), expected, "{number} after {seconds} s");
        });
        assert!(steps < steps_max, "{steps} steps for {number}");
    };
    // Nothing is subtracted below the limit, and at the limit what is needed.
    check(SECRETS + 1, 60, false, 200);
    check(SECRETS, 60, false, 200);
    check(SECRETS, 59, true, 200);
    check(SECRETS - 20, 60, false, 500);
    check(0, 60, true, 200);
    // A project that got as many more as these since may wait for itself.
    check(101, 60, false, 300_000);
    check(100, 60, true, 300_000);
    while fixture.sweep(at(60), 1_000) > 0 {}
    check(101, 61, false, 200);
    check(100, 61, true, 200);
    // At a time before the sweep it is as it was.
    check(SECRETS, 59, true, 300_000);
    check(SECRETS + 1, 59, false, 300_000);
}

#[test]
fn counts_of_what_expired_search_an_index() {
    for sql in [EXPIRED, SWEPT_EARLY] {
        let plan = plan(sql);
        let searches = |step: &String| step.starts_with("SEARCH secrets USING ");
        assert!(plan.iter().any(searches), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP")), "{plan:?}");
    }
}

/// The steps of SQLite's plan for a statement.
pub(super) fn plan(sql: &str) -> Vec<String> {
    let fixture = Fixture::new();
    let connection = fixture.raw();
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = vec![1; statement.parameter_count()];
    let steps = statement
        .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
        .unwrap();
    steps.map(Result::unwrap).collect()
}

#[test]
fn every_query_of_a_list_searches() {
    for sql in list_queries() {
        let plan = plan(sql);
        let has = |word| plan.iter().any(|step| step.starts_with(word));
        assert!(has("SEARCH ") && !has("SCAN "), "{sql}: {plan:?}");
    }
}

#[test]
fn pending_orders_have_an_index_of_their_own() {
    // In its order, and without a look at the rows.
    let search = "SEARCH orders USING COVERING INDEX orders_pending (place>? AND place<?)";
    assert_eq!(plan(PENDING), [search]);
}
