//! Consumers of secrets, and what they have in common with those of containers.

use std::num::NonZeroU32;

use donjon_domain::{
    ConsumerId, Label, Page, PageRequest, ProjectId, SecretConsumer, SecretId, StoredConsumer,
    ports::{ConsumerReads, ConsumerWrites, Counted, RepositoryError},
};
use rusqlite::{OptionalExtension, Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{label, time},
    lists::{known_offset, nothing, to_u64},
};
use crate::{
    failure::Failure,
    place::{Place, Placed},
};

/// A registration, of one kind or the other.
pub(super) trait Registered: Sized {
    /// What names the thing that it is on.
    type Owner: Placed;

    /// The registrations at a place, in order: place, limit, offset.
    const PART: &'static str;

    /// How many there are at a place.
    const COUNT: &'static str;

    /// A row where there are more than so many at a place: place, how many.
    const MORE_THAN: &'static str;

    /// Of which projects those at a place are, and how many of each.
    const BY_PROJECT: &'static str;

    /// What of a project these are.
    const COUNTED: Counted;

    /// Reads a row that [`Self::PART`] found.
    fn read(row: &Row<'_>) -> Result<Self, Failure>;
}

/// A query for the columns that [`StoredConsumer`] is read from, in its order.
macro_rules! select_consumers {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, project, service, resource_type, resource_id, created, updated \
             FROM secret_consumers ",
            $clauses
        )
    };
}

impl Registered for StoredConsumer {
    type Owner = SecretId;

    const PART: &'static str =
        select_consumers!("WHERE place = ?1 ORDER BY number LIMIT ?2 OFFSET ?3");

    const COUNT: &'static str = "SELECT count(*) FROM secret_consumers WHERE place = ?1";

    const MORE_THAN: &'static str =
        "SELECT 1 FROM secret_consumers WHERE place = ?1 LIMIT 1 OFFSET ?2";

    const BY_PROJECT: &'static str =
        "SELECT project, count(*) FROM secret_consumers WHERE place = ?1 GROUP BY project";

    const COUNTED: Counted = Counted::SecretConsumers;

    fn read(row: &Row<'_>) -> Result<Self, Failure> {
        Ok(Self {
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
}

impl<M: Mode> ConsumerReads for Tx<'_, M> {
    fn secret_consumers(
        &mut self,
        secret: SecretId,
    ) -> Result<Vec<StoredConsumer>, RepositoryError> {
        self.run(|tx| all(tx, secret))
    }

    fn list_secret_consumers(
        &mut self,
        secret: SecretId,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, RepositoryError> {
        self.run(|tx| self::page(tx, secret, page))
    }

    fn has_secret_consumers(
        &mut self,
        secret: SecretId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        self.run(|tx| has::<StoredConsumer, M>(tx, secret, at_least))
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
            rows.next()?.map(Registered::read).transpose()
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
            count::<StoredConsumer>(tx, stored.project.as_str(), 1)
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
                       AND resource_type = ?3 AND resource_id = ?4 RETURNING project";
            let gone: Option<String> = tx
                .connection
                .prepare_cached(sql)?
                .query_row(
                    params![
                        place,
                        consumer.service.as_str(),
                        consumer.resource_type.as_str(),
                        consumer.resource_id,
                    ],
                    |row| row.get(0),
                )
                .optional()?;
            match gone {
                Some(project) => {
                    count::<StoredConsumer>(tx, &project, -1)?;
                    Ok(true)
                }
                None => Ok(false),
            }
        })
    }
}

/// All registrations on something, in their order.
pub(super) fn all<R: Registered, M: Mode>(
    tx: &mut Tx<'_, M>,
    owner: R::Owner,
) -> Result<Vec<R>, Failure> {
    match tx.place(owner)? {
        Some(place) => part(tx, place, 0, -1),
        None => Ok(Vec::new()),
    }
}

/// Whether there are so many.
pub(super) fn has<R: Registered, M: Mode>(
    tx: &mut Tx<'_, M>,
    owner: R::Owner,
    at_least: NonZeroU32,
) -> Result<bool, Failure> {
    let Some(place) = tx.place(owner)? else {
        return Ok(false);
    };
    let mut statement = tx.connection.prepare_cached(R::MORE_THAN)?;
    Ok(statement.exists(params![place, at_least.get() - 1])?)
}

/// A part of them. A marker is nowhere in it: it is the id of something else.
pub(super) fn page<R: Registered, M: Mode>(
    tx: &mut Tx<'_, M>,
    owner: R::Owner,
    page: PageRequest,
) -> Result<Page<R>, Failure> {
    let Some(place) = tx.place(owner)? else {
        return Ok(nothing(page));
    };
    let offset = known_offset(&page);
    let skipped = i64::try_from(offset).unwrap_or(i64::MAX);
    let total: i64 = tx
        .connection
        .prepare_cached(R::COUNT)?
        .query_row([place], |row| row.get(0))?;
    Ok(Page {
        items: part(tx, place, skipped, i64::from(page.limit.max(1)))?,
        offset,
        total: to_u64(total)?,
    })
}

/// So many came to the project that registered them, or went.
pub(super) fn count<R: Registered>(
    tx: &mut WriteTransaction<'_>,
    project: &str,
    by: i64,
) -> Result<(), Failure> {
    let row = tx.mode.pending.project_row(tx.connection, project)?;
    tx.mode.pending.count_unplaced(R::COUNTED, row, by);
    Ok(())
}

/// What is at `place` is about to go, and all registrations on it too.
pub(super) fn uncount_all<R: Registered>(
    tx: &mut WriteTransaction<'_>,
    place: Place,
) -> Result<(), Failure> {
    let by_project = tx
        .connection
        .prepare_cached(R::BY_PROJECT)?
        .query_map([place], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, i64)>, _>>()?;
    for (project, total) in by_project {
        count::<R>(tx, &project, -total)?;
    }
    Ok(())
}

fn part<R: Registered, M>(
    tx: &Tx<'_, M>,
    place: Place,
    skipped: i64,
    limit: i64,
) -> Result<Vec<R>, Failure> {
    let mut statement = tx.connection.prepare_cached(R::PART)?;
    let mut rows = statement.query(params![place, limit, skipped])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(R::read(row)?);
    }
    Ok(found)
}

/// A text that every registration has.
pub(super) fn needed(label: Option<Label>) -> Result<Label, Failure> {
    label.ok_or(Failure::BadRow("a consumer has no name"))
}
