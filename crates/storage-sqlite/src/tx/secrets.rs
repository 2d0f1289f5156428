//! Secrets and payloads.

use donjon_domain::{
    ContentType, KekId, Page, ProjectId, Sealed, Secret, SecretId, SecretQuery, StoredConsumer,
    StoredPayload, StoredSecret, Timestamp,
    ports::{RepositoryError, SecretReads, SecretWrites},
};
use rusqlite::{Connection, Row, params};

use super::{
    Found, Mode, Tx, WriteTransaction, acls,
    columns::{MORE_COLUMNS, SecretRow, select_secrets, stored_content_type, stored_secret_type},
    consumers, lists, missing,
    outside::{self, Stored},
    seek::{Listed, Queries, queries},
};
use crate::{failure::Failure, place::Kind};

impl Listed for Secret {
    type Id = SecretId;

    const QUERIES: Queries = Queries {
        expired: Some(
            "SELECT place >> 8 FROM secrets INDEXED BY secrets_expiring \
             WHERE project = ?1 AND counted = 1 AND expiration IS NOT NULL \
             AND expiration <= ?2",
        ),
        ..queries!(
            select_secrets,
            "secrets",
            "blocks",
            " AND counted = 1 AND (expiration IS NULL OR expiration > ?1)"
        )
    };

    fn read(row: &Row<'_>, project: ProjectId) -> Result<Self, Failure> {
        Ok(SecretRow::read(row)?.into_secret(project))
    }
}

/// A payload of up to 1,024 bytes is read along with its secret: it lies in the
/// same page, and whoever asks for it next is spared a statement, an eighth of
/// the time that both take.
const SECRET: &str = select_secrets!(
    [", kek, CASE WHEN octet_length(envelope) <= 1024 THEN envelope END, store, put"]
    "WHERE uuid = ?1"
);

impl<M: Mode> SecretReads for Tx<'_, M> {
    fn secret(&mut self, id: SecretId) -> Result<Option<StoredSecret>, RepositoryError> {
        self.run(|tx| {
            let mut statement = tx.connection.prepare_cached(SECRET)?;
            let mut rows = statement.query([id.as_bytes()])?;
            let Some(columns) = rows.next()? else {
                return Ok(None);
            };
            let row = SecretRow::read(columns)?;
            let payload = nearby_payload(tx.connection, columns)?;
            tx.nearby = payload.map(|payload| (row.place, payload));
            drop(rows);
            tx.found = Some(Found::new(id, row.place));
            let acl = acls::read(tx.connection, Kind::Secrets, row.place, row.acl)?;
            let project = tx.mode.project_name(tx.connection, row.place.project())?;
            Ok(Some(StoredSecret {
                secret: row.into_secret(ProjectId::new(project)),
                acl,
            }))
        })
    }

    fn payload(&mut self, id: SecretId) -> Result<Option<StoredPayload>, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(None);
            };
            if let Some((_, payload)) = tx.nearby.take_if(|(nearby, _)| *nearby == place) {
                return Ok(Some(payload));
            }
            let sql = "SELECT kek, envelope, store, put FROM secrets WHERE place = ?1";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([place])?;
            let row = rows
                .next()?
                .ok_or(Failure::BadRow("a payload has no key"))?;
            match (row.get(0)?, row.get(1)?) {
                (Some(kek), Some(envelope)) => Ok(Some(StoredPayload {
                    sealed: Sealed {
                        kek: KekId::from_bytes(kek),
                        envelope,
                    },
                    outside: Stored::read(row, 2)?.outside(tx.connection)?,
                })),
                (None, None) => Ok(None),
                _ => Err(Failure::BadRow("a payload has no key")),
            }
        })
    }

    fn list_secrets(
        &mut self,
        query: &SecretQuery,
        now: Timestamp,
    ) -> Result<Page<Secret>, RepositoryError> {
        self.run(|tx| lists::secrets(tx, query, now))
    }

    fn count_secrets(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<u64, RepositoryError> {
        self.run(|tx| lists::count_secrets(tx, project, now))
    }
}

impl SecretWrites for WriteTransaction<'_> {
    fn insert_secret(
        &mut self,
        secret: &Secret,
        payload: Option<&StoredPayload>,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            if payload.is_some() != secret.content_type.is_some() {
                return Err(Failure::Misuse("payload and content type come together"));
            }
            insert(tx, secret, payload)
        })
    }

    fn set_payload(
        &mut self,
        id: SecretId,
        content_type: ContentType,
        payload: &StoredPayload,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let place = tx.expect_place(id)?;
            let stored = Stored::of(tx.connection, payload)?;
            let sql = "UPDATE secrets SET content_type = ?2, envelope = ?4, updated = ?5, \
                       store = ?6, put = ?7, \
                       kek = (SELECT uuid FROM keks WHERE uuid = ?3 AND wrapped <> x'') \
                       WHERE place = ?1 AND content_type IS NULL";
            let changed = tx.connection.prepare_cached(sql)?.execute(params![
                place,
                stored_content_type(content_type),
                payload.sealed.kek.as_bytes(),
                payload.sealed.envelope,
                updated.as_micros(),
                stored.store,
                stored.put,
            ]);
            match changed.map_err(explain)? {
                1 => Ok(()),
                _ => Err(Failure::Duplicate),
            }
        })
    }

    fn touch_secret(&mut self, id: SecretId, updated: Timestamp) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE secrets SET updated = ?2 WHERE uuid = ?1";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute(params![id.as_bytes(), updated.as_micros()])?;
            match changed {
                1 => Ok(()),
                _ => Err(missing(Kind::Secrets)),
            }
        })
    }

    fn delete_secret(&mut self, id: SecretId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(false);
            };
            tx.found = None;
            consumers::uncount_all::<StoredConsumer>(tx, place)?;
            // All that belongs to the secret goes with it, by foreign keys.
            let counted = outside::delete_row(tx.connection, place)?;
            if counted.ok_or(missing(Kind::Secrets))? {
                tx.mode.pending.count(Kind::Secrets, place, -1);
            }
            tx.mode.pending.note_deletion();
            Ok(true)
        })
    }
}

/// The payload that was read along, if one was. Odd ones are left to the look
/// that has to return them.
fn nearby_payload(
    connection: &Connection,
    row: &Row<'_>,
) -> Result<Option<StoredPayload>, Failure> {
    let sealed = || {
        let kek = row.get_ref(MORE_COLUMNS).ok()?.as_blob().ok()?;
        let envelope = row.get_ref(MORE_COLUMNS + 1).ok()?.as_blob().ok()?;
        Some(Sealed {
            kek: KekId::from_bytes(kek.try_into().ok()?),
            envelope: envelope.to_vec(),
        })
    };
    let Some(sealed) = sealed() else {
        return Ok(None);
    };
    let outside = Stored::read(row, MORE_COLUMNS + 2)?.outside(connection)?;
    Ok(Some(StoredPayload { sealed, outside }))
}

/// A KEK that is destroyed is none, which the table refuses beside an envelope.
fn insert(
    tx: &mut WriteTransaction<'_>,
    secret: &Secret,
    payload: Option<&StoredPayload>,
) -> Result<(), Failure> {
    let place =
        tx.mode
            .pending
            .take_place(tx.connection, Kind::Secrets, secret.project.as_str())?;
    let creation = tx.mode.pending.take_creation(tx.connection)?;
    let stored = match payload {
        Some(payload) => Stored::of(tx.connection, payload)?,
        None => Stored::default(),
    };
    let sql = "INSERT INTO secrets (place, uuid, counted, acl, created, updated, expiration, \
               secret_type, content_type, bit_length, creation, creator, name, algorithm, mode, \
               kek, envelope, store, put) \
               VALUES (?1, ?2, 1, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
               (SELECT uuid FROM keks WHERE uuid = ?14 AND wrapped <> x''), ?15, ?16, ?17)";
    let inserted = tx.connection.prepare_cached(sql)?.execute(params![
        place,
        secret.id.as_bytes(),
        secret.created.as_micros(),
        secret.updated.as_micros(),
        secret.expiration.map(Timestamp::as_micros),
        stored_secret_type(secret.secret_type),
        secret.content_type.map(stored_content_type),
        secret.bit_length.map(|bits| bits.get()),
        creation,
        secret.creator.as_ref().map(|creator| creator.as_str()),
        secret.name.as_ref().map(|name| name.as_str()),
        secret
            .algorithm
            .as_ref()
            .map(|algorithm| algorithm.as_str()),
        secret.mode.as_ref().map(|mode| mode.as_str()),
        payload.map(|payload| payload.sealed.kek.as_bytes()),
        payload.map(|payload| payload.sealed.envelope.as_slice()),
        stored.store,
        stored.put,
    ]);
    inserted.map_err(explain)?;
    tx.found = Some(Found::new(secret.id, place));
    tx.mode.pending.count(Kind::Secrets, place, 1);
    Ok(())
}

/// Tells something sealed without its KEK, and a place that should have been free,
/// from a taken id.
pub(super) fn explain(error: rusqlite::Error) -> Failure {
    let failure = Failure::from(error);
    if failure.is_missing_parent() || failure.is_odd_row() {
        Failure::Misuse("the KEK is not stored, or destroyed")
    } else if failure.is_taken_place() {
        Failure::BadRow("the next place of a project is taken")
    } else {
        failure
    }
}
