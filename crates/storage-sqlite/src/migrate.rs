//! Brings a file to the newest schema: ordered scripts, one transaction each,
//! counted by `user_version` and remembered by hash.
//!
//! There is no way back, so a file that has something in it is copied first.

use std::path::{Path, PathBuf};

use donjon_domain::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, backup::Backup, backup::StepResult};

use crate::{OpenError, OpenErrorKind, file};

/// One script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// All scripts; the first brings a file to version 1.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_initial",
        sql: include_str!("schema/0001_initial.sql"),
    },
    Migration {
        name: "0002_containers_orders_quotas",
        sql: include_str!("schema/0002_containers_orders_quotas.sql"),
    },
    Migration {
        name: "0003_secret_stores",
        sql: include_str!("schema/0003_secret_stores.sql"),
    },
    Migration {
        name: "0004_residue",
        sql: include_str!("schema/0004_residue.sql"),
    },
    Migration {
        name: "0005_removed_entries",
        sql: include_str!("schema/0005_removed_entries.sql"),
    },
    Migration {
        name: "0006_orders_by_project",
        sql: include_str!("schema/0006_orders_by_project.sql"),
    },
    Migration {
        name: "0007_known_projects",
        sql: include_str!("schema/0007_known_projects.sql"),
    },
    Migration {
        name: "0008_outside",
        sql: include_str!("schema/0008_outside.sql"),
    },
];

/// What was done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The version before; 0 for an empty file.
    pub from: u32,
    /// The version now.
    pub to: u32,
    /// The copy of the file as it was, where it had anything in it.
    pub copy: Option<PathBuf>,
}

/// Stands in the header of the file, where `file(1)` finds it: "Donj".
const APPLICATION_ID: i32 = 0x446f_6e6a;

/// The version of a file, 0 where it is empty.
///
/// # Errors
/// [`OpenErrorKind::NotOurs`], [`OpenErrorKind::NewerSchema`] or
/// [`OpenErrorKind::AlteredSchema`] for a file that is not to be touched.
pub(crate) fn inspect(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<u32, OpenError> {
    let here = path.display().to_string();
    let known = version_of(migrations);
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application != APPLICATION_ID {
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let empty = application == 0 && version == 0 && objects == 0;
        return if empty {
            Ok(0)
        } else {
            Err(OpenError::new(OpenErrorKind::NotOurs, here))
        };
    }
    if version > known {
        let kind = OpenErrorKind::NewerSchema {
            found: version,
            known,
        };
        return Err(OpenError::new(kind, here));
    }
    check_history(connection, version, migrations)?;
    Ok(version)
}

/// Applies what is missing. `from` is what [`inspect`] said.
pub(crate) fn migrate(
    connection: &Connection,
    path: &Path,
    from: u32,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<Option<Migrated>, OpenError> {
    let to = version_of(migrations);
    if from == to {
        return Ok(None);
    }
    let copy = if from == 0 {
        None
    } else {
        Some(copy_before(connection, path, to)?)
    };
    for (version, migration) in (1..).zip(migrations) {
        if version > from {
            apply(connection, version, migration, now)?;
        }
    }
    Ok(Some(Migrated { from, to, copy }))
}

fn version_of(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

fn apply(
    connection: &Connection,
    version: u32,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), OpenError> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO migrations (version, name, checksum, applied) VALUES (?1, ?2, ?3, ?4)",
        (
            version,
            migration.name,
            checksum(migration.sql),
            now.as_micros(),
        ),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(())
}

/// Compares what was applied with what would be applied today.
fn check_history(
    connection: &Connection,
    version: u32,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let mut statement =
        connection.prepare("SELECT name, checksum FROM migrations ORDER BY version")?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, i64)>, _>>()?;
    let expected = migrations
        .iter()
        .take(usize::try_from(version).unwrap_or(usize::MAX))
        .map(|migration| (migration.name.to_owned(), checksum(migration.sql)));
    if expected.eq(found.iter().cloned()) {
        return Ok(());
    }
    let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
    Err(OpenError::new(
        OpenErrorKind::AlteredSchema,
        names.join(", "),
    ))
}

/// Copies the database, as it is after the log was written back, to
/// `NAME.before-VERSION` beside it. A copy of that name from an attempt that
/// did not get further is replaced.
fn copy_before(connection: &Connection, path: &Path, to: u32) -> Result<PathBuf, OpenError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (copy, unfinished) = (
        beside(&format!(".before-{to}")),
        beside(&format!(".before-{to}.tmp")),
    );
    let attempt = || {
        if unfinished.symlink_metadata().is_ok() {
            std::fs::remove_file(&unfinished)?;
        }
        file::create_private(&unfinished)
    };
    let handle = attempt().map_err(|error| OpenError::io(&unfinished, error))?;
    let mut target = Connection::open(&unfinished)?;
    // Nobody reads a copy that was not finished, so it needs no journal.
    target.pragma_update(None, "journal_mode", "off")?;
    target.pragma_update(None, "synchronous", "off")?;
    let all_at_once = -1;
    let step = Backup::new(connection, &mut target)?.step(all_at_once)?;
    if step != StepResult::Done {
        return Err(OpenError::new(
            OpenErrorKind::InUse,
            path.display().to_string(),
        ));
    }
    target.close().map_err(|(_, error)| error)?;
    let finish = || {
        handle.sync_all()?;
        std::fs::rename(&unfinished, &copy)?;
        file::sync_folder(&copy)
    };
    finish().map_err(|error| OpenError::io(&copy, error))?;
    Ok(copy)
}

/// FNV-1a, 64 bits: finds scripts that were edited after they were released.
fn checksum(sql: &str) -> i64 {
    let hash = sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_ne_bytes(hash.to_ne_bytes())
}

#[cfg(test)]
mod tests;
