//! Names of projects.

use std::collections::HashMap;

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

/// The name of a project that has a secret.
pub(super) fn name(connection: &Connection, project: ProjectRow) -> Result<String, Failure> {
    connection
        .prepare_cached("SELECT name FROM projects WHERE id = ?1")?
        .query_row([project], |row| row.get(0))
        .optional()?
        .ok_or(Failure::BadRow("a secret has no project"))
}

/// The row of a project, and how many of its secrets count.
pub(super) fn find(
    connection: &Connection,
    name: &str,
) -> Result<Option<(ProjectRow, i64)>, Failure> {
    let found = connection
        .prepare_cached("SELECT id, live FROM projects WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}
