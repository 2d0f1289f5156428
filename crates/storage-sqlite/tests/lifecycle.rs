//! From the first start to an orderly end, and what the next start makes of a
//! file that was not left in order.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use donjon_domain::ports::{Health, Reading, Repository, RepositoryErrorKind, Turn, TxError};
use donjon_storage_sqlite::{OpenErrorKind, SqliteRepository};
use donjon_testkit::{block_on, sample};

use fixture::{
    Fixture, Held, add_kek, any_file_has, assert_sound, delete, eventually, has, insert,
    insert_sealed, kind,
};

#[test]
fn a_new_database_is_private_and_has_its_ballast() {
    let fixture = Fixture::new();
    let (repository, opened) = SqliteRepository::create(fixture.options()).unwrap();
    assert!(opened.was_clean);
    assert_eq!(opened.migrated.unwrap().from, 0);
    for name in ["donjon.db", "donjon.db-wal", "donjon.db-shm", "ballast"] {
        let found = fixture.folder().join(name).symlink_metadata().unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, 0o600, "{name}");
    }
    let ballast = fixture.folder().join("ballast").metadata().unwrap();
    assert_eq!(ballast.len(), 8_192);
    assert!(ballast.blocks() * 512 >= 8_192, "the ballast has holes");
    drop(repository);
}

#[test]
fn a_file_that_is_there_is_not_made_anew() {
    let fixture = Fixture::new();
    drop(fixture.create());
    let error = SqliteRepository::create(fixture.options()).unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Exists);
    assert!(fixture.open().is_ok());
}

#[test]
fn a_missing_file_is_not_made_on_opening() {
    let fixture = Fixture::new();
    assert_eq!(fixture.open().unwrap_err().kind(), OpenErrorKind::Missing);
    assert!(!fixture.path().exists());
}

#[test]
fn an_interrupted_creation_is_taken_up() {
    let fixture = Fixture::new();
    fs::write(fixture.path(), "").unwrap();
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let (repository, opened) = fixture.open().unwrap();
    assert_eq!(opened.migrated.unwrap().from, 0);
    block_on(insert(&repository, 1)).unwrap();
}

#[test]
fn a_link_and_an_open_file_are_refused() {
    let fixture = Fixture::new();
    drop(fixture.create());
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let error = fixture.open().unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Permissions);
    assert!(error.to_string().contains("0600"), "{error}");

    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(fixture.path(), fixture.folder().join("elsewhere")).unwrap();
    symlink(fixture.folder().join("elsewhere"), fixture.path()).unwrap();
    let error = fixture.open().unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Permissions);
}

#[test]
fn garbage_and_foreign_databases_are_refused() {
    let fixture = Fixture::new();
    let private = || fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o600));
    fs::write(fixture.path(), vec![0x55; 8_192]).unwrap();
    private().unwrap();
    assert_eq!(fixture.open().unwrap_err().kind(), OpenErrorKind::NotOurs);
    fs::remove_file(fixture.path()).unwrap();
    fixture
        .raw()
        .execute_batch("PRAGMA auto_vacuum = 2; CREATE TABLE theirs (x)")
        .unwrap();
    private().unwrap();
    assert_eq!(fixture.open().unwrap_err().kind(), OpenErrorKind::NotOurs);
}

#[test]
fn a_newer_schema_is_refused() {
    let fixture = Fixture::new();
    drop(fixture.create());
    fixture
        .raw()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = fixture.open().unwrap_err();
    let kind = OpenErrorKind::NewerSchema {
        found: 99,
        known: 8,
    };
    assert_eq!(error.kind(), kind);
}

#[test]
fn an_orderly_end_finishes_what_waits() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    let held = Held::new(&repository);
    let waiting: Vec<_> = (1..=20).map(|number| insert(&repository, number)).collect();
    let closing = repository.close();
    held.release();
    block_on(closing).unwrap();
    waiting.into_iter().for_each(|done| block_on(done).unwrap());
    assert_eq!(repository.health(), Health::Stopped);

    assert_eq!(
        kind(block_on(insert(&repository, 21))),
        RepositoryErrorKind::Unavailable
    );
    for reading in [Reading::Point, Reading::Scan(Turn::SERVER)] {
        let refused = block_on(repository.read(reading, Box::new(|_| Ok(()))));
        assert!(matches!(refused, Err(TxError::Storage(error))
            if error.kind() == RepositoryErrorKind::Unavailable));
    }
    block_on(repository.close()).unwrap();

    assert!(!fixture.beside("-wal").exists(), "the log is left");
    let (repository, opened) = fixture.open().unwrap();
    assert!(opened.was_clean);
    assert_eq!(opened.migrated, None);
    assert!((1..=20).all(|number| has(&repository, number)));
    assert_sound(&repository);
}

#[test]
fn dropping_is_an_orderly_end_too() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    drop(insert(&repository, 1));
    drop(repository);
    let (repository, opened) = fixture.open().unwrap();
    assert!(opened.was_clean);
    assert!(has(&repository, 1));
}

#[test]
fn commits_are_counted_over_restarts() {
    let fixture = Fixture::new();
    let (repository, first) = SqliteRepository::create(fixture.options()).unwrap();
    block_on(insert(&repository, 1)).unwrap();
    block_on(insert(&repository, 2)).unwrap();
    drop(repository);
    // Two inserts, the note of a clean end, the note of a new start.
    let (_repository, second) = fixture.open().unwrap();
    assert_eq!(second.commit_seq, first.commit_seq + 4);
}

#[test]
fn a_file_that_was_not_left_in_order_is_checked() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    for number in 0..100 {
        insert_sealed(&repository, number, vec![7; 3_000]).unwrap();
    }
    drop(repository);
    let damage = |offset| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(fixture.path())
            .unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&[0xff; 64]).unwrap();
    };
    let pages = fixture.path().metadata().unwrap().len() / 4_096;
    let mark = |clean: bool| {
        fixture
            .raw()
            .execute("UPDATE state SET clean = ?1", [clean])
            .unwrap();
    };
    mark(false);
    let (repository, opened) = fixture.open().unwrap();
    assert!(!opened.was_clean);
    drop(repository);

    mark(false);
    // The head of a page in the middle, which belongs to the secrets.
    damage(pages / 2 * 4_096);
    let error = fixture.open().unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Corrupt, "{error}");
}

#[test]
fn damage_that_is_met_later_stops_writes() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    for number in 0..400 {
        insert_sealed(&repository, number, vec![7; 3_000]).unwrap();
    }
    drop(repository);
    let mut bytes = Vec::new();
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(fixture.path())
        .unwrap();
    file.read_to_end(&mut bytes).unwrap();
    // Every leaf of the table, but not its root nor other tables.
    for page in 100..300 {
        let at = page * 4_096;
        if bytes[at] == 0x0d {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[0xff; 16]).unwrap();
        }
    }
    drop(file);

    let (repository, opened) = fixture.open().unwrap();
    assert!(opened.was_clean, "nobody looked at every page");
    let stopped = repository.stopped();
    let failed = (0..400)
        .filter(|number| fixture::found(&repository, sample::secret_id(*number)).is_err())
        .count();
    assert!(failed > 0, "no damaged page was read");
    assert_eq!(block_on(stopped), donjon_storage_sqlite::StopCause::Damage);
    assert_eq!(repository.health(), Health::Stopped);
    assert_eq!(
        kind(block_on(insert(&repository, 1_000))),
        RepositoryErrorKind::Unavailable
    );
    assert_eq!(
        kind(block_on(repository.close())),
        RepositoryErrorKind::Unavailable
    );
    drop(repository);
    let error = fixture.open().unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Corrupt);
}

#[test]
fn deleted_ciphertext_is_gone_from_every_file() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    add_kek(&repository);
    let canary = |number: u64| {
        let mut envelope =
            format!("a canary that nobody may find, number {number:04} ").into_bytes();
        envelope.resize(9_000, b'.');
        envelope
    };
    let start = |number: u64| format!("nobody may find, number {number:04} ").into_bytes();
    for number in 0..20 {
        insert_sealed(&repository, number, canary(number)).unwrap();
    }
    // With nothing to do, the log is written back and emptied.
    eventually("the log is empty", || fixture.log_bytes() == 0);
    assert!((0..20).all(|number| any_file_has(fixture.folder(), &start(number))));
    for number in 0..19 {
        assert!(delete(&repository, number).unwrap());
    }
    assert!(fixture.log_bytes() > 0);
    eventually("the log is empty", || fixture.log_bytes() == 0);
    for number in 0..19 {
        assert!(!any_file_has(fixture.folder(), &start(number)), "{number}");
    }
    assert!(any_file_has(fixture.folder(), &start(19)));
}
