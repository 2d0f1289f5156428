//! Names and counts of projects.

use std::collections::HashMap;

use donjon_domain::ports::Counted;
use rusqlite::{Connection, OptionalExtension};

use crate::{failure::Failure, place::ProjectRow};

/// Names that a reader remembers. A project's row never changes its name and
/// is never removed, so what was read once holds for good.
#[derive(Debug, Default)]
pub(crate) struct ProjectNames(HashMap<ProjectRow, String>);

/// Beyond this the reader forgets all and starts anew.
const NAMES_KEPT: usize = 1_024;

impl ProjectNames {
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        project: ProjectRow,
    ) -> Result<String, Failure> {
        if let Some(name) = self.0.get(&project) {
            return Ok(name.clone());
        }
        let name = name(connection, project)?;
        if self.0.len() >= NAMES_KEPT {
            self.0.clear();
        }
        self.0.insert(project, name.clone());
        Ok(name)
    }
}

/// The name of a project that something belongs to.
pub(super) fn name(connection: &Connection, project: ProjectRow) -> Result<String, Failure> {
    connection
        .prepare_cached("SELECT name FROM projects WHERE id = ?1")?
        .query_row([project], |row| row.get(0))
        .optional()?
        .ok_or(Failure::BadRow("a row has no project"))
}

/// The row of a project.
pub(super) fn row(connection: &Connection, name: &str) -> Result<Option<ProjectRow>, Failure> {
    let found = connection
        .prepare_cached("SELECT id FROM projects WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// The row of a project, and how many it has by the count in the file.
pub(super) fn find(
    connection: &Connection,
    name: &str,
    counted: Counted,
) -> Result<Option<(ProjectRow, i64)>, Failure> {
    let sql = count_of(counted);
    let found = connection
        .prepare_cached(sql)?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

/// The statement that reads a project's row and count.
pub(crate) fn count_of(counted: Counted) -> &'static str {
    match counted {
        Counted::Secrets => "SELECT id, live FROM projects WHERE name = ?1",
        Counted::Containers => "SELECT id, container_count FROM projects WHERE name = ?1",
        Counted::Orders => "SELECT id, order_count FROM projects WHERE name = ?1",
        Counted::SecretConsumers => {
            "SELECT id, secret_consumer_count FROM projects WHERE name = ?1"
        }
        Counted::ContainerConsumers => {
            "SELECT id, container_consumer_count FROM projects WHERE name = ?1"
        }
    }
}
