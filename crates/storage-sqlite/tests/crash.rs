//! What is left after a process was killed, or its disk said no. The child is
//! this test program, run once more for one test.

#![expect(clippy::unwrap_used, reason = "a test panics when it fails")]

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use donjon_domain::ports::{Health, Repository, RepositoryErrorKind};
use donjon_storage_sqlite::{Ballast, OpenOptions, SqliteRepository, StopCause};
use donjon_testkit::{FixedClock, block_on, sample};

use fixture::{Fixture, add_kek, assert_sound, delete, has, insert, insert_sealed, kind};

/// Where the child finds its database.
const CHILD: &str = "DONJON_TEST_CHILD";

/// What the child says, a line each.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Added(u64),
    Deleted(u64),
    Stopped,
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    if let Some(folder) = std::env::var_os(CHILD) {
        write_until_killed(folder.into());
    }
    let fixture = Fixture::new();
    drop({
        let repository = fixture.create();
        add_kek(&repository);
        repository
    });
    let mut acknowledged = BTreeSet::new();
    let mut deleted = BTreeSet::new();
    for round in 0..6_usize {
        let mut child = spawn("acknowledged_writes_survive_a_kill", &fixture, "");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            match parse(&line) {
                Some(Said::Added(number)) => acknowledged.insert(number),
                Some(Said::Deleted(number)) => deleted.insert(number),
                _ => continue,
            };
            heard += 1;
            if heard == 40 + 37 * round {
                child.kill().unwrap();
            }
        }
        assert!(heard >= 40, "the child said too little");
        child.wait().unwrap();

        let (repository, opened) = fixture.open().unwrap();
        assert!(!opened.was_clean);
        for number in &acknowledged {
            let expected = !deleted.contains(number);
            // A delete may have happened without being heard of.
            let unheard = expected && is_deleted_next(*number, &deleted);
            assert!(
                has(&repository, *number) == expected || unheard,
                "{number} in round {round}"
            );
        }
        assert_sound(&repository);
    }
    assert!(acknowledged.len() > 200);
}

/// Every third secret is deleted right after it was added.
fn is_deleted_next(number: u64, deleted: &BTreeSet<u64>) -> bool {
    number.is_multiple_of(3) && !deleted.contains(&number)
}

/// Adds and deletes without end, and says so after each acknowledgement.
fn write_until_killed(folder: PathBuf) -> ! {
    let repository = open_in(folder);
    let first = (0..)
        .step_by(10_000)
        .find(|first| !has(&repository, *first));
    for number in first.unwrap().. {
        insert_sealed(&repository, number, vec![7; 500]).unwrap();
        say(&format!("added {number}"));
        if number.is_multiple_of(3) && !number.is_multiple_of(10_000) {
            assert!(delete(&repository, number).unwrap());
            say(&format!("deleted {number}"));
        }
    }
    unreachable!("the parent kills this process")
}

#[test]
fn a_write_that_the_disk_refuses_stops_everything() {
    if let Some(folder) = std::env::var_os(CHILD) {
        write_until_refused(folder.into());
        return;
    }
    let fixture = Fixture::new();
    drop({
        let repository = fixture.create();
        add_kek(&repository);
        repository
    });
    // A file may have 1 MiB; beyond it a write fails with EFBIG, which is no
    // full disk. Without the trap it would end the process.
    let limit = "trap '' XFSZ; ulimit -f 2048;";
    let mut child = spawn(
        "a_write_that_the_disk_refuses_stops_everything",
        &fixture,
        limit,
    );
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<_> = lines
        .map_while(Result::ok)
        .filter_map(|line| parse(&line))
        .collect();
    assert!(child.wait().unwrap().success(), "the child failed");
    assert_eq!(said.last(), Some(&Said::Stopped));
    assert!(said.len() > 20, "only {} writes", said.len());

    let (repository, opened) = fixture.open().unwrap();
    assert!(!opened.was_clean);
    for said in said {
        if let Said::Added(number) = said {
            assert!(has(&repository, number), "{number} is lost");
        }
    }
    assert_sound(&repository);
    block_on(insert(&repository, 100_000)).unwrap();
}

fn write_until_refused(folder: PathBuf) {
    let repository = open_in(folder);
    let stopped = repository.stopped();
    let mut number = 0;
    let error = loop {
        match insert_sealed(&repository, number, vec![7; 20_000]) {
            Ok(()) => say(&format!("added {number}")),
            Err(error) => break error,
        }
        number += 1;
    };
    assert_eq!(error.kind(), RepositoryErrorKind::OutcomeUnknown);
    assert_eq!(block_on(stopped), StopCause::Disk);
    assert_eq!(repository.health(), Health::Stopped);
    let after = block_on(insert(&repository, 50_000));
    assert_eq!(kind(after), RepositoryErrorKind::Unavailable);
    assert!((0..number).all(|number| has(&repository, number)));
    let closed = block_on(repository.close());
    assert_eq!(kind(closed), RepositoryErrorKind::Unavailable);
    say("stopped");
}

/// Copies taken in the middle of a job are what a power cut would leave: all
/// that was acknowledged before, nothing of what is under way.
#[test]
fn a_copy_in_the_middle_of_a_job_is_whole() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    for number in 0..200 {
        insert_sealed(&repository, number, vec![7; 2_000]).unwrap();
    }
    let copy = Fixture::new();
    let files: Vec<_> = ["", "-wal"]
        .map(|suffix| (fixture.beside(suffix), copy.beside(suffix)))
        .to_vec();
    let done = repository.write(Box::new(move |tx| {
        for number in 1_000..1_400 {
            let secret = sample::full_secret(number, "project");
            let mut payload = sample::payload(1, 7);
            // Together they do not fit the cache, so some reach the log.
            payload.sealed.envelope = vec![7; 60_000];
            tx.insert_secret(&secret, Some(&payload))
                .map_err(donjon_domain::ports::TxError::Storage)?;
        }
        for (from, to) in &files {
            std::fs::copy(from, to).expect("the copy is made");
        }
        Ok(())
    }));
    block_on(done).unwrap();
    drop(repository);

    let (repository, opened) = copy.open().unwrap();
    assert!(!opened.was_clean);
    assert!((0..200).all(|number| has(&repository, number)));
    assert!((1_000..1_400).all(|number| !has(&repository, number)));
    assert_sound(&repository);
    let (repository, _) = fixture.open().unwrap();
    assert!((1_000..1_400).all(|number| has(&repository, number)));
}

/// Runs this program again for one test, behind some lines of shell.
fn spawn(test: &str, fixture: &Fixture, before: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" --exact {test} --nocapture"))
        .arg(program)
        .env(CHILD, fixture.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn open_in(folder: PathBuf) -> SqliteRepository {
    let clock = Arc::new(FixedClock::new(sample::NOW));
    let options = OpenOptions::new(folder.join("donjon.db"), clock);
    let options = OpenOptions {
        ballast: Ballast {
            bytes: 0,
            ..options.ballast.clone()
        },
        ..options
    };
    SqliteRepository::open(options).unwrap().0
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn parse(line: &str) -> Option<Said> {
    // The test runner may have begun the line.
    let line = line.rsplit("... ").next()?;
    match line.split_once(' ') {
        Some(("added", number)) => number.parse().ok().map(Said::Added),
        Some(("deleted", number)) => number.parse().ok().map(Said::Deleted),
        _ => (line == "stopped").then_some(Said::Stopped),
    }
}
