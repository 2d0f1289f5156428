//! Counts everything again and compares: the counts that lists rely on are
//! only worth something if they are always right.

use rusqlite::{Connection, types::ValueRef};

use crate::failure::Failure;

/// What is counted per project: a table, the count, and which rows do not count.
macro_rules! count {
    ($table:literal, $count:literal, $condition:literal) => {
        (
            concat!("projects.", $count, " differs from its ", $table),
            concat!(
                "SELECT name FROM projects WHERE ",
                $count,
                " <> (SELECT count(*) FROM ",
                $table,
                " WHERE place >= projects.id << 40 AND place < (projects.id + 1) << 40",
                $condition,
                ")"
            ),
        )
    };
}

/// Places are not given twice.
macro_rules! ordinal {
    ($table:literal, $next:literal) => {
        (
            concat!("projects.", $next, " lies among its ", $table),
            concat!(
                "SELECT name FROM projects WHERE ",
                $next,
                " <= (SELECT coalesce(max(place), -1) - (projects.id << 40) FROM ",
                $table,
                " WHERE place >= projects.id << 40 AND place < (projects.id + 1) << 40)"
            ),
        )
    };
}

/// What has a place has a project.
macro_rules! owned {
    ($table:literal) => {
        (
            concat!("one of the ", $table, " has no project"),
            concat!(
                "SELECT hex(uuid) FROM ",
                $table,
                " WHERE place >> 40 NOT IN (SELECT id FROM projects)"
            ),
        )
    };
}

/// What is counted per block of places.
macro_rules! block {
    ($table:literal, $blocks:literal, $condition:literal) => {
        (
            concat!($blocks, ".live differs from its ", $table),
            concat!(
                "SELECT block FROM ",
                $blocks,
                " WHERE live <> (SELECT count(*) FROM ",
                $table,
                " WHERE place >= block << 8 AND place < (block + 1) << 8",
                $condition,
                ")"
            ),
        )
    };
}

macro_rules! unblocked {
    ($table:literal, $blocks:literal, $condition:literal) => {
        (
            concat!("a block with ", $table, " has no row"),
            concat!(
                "SELECT DISTINCT place >> 8 FROM (SELECT place FROM ",
                $table,
                " ",
                $condition,
                ") WHERE place >> 8 NOT IN (SELECT block FROM ",
                $blocks,
                ")"
            ),
        )
    };
}

/// Registrations are counted for the project that made them.
macro_rules! registered {
    ($table:literal, $count:literal) => {
        (
            concat!("projects.", $count, " differs from the ", $table),
            concat!(
                "SELECT coalesce(name, project) FROM projects FULL JOIN \
                 (SELECT project, count(*) AS total FROM ",
                $table,
                " GROUP BY project) ON project = name WHERE coalesce(",
                $count,
                ", 0) <> coalesce(total, 0)"
            ),
        )
    };
}

macro_rules! acl {
    ($table:literal, $acls:literal) => {
        (
            concat!(
                $table,
                ": an ACL has a flag and no row, or a row and no flag"
            ),
            concat!(
                "SELECT hex(uuid) FROM ",
                $table,
                " WHERE (acl <> 0) <> EXISTS (SELECT 1 FROM ",
                $acls,
                " WHERE ",
                $acls,
                ".place = ",
                $table,
                ".place)"
            ),
        )
    };
}

/// Each query finds rows that should not be; the first column names them.
/// SQLite's own check has a row `ok` where it finds nothing.
pub(crate) const RULES: &[(&str, &str)] = &[
    count!("secrets", "live", " AND counted = 1"),
    count!("containers", "container_count", ""),
    count!("orders", "order_count", ""),
    ordinal!("secrets", "next_ordinal"),
    ordinal!("containers", "next_container"),
    ordinal!("orders", "next_order"),
    owned!("secrets"),
    owned!("containers"),
    owned!("orders"),
    block!("secrets", "blocks", " AND counted = 1"),
    block!("containers", "container_blocks", ""),
    block!("orders", "order_blocks", ""),
    unblocked!("secrets", "blocks", "WHERE counted = 1"),
    unblocked!("containers", "container_blocks", ""),
    unblocked!("orders", "order_blocks", ""),
    registered!("secret_consumers", "secret_consumer_count"),
    registered!("container_consumers", "container_consumer_count"),
    acl!("secrets", "acls"),
    acl!("containers", "container_acls"),
    (
        "a secret was swept too early",
        "SELECT hex(uuid) FROM secrets WHERE counted = 0 AND (expiration IS NULL \
         OR expiration > (SELECT swept_until FROM state))",
    ),
    (
        "state.next_creation lies among the secrets and orders",
        "SELECT next_creation FROM state \
         WHERE next_creation <= (SELECT coalesce(max(creation), -1) FROM secrets) \
         OR next_creation <= (SELECT coalesce(max(creation), -1) FROM orders)",
    ),
    (
        "a key has no project",
        "SELECT hex(uuid) FROM keks WHERE scope <> -1 AND scope NOT IN (SELECT id FROM projects)",
    ),
    (
        "a payload is a secret's, and under way or doomed",
        "SELECT hex(put) FROM outbox WHERE put IN (SELECT put FROM secrets WHERE put IS NOT NULL)",
    ),
    (
        "a row refers to one that is not there",
        "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check",
    ),
    ("SQLite finds damage", "PRAGMA integrity_check"),
];

/// What does not hold of one rule, a line each; nothing where it does.
pub(crate) fn check(
    connection: &Connection,
    (rule, sql): (&str, &str),
) -> Result<Vec<String>, Failure> {
    let mut wrong = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let what = match row.get_ref(0)? {
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Integer(number) => number.to_string(),
            _ => String::new(),
        };
        let well = what == "ok" && sql.starts_with("PRAGMA");
        if !well {
            wrong.push(format!("{rule}: {what}"));
        }
    }
    Ok(wrong)
}
