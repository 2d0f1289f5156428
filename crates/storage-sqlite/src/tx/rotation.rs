//! Changing the keys of what is stored.

use donjon_domain::{
    Deployment, KekId, KekScope, OrderId, ProjectId, RootKeyId, Sealed, SealedKind, SecretId,
    Timestamp, WrappedKek,
    ports::{KekReads, RepositoryError, RotationReads, RotationWrites, SealedObject, SealedRow},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Mode, Tx, WriteTransaction,
    keks::{kek_of_any_scope, select_keks},
    projects,
};
use crate::{
    failure::Failure,
    place::{Place, ProjectRow},
};

impl<M: Mode> RotationReads for Tx<'_, M> {
    fn root_keys(&mut self) -> Result<Vec<(RootKeyId, u64)>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT root, count(*) FROM keks WHERE wrapped <> x'' GROUP BY root";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let counts = statement.query_map([], |row| {
                let count: i64 = row.get(1)?;
                Ok((RootKeyId::from_bytes(row.get(0)?), count.unsigned_abs()))
            })?;
            Ok(counts.collect::<Result<_, _>>()?)
        })
    }

    fn keks_not_wrapped_by(
        &mut self,
        root: RootKeyId,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError> {
        self.run(|tx| {
            let sql = select_keks!("WHERE root <> ?1 AND wrapped <> x'' LIMIT ?2");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![root.as_bytes(), limit])?;
            let mut keks = Vec::new();
            while let Some(row) = rows.next()? {
                keks.push(kek_of_any_scope(tx, row)?);
            }
            Ok(keks)
        })
    }

    fn retired_keks(
        &mut self,
        after: Option<KekId>,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError> {
        self.run(|tx| {
            let sql = select_keks!(
                "WHERE state = 2 AND wrapped <> x'' AND uuid > ?1 ORDER BY uuid LIMIT ?2"
            );
            let mut statement = tx.connection.prepare_cached(sql)?;
            // No id is shorter.
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let mut rows = statement.query(params![after, limit])?;
            let mut keks = Vec::new();
            while let Some(row) = rows.next()? {
                keks.push(kek_of_any_scope(tx, row)?);
            }
            Ok(keks)
        })
    }

    fn projects_with_keks(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<ProjectId>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT name FROM projects WHERE name > ?1 \
                       AND EXISTS (SELECT 1 FROM keks WHERE scope = projects.id AND state = 1) \
                       ORDER BY name LIMIT ?2";
            let mut statement = tx.connection.prepare_cached(sql)?;
            // No project is called nothing.
            let after = after.map_or("", ProjectId::as_str);
            let names = statement.query_map(params![after, limit], |row| {
                row.get(0).map(|name: String| ProjectId::new(name))
            })?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    fn sealed_by(
        &mut self,
        kek: &WrappedKek,
        after: Option<SealedObject>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, RepositoryError> {
        self.run(|tx| {
            let Some(project) = project_of(tx.connection, kek)? else {
                return Ok(Vec::new());
            };
            let start = Place::first_of(project);
            let (secrets, orders) = match after {
                Some(SealedObject::Order(id)) => (None, tx.place(id)?.map_or(start, Place::next)),
                Some(SealedObject::Secret(id)) => {
                    (Some(tx.place(id)?.map_or(start, Place::next)), start)
                }
                None => (Some(start), start),
            };
            let end = Place::end_of(project);
            let mut found = Vec::new();
            if let Some(from) = secrets {
                let mut statement = tx.connection.prepare_cached(SEALED_SECRETS)?;
                let mut rows = statement.query(params![from, end, kek.id.as_bytes(), limit])?;
                while let Some(row) = rows.next()? {
                    let object = SealedObject::Secret(SecretId::from_bytes(row.get(0)?));
                    let (kek, envelope) = (kek.id, row.get(1)?);
                    let kind = if row.get(2)? {
                        SealedKind::Locator
                    } else {
                        SealedKind::Payload
                    };
                    let sealed = Sealed { kek, envelope };
                    found.push(SealedRow {
                        object,
                        kind,
                        sealed,
                    });
                }
            }
            let limit = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit));
            let mut statement = tx.connection.prepare_cached(SEALED_ORDERS)?;
            let mut rows = statement.query(params![orders, end, kek.id.as_bytes(), limit])?;
            while let Some(row) = rows.next()? {
                let object = SealedObject::Order(OrderId::from_bytes(row.get(0)?));
                let (kek, envelope) = (kek.id, row.get(1)?);
                found.push(SealedRow {
                    object,
                    kind: SealedKind::Passphrase,
                    sealed: Sealed { kek, envelope },
                });
            }
            Ok(found)
        })
    }

    fn worn_keks(
        &mut self,
        made_before: Timestamp,
        rows_above: u64,
        limit: u32,
    ) -> Result<Vec<(WrappedKek, u64)>, RepositoryError> {
        self.run(|tx| {
            let mut statement = tx.connection.prepare_cached(WORN_KEKS)?;
            let rows_above = i64::try_from(rows_above).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![made_before.as_micros(), rows_above, limit])?;
            let mut keks = Vec::new();
            while let Some(row) = rows.next()? {
                let sealed: i64 = row.get(7)?;
                keks.push((kek_of_any_scope(tx, row)?, sealed.unsigned_abs()));
            }
            Ok(keks)
        })
    }

    fn count_sealed_by(&mut self, kek: &WrappedKek) -> Result<u64, RepositoryError> {
        self.run(|tx| match project_of(tx.connection, kek)? {
            Some(project) => count_sealed(tx.connection, project, kek.id),
            None => Ok(0),
        })
    }
}

impl RotationWrites for WriteTransaction<'_> {
    fn rewrap_kek(&mut self, old: &WrappedKek, new: &WrappedKek) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE keks SET root = ?4, wrapped = ?5 \
                       WHERE uuid = ?1 AND root = ?2 AND wrapped = ?3";
            let changed = tx.connection.prepare_cached(sql)?.execute(params![
                old.id.as_bytes(),
                old.root.as_bytes(),
                old.wrapped,
                new.root.as_bytes(),
                new.wrapped,
            ])?;
            Ok(changed == 1)
        })
    }

    fn rewrap_deployment(
        &mut self,
        old: RootKeyId,
        new: &Deployment,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE deployment SET root = ?3, canary = ?4, created = ?5 \
                       WHERE root = ?1 AND uuid = ?2";
            let changed = tx.connection.prepare_cached(sql)?.execute(params![
                old.as_bytes(),
                new.id.as_bytes(),
                new.root.as_bytes(),
                new.canary,
                new.created.as_micros(),
            ])?;
            Ok(changed == 1)
        })
    }

    fn retire_kek(&mut self, id: KekId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE keks SET state = 2 WHERE uuid = ?1 AND state = 1";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute([id.as_bytes()])?;
            Ok(changed == 1)
        })
    }

    fn reseal(
        &mut self,
        object: SealedObject,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, RepositoryError> {
        self.add(|tx| {
            let (sql, id) = match &object {
                SealedObject::Secret(id) => (RESEAL_SECRET, id.as_bytes()),
                SealedObject::Order(id) => (RESEAL_ORDER, id.as_bytes()),
            };
            let changed = tx.connection.prepare_cached(sql)?.execute(params![
                id,
                old.kek.as_bytes(),
                new.kek.as_bytes(),
                new.envelope,
                old.envelope,
            ])?;
            Ok(changed == 1)
        })
    }

    fn destroy_kek(&mut self, id: KekId) -> Result<bool, RepositoryError> {
        let Some(kek) = self.kek(id)? else {
            return Ok(false);
        };
        self.write(|tx| {
            if let Some(project) = project_of(tx.connection, &kek)?
                && count_sealed(tx.connection, project, id)? > 0
            {
                return Ok(false);
            }
            let sql = "UPDATE keks SET root = zeroblob(16), wrapped = x'' \
                       WHERE uuid = ?1 AND state = 2 AND wrapped <> x''";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute([id.as_bytes()])?;
            if changed == 1 {
                tx.mode.pending.note_deletion();
            }
            Ok(changed == 1)
        })
    }
}

/// The project that a KEK belongs to; `None` for the server's keys, which seal
/// no rows.
fn project_of(connection: &Connection, kek: &WrappedKek) -> Result<Option<ProjectRow>, Failure> {
    match &kek.scope {
        KekScope::Project(project) => projects::row(connection, project.as_str()),
        KekScope::Server(_) => Ok(None),
    }
}

/// Walks the rows of the project, whose payloads it does not read.
fn count_sealed(connection: &Connection, project: ProjectRow, kek: KekId) -> Result<u64, Failure> {
    let count: Option<i64> = connection
        .prepare_cached(COUNT_SEALED)?
        .query_row(
            params![
                Place::first_of(project),
                Place::end_of(project),
                kek.as_bytes()
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// Made before, rows above, limit. Projects have numbers above 0.
const WORN_KEKS: &str = "\
     WITH sealed AS (SELECT kek, count(*) AS count FROM \
     (SELECT kek FROM secrets WHERE kek IS NOT NULL \
     UNION ALL SELECT kek FROM orders WHERE kek IS NOT NULL) GROUP BY kek) \
     SELECT uuid, scope, generation, state, root, wrapped, created, \
     coalesce((SELECT count FROM sealed WHERE kek = uuid), 0) AS rows FROM keks \
     WHERE state = 1 AND scope > 0 AND (created < ?1 OR rows > ?2) ORDER BY uuid LIMIT ?3";
/// From, end, KEK, limit.
const SEALED_SECRETS: &str = "SELECT uuid, envelope, store IS NOT NULL FROM secrets \
     WHERE place >= ?1 AND place < ?2 AND kek = ?3 ORDER BY place LIMIT ?4";
const SEALED_ORDERS: &str = "SELECT uuid, passphrase FROM orders \
     WHERE place >= ?1 AND place < ?2 AND kek = ?3 ORDER BY place LIMIT ?4";
const COUNT_SEALED: &str = "SELECT \
     (SELECT count(*) FROM secrets WHERE place >= ?1 AND place < ?2 AND kek = ?3) + \
     (SELECT count(*) FROM orders WHERE place >= ?1 AND place < ?2 AND kek = ?3)";

/// A KEK that is destroyed is none, which the table refuses beside an envelope.
const RESEAL_SECRET: &str = "UPDATE secrets SET envelope = ?4, \
     kek = (SELECT uuid FROM keks WHERE uuid = ?3 AND wrapped <> x'') \
     WHERE uuid = ?1 AND kek = ?2 AND envelope = ?5";
const RESEAL_ORDER: &str = "UPDATE orders SET passphrase = ?4, \
     kek = (SELECT uuid FROM keks WHERE uuid = ?3 AND wrapped <> x'') \
     WHERE uuid = ?1 AND kek = ?2 AND passphrase = ?5";
