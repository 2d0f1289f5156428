//! Quotas, and the counts that they limit.

use donjon_domain::{
    Page, PageRequest, ProjectId, ProjectQuotas, Resource, Start, Timestamp,
    ports::{Counted, QuotaReads, QuotaWrites, RepositoryError},
};
use rusqlite::{OptionalExtension, Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    lists::{self, to_u64},
    projects,
};

/// A query for the columns that [`read`] reads, in its order, and the project.
macro_rules! select_quotas {
    ($clauses:literal) => {
        concat!(
            "SELECT secrets, orders, containers, consumers, cas, projects.name \
             FROM project_quotas JOIN projects ON projects.id = project_quotas.project ",
            $clauses
        )
    };
}

impl<M: Mode> QuotaReads for Tx<'_, M> {
    fn project_quotas(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<ProjectQuotas>, RepositoryError> {
        self.run(|tx| {
            let sql = select_quotas!("WHERE projects.name = ?1");
            let quotas = tx
                .connection
                .prepare_cached(sql)?
                .query_row([project.as_str()], read)
                .optional()?;
            Ok(quotas)
        })
    }

    fn list_project_quotas(
        &mut self,
        page: PageRequest<ProjectId>,
    ) -> Result<Page<(ProjectId, ProjectQuotas)>, RepositoryError> {
        self.run(|tx| {
            let offset = match &page.start {
                Start::Offset(offset) => *offset,
                Start::After(project) => {
                    let sql = "SELECT count(*) FROM project_quotas WHERE number <= \
                               (SELECT number FROM project_quotas \
                                JOIN projects ON projects.id = project WHERE name = ?1)";
                    let before: i64 = tx
                        .connection
                        .prepare_cached(sql)?
                        .query_row([project.as_str()], |row| row.get(0))?;
                    to_u64(before)?
                }
            };
            let skipped = i64::try_from(offset).unwrap_or(i64::MAX);
            let total: i64 = tx
                .connection
                .prepare_cached("SELECT count(*) FROM project_quotas")?
                .query_row([], |row| row.get(0))?;
            let sql = select_quotas!("ORDER BY number LIMIT ?1 OFFSET ?2");
            let items = tx
                .connection
                .prepare_cached(sql)?
                .query_map(params![page.limit.max(1), skipped], |row| {
                    Ok((ProjectId::new(row.get::<_, String>(5)?), read(row)?))
                })?
                .collect::<Result<_, _>>()?;
            Ok(Page {
                items,
                offset,
                total: to_u64(total)?,
            })
        })
    }

    fn count(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        now: Timestamp,
    ) -> Result<u64, RepositoryError> {
        self.run(|tx| {
            if counted == Counted::Secrets {
                return lists::count_secrets(tx, project, now);
            }
            match projects::find(tx.connection, project.as_str(), counted)? {
                Some((row, count)) => to_u64(count + tx.mode.uncounted(row, counted).unwrap_or(0)),
                None => Ok(0),
            }
        })
    }

    fn has_at_least(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        number: u64,
        now: Timestamp,
    ) -> Result<bool, RepositoryError> {
        if counted == Counted::Secrets {
            return self.run(|tx| lists::has_secrets(tx, project, number, now));
        }
        Ok(self.count(project, counted, now)? >= number)
    }
}

impl QuotaWrites for WriteTransaction<'_> {
    fn put_project_quotas(
        &mut self,
        project: &ProjectId,
        quotas: &ProjectQuotas,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let row = tx
                .mode
                .pending
                .project_row(tx.connection, project.as_str())?;
            let sql = "INSERT INTO project_quotas \
                       (project, secrets, orders, containers, consumers, cas) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (project) DO UPDATE SET \
                       secrets = excluded.secrets, orders = excluded.orders, \
                       containers = excluded.containers, consumers = excluded.consumers, \
                       cas = excluded.cas";
            tx.connection.prepare_cached(sql)?.execute(params![
                row,
                quotas.get(Resource::Secrets),
                quotas.get(Resource::Orders),
                quotas.get(Resource::Containers),
                quotas.get(Resource::Consumers),
                quotas.get(Resource::Cas),
            ])?;
            Ok(())
        })
    }

    fn delete_project_quotas(&mut self, project: &ProjectId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let sql = "DELETE FROM project_quotas \
                       WHERE project = (SELECT id FROM projects WHERE name = ?1)";
            let gone = tx
                .connection
                .prepare_cached(sql)?
                .execute([project.as_str()])?;
            Ok(gone > 0)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<ProjectQuotas> {
    Ok(ProjectQuotas::default()
        .with(Resource::Secrets, row.get(0)?)
        .with(Resource::Orders, row.get(1)?)
        .with(Resource::Containers, row.get(2)?)
        .with(Resource::Consumers, row.get(3)?)
        .with(Resource::Cas, row.get(4)?))
}
