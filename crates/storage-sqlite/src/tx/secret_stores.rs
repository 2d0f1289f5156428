//! Secret stores, and which one a project prefers.

use donjon_domain::{
    ProjectId, SecretStore, SecretStoreId,
    ports::{RepositoryError, SecretStoreReads, SecretStoreWrites},
};
use rusqlite::{OptionalExtension, Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{label, time},
};
use crate::failure::Failure;

impl<M: Mode> SecretStoreReads for Tx<'_, M> {
    fn secret_stores(&mut self) -> Result<Vec<SecretStore>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT uuid, plugin, crypto_plugin, created, updated, name FROM secret_stores \
                       ORDER BY id";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut stores = Vec::new();
            while let Some(row) = rows.next()? {
                stores.push(read(row)?);
            }
            Ok(stores)
        })
    }

    fn preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<SecretStoreId>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT uuid FROM preferred_secret_stores \
                       JOIN secret_stores ON secret_stores.id = store \
                       WHERE project = (SELECT id FROM projects WHERE name = ?1)";
            let uuid = tx
                .connection
                .prepare_cached(sql)?
                .query_row([project.as_str()], |row| row.get(0))
                .optional()?;
            Ok(uuid.map(SecretStoreId::from_bytes))
        })
    }
}

impl SecretStoreWrites for WriteTransaction<'_> {
    fn insert_secret_store(&mut self, store: &SecretStore) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "INSERT INTO secret_stores (uuid, plugin, crypto_plugin, created, updated, name) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            tx.connection.prepare_cached(sql)?.execute(params![
                store.id.as_bytes(),
                store.plugin.as_str(),
                store.crypto_plugin.as_ref().map(|name| name.as_str()),
                store.created.as_micros(),
                store.updated.as_micros(),
                store.name.as_ref().map(|name| name.as_str()),
            ])?;
            Ok(())
        })
    }

    fn put_preferred_secret_store(
        &mut self,
        project: &ProjectId,
        store: SecretStoreId,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let found: Option<i64> = tx
                .connection
                .prepare_cached("SELECT id FROM secret_stores WHERE uuid = ?1")?
                .query_row([store.as_bytes()], |row| row.get(0))
                .optional()?;
            let found = found.ok_or(Failure::Misuse("no such secret store"))?;
            let row = tx
                .mode
                .pending
                .project_row(tx.connection, project.as_str())?;
            let sql = "INSERT INTO preferred_secret_stores (project, store) VALUES (?1, ?2) \
                       ON CONFLICT (project) DO UPDATE SET store = excluded.store";
            tx.connection
                .prepare_cached(sql)?
                .execute(params![row, found])?;
            Ok(())
        })
    }

    fn delete_preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "DELETE FROM preferred_secret_stores \
                       WHERE project = (SELECT id FROM projects WHERE name = ?1)";
            let gone = tx
                .connection
                .prepare_cached(sql)?
                .execute([project.as_str()])?;
            Ok(gone > 0)
        })
    }
}

fn read(row: &Row<'_>) -> Result<SecretStore, Failure> {
    Ok(SecretStore {
        id: SecretStoreId::from_bytes(row.get(0)?),
        plugin: label(row, 1)?.ok_or(Failure::BadRow("a secret store has no plugin"))?,
        crypto_plugin: label(row, 2)?,
        created: time(row, 3)?,
        updated: time(row, 4)?,
        name: label(row, 5)?,
    })
}
