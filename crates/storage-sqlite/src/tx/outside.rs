//! Payloads outside of the database.

use donjon_domain::{
    Outside, PutId, SecretId, SecretStoreId, StoredPayload, Timestamp,
    ports::{Doomed, OutsideCount, OutsideReads, OutsideWrites, PutIntent, RepositoryError},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Mode, Tx, WriteTransaction, columns::optional_time, secrets::explain};
use crate::{failure::Failure, place::Place};

impl<M: Mode> OutsideReads for Tx<'_, M> {
    fn doomed(
        &mut self,
        store: SecretStoreId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, RepositoryError> {
        self.run(|tx| {
            let Some(number) = number_of(tx.connection, store)? else {
                return Ok(Vec::new());
            };
            let mut statement = tx.connection.prepare_cached(DOOMED)?;
            let mut rows = statement.query(params![number, now.as_micros(), limit])?;
            let mut doomed = Vec::new();
            while let Some(row) = rows.next()? {
                doomed.push(Doomed {
                    outside: Outside {
                        store,
                        put: PutId::from_bytes(row.get(0)?),
                    },
                    secret: SecretId::from_bytes(row.get(1)?),
                    begun: optional_time(row, 2)?,
                    attempts: row.get(3)?,
                });
            }
            Ok(doomed)
        })
    }

    fn count_outside(&mut self, store: SecretStoreId) -> Result<OutsideCount, RepositoryError> {
        self.run(|tx| {
            let Some(number) = number_of(tx.connection, store)? else {
                return Ok(OutsideCount::default());
            };
            let sql = "SELECT (SELECT count(*) FROM secrets WHERE store = ?1), \
                       (SELECT count(*) FROM outbox WHERE store = ?1)";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let count = statement.query_row([number], |row| {
                let (secrets, outbox): (i64, i64) = (row.get(0)?, row.get(1)?);
                Ok(OutsideCount {
                    secrets: secrets.unsigned_abs(),
                    outbox: outbox.unsigned_abs(),
                })
            })?;
            Ok(count)
        })
    }

    fn is_known_outside(&mut self, secret: SecretId, put: PutId) -> Result<bool, RepositoryError> {
        self.run(|tx| {
            let known = tx
                .connection
                .prepare_cached(IS_KNOWN)?
                .query_row(params![secret.as_bytes(), put.as_bytes()], |row| row.get(0))?;
            Ok(known)
        })
    }

    fn payloads_in(
        &mut self,
        store: Option<SecretStoreId>,
        after: Option<SecretId>,
        limit: u32,
    ) -> Result<Vec<SecretId>, RepositoryError> {
        self.run(|tx| {
            let after = match after {
                Some(id) => tx.place(id)?,
                None => None,
            };
            let Some(number) = number_of_some(tx.connection, store)? else {
                return Ok(Vec::new());
            };
            let from = after.map_or(Place::first_of(0), Place::next);
            let mut statement = tx.connection.prepare_cached(PAYLOADS_IN)?;
            let ids = statement.query_map(params![number, from, limit], |row| {
                row.get(0).map(SecretId::from_bytes)
            })?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    fn count_payloads_in(&mut self, store: Option<SecretStoreId>) -> Result<u64, RepositoryError> {
        self.run(|tx| {
            let Some(number) = number_of_some(tx.connection, store)? else {
                return Ok(0);
            };
            let sql = "SELECT count(*) FROM secrets NOT INDEXED \
                       WHERE store IS ?1 AND content_type IS NOT NULL";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let count: i64 = statement.query_row([number], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

impl OutsideWrites for WriteTransaction<'_> {
    fn begin_put(&mut self, intent: &PutIntent) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let number = expect_number(tx.connection, intent.outside.store)?;
            let sql = "INSERT INTO outbox (put, store, secret, begun, due, attempts) \
                       VALUES (?1, ?2, ?3, ?4, NULL, 0)";
            tx.connection.prepare_cached(sql)?.execute(params![
                intent.outside.put.as_bytes(),
                number,
                intent.secret.as_bytes(),
                intent.begun.as_micros(),
            ])?;
            Ok(())
        })
    }

    fn settle_put(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        self.change_put(put, "DELETE FROM outbox WHERE put = ?1 AND due IS NULL")
    }

    fn doom_put(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        self.change_put(
            put,
            "UPDATE outbox SET due = begun WHERE put = ?1 AND due IS NULL",
        )
    }

    fn doom_puts(&mut self, until: Timestamp) -> Result<u64, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE outbox SET due = begun WHERE due IS NULL AND begun <= ?1";
            let mut statement = tx.connection.prepare_cached(sql)?;
            Ok(statement.execute([until.as_micros()])? as u64)
        })
    }

    fn postpone_doomed(&mut self, put: PutId, due: Timestamp) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE outbox SET due = ?2, attempts = attempts + 1 \
                       WHERE put = ?1 AND due IS NOT NULL";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute(params![put.as_bytes(), due.as_micros()])?;
            Ok(changed == 1)
        })
    }

    fn forget_doomed(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        self.change_put(put, "DELETE FROM outbox WHERE put = ?1 AND due IS NOT NULL")
    }

    fn move_payload(
        &mut self,
        id: SecretId,
        old: &StoredPayload,
        new: &StoredPayload,
    ) -> Result<bool, RepositoryError> {
        self.add(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(false);
            };
            let new_store = Stored::of(tx.connection, new)?;
            let old_store = match old.outside {
                Some(outside) => match number_of(tx.connection, outside.store)? {
                    None => return Ok(false),
                    number => number,
                },
                None => None,
            };
            let old_put = old.outside.map(|outside| outside.put);
            let moved = tx.connection.prepare_cached(MOVE)?.execute(params![
                place,
                old.sealed.kek.as_bytes(),
                old.sealed.envelope,
                old_store,
                old_put.as_ref().map(PutId::as_bytes),
                new.sealed.kek.as_bytes(),
                new.sealed.envelope,
                new_store.store,
                new_store.put,
            ]);
            if moved.map_err(explain)? == 0 {
                return Ok(false);
            }
            if let (Some(store), Some(put)) = (old_store, old_put) {
                doom(tx.connection, store, put.as_bytes(), id.as_bytes())?;
            }
            // What was here is overwritten, as when a secret goes.
            tx.mode.pending.note_deletion();
            Ok(true)
        })
    }
}

impl WriteTransaction<'_> {
    fn change_put(&mut self, put: PutId, sql: &str) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let mut statement = tx.connection.prepare_cached(sql)?;
            Ok(statement.execute([put.as_bytes()])? == 1)
        })
    }
}

/// Where a payload is, as columns.
#[derive(Clone, Copy, Default)]
pub(super) struct Stored {
    pub(super) store: Option<i64>,
    pub(super) put: Option<[u8; 16]>,
}

impl Stored {
    pub(super) fn of(connection: &Connection, payload: &StoredPayload) -> Result<Self, Failure> {
        match payload.outside {
            Some(outside) => Ok(Self {
                store: Some(expect_number(connection, outside.store)?),
                put: Some(*outside.put.as_bytes()),
            }),
            None => Ok(Self::default()),
        }
    }

    /// Reads two columns.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Self, Failure> {
        Ok(Self {
            store: row.get(column)?,
            put: row.get(column + 1)?,
        })
    }

    /// Looks up the id of a store, which most payloads do without.
    pub(super) fn outside(self, connection: &Connection) -> Result<Option<Outside>, Failure> {
        let (Some(store), Some(put)) = (self.store, self.put) else {
            return match (self.store, self.put) {
                (None, None) => Ok(None),
                _ => Err(Failure::BadRow(
                    "a payload is outside, and has no name there",
                )),
            };
        };
        let uuid = connection
            .prepare_cached("SELECT uuid FROM secret_stores WHERE id = ?1")?
            .query_row([store], |row| row.get(0))
            .optional()?;
        let uuid = uuid.ok_or(Failure::BadRow("a payload is in no known store"))?;
        Ok(Some(Outside {
            store: SecretStoreId::from_bytes(uuid),
            put: PutId::from_bytes(put),
        }))
    }
}

/// Removes a secret's row, whose payload has to go too, wherever it is. Says
/// whether it counted; `None` where there is none.
pub(super) fn delete_row(connection: &Connection, place: Place) -> Result<Option<bool>, Failure> {
    let sql = "DELETE FROM secrets WHERE place = ?1 RETURNING counted, store, put, uuid";
    let gone = connection
        .prepare_cached(sql)?
        .query_row([place], |row| {
            let stored: (Option<i64>, Option<[u8; 16]>) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, stored, row.get(3)?))
        })
        .optional()?;
    let Some((counted, stored, uuid)) = gone else {
        return Ok(None);
    };
    let uuid: [u8; 16] = uuid;
    if let (Some(store), Some(put)) = stored {
        doom(connection, store, &put, &uuid)?;
    }
    Ok(Some(counted))
}

/// Its put ended when its row was stored.
fn doom(
    connection: &Connection,
    store: i64,
    put: &[u8; 16],
    secret: &[u8; 16],
) -> Result<(), Failure> {
    let sql = "INSERT INTO outbox (put, store, secret, begun, due, attempts) \
               VALUES (?1, ?2, ?3, NULL, 0, 0)";
    connection
        .prepare_cached(sql)?
        .execute(params![put, store, secret])?;
    Ok(())
}

fn number_of(connection: &Connection, store: SecretStoreId) -> Result<Option<i64>, Failure> {
    let number = connection
        .prepare_cached("SELECT id FROM secret_stores WHERE uuid = ?1")?
        .query_row([store.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(number)
}

/// `Some(None)` is the database, `None` a store that is not known.
fn number_of_some(
    connection: &Connection,
    store: Option<SecretStoreId>,
) -> Result<Option<Option<i64>>, Failure> {
    match store {
        Some(store) => Ok(number_of(connection, store)?.map(Some)),
        None => Ok(Some(None)),
    }
}

fn expect_number(connection: &Connection, store: SecretStoreId) -> Result<i64, Failure> {
    number_of(connection, store)?.ok_or(Failure::Misuse("no such secret store"))
}

/// Store, now, limit.
const DOOMED: &str = "SELECT put, secret, begun, attempts FROM outbox INDEXED BY outbox_due \
     WHERE store = ?1 AND due IS NOT NULL AND due <= ?2 AND NOT EXISTS ( \
     SELECT 1 FROM secrets WHERE secrets.store = outbox.store AND secrets.put = outbox.put) \
     ORDER BY due LIMIT ?3";

/// Secret, put. A row is found by the id of its secret and by its put: either
/// index alone is enough, where the other one is damaged.
const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM outbox WHERE put = ?2) \
     OR EXISTS (SELECT 1 FROM secrets WHERE uuid = ?1 AND put = ?2) \
     OR EXISTS (SELECT 1 FROM secret_stores CROSS JOIN secrets INDEXED BY secrets_outside \
     ON secrets.store = secret_stores.id WHERE secrets.put = ?2)";

/// Store, first place, limit. Not through the index, whose order is another.
const PAYLOADS_IN: &str = "SELECT uuid FROM secrets NOT INDEXED \
     WHERE store IS ?1 AND place >= ?2 AND content_type IS NOT NULL ORDER BY place LIMIT ?3";

/// A KEK that is destroyed is none, which the table refuses beside an envelope.
const MOVE: &str = "UPDATE secrets SET envelope = ?7, store = ?8, put = ?9, \
     kek = (SELECT uuid FROM keks WHERE uuid = ?6 AND wrapped <> x'') \
     WHERE place = ?1 AND kek = ?2 AND envelope = ?3 AND store IS ?4 AND put IS ?5";
