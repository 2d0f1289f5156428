//! What a batch changes in the counts, kept in memory until shortly before the
//! commit: one statement per project and block and batch, instead of per secret.
//!
//! Whatever a job added here is taken back when the job is undone, and all of
//! it when the batch is.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use crate::{
    failure::Failure,
    place::{Block, Place, ProjectRow},
};

/// The counts of one batch, and what the writer remembers of projects.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    projects: HashMap<String, Project>,
    /// By how much `projects.live` has to change.
    live: BTreeMap<ProjectRow, i64>,
    /// By how much `blocks.live` has to change.
    blocks: BTreeMap<Block, i64>,
    /// The next ordinal of each project that got a secret.
    ordinals: BTreeMap<ProjectRow, i64>,
    /// The number of the next secret over all projects; `None` before it was
    /// read from the file.
    next_creation: Option<i64>,
    /// What the job under way did: places that came (1) and went (-1).
    job: Vec<(Place, i64)>,
    /// Projects that the job under way added.
    job_projects: Vec<String>,
    deleted: bool,
    moved: bool,
}

#[derive(Debug, Clone, Copy)]
struct Project {
    row: ProjectRow,
    next_ordinal: i64,
}

/// Projects remembered between batches. Each is some 100 bytes.
const PROJECTS_KEPT: usize = 4_096;

impl Pending {
    /// The row of a project, which is added where it is not there yet.
    pub(crate) fn project_row(
        &mut self,
        connection: &Connection,
        name: &str,
    ) -> Result<ProjectRow, Failure> {
        if let Some(project) = self.projects.get(name) {
            return Ok(project.row);
        }
        let known = connection
            .prepare_cached("SELECT id, next_ordinal FROM projects WHERE name = ?1")?
            .query_row([name], |row| {
                Ok(Project {
                    row: row.get(0)?,
                    next_ordinal: row.get(1)?,
                })
            })
            .optional()?;
        let project = match known {
            Some(project) => project,
            None => self.add_project(connection, name)?,
        };
        self.projects.insert(name.to_owned(), project);
        Ok(project.row)
    }

    fn add_project(&mut self, connection: &Connection, name: &str) -> Result<Project, Failure> {
        let sql = "INSERT INTO projects (name, next_ordinal, live) VALUES (?1, 0, 0)";
        let row = connection.prepare_cached(sql)?.insert([name])?;
        self.job_projects.push(name.to_owned());
        Ok(Project {
            row,
            next_ordinal: 0,
        })
    }

    /// Takes the next place of a project. It stays taken even if the job is
    /// undone: a gap does no harm.
    pub(crate) fn take_place(
        &mut self,
        connection: &Connection,
        name: &str,
    ) -> Result<Place, Failure> {
        let row = self.project_row(connection, name)?;
        let project = self
            .projects
            .get_mut(name)
            .ok_or(Failure::Misuse("project is not remembered"))?;
        let place = Place::new(row, project.next_ordinal)
            .ok_or(Failure::Misuse("project has no place left"))?;
        project.next_ordinal += 1;
        self.ordinals.insert(row, project.next_ordinal);
        Ok(place)
    }

    /// Takes the next number in the order of creation.
    pub(crate) fn take_creation(&mut self, connection: &Connection) -> Result<i64, Failure> {
        let creation = match self.next_creation {
            Some(creation) => creation,
            None => connection
                .prepare_cached("SELECT next_creation FROM state")?
                .query_row([], |row| row.get(0))?,
        };
        self.next_creation = Some(creation + 1);
        Ok(creation)
    }

    /// A secret that counts came to (1) or went from (-1) this place.
    pub(crate) fn count(&mut self, place: Place, by: i64) {
        self.job.push((place, by));
        self.add(place, by);
    }

    /// Something was deleted of which nothing may stay in the log.
    pub(crate) fn note_deletion(&mut self) {
        self.deleted = true;
    }

    /// Whether something was deleted since this was last asked.
    pub(crate) fn take_deletion(&mut self) -> bool {
        std::mem::take(&mut self.deleted)
    }

    /// The file changes although no row does.
    pub(crate) fn note_move(&mut self) {
        self.moved = true;
    }

    /// Whether the file changes although no row does.
    pub(crate) fn has_moved(&self) -> bool {
        self.moved
    }

    /// By how much the count of a project differs from what is in the file.
    pub(crate) fn live_of(&self, project: ProjectRow) -> i64 {
        self.live.get(&project).copied().unwrap_or(0)
    }

    /// The job under way ended well.
    pub(crate) fn keep_job(&mut self) {
        self.job.clear();
        self.job_projects.clear();
    }

    /// What the job under way wrote was undone in the file.
    pub(crate) fn undo_job(&mut self) {
        for (place, by) in std::mem::take(&mut self.job) {
            self.add(place, -by);
        }
        for name in std::mem::take(&mut self.job_projects) {
            if let Some(project) = self.projects.remove(&name) {
                self.ordinals.remove(&project.row);
            }
        }
    }

    /// The whole batch was undone in the file.
    pub(crate) fn undo_batch(&mut self) {
        *self = Self::default();
    }

    /// Writes the counts, and bumps `commit_seq`: the last thing before a
    /// commit.
    pub(crate) fn flush(&self, connection: &Connection) -> Result<(), Failure> {
        self.flush_projects(connection)?;
        self.flush_blocks(connection)?;
        let sql = "UPDATE state SET commit_seq = commit_seq + 1, \
                   next_creation = coalesce(?1, next_creation)";
        expect_one(connection.prepare_cached(sql)?, (self.next_creation,))
    }

    /// The batch was committed.
    pub(crate) fn keep_batch(&mut self) {
        self.live.clear();
        self.blocks.clear();
        self.ordinals.clear();
        self.moved = false;
        if self.projects.len() > PROJECTS_KEPT {
            self.projects.clear();
        }
    }

    fn flush_projects(&self, connection: &Connection) -> Result<(), Failure> {
        let sql = "UPDATE projects SET live = live + ?2, \
                   next_ordinal = max(next_ordinal, ?3) WHERE id = ?1";
        let touched = self.live.keys().chain(self.ordinals.keys());
        let mut touched: Vec<_> = touched.copied().collect();
        touched.sort_unstable();
        touched.dedup();
        for row in touched {
            let ordinal = self.ordinals.get(&row).copied().unwrap_or(0);
            let by = self.live_of(row);
            if by != 0 || ordinal != 0 {
                expect_one(connection.prepare_cached(sql)?, (row, by, ordinal))?;
            }
        }
        Ok(())
    }

    fn flush_blocks(&self, connection: &Connection) -> Result<(), Failure> {
        let add = "INSERT INTO blocks (block, live) VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET live = live + excluded.live";
        // The row has to stay positive, so the one that empties it removes it.
        let remove = "DELETE FROM blocks WHERE block = ?1 AND live = ?2";
        let subtract = "UPDATE blocks SET live = live - ?2 WHERE block = ?1";
        for (block, by) in &self.blocks {
            match by {
                0 => {}
                1.. => {
                    connection.prepare_cached(add)?.execute((block, by))?;
                }
                _ if connection.prepare_cached(remove)?.execute((block, -by))? == 1 => {}
                _ => expect_one(connection.prepare_cached(subtract)?, (block, -by))?,
            }
        }
        Ok(())
    }

    fn add(&mut self, place: Place, by: i64) {
        *self.live.entry(place.project()).or_default() += by;
        *self.blocks.entry(place.block()).or_default() += by;
    }
}

/// Runs an update of one row that has to be there.
fn expect_one(
    mut statement: CachedStatement<'_>,
    parameters: impl rusqlite::Params,
) -> Result<(), Failure> {
    match statement.execute(parameters)? {
        1 => Ok(()),
        _ => Err(Failure::BadRow("a count has no row")),
    }
}
