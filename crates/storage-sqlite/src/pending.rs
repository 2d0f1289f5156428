//! What a batch changes in the counts, kept in memory until shortly before the
//! commit: one statement per project and block and batch, instead of per row.
//!
//! Whatever a job added here is taken back when the job is undone, and all of
//! it when the batch is.

use std::collections::{BTreeMap, HashMap};

use donjon_domain::ports::Counted;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::{
    failure::Failure,
    place::{Block, Kind, Place, ProjectRow},
};

/// The counts of one batch, and what the writer remembers of projects.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    projects: HashMap<String, Project>,
    /// By how much the counts of each project have to change.
    counts: BTreeMap<ProjectRow, Counts>,
    /// By how much the counts of each block have to change.
    blocks: BTreeMap<(Kind, Block), i64>,
    /// The next ordinals of each project that got something with a place.
    ordinals: BTreeMap<ProjectRow, Ordinals>,
    /// The number of the next secret or order over all projects; `None` before
    /// it was read from the file.
    next_creation: Option<i64>,
    /// What the job under way did.
    job: Vec<Change>,
    /// Projects that the job under way added.
    job_projects: Vec<String>,
    deleted: bool,
    moved: bool,
}

/// Something came (1) or went (-1).
#[derive(Debug, Clone, Copy)]
enum Change {
    /// What has a place, at this one.
    Placed(Kind, Place, i64),
    /// So many of what has none, of a project.
    Unplaced(Counted, ProjectRow, i64),
}

#[derive(Debug, Clone, Copy)]
struct Project {
    row: ProjectRow,
    next: Ordinals,
}

/// The next ordinal of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Ordinals {
    secrets: i64,
    containers: i64,
    orders: i64,
}

/// By how much each count of a project changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    secrets: i64,
    containers: i64,
    orders: i64,
    secret_consumers: i64,
    container_consumers: i64,
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
        let sql = "SELECT id, next_ordinal, next_container, next_order FROM projects \
                   WHERE name = ?1";
        let known = connection
            .prepare_cached(sql)?
            .query_row([name], |row| {
                Ok(Project {
                    row: row.get(0)?,
                    next: Ordinals {
                        secrets: row.get(1)?,
                        containers: row.get(2)?,
                        orders: row.get(3)?,
                    },
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
            next: Ordinals::default(),
        })
    }

    /// Takes the next place of a project. It stays taken even if the job is
    /// undone: a gap does no harm.
    pub(crate) fn take_place(
        &mut self,
        connection: &Connection,
        kind: Kind,
        name: &str,
    ) -> Result<Place, Failure> {
        let row = self.project_row(connection, name)?;
        let project = self
            .projects
            .get_mut(name)
            .ok_or(Failure::Misuse("project is not remembered"))?;
        let next = project.next.of(kind);
        let place = Place::new(row, *next).ok_or(Failure::Misuse("project has no place left"))?;
        *next += 1;
        self.ordinals.insert(row, project.next);
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

    /// Something that counts came to (1) or went from (-1) this place.
    pub(crate) fn count(&mut self, kind: Kind, place: Place, by: i64) {
        self.note(Change::Placed(kind, place, by));
    }

    /// So many of what has no place came to a project, or went where `by` is
    /// negative.
    pub(crate) fn count_unplaced(&mut self, counted: Counted, project: ProjectRow, by: i64) {
        self.note(Change::Unplaced(counted, project, by));
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

    /// By how much a count of a project differs from what is in the file.
    pub(crate) fn uncounted(&self, project: ProjectRow, counted: Counted) -> i64 {
        let counts = self.counts.get(&project).copied();
        *counts.unwrap_or_default().of(counted)
    }

    /// The job under way ended well.
    pub(crate) fn keep_job(&mut self) {
        self.job.clear();
        self.job_projects.clear();
    }

    /// What the job under way wrote was undone in the file.
    pub(crate) fn undo_job(&mut self) {
        for change in std::mem::take(&mut self.job) {
            self.apply(change.undone());
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
        self.counts.clear();
        self.blocks.clear();
        self.ordinals.clear();
        self.moved = false;
        if self.projects.len() > PROJECTS_KEPT {
            self.projects.clear();
        }
    }

    fn flush_projects(&self, connection: &Connection) -> Result<(), Failure> {
        let sql = "UPDATE projects SET live = live + ?2, \
                   container_count = container_count + ?3, \
                   order_count = order_count + ?4, \
                   secret_consumer_count = secret_consumer_count + ?5, \
                   container_consumer_count = container_consumer_count + ?6, \
                   next_ordinal = max(next_ordinal, ?7), \
                   next_container = max(next_container, ?8), \
                   next_order = max(next_order, ?9) WHERE id = ?1";
        let touched = self.counts.keys().chain(self.ordinals.keys());
        let mut touched: Vec<_> = touched.copied().collect();
        touched.sort_unstable();
        touched.dedup();
        for row in touched {
            let next = self.ordinals.get(&row).copied();
            let by = self.counts.get(&row).copied().unwrap_or_default();
            if by == Counts::default() && next.is_none() {
                continue;
            }
            let next = next.unwrap_or_default();
            let parameters = params![
                row,
                by.secrets,
                by.containers,
                by.orders,
                by.secret_consumers,
                by.container_consumers,
                next.secrets,
                next.containers,
                next.orders,
            ];
            expect_one(connection.prepare_cached(sql)?, parameters)?;
        }
        Ok(())
    }

    fn flush_blocks(&self, connection: &Connection) -> Result<(), Failure> {
        for ((kind, block), by) in &self.blocks {
            // The row has to stay positive, so the one that empties it removes it.
            let (add, remove, subtract) = block_statements(*kind);
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

    fn note(&mut self, change: Change) {
        self.job.push(change);
        self.apply(change);
    }

    fn apply(&mut self, change: Change) {
        let (project, counted, by) = match change {
            Change::Placed(kind, place, by) => {
                *self.blocks.entry((kind, place.block())).or_default() += by;
                (place.project(), kind.counted(), by)
            }
            Change::Unplaced(counted, project, by) => (project, counted, by),
        };
        *self.counts.entry(project).or_default().of(counted) += by;
    }
}

impl Change {
    fn undone(self) -> Self {
        match self {
            Self::Placed(kind, place, by) => Self::Placed(kind, place, -by),
            Self::Unplaced(counted, project, by) => Self::Unplaced(counted, project, -by),
        }
    }
}

impl Ordinals {
    fn of(&mut self, kind: Kind) -> &mut i64 {
        match kind {
            Kind::Secrets => &mut self.secrets,
            Kind::Containers => &mut self.containers,
            Kind::Orders => &mut self.orders,
        }
    }
}

impl Counts {
    fn of(&mut self, counted: Counted) -> &mut i64 {
        match counted {
            Counted::Secrets => &mut self.secrets,
            Counted::Containers => &mut self.containers,
            Counted::Orders => &mut self.orders,
            Counted::SecretConsumers => &mut self.secret_consumers,
            Counted::ContainerConsumers => &mut self.container_consumers,
        }
    }
}

/// Statements that add to the count of a block, remove its row, and subtract.
fn block_statements(kind: Kind) -> (&'static str, &'static str, &'static str) {
    macro_rules! statements {
        ($table:literal) => {
            (
                concat!(
                    "INSERT INTO ",
                    $table,
                    " (block, live) VALUES (?1, ?2) \
                     ON CONFLICT DO UPDATE SET live = live + excluded.live"
                ),
                concat!("DELETE FROM ", $table, " WHERE block = ?1 AND live = ?2"),
                concat!("UPDATE ", $table, " SET live = live - ?2 WHERE block = ?1"),
            )
        };
    }
    match kind {
        Kind::Secrets => statements!("blocks"),
        Kind::Containers => statements!("container_blocks"),
        Kind::Orders => statements!("order_blocks"),
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
