//! Transport keys.

use donjon_domain::{
    Page, PageRequest, Start, TransportKey, TransportKeyId,
    ports::{RepositoryError, TransportKeyReads, TransportKeyWrites},
};
use rusqlite::{Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{label, time},
    lists::to_u64,
};
use crate::failure::Failure;

/// A query for the columns that [`read`] reads, in its order.
macro_rules! select_transport_keys {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, plugin_name, transport_key, created, updated FROM transport_keys ",
            $clauses
        )
    };
}

impl<M: Mode> TransportKeyReads for Tx<'_, M> {
    fn transport_key(
        &mut self,
        id: TransportKeyId,
    ) -> Result<Option<TransportKey>, RepositoryError> {
        self.run(|tx| {
            let sql = select_transport_keys!("WHERE uuid = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            rows.next()?.map(read).transpose()
        })
    }

    fn list_transport_keys(
        &mut self,
        plugin_name: Option<&str>,
        page: PageRequest<TransportKeyId>,
    ) -> Result<Page<TransportKey>, RepositoryError> {
        self.run(|tx| {
            let offset = match page.start {
                Start::Offset(offset) => offset,
                Start::After(marker) => {
                    let sql = "SELECT count(*) FROM transport_keys \
                               WHERE (?1 IS NULL OR plugin_name = ?1) AND id <= \
                               (SELECT id FROM transport_keys \
                                WHERE uuid = ?2 AND (?1 IS NULL OR plugin_name = ?1))";
                    let before: i64 = tx
                        .connection
                        .prepare_cached(sql)?
                        .query_row(params![plugin_name, marker.as_bytes()], |row| row.get(0))?;
                    to_u64(before)?
                }
            };
            let skipped = i64::try_from(offset).unwrap_or(i64::MAX);
            let sql = "SELECT count(*) FROM transport_keys \
                       WHERE ?1 IS NULL OR plugin_name = ?1";
            let total: i64 = tx
                .connection
                .prepare_cached(sql)?
                .query_row([plugin_name], |row| row.get(0))?;
            let sql = select_transport_keys!(
                "WHERE ?1 IS NULL OR plugin_name = ?1 ORDER BY id LIMIT ?2 OFFSET ?3"
            );
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![plugin_name, page.limit.max(1), skipped])?;
            let mut items = Vec::new();
            while let Some(row) = rows.next()? {
                items.push(read(row)?);
            }
            Ok(Page {
                items,
                offset,
                total: to_u64(total)?,
            })
        })
    }
}

impl TransportKeyWrites for WriteTransaction<'_> {
    fn insert_transport_key(&mut self, key: &TransportKey) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "INSERT INTO transport_keys \
                       (uuid, plugin_name, transport_key, created, updated) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            tx.connection.prepare_cached(sql)?.execute(params![
                key.id.as_bytes(),
                key.plugin_name.as_str(),
                key.transport_key,
                key.created.as_micros(),
                key.updated.as_micros(),
            ])?;
            Ok(())
        })
    }

    fn delete_transport_key(&mut self, id: TransportKeyId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let gone = tx
                .connection
                .prepare_cached("DELETE FROM transport_keys WHERE uuid = ?1")?
                .execute([id.as_bytes()])?;
            Ok(gone > 0)
        })
    }
}

fn read(row: &Row<'_>) -> Result<TransportKey, Failure> {
    Ok(TransportKey {
        id: TransportKeyId::from_bytes(row.get(0)?),
        plugin_name: label(row, 1)?.ok_or(Failure::BadRow("a transport key has no plugin"))?,
        transport_key: row.get(2)?,
        created: time(row, 3)?,
        updated: time(row, 4)?,
    })
}
