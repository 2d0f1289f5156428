//! Containers, their entries and consumers.

use std::{collections::HashSet, num::NonZeroU32};

use donjon_domain::{
    Acl, ConsumerId, Container, ContainerConsumer, ContainerEntry, ContainerId, ContainerQuery,
    ContainerType, Label, Page, PageRequest, ProjectId, SecretId, StoredContainer,
    StoredContainerConsumer, Timestamp,
    ports::{ContainerReads, ContainerWrites, Counted, RepositoryError},
};
use rusqlite::{OptionalExtension, Row, params};

use super::{
    Found, Mode, Tx, WriteTransaction, acls,
    columns::{AclFlag, label, time, user},
    consumers::{self, Registered, needed},
    lists, missing,
    secrets::explain,
    seek::{Listed, Queries, queries},
};
use crate::{
    failure::Failure,
    place::{Kind, Place},
};

/// A query for the columns that [`read`] reads, in its order.
macro_rules! select_containers {
    ($($clauses:literal)+) => {
        concat!(
            "SELECT place, uuid, acl, created, updated, container_type, creator, name \
             FROM containers ",
            $($clauses),+
        )
    };
}

/// A query for the columns of a registration, in the order of [`Registered::read`].
macro_rules! select_consumers {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, project, name, url, created, updated FROM container_consumers ",
            $clauses
        )
    };
}

impl<M: Mode> ContainerReads for Tx<'_, M> {
    fn container(&mut self, id: ContainerId) -> Result<Option<StoredContainer>, RepositoryError> {
        self.run(|tx| {
            let sql = select_containers!("WHERE uuid = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let place: Place = row.get(0)?;
            let flag = AclFlag::from_stored(row.get(2)?)?;
            let project = tx.mode.project_name(tx.connection, place.project())?;
            let container = Container::read(row, ProjectId::new(project))?;
            tx.found = Some(Found::new(id, place));
            let acl = acls::read(tx.connection, Kind::Containers, place, flag)?;
            Ok(Some(StoredContainer { container, acl }))
        })
    }

    fn container_entries(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<ContainerEntry>, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(Vec::new());
            };
            let sql = "SELECT container_entries.name, secrets.uuid FROM container_entries \
                       JOIN secrets ON secrets.place = container_entries.secret \
                       WHERE container_entries.container = ?1 \
                       ORDER BY container_entries.name, container_entries.number";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([place])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(ContainerEntry {
                    name: label(row, 0)?,
                    secret: SecretId::from_bytes(row.get(1)?),
                });
            }
            Ok(entries)
        })
    }

    fn is_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
    ) -> Result<bool, RepositoryError> {
        self.run(|tx| {
            let (Some(container), Some(secret)) = (tx.place(id)?, tx.place(secret)?) else {
                return Ok(false);
            };
            let sql = "SELECT 1 FROM removed_container_entries \
                       WHERE container = ?1 AND secret = ?2 AND name = ?3";
            let key = params![container, secret, name.as_str()];
            Ok(tx.connection.prepare_cached(sql)?.exists(key)?)
        })
    }

    fn list_containers(
        &mut self,
        query: &ContainerQuery,
    ) -> Result<Page<Container>, RepositoryError> {
        self.run(|tx| lists::containers(tx, query))
    }

    fn container_consumers(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<StoredContainerConsumer>, RepositoryError> {
        self.run(|tx| consumers::all(tx, id))
    }

    fn list_container_consumers(
        &mut self,
        id: ContainerId,
        page: PageRequest,
    ) -> Result<Page<StoredContainerConsumer>, RepositoryError> {
        self.run(|tx| consumers::page(tx, id, page))
    }

    fn has_container_consumers(
        &mut self,
        id: ContainerId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        self.run(|tx| consumers::has::<StoredContainerConsumer, M>(tx, id, at_least))
    }

    fn find_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<Option<StoredContainerConsumer>, RepositoryError> {
        self.run(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(None);
            };
            let sql = select_consumers!("WHERE place = ?1 AND name = ?2 AND url = ?3");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let key = params![place, consumer.name.as_str(), consumer.url.as_str()];
            let mut rows = statement.query(key)?;
            rows.next()?.map(Registered::read).transpose()
        })
    }
}

impl ContainerWrites for WriteTransaction<'_> {
    fn insert_container(
        &mut self,
        container: &Container,
        entries: &[ContainerEntry],
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            // First of all: nothing may be left of a container that is refused,
            // for the job may go on.
            let secrets = check_entries(tx, entries)?;
            let place = insert(tx, container)?;
            entries
                .iter()
                .zip(secrets)
                .try_for_each(|(entry, secret)| insert_entry(tx, place, secret, entry))
        })
    }

    fn delete_container(&mut self, id: ContainerId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(false);
            };
            tx.found = None;
            consumers::uncount_all::<StoredContainerConsumer>(tx, place)?;
            // Entries, ACL and consumers go with it, by foreign keys.
            tx.connection
                .prepare_cached("DELETE FROM containers WHERE place = ?1")?
                .execute([place])?;
            tx.mode.pending.count(Kind::Containers, place, -1);
            tx.mode.pending.note_deletion();
            Ok(true)
        })
    }

    fn touch_container(
        &mut self,
        id: ContainerId,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE containers SET updated = ?2 WHERE uuid = ?1";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute(params![id.as_bytes(), updated.as_micros()])?;
            match changed {
                1 => Ok(()),
                _ => Err(missing(Kind::Containers)),
            }
        })
    }

    fn insert_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let container = tx.expect_place(id)?;
            let secret = tx.expect_place(entry.secret)?;
            // The next entry is likely to be of the same container.
            tx.found = Some(Found::new(id, container));
            insert_entry(tx, container, secret, entry)
        })
    }

    fn delete_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let (Some(container), Some(secret)) = (tx.place(id)?, tx.place(entry.secret)?) else {
                return Ok(false);
            };
            let sql = "DELETE FROM container_entries \
                       WHERE container = ?1 AND secret = ?2 AND name IS ?3";
            let name = entry.name.as_ref().map(|name| name.as_str());
            let gone = tx
                .connection
                .prepare_cached(sql)?
                .execute(params![container, secret, name])?;
            Ok(gone > 0)
        })
    }

    fn remember_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
        kept: NonZeroU32,
    ) -> Result<(), RepositoryError> {
        // Not `add`: on a full disk entries can be removed, and so have to be
        // noted.
        self.write(|tx| {
            let container = tx.expect_place(id)?;
            let secret = tx.expect_place(secret)?;
            let sql = "INSERT OR REPLACE INTO removed_container_entries \
                       (container, number, secret, name) \
                       SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 \
                       FROM removed_container_entries WHERE container = ?1 RETURNING number";
            let number: i64 = tx
                .connection
                .prepare_cached(sql)?
                .query_row(params![container, secret, name.as_str()], |row| row.get(0))?;
            let sql = "DELETE FROM removed_container_entries \
                       WHERE container = ?1 AND number <= ?2";
            tx.connection
                .prepare_cached(sql)?
                .execute(params![container, number - i64::from(kept.get())])?;
            Ok(())
        })
    }

    fn put_container_acl(&mut self, id: ContainerId, acl: &Acl) -> Result<(), RepositoryError> {
        self.add(|tx| acls::put(tx, id, acl))
    }

    fn delete_container_acl(&mut self, id: ContainerId) -> Result<(), RepositoryError> {
        self.write(|tx| acls::delete(tx, id))
    }

    fn insert_container_consumer(
        &mut self,
        id: ContainerId,
        stored: &StoredContainerConsumer,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let place = tx.expect_place(id)?;
            let sql = "INSERT INTO container_consumers \
                       (place, name, number, uuid, project, url, created, updated) \
                       SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, ?5, ?6, ?7 \
                       FROM container_consumers WHERE place = ?1 AND name = ?2";
            tx.connection.prepare_cached(sql)?.execute(params![
                place,
                stored.consumer.name.as_str(),
                stored.id.as_bytes(),
                stored.project.as_str(),
                stored.consumer.url.as_str(),
                stored.created.as_micros(),
                stored.updated.as_micros(),
            ])?;
            consumers::count::<StoredContainerConsumer>(tx, stored.project.as_str(), 1)
        })
    }

    fn delete_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(false);
            };
            let sql = "DELETE FROM container_consumers \
                       WHERE place = ?1 AND name = ?2 AND url = ?3 RETURNING project";
            let key = params![place, consumer.name.as_str(), consumer.url.as_str()];
            let gone: Option<String> = tx
                .connection
                .prepare_cached(sql)?
                .query_row(key, |row| row.get(0))
                .optional()?;
            match gone {
                Some(project) => {
                    consumers::count::<StoredContainerConsumer>(tx, &project, -1)?;
                    Ok(true)
                }
                None => Ok(false),
            }
        })
    }
}

impl Listed for Container {
    type Id = ContainerId;

    const QUERIES: Queries = queries!(select_containers, "containers", "container_blocks", "");

    fn read(row: &Row<'_>, project: ProjectId) -> Result<Self, Failure> {
        Ok(Self {
            id: ContainerId::from_bytes(row.get(1)?),
            project,
            creator: user(row, 6)?,
            created: time(row, 3)?,
            updated: time(row, 4)?,
            name: label(row, 7)?,
            container_type: container_type(row.get(5)?)?,
        })
    }
}

impl Registered for StoredContainerConsumer {
    type Owner = ContainerId;

    const PART: &'static str =
        select_consumers!("WHERE place = ?1 ORDER BY name, number LIMIT ?2 OFFSET ?3");

    const COUNT: &'static str = "SELECT count(*) FROM container_consumers WHERE place = ?1";

    const MORE_THAN: &'static str =
        "SELECT 1 FROM container_consumers WHERE place = ?1 LIMIT 1 OFFSET ?2";

    const BY_PROJECT: &'static str =
        "SELECT project, count(*) FROM container_consumers WHERE place = ?1 GROUP BY project";

    const COUNTED: Counted = Counted::ContainerConsumers;

    fn read(row: &Row<'_>) -> Result<Self, Failure> {
        Ok(Self {
            id: ConsumerId::from_bytes(row.get(0)?),
            project: ProjectId::new(row.get::<_, String>(1)?),
            consumer: ContainerConsumer {
                name: needed(label(row, 2)?)?,
                url: needed(label(row, 3)?)?,
            },
            created: time(row, 4)?,
            updated: time(row, 5)?,
        })
    }
}

/// Looks up the secrets of the entries of a new container.
fn check_entries(
    tx: &mut WriteTransaction<'_>,
    entries: &[ContainerEntry],
) -> Result<Vec<Place>, Failure> {
    if entries.iter().collect::<HashSet<_>>().len() < entries.len() {
        return Err(Failure::Duplicate);
    }
    entries
        .iter()
        .map(|entry| tx.expect_place(entry.secret))
        .collect()
}

fn insert(tx: &mut WriteTransaction<'_>, container: &Container) -> Result<Place, Failure> {
    let project = container.project.as_str();
    let place = tx
        .mode
        .pending
        .take_place(tx.connection, Kind::Containers, project)?;
    let sql = "INSERT INTO containers \
               (place, uuid, acl, created, updated, container_type, creator, name) \
               VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)";
    let inserted = tx.connection.prepare_cached(sql)?.execute(params![
        place,
        container.id.as_bytes(),
        container.created.as_micros(),
        container.updated.as_micros(),
        stored_container_type(container.container_type),
        container.creator.as_ref().map(|creator| creator.as_str()),
        container.name.as_ref().map(|name| name.as_str()),
    ]);
    inserted.map_err(explain)?;
    tx.found = Some(Found::new(container.id, place));
    tx.mode.pending.count(Kind::Containers, place, 1);
    Ok(place)
}

fn insert_entry(
    tx: &WriteTransaction<'_>,
    container: Place,
    secret: Place,
    entry: &ContainerEntry,
) -> Result<(), Failure> {
    let sql = "INSERT INTO container_entries (container, secret, name) VALUES (?1, ?2, ?3)";
    let name = entry.name.as_ref().map(|name| name.as_str());
    tx.connection
        .prepare_cached(sql)?
        .execute(params![container, secret, name])?;
    Ok(())
}

/// The number of a type.
pub(super) fn stored_container_type(container_type: ContainerType) -> i64 {
    match container_type {
        ContainerType::Generic => 0,
        ContainerType::Rsa => 1,
        ContainerType::Dsa => 2,
        ContainerType::Certificate => 3,
    }
}

fn container_type(stored: i64) -> Result<ContainerType, Failure> {
    ContainerType::ALL
        .into_iter()
        .find(|known| stored_container_type(*known) == stored)
        .ok_or(Failure::BadRow("container_type is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_types_come_back() {
        for known in ContainerType::ALL {
            let stored = stored_container_type(known);
            assert_eq!(container_type(stored).unwrap(), known);
        }
        assert!(container_type(4).is_err());
    }
}
