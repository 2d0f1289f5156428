//! User metadata.

use donjon_domain::{
    MetadataKey, SecretId, UserMetadata,
    ports::{RepositoryError, UserMetadataReads, UserMetadataWrites},
};
use rusqlite::{OptionalExtension, params};

use super::{Mode, Tx, WriteTransaction};

impl<M: Mode> UserMetadataReads for Tx<'_, M> {
    fn user_metadata(&mut self, secret: SecretId) -> Result<UserMetadata, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(secret)? else {
                return Ok(UserMetadata::new());
            };
            let sql = "SELECT key, value FROM user_metadata WHERE place = ?1";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let metadata = statement
                .query_map([place], |row| {
                    let key = row.get::<_, String>(0)?;
                    Ok((MetadataKey::for_lookup(key), row.get(1)?))
                })?
                .collect::<Result<_, _>>()?;
            Ok(metadata)
        })
    }

    fn user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<Option<String>, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(secret)? else {
                return Ok(None);
            };
            let sql = "SELECT value FROM user_metadata WHERE place = ?1 AND key = ?2";
            let value = tx
                .connection
                .prepare_cached(sql)?
                .query_row(params![place, key.as_str()], |row| row.get(0))
                .optional()?;
            Ok(value)
        })
    }
}

impl UserMetadataWrites for WriteTransaction<'_> {
    fn replace_user_metadata(
        &mut self,
        secret: SecretId,
        metadata: &UserMetadata,
    ) -> Result<(), RepositoryError> {
        let replace = |tx: &mut Self| {
            let place = tx.expect_place(secret)?;
            tx.connection
                .prepare_cached("DELETE FROM user_metadata WHERE place = ?1")?
                .execute([place])?;
            let sql = "INSERT INTO user_metadata (place, key, value) VALUES (?1, ?2, ?3)";
            let mut insert = tx.connection.prepare_cached(sql)?;
            for (key, value) in metadata {
                insert.execute(params![place, key.as_str(), value])?;
            }
            Ok(())
        };
        // Replacing by nothing is a way to delete.
        if metadata.is_empty() {
            self.write(replace)
        } else {
            self.add(replace)
        }
    }

    fn put_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
        value: &str,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let place = tx.expect_place(secret)?;
            let sql = "INSERT INTO user_metadata (place, key, value) VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET value = excluded.value";
            tx.connection
                .prepare_cached(sql)?
                .execute(params![place, key.as_str(), value])?;
            Ok(())
        })
    }

    fn delete_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(secret)? else {
                return Ok(());
            };
            tx.connection
                .prepare_cached("DELETE FROM user_metadata WHERE place = ?1 AND key = ?2")?
                .execute(params![place, key.as_str()])?;
            Ok(())
        })
    }
}
