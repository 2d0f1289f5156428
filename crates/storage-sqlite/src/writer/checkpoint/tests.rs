use std::{
    sync::{atomic::AtomicBool, mpsc},
    thread,
};

use super::*;
use crate::settings::{Role, connect};

fn log(pages: i64) -> Log {
    Log {
        pages: Arc::new(AtomicI64::new(pages)),
        copied: 0,
        copy_at: None,
        purge_at: None,
        insist_at: None,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_commit_is_copied_after_a_second() {
    let start = ticks::now();
    let mut log = log(10);
    assert_eq!(log.due(start, false), None);
    log.note_commit(start);
    log.note_commit(start + Duration::from_millis(900));
    assert_eq!(log.due(start + Duration::from_millis(999), false), None);
    assert_eq!(log.due(start + seconds(1), false), Some(Due::Copy));
    log.note_copied(10, 10, start + seconds(1));
    assert_eq!(log.due(start + seconds(100), false), None);
}

#[test]
fn many_pages_are_copied_at_once() {
    let start = ticks::now();
    let mut log = log(999);
    assert_eq!(log.due(start, false), None);
    log.pages.store(1_000, Ordering::Relaxed);
    assert_eq!(log.due(start, false), Some(Due::Copy));
    // A reader holds the rest; nothing is due for what was copied.
    log.note_copied(1_000, 600, start);
    log.pages.store(1_500, Ordering::Relaxed);
    assert_eq!(log.due(start, false), None);
    assert_eq!(log.due(start + seconds(1), false), Some(Due::Copy));
    log.pages.store(1_600, Ordering::Relaxed);
    assert_eq!(log.due(start, false), Some(Due::Copy));
    // The log began anew.
    log.pages.store(30, Ordering::Relaxed);
    log.note_commit(start);
    log.pages.store(1_029, Ordering::Relaxed);
    assert_eq!(log.due(start, false), Some(Due::Copy));
}

#[test]
fn a_long_log_is_emptied_and_a_longer_one_at_any_price() {
    let start = ticks::now();
    assert_eq!(
        log(PAGES_MAX).due(start, false),
        Some(Due::Empty(SHORT_WAIT))
    );
    assert_eq!(
        log(2 * PAGES_MAX).due(start, false),
        Some(Due::Empty(LONG_WAIT))
    );
}

#[test]
fn what_was_deleted_is_purged_within_a_minute() {
    let start = ticks::now();
    let mut log = log(10);
    log.purge_soon(start);
    log.purge_soon(start + seconds(15));
    assert_eq!(log.due(start + seconds(19), false), None);
    assert_eq!(
        log.due(start + seconds(20), false),
        Some(Due::Empty(SHORT_WAIT))
    );
    assert_eq!(
        log.due(start + seconds(40), false),
        Some(Due::Empty(LONG_WAIT))
    );
    assert!(INSIST_AFTER + LONG_WAIT < seconds(60));
    log.note_emptied();
    assert_eq!(log.due(start + seconds(100), false), None);
}

#[test]
fn the_pages_of_each_commit_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::file::resolve(&folder.path().join("db")).unwrap();
    crate::file::create(&path).unwrap();
    let mut connection = connect(&path, Role::Writer).unwrap();
    let log = Log::watch(&mut connection).unwrap();
    assert!(log.is_empty());
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    let few = log.pages();
    assert!(few > 0);
    connection
        .execute("INSERT INTO t VALUES (zeroblob(1000000))", [])
        .unwrap();
    assert!(log.pages() > few + 240, "{}", log.pages());
}

/// Readers come and go without a pause, so there is always one; each begins
/// after the checkpoint does, and so is not in its way.
#[test]
fn new_readers_do_not_keep_the_log_from_being_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::file::resolve(&folder.path().join("db")).unwrap();
    crate::file::create(&path).unwrap();
    let writer = connect(&path, Role::Writer).unwrap();
    writer
        .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (began, begins) = mpsc::channel();
        for number in 0..3_u64 {
            let (path, stop, began) = (&path, &stop, began.clone());
            scope.spawn(move || {
                let reader = connect(path, Role::Reader { cache_kib: 64 }).unwrap();
                let (_never, pause) = mpsc::channel::<()>();
                while !stop.load(Ordering::Relaxed) {
                    reader.execute_batch("BEGIN; SELECT x FROM t").unwrap();
                    began.send(()).unwrap();
                    let hold = Duration::from_millis(40 + 10 * number);
                    assert!(pause.recv_timeout(hold).is_err());
                    reader.execute_batch("COMMIT").unwrap();
                }
            });
        }
        for _ in 0..5 {
            (0..3).for_each(|_| begins.recv().unwrap());
            writer.execute("INSERT INTO t VALUES (1)", []).unwrap();
            let emptied = truncate(&writer, LONG_WAIT);
            if !emptied.as_ref().is_ok_and(|emptied| *emptied) {
                stop.store(true, Ordering::Relaxed);
            }
            assert!(emptied.unwrap(), "readers starve the checkpoint");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Jobs would wait for it each time, and it would not end.
#[test]
fn nobody_waits_for_a_reader_that_takes_long() {
    let start = ticks::now();
    let mut log = log(2 * PAGES_MAX);
    log.purge_soon(start);
    log.note_commit(start);
    assert_eq!(log.due(start, true), None);
    assert_eq!(log.due(start + seconds(100), true), Some(Due::Copy));
    // What was put off is due when it has ended.
    log.note_copied(2 * PAGES_MAX, 1, start + seconds(100));
    assert_eq!(log.due(start + seconds(100), true), None);
    assert_eq!(
        log.due(start + seconds(100), false),
        Some(Due::Empty(LONG_WAIT))
    );
}
