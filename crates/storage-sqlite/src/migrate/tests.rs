use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::settings::{Role, connect};

const FIRST: Migration = MIGRATIONS[0];
const SECOND: Migration = Migration {
    name: "0002_more",
    sql: "CREATE TABLE more (x INTEGER) STRICT; INSERT INTO more VALUES (1);",
};
const BROKEN: Migration = Migration {
    name: "0002_broken",
    sql: "CREATE TABLE more (x INTEGER) STRICT; INSERT INTO nothing VALUES (1);",
};
const NOW: Timestamp = Timestamp::from_micros(7);

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    connection: Connection,
}

fn new_file() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = file::resolve(&folder.path().join("donjon.db")).unwrap();
    file::create(&path).unwrap();
    let connection = connect(&path, Role::Writer).unwrap();
    Fixture {
        _folder: folder,
        path,
        connection,
    }
}

impl Fixture {
    fn run(&self, migrations: &[Migration]) -> Result<Option<Migrated>, OpenError> {
        let from = inspect(&self.connection, &self.path, migrations)?;
        migrate(&self.connection, &self.path, from, migrations, NOW)
    }

    fn tables(&self) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut statement = self.connection.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }
}

#[test]
fn a_new_file_gets_every_script_once() {
    let fixture = new_file();
    let done = fixture.run(&[FIRST, SECOND]).unwrap();
    let expected = Migrated {
        from: 0,
        to: 2,
        copy: None,
    };
    assert_eq!(done, Some(expected));
    assert!(fixture.tables().contains(&"more".to_owned()));
    assert_eq!(fixture.run(&[FIRST, SECOND]).unwrap(), None);
}

#[test]
fn a_file_with_contents_is_copied_first() {
    let fixture = new_file();
    fixture.run(&[FIRST]).unwrap();
    // The change is in the WAL alone; the copy has it all the same.
    fixture
        .connection
        .execute("UPDATE state SET commit_seq = 41", [])
        .unwrap();
    let done = fixture.run(&[FIRST, SECOND]).unwrap().unwrap();
    let copy = done.copy.unwrap();
    assert_eq!(
        copy.file_name().unwrap().to_str(),
        Some("donjon.db.before-2")
    );
    let mode = copy.symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let old = Connection::open(&copy).unwrap();
    let seq: i64 = old
        .query_row("SELECT commit_seq FROM state", [], |row| row.get(0))
        .unwrap();
    assert_eq!(seq, 41);
    assert_eq!(inspect(&old, &copy, &[FIRST, SECOND]).unwrap(), 1);
    let check: String = old
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn what_an_earlier_attempt_left_is_replaced() {
    let fixture = new_file();
    fixture.run(&[FIRST]).unwrap();
    for name in ["donjon.db.before-2", "donjon.db.before-2.tmp"] {
        std::fs::write(fixture.path.with_file_name(name), "garbage").unwrap();
    }
    let copy = fixture
        .run(&[FIRST, SECOND])
        .unwrap()
        .unwrap()
        .copy
        .unwrap();
    assert!(std::fs::metadata(copy).unwrap().len() > 4_096);
    assert!(
        !fixture
            .path
            .with_file_name("donjon.db.before-2.tmp")
            .exists()
    );
}

#[test]
fn a_script_that_fails_leaves_nothing() {
    let fixture = new_file();
    fixture.run(&[FIRST]).unwrap();
    assert!(fixture.run(&[FIRST, BROKEN]).is_err());
    assert!(!fixture.tables().contains(&"more".to_owned()));
    assert_eq!(fixture.run(&[FIRST]).unwrap(), None);
}

#[test]
fn a_newer_file_is_refused() {
    let fixture = new_file();
    fixture.run(&[FIRST, SECOND]).unwrap();
    let error = fixture.run(&[FIRST]).unwrap_err();
    let kind = OpenErrorKind::NewerSchema { found: 2, known: 1 };
    assert_eq!(error.kind(), kind);
}

#[test]
fn other_scripts_are_noticed() {
    let fixture = new_file();
    fixture.run(&[FIRST, SECOND]).unwrap();
    let edited = Migration {
        sql: "CREATE TABLE more (x INTEGER) STRICT; INSERT INTO more VALUES (2);",
        ..SECOND
    };
    let renamed = Migration {
        name: "0002_other",
        ..SECOND
    };
    for other in [edited, renamed] {
        let error = fixture.run(&[FIRST, other]).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::AlteredSchema);
    }
    fixture
        .connection
        .execute("DELETE FROM migrations WHERE version = 1", [])
        .unwrap();
    let error = fixture.run(&[FIRST, SECOND]).unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::AlteredSchema);
}

#[test]
fn a_database_of_something_else_is_not_touched() {
    for sql in [
        "CREATE TABLE theirs (x)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 7",
    ] {
        let fixture = new_file();
        fixture.connection.execute_batch(sql).unwrap();
        let error = fixture.run(&[FIRST]).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::NotOurs, "{sql}");
    }
}

#[test]
fn a_released_script_never_changes() {
    // Whoever has to change a number here breaks every database that exists.
    let released = [
        ("0001_initial", 5_498_216_770_904_261_759_i64),
        ("0002_containers_orders_quotas", 4_922_157_491_981_730_023),
        ("0003_secret_stores", -7_485_162_556_724_354_170),
        ("0004_residue", 7_824_825_820_220_021_067),
        ("0005_removed_entries", -186_476_253_221_333_328),
        ("0006_orders_by_project", -9_053_667_961_117_864_254),
        ("0007_known_projects", -4_405_678_760_120_131_931),
        ("0008_outside", -63_321_522_696_228_294),
    ];
    let found: Vec<_> = MIGRATIONS
        .iter()
        .map(|migration| (migration.name, checksum(migration.sql)))
        .collect();
    assert_eq!(found, released);
}
