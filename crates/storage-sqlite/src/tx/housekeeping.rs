//! What the writer does to rows on its own account.

use donjon_domain::{StoredConsumer, Timestamp, ports::RepositoryError};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::{WriteTransaction, consumers, outside};
use crate::{
    failure::Failure,
    place::{Kind, Place},
};

const SWEEP: &str = "UPDATE secrets SET counted = 0 WHERE place IN ( \
     SELECT place FROM secrets INDEXED BY secrets_to_sweep \
     WHERE counted = 1 AND expiration IS NOT NULL AND expiration <= ?1 \
     ORDER BY expiration LIMIT ?2) RETURNING place";

const BRING_BACK: &str = "UPDATE secrets SET counted = 1 WHERE place IN ( \
     SELECT place FROM secrets INDEXED BY secrets_swept \
     WHERE counted = 0 AND expiration > ?1 \
     ORDER BY expiration DESC LIMIT ?2) RETURNING place";

/// A secret that was swept and expired long ago: the one that did so first.
pub(crate) const LONG_EXPIRED: &str = "SELECT place FROM secrets INDEXED BY secrets_swept \
     WHERE counted = 0 AND expiration <= ?1 ORDER BY expiration LIMIT 1";

pub(crate) const LONG_EXPIRED_TOKENS: &str = "DELETE FROM tokens WHERE id IN ( \
     SELECT id FROM tokens INDEXED BY tokens_expiring \
     WHERE expires IS NOT NULL AND expires <= ?1 ORDER BY expires LIMIT ?2)";

const SOME_CONSUMERS: &str = "DELETE FROM secret_consumers WHERE place = ?1 AND number IN ( \
     SELECT number FROM secret_consumers WHERE place = ?1 ORDER BY number LIMIT ?2) \
     RETURNING project";

/// What else hangs on a secret and may be many: place, limit.
const SOME_DEPENDENTS: [&str; 4] = [
    "DELETE FROM container_entries WHERE number IN ( \
     SELECT number FROM container_entries WHERE secret = ?1 LIMIT ?2)",
    "DELETE FROM removed_container_entries WHERE (container, number) IN ( \
     SELECT container, number FROM removed_container_entries WHERE secret = ?1 LIMIT ?2)",
    "DELETE FROM user_metadata WHERE place = ?1 AND key IN ( \
     SELECT key FROM user_metadata WHERE place = ?1 ORDER BY key LIMIT ?2)",
    "DELETE FROM acl_users WHERE place = ?1 AND user IN ( \
     SELECT user FROM acl_users WHERE place = ?1 ORDER BY user LIMIT ?2)",
];

impl WriteTransaction<'_> {
    /// Takes at most `limit` secrets that expired up to `horizon` out of the
    /// counts; or, if the horizon is earlier than that of a former sweep,
    /// brings back what expires after it. Says how many.
    pub(crate) fn sweep(
        &mut self,
        horizon: Timestamp,
        limit: usize,
    ) -> Result<usize, RepositoryError> {
        self.write(|tx| {
            let sql = "SELECT swept_until FROM state";
            let until: i64 = tx.connection.query_row(sql, [], |row| row.get(0))?;
            let back = until > horizon.as_micros();
            let (sql, by) = if back { (BRING_BACK, 1) } else { (SWEEP, -1) };
            let places = update(tx.connection, sql, horizon, limit)?;
            for place in &places {
                tx.mode.pending.count(Kind::Secrets, *place, by);
            }
            if back || !places.is_empty() {
                note_latest_swept(tx.connection)?;
            }
            Ok(places.len())
        })
    }

    /// Removes at most `rows` rows of what expired up to `horizon`: tokens, and
    /// secrets that were swept before, each after all that hangs on it. Says how
    /// many went; where fewer did than might have, nothing is left to remove.
    pub(crate) fn clean_up(
        &mut self,
        horizon: Timestamp,
        rows: usize,
    ) -> Result<usize, RepositoryError> {
        self.write(|tx| {
            let mut left = rows;
            left -= remove(
                tx.connection,
                LONG_EXPIRED_TOKENS,
                horizon.as_micros(),
                left,
            )?;
            while left > 0
                && let Some(place) = long_expired(tx.connection, horizon)?
            {
                left -= remove_dependents(tx, place, left)?;
                if left > 0 {
                    // Its ACL goes with it, which has no users any more.
                    outside::delete_row(tx.connection, place)?
                        .ok_or(Failure::BadRow("an index names a row that is not there"))?;
                    left -= 1;
                }
            }
            if left < rows {
                tx.mode.pending.note_deletion();
            }
            Ok(rows - left)
        })
    }

    /// Notes whether the next start may trust the file.
    pub(crate) fn mark_clean(&mut self, clean: bool) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE state SET clean = ?1";
            tx.connection.prepare_cached(sql)?.execute([clean])?;
            Ok(())
        })
    }

    /// Gives at most so many free pages back to the file system; they are cut
    /// off by the next checkpoint.
    pub(crate) fn give_back(&mut self, pages: u32) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let free: i64 = tx
                .connection
                .pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            if free == 0 {
                return Ok(());
            }
            let sql = format!("PRAGMA incremental_vacuum({pages})");
            let mut statement = tx.connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            tx.mode.pending.note_move();
            Ok(())
        })
    }
}

fn long_expired(connection: &Connection, horizon: Timestamp) -> Result<Option<Place>, Failure> {
    let place = connection
        .prepare_cached(LONG_EXPIRED)?
        .query_row([horizon.as_micros()], |row| row.get(0))
        .optional()?;
    Ok(place)
}

/// Removes at most `rows` rows that hang on a secret.
pub(super) fn remove_dependents(
    tx: &mut WriteTransaction<'_>,
    place: Place,
    rows: usize,
) -> Result<usize, Failure> {
    remove_hanging::<StoredConsumer>(tx, place, rows, SOME_CONSUMERS, &SOME_DEPENDENTS)
}

/// Removes at most `rows` rows: by `consumers`, which returns their projects, then
/// by the others in turn.
pub(super) fn remove_hanging<S: consumers::Registered>(
    tx: &mut WriteTransaction<'_>,
    place: Place,
    rows: usize,
    consumers: &str,
    others: &[&str],
) -> Result<usize, Failure> {
    let projects = tx
        .connection
        .prepare_cached(consumers)?
        .query_map(params![place, limit(rows)], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    for project in &projects {
        consumers::count::<S>(tx, project, -1)?;
    }
    let mut left = rows - projects.len();
    for sql in others {
        left -= remove(tx.connection, sql, place, left)?;
    }
    Ok(rows - left)
}

pub(super) fn remove(
    connection: &Connection,
    sql: &str,
    key: impl ToSql,
    rows: usize,
) -> Result<usize, Failure> {
    Ok(connection
        .prepare_cached(sql)?
        .execute(params![key, limit(rows)])?)
}

pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn update(
    connection: &Connection,
    sql: &str,
    horizon: Timestamp,
    rows: usize,
) -> Result<Vec<Place>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let places = statement
        .query_map(params![horizon.as_micros(), limit(rows)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(places)
}

/// Lists trust the counts from the latest expiration on that was swept.
fn note_latest_swept(connection: &Connection) -> Result<(), Failure> {
    let sql = "UPDATE state SET swept_until = coalesce( \
               (SELECT max(expiration) FROM secrets INDEXED BY secrets_swept WHERE counted = 0), \
               -9223372036854775808)";
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
