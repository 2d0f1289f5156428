//! Counts everything again and compares: the counts that lists rely on are
//! only worth something if they are always right.

use rusqlite::{Connection, types::ValueRef};

use crate::failure::Failure;

/// Each query finds rows that should not be; the first column names them.
/// SQLite's own check has a row `ok` where it finds nothing.
const RULES: &[(&str, &str)] = &[
    (
        "projects.live differs from its secrets",
        "SELECT name FROM projects WHERE live <> (SELECT count(*) FROM secrets \
         WHERE secrets.project = projects.id AND counted = 1 \
         AND place >= projects.id << 40 AND place < (projects.id + 1) << 40)",
    ),
    (
        "projects.next_ordinal lies among its secrets",
        "SELECT name FROM projects WHERE next_ordinal <= (SELECT coalesce(max(place), -1) - (id << 40) \
         FROM secrets WHERE place >= projects.id << 40 AND place < (projects.id + 1) << 40)",
    ),
    (
        "a secret has no project",
        "SELECT hex(uuid) FROM secrets WHERE place >> 40 NOT IN (SELECT id FROM projects)",
    ),
    (
        "blocks.live differs from its secrets",
        "SELECT block FROM blocks WHERE live <> (SELECT count(*) FROM secrets \
         WHERE counted = 1 AND place >= block << 8 AND place < (block + 1) << 8)",
    ),
    (
        "a block with secrets has no row",
        "SELECT DISTINCT place >> 8 FROM secrets WHERE counted = 1 \
         AND place >> 8 NOT IN (SELECT block FROM blocks)",
    ),
    (
        "a secret was swept too early",
        "SELECT hex(uuid) FROM secrets WHERE counted = 0 AND (expiration IS NULL \
         OR expiration > (SELECT swept_until FROM state))",
    ),
    (
        "state.next_creation lies among the secrets",
        "SELECT next_creation FROM state \
         WHERE next_creation <= (SELECT coalesce(max(creation), -1) FROM secrets)",
    ),
    (
        "an ACL has a flag and no row, or a row and no flag",
        "SELECT hex(uuid) FROM secrets \
         WHERE (acl <> 0) <> EXISTS (SELECT 1 FROM acls WHERE acls.place = secrets.place)",
    ),
    (
        "a key has no project",
        "SELECT hex(uuid) FROM keks WHERE scope <> -1 AND scope NOT IN (SELECT id FROM projects)",
    ),
    (
        "a row refers to one that is not there",
        "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check",
    ),
    ("SQLite finds damage", "PRAGMA integrity_check"),
];

/// What does not hold, a line each; nothing where all is well.
pub(crate) fn check(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut wrong = Vec::new();
    for (rule, sql) in RULES {
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
    }
    Ok(wrong)
}
