//! SQLite's settings: set on every connection, and read back, because what is
//! not set is not durable.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit, types::Value};

use crate::{OpenError, OpenErrorKind};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The one that writes and checkpoints.
    Writer,
    /// One of those that only read, with so much memory for pages.
    Reader {
        /// In units of 1,024 bytes.
        cache_kib: u32,
    },
}

/// How long a statement waits for another process's lock. Within this process
/// nothing waits, for there is one writer.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps; all that are used often fit.
const STATEMENTS_KEPT: usize = 128;

type Pragma = (&'static str, Wanted);

#[derive(Clone, Copy)]
enum Wanted {
    Number(i64),
    Text(&'static str),
}
use Wanted::{Number, Text};

/// In this order: what fixes the layout of a new file comes before its first
/// page is written by the change to WAL.
const WRITER: &[Pragma] = &[
    // Pages that deletes freed can be given back to a full disk.
    ("auto_vacuum", Number(2)),
    ("journal_mode", Text("wal")),
    // A commit is on disk before it is answered.
    ("synchronous", Number(2)),
    // Checkpoints are made by the writer between batches, never inside one.
    ("wal_autocheckpoint", Number(0)),
    ("foreign_keys", Number(1)),
    // Deleted ciphertext is overwritten with zeros.
    ("secure_delete", Number(1)),
    ("cell_size_check", Number(1)),
    ("trusted_schema", Number(0)),
    // A damaged file must not be able to write past a mapping.
    ("mmap_size", Number(0)),
    // Nothing is spilled into files that nobody wipes.
    ("temp_store", Number(2)),
];

const READER: &[Pragma] = &[
    ("query_only", Number(1)),
    ("cell_size_check", Number(1)),
    ("trusted_schema", Number(0)),
    ("mmap_size", Number(0)),
    ("temp_store", Number(2)),
];

/// Memory for pages of the writer.
const WRITER_CACHE_KIB: u32 = 8_192;

/// Switches beside the pragmas.
const SWITCHES: &[(DbConfig, bool)] = &[
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    // Without this, a statement is prepared anew whenever a parameter changes
    // that the planner compared with the condition of a partial index.
    (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    // After a failed sync, closing must not touch the file again. An orderly
    // close makes its checkpoint itself.
    (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
];

/// Opens a file that exists, and sets and checks everything.
pub(crate) fn connect(path: &Path, role: Role) -> Result<Connection, OpenError> {
    let access = match role {
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Reader { .. } => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // A connection is used by one thread at a time, which Rust sees to.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    for (switch, on) in SWITCHES {
        connection.set_db_config(*switch, *on)?;
    }
    for (name, wanted) in pragmas(role) {
        match wanted {
            Number(number) => connection.pragma_update(None, name, number)?,
            Text(text) => connection.pragma_update(None, name, text)?,
        }
    }
    verify(&connection, role)?;
    if role == Role::Writer {
        find_raw_pages(&connection)?;
    }
    Ok(connection)
}

/// Reads every setting back.
///
/// # Errors
/// [`OpenErrorKind::Settings`] with the name of the first that differs.
pub(crate) fn verify(connection: &Connection, role: Role) -> Result<(), OpenError> {
    for (switch, on) in SWITCHES {
        if connection.db_config(*switch)? != *on {
            return Err(OpenError::new(
                OpenErrorKind::Settings,
                format!("{switch:?}"),
            ));
        }
    }
    for (name, wanted) in pragmas(role) {
        let found: Value = connection.pragma_query_value(None, name, |row| row.get(0))?;
        let same = match (wanted, &found) {
            (Number(wanted), Value::Integer(found)) => wanted == *found,
            (Text(wanted), Value::Text(found)) => wanted == found,
            _ => false,
        };
        if !same {
            return Err(OpenError::new(
                OpenErrorKind::Settings,
                format!("{name} is {found:?}"),
            ));
        }
    }
    Ok(())
}

/// Looks for the table by which copies of deleted rows are wiped.
fn find_raw_pages(connection: &Connection) -> Result<(), OpenError> {
    let option = "ENABLE_DBPAGE_VTAB";
    let sql = "SELECT sqlite_compileoption_used(?1)";
    if connection.query_row(sql, [option], |row| row.get(0))? {
        Ok(())
    } else {
        let what = format!("it was built without SQLITE_{option}");
        Err(OpenError::new(OpenErrorKind::Settings, what))
    }
}

fn pragmas(role: Role) -> impl Iterator<Item = Pragma> {
    let (fixed, cache_kib) = match role {
        Role::Writer => (WRITER, WRITER_CACHE_KIB),
        Role::Reader { cache_kib } => (READER, cache_kib),
    };
    // A negative number means units of 1,024 bytes, not pages.
    let cache = ("cache_size", Number(-i64::from(cache_kib)));
    fixed.iter().copied().chain([cache])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::file::resolve(&folder.path().join("db")).unwrap();
        crate::file::create(&path).unwrap();
        (folder, path)
    }

    fn differs(connection: &Connection, role: Role, name: &str) {
        let error = verify(connection, role).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Settings);
        assert!(error.to_string().contains(name), "{error}");
    }

    /// 3.51.3 is the first release in which concurrent checkpoints do not
    /// damage the WAL.
    #[test]
    fn the_library_is_new_enough() {
        assert!(rusqlite::version_number() >= 3_051_003);
    }

    const READING: Role = Role::Reader { cache_kib: 64 };

    #[test]
    fn every_setting_of_the_writer_is_checked() {
        for (name, wanted) in pragmas(Role::Writer) {
            let (_folder, path) = new_file();
            let writer = connect(&path, Role::Writer).unwrap();
            writer
                .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
                .unwrap();
            let other = match wanted {
                // The layout of a file with tables cannot be changed.
                _ if name == "auto_vacuum" => continue,
                Number(number) => Value::Integer(1 - number.min(1)),
                Text(_) => Value::Text("delete".to_owned()),
            };
            writer.pragma_update(None, name, other).unwrap();
            differs(&writer, Role::Writer, name);
        }
    }

    #[test]
    fn every_setting_of_a_reader_is_checked() {
        let (_folder, path) = new_file();
        let writer = connect(&path, Role::Writer).unwrap();
        writer.execute_batch("CREATE TABLE t (x)").unwrap();
        for (name, wanted) in pragmas(READING) {
            let reader = connect(&path, READING).unwrap();
            let Number(number) = wanted else {
                panic!("{name} has a number");
            };
            reader.pragma_update(None, name, 1 - number.min(1)).unwrap();
            differs(&reader, READING, name);
        }
    }

    #[test]
    fn every_switch_is_checked() {
        for (switch, on) in SWITCHES {
            let (_folder, path) = new_file();
            let writer = connect(&path, Role::Writer).unwrap();
            writer.set_db_config(*switch, !on).unwrap();
            differs(&writer, Role::Writer, &format!("{switch:?}"));
        }
    }

    #[test]
    fn readers_cannot_write() {
        let (_folder, path) = new_file();
        let writer = connect(&path, Role::Writer).unwrap();
        writer.execute_batch("CREATE TABLE t (x)").unwrap();
        let reader = connect(&path, READING).unwrap();
        assert!(reader.execute("INSERT INTO t VALUES (1)", []).is_err());
    }

    #[test]
    fn a_link_to_the_file_is_refused() {
        let (folder, path) = new_file();
        let link = folder.path().canonicalize().unwrap().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(connect(&link, Role::Writer).is_err());
    }
}
