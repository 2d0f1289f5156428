//! What the writer does to rows on its own account.

use donjon_domain::{Timestamp, ports::RepositoryError};
use rusqlite::{Connection, params};

use super::WriteTransaction;
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

fn update(
    connection: &Connection,
    sql: &str,
    horizon: Timestamp,
    limit: usize,
) -> Result<Vec<Place>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let places = statement
        .query_map(params![horizon.as_micros(), limit], |row| row.get(0))?
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
