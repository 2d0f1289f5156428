//! Projects as owners, and removing what one leaves behind.

use std::num::NonZeroU32;

use donjon_domain::{
    ContainerConsumer, ContainerId, ProjectId, SecretConsumer, SecretId, StoredContainerConsumer,
    Timestamp,
    ports::{
        Counted, Holdings, OwningProject, ProjectReads, ProjectWrites, Registration, Removal,
        RemovalCause, RepositoryError, Standing,
    },
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{label, optional_time},
    consumers::needed,
    housekeeping::{remove, remove_dependents, remove_hanging},
    lists::to_u64,
    outside, projects,
};
use crate::{
    failure::Failure,
    place::{Kind, Place, ProjectRow},
};

/// Behind which id, limit.
const OWNING: &str = "SELECT projects.name, known_projects.name IS NOT NULL, missed \
     FROM projects LEFT JOIN known_projects ON known_projects.name = projects.name \
     WHERE projects.name > ?1 AND ( \
     EXISTS (SELECT 1 FROM secrets WHERE place >= projects.id << 40 \
             AND place < (projects.id + 1) << 40) \
     OR EXISTS (SELECT 1 FROM keks WHERE scope = projects.id AND wrapped <> x'') \
     OR container_count > 0 OR order_count > 0 \
     OR secret_consumer_count > 0 OR container_consumer_count > 0 \
     OR EXISTS (SELECT 1 FROM project_quotas WHERE project = projects.id) \
     OR EXISTS (SELECT 1 FROM preferred_secret_stores WHERE project = projects.id)) \
     ORDER BY projects.name LIMIT ?2";

/// First place, place behind the last one, project, now, name of the project.
/// Registrations on what is its own go with that.
const HOLDINGS: &str = "SELECT \
     (SELECT count(*) FROM secrets WHERE place >= ?1 AND place < ?2), \
     container_count, order_count, \
     (SELECT count(*) FROM secret_consumers WHERE project = ?5 AND place >> 40 <> ?3) + \
     (SELECT count(*) FROM container_consumers WHERE project = ?5 AND place >> 40 <> ?3), \
     (SELECT count(*) FROM keks WHERE scope = ?3 AND wrapped <> x''), \
     (SELECT count(*) FROM project_quotas WHERE project = ?3) + \
     (SELECT count(*) FROM preferred_secret_stores WHERE project = ?3), \
     EXISTS (SELECT 1 FROM tokens WHERE project = ?5 AND (expires IS NULL OR expires > ?4)) \
     FROM projects WHERE id = ?3";

const HAS_TOKEN: &str = "SELECT 1 FROM tokens \
     WHERE project = ?1 AND (expires IS NULL OR expires > ?2) LIMIT 1";

const SECRET_REGISTRATIONS: &str = "SELECT secrets.uuid, service, resource_type, resource_id \
     FROM secret_consumers JOIN secrets USING (place) \
     WHERE secret_consumers.project = ?1 LIMIT ?2";
const CONTAINER_REGISTRATIONS: &str = "SELECT containers.uuid, container_consumers.name, url \
     FROM container_consumers JOIN containers USING (place) \
     WHERE container_consumers.project = ?1 LIMIT ?2";

const SOME_CONTAINER_CONSUMERS: &str = "DELETE FROM container_consumers \
     WHERE (place, name, number) IN (SELECT place, name, number FROM container_consumers \
     WHERE place = ?1 ORDER BY name, number LIMIT ?2) RETURNING project";

/// What else hangs on a container and may be many: place, limit.
const CONTAINER_DEPENDENTS: [&str; 3] = [
    "DELETE FROM container_entries WHERE number IN ( \
     SELECT number FROM container_entries WHERE container = ?1 LIMIT ?2)",
    "DELETE FROM removed_container_entries WHERE container = ?1 AND number IN ( \
     SELECT number FROM removed_container_entries WHERE container = ?1 ORDER BY number LIMIT ?2)",
    "DELETE FROM container_acl_users WHERE place = ?1 AND user IN ( \
     SELECT user FROM container_acl_users WHERE place = ?1 ORDER BY user LIMIT ?2)",
];

impl<M: Mode> ProjectReads for Tx<'_, M> {
    fn owning_projects(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<OwningProject>, RepositoryError> {
        self.run(|tx| {
            // No project is called nothing.
            let after = after.map_or("", ProjectId::as_str);
            let mut statement = tx.connection.prepare_cached(OWNING)?;
            let mut rows = statement.query(params![after, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(OwningProject {
                    project: ProjectId::new(row.get::<_, String>(0)?),
                    standing: standing(row.get(1)?, optional_time(row, 2)?),
                });
            }
            Ok(found)
        })
    }

    fn standing(&mut self, project: &ProjectId) -> Result<Standing, RepositoryError> {
        self.run(|tx| read_standing(tx.connection, project))
    }

    fn holdings(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<Holdings, RepositoryError> {
        self.run(|tx| {
            let Some(row) = projects::row(tx.connection, project.as_str())? else {
                return Ok(Holdings {
                    has_token: has_token(tx.connection, project, now)?,
                    ..Holdings::default()
                });
            };
            let key = params![
                Place::first_of(row),
                Place::end_of(row),
                row,
                now.as_micros(),
                project.as_str()
            ];
            let mut statement = tx.connection.prepare_cached(HOLDINGS)?;
            let mut rows = statement.query(key)?;
            let found = rows.next()?.ok_or(Failure::BadRow("a project is gone"))?;
            let pending = |counted| tx.mode.uncounted(row, counted).unwrap_or(0);
            Ok(Holdings {
                secrets: to_u64(found.get::<_, i64>(0)?)?,
                containers: to_u64(found.get::<_, i64>(1)? + pending(Counted::Containers))?,
                orders: to_u64(found.get::<_, i64>(2)? + pending(Counted::Orders))?,
                consumers: to_u64(found.get::<_, i64>(3)?)?,
                keks: to_u64(found.get::<_, i64>(4)?)?,
                settings: to_u64(found.get::<_, i64>(5)?)?,
                has_token: found.get(6)?,
            })
        })
    }

    fn registrations_of(
        &mut self,
        project: &ProjectId,
        limit: u32,
    ) -> Result<Vec<Registration>, RepositoryError> {
        self.run(|tx| {
            let mut found = Vec::new();
            let mut statement = tx.connection.prepare_cached(SECRET_REGISTRATIONS)?;
            let mut rows = statement.query(params![project.as_str(), limit])?;
            while let Some(row) = rows.next()? {
                let consumer = SecretConsumer {
                    service: needed(label(row, 1)?)?,
                    resource_type: needed(label(row, 2)?)?,
                    resource_id: row.get(3)?,
                };
                let id = SecretId::from_bytes(row.get(0)?);
                found.push(Registration::Secret(id, consumer));
            }
            let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit));
            let mut statement = tx.connection.prepare_cached(CONTAINER_REGISTRATIONS)?;
            let mut rows = statement.query(params![project.as_str(), left])?;
            while let Some(row) = rows.next()? {
                let consumer = ContainerConsumer {
                    name: needed(label(row, 1)?)?,
                    url: needed(label(row, 2)?)?,
                };
                let id = ContainerId::from_bytes(row.get(0)?);
                found.push(Registration::Container(id, consumer));
            }
            Ok(found)
        })
    }
}

impl ProjectWrites for WriteTransaction<'_> {
    fn confirm_project(&mut self, project: &ProjectId) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "INSERT INTO known_projects (name, missed) VALUES (?1, NULL) \
                       ON CONFLICT (name) DO UPDATE SET missed = NULL WHERE missed IS NOT NULL";
            tx.connection
                .prepare_cached(sql)?
                .execute([project.as_str()])?;
            Ok(())
        })
    }

    fn miss_project(
        &mut self,
        project: &ProjectId,
        since: Timestamp,
    ) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "UPDATE known_projects SET missed = ?2 WHERE name = ?1 AND missed IS NULL";
            let changed = tx
                .connection
                .prepare_cached(sql)?
                .execute(params![project.as_str(), since.as_micros()])?;
            Ok(changed == 1)
        })
    }

    fn remove_from_project(
        &mut self,
        project: &ProjectId,
        cause: RemovalCause,
        now: Timestamp,
        limit: NonZeroU32,
    ) -> Result<Removal, RepositoryError> {
        self.write(|tx| {
            if let RemovalCause::Missed(since) = cause
                && (read_standing(tx.connection, project)? != Standing::Missed(since)
                    || has_token(tx.connection, project, now)?)
            {
                return Ok(Removal::Spared);
            }
            if let Some(row) = projects::row(tx.connection, project.as_str())? {
                let rows = limit.get() as usize;
                let removed = remove_some(tx, row, rows)?;
                if removed > 0 {
                    tx.mode.pending.note_deletion();
                    return Ok(Removal::Removed(removed as u64));
                }
                if has_registrations(tx, project)? {
                    return Ok(Removal::Registered);
                }
                // Not DELETE: SQLite would look through all secrets and orders
                // for one that refers to it.
                let sql = "UPDATE keks SET state = 2, root = zeroblob(16), wrapped = x'' \
                           WHERE scope = ?1 AND wrapped <> x''";
                tx.connection.prepare_cached(sql)?.execute([row])?;
                tx.mode.pending.note_deletion();
            }
            tx.connection
                .prepare_cached("DELETE FROM known_projects WHERE name = ?1")?
                .execute([project.as_str()])?;
            Ok(Removal::Done)
        })
    }
}

fn standing(is_known: bool, missed: Option<Timestamp>) -> Standing {
    match (is_known, missed) {
        (false, _) => Standing::Unconfirmed,
        (true, None) => Standing::Confirmed,
        (true, Some(since)) => Standing::Missed(since),
    }
}

fn read_standing(connection: &Connection, project: &ProjectId) -> Result<Standing, Failure> {
    let sql = "SELECT missed FROM known_projects WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([project.as_str()])?;
    match rows.next()? {
        Some(row) => Ok(standing(true, optional_time(row, 0)?)),
        None => Ok(Standing::Unconfirmed),
    }
}

fn has_token(
    connection: &Connection,
    project: &ProjectId,
    now: Timestamp,
) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(HAS_TOKEN)?;
    Ok(statement.exists(params![project.as_str(), now.as_micros()])?)
}

fn has_registrations(tx: &WriteTransaction<'_>, project: &ProjectId) -> Result<bool, Failure> {
    for counted in [Counted::SecretConsumers, Counted::ContainerConsumers] {
        if let Some((row, count)) = projects::find(tx.connection, project.as_str(), counted)?
            && count + tx.mode.uncounted(row, counted).unwrap_or(0) > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes at most `rows` rows, each after all that hangs on it, and says how many
/// went; none means that there are none.
fn remove_some(
    tx: &mut WriteTransaction<'_>,
    project: ProjectRow,
    rows: usize,
) -> Result<usize, Failure> {
    tx.found = None;
    let mut left = rows;
    for sql in [
        "DELETE FROM project_quotas WHERE project IN (SELECT ?1 LIMIT ?2)",
        "DELETE FROM preferred_secret_stores WHERE project IN (SELECT ?1 LIMIT ?2)",
    ] {
        left -= remove(tx.connection, sql, project, left)?;
    }
    for kind in [Kind::Containers, Kind::Orders, Kind::Secrets] {
        while left > 0
            && let Some(place) = first(tx.connection, kind, project)?
        {
            left -= match kind {
                Kind::Secrets => remove_dependents(tx, place, left)?,
                Kind::Containers => remove_hanging::<StoredContainerConsumer>(
                    tx,
                    place,
                    left,
                    SOME_CONTAINER_CONSUMERS,
                    &CONTAINER_DEPENDENTS,
                )?,
                Kind::Orders => 0,
            };
            if left > 0 {
                // Its ACL goes with it, which has no users any more.
                remove_one(tx, kind, place)?;
                left -= 1;
            }
        }
    }
    Ok(rows - left)
}

/// The first place of a project where something is.
fn first(
    connection: &Connection,
    kind: Kind,
    project: ProjectRow,
) -> Result<Option<Place>, Failure> {
    let sql = match kind {
        Kind::Secrets => "SELECT min(place) FROM secrets WHERE place >= ?1 AND place < ?2",
        Kind::Containers => "SELECT min(place) FROM containers WHERE place >= ?1 AND place < ?2",
        Kind::Orders => "SELECT min(place) FROM orders WHERE place >= ?1 AND place < ?2",
    };
    let key = params![Place::first_of(project), Place::end_of(project)];
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(key, |row| row.get(0))?)
}

fn remove_one(tx: &mut WriteTransaction<'_>, kind: Kind, place: Place) -> Result<(), Failure> {
    let sql = match kind {
        Kind::Secrets => {
            let counted = outside::delete_row(tx.connection, place)?;
            return uncount(tx, kind, place, counted);
        }
        Kind::Containers => "DELETE FROM containers WHERE place = ?1 RETURNING 1",
        Kind::Orders => "DELETE FROM orders WHERE place = ?1 RETURNING 1",
    };
    let counted = tx
        .connection
        .prepare_cached(sql)?
        .query_row([place], |row| row.get(0))
        .optional()?;
    uncount(tx, kind, place, counted)
}

fn uncount(
    tx: &mut WriteTransaction<'_>,
    kind: Kind,
    place: Place,
    counted: Option<bool>,
) -> Result<(), Failure> {
    if counted.ok_or(Failure::BadRow("a row is not where it was found"))? {
        tx.mode.pending.count(kind, place, -1);
    }
    Ok(())
}
