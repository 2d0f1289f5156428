//! Consumers of secrets.

use donjon_domain::{
    ConsumerId, Label, Page, PageRequest, ProjectId, SecretConsumer, SecretId, Start,
    StoredConsumer,
    ports::{ConsumerReads, ConsumerWrites, RepositoryError},
};
use rusqlite::{Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{label, time},
};
use crate::failure::Failure;

/// A query for the columns that [`read`] reads, in its order.
macro_rules! select_consumers {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, project, service, resource_type, resource_id, created, updated \
             FROM secret_consumers ",
            $clauses
        )
    };
}

impl<M: Mode> ConsumerReads for Tx<'_, M> {
    fn secret_consumers(
        &mut self,
        secret: SecretId,
    ) -> Result<Vec<StoredConsumer>, RepositoryError> {
        self.run(|tx| part(tx, secret, 0, -1))
    }

    fn list_secret_consumers(
        &mut self,
        secret: SecretId,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, RepositoryError> {
        self.run(|tx| {
            let offset = match page.start {
                Start::Offset(offset) => offset,
                // A secret is nowhere in a list of consumers.
                Start::After(_) => 0,
            };
            let skipped = i64::try_from(offset).unwrap_or(i64::MAX);
            let items = part(tx, secret, skipped, i64::from(page.limit.max(1)))?;
            Ok(Page {
                items,
                offset,
                total: count(tx, secret)?,
            })
        })
    }

    fn find_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<Option<StoredConsumer>, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(secret)? else {
                return Ok(None);
            };
            let sql = select_consumers!(
                "WHERE place = ?1 AND service = ?2 AND resource_type = ?3 AND resource_id = ?4"
            );
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![
                place,
                consumer.service.as_str(),
                consumer.resource_type.as_str(),
                consumer.resource_id,
            ])?;
            rows.next()?.map(read).transpose()
        })
    }
}

impl ConsumerWrites for WriteTransaction<'_> {
    fn insert_secret_consumer(
        &mut self,
        secret: SecretId,
        stored: &StoredConsumer,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let place = tx.expect_place(secret)?;
            let sql = "INSERT INTO secret_consumers (place, number, uuid, project, service, \
                       resource_type, resource_id, created, updated) \
                       SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
                       FROM secret_consumers WHERE place = ?1";
            tx.connection.prepare_cached(sql)?.execute(params![
                place,
                stored.id.as_bytes(),
                stored.project.as_str(),
                stored.consumer.service.as_str(),
                stored.consumer.resource_type.as_str(),
                stored.consumer.resource_id,
                stored.created.as_micros(),
                stored.updated.as_micros(),
            ])?;
            Ok(())
        })
    }

    fn delete_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(secret)? else {
                return Ok(false);
            };
            let sql = "DELETE FROM secret_consumers WHERE place = ?1 AND service = ?2 \
                       AND resource_type = ?3 AND resource_id = ?4";
            let gone = tx.connection.prepare_cached(sql)?.execute(params![
                place,
                consumer.service.as_str(),
                consumer.resource_type.as_str(),
                consumer.resource_id,
            ])?;
            Ok(gone > 0)
        })
    }
}

fn part<M: Mode>(
    tx: &mut Tx<'_, M>,
    secret: SecretId,
    skipped: i64,
    limit: i64,
) -> Result<Vec<StoredConsumer>, Failure> {
    let Some(place) = tx.place(secret)? else {
        return Ok(Vec::new());
    };
    let sql = select_consumers!("WHERE place = ?1 ORDER BY number LIMIT ?2 OFFSET ?3");
    let mut statement = tx.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![place, limit, skipped])?;
    let mut consumers = Vec::new();
    while let Some(row) = rows.next()? {
        consumers.push(read(row)?);
    }
    Ok(consumers)
}

fn count<M: Mode>(tx: &mut Tx<'_, M>, secret: SecretId) -> Result<u64, Failure> {
    let Some(place) = tx.place(secret)? else {
        return Ok(0);
    };
    let sql = "SELECT count(*) FROM secret_consumers WHERE place = ?1";
    let count: i64 = tx
        .connection
        .prepare_cached(sql)?
        .query_row([place], |row| row.get(0))?;
    u64::try_from(count).map_err(|_negative| Failure::BadRow("a count is negative"))
}

fn read(row: &Row<'_>) -> Result<StoredConsumer, Failure> {
    Ok(StoredConsumer {
        id: ConsumerId::from_bytes(row.get(0)?),
        project: ProjectId::new(row.get::<_, String>(1)?),
        consumer: SecretConsumer {
            service: needed(label(row, 2)?)?,
            resource_type: needed(label(row, 3)?)?,
            resource_id: row.get(4)?,
        },
        created: time(row, 5)?,
        updated: time(row, 6)?,
    })
}

fn needed(label: Option<Label>) -> Result<Label, Failure> {
    label.ok_or(Failure::BadRow("a consumer has no name"))
}
