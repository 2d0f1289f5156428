//! A transaction on one connection, as the ports want it.

mod acls;
mod columns;
mod consumers;
mod containers;
mod departed;
mod housekeeping;
mod keks;
mod lists;
mod orders;
mod outside;
mod projects;
mod quotas;
mod rotation;
mod search;
mod secret_stores;
mod secrets;
mod seek;
mod tokens;
mod transport_keys;
mod user_metadata;
mod window;

use donjon_domain::{
    StoredPayload,
    ports::{Counted, ReadTx, RepositoryError, RepositoryErrorKind, WriteTx},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    failure::{Broken, Failure},
    pending::Pending,
    place::{Kind, Place, Placed, ProjectRow},
};

pub(crate) use projects::ProjectNames;
#[cfg(test)]
pub(crate) use {
    housekeeping::{LONG_EXPIRED, LONG_EXPIRED_TOKENS},
    lists::{EXPIRED, SWEPT_EARLY},
    orders::PENDING,
    projects::count_of,
    seek::list_queries,
};

/// A transaction that reads a snapshot.
pub(crate) type ReadTransaction<'c> = Tx<'c, Snapshot<'c>>;

/// One job of a batch that writes.
pub(crate) type WriteTransaction<'c> = Tx<'c, Writing<'c>>;

/// A transaction: the connection, and what reading and writing differ in.
pub(crate) struct Tx<'c, M> {
    connection: &'c Connection,
    mode: M,
    /// What was looked up last, for the look-ups that follow.
    found: Option<Found>,
    /// The payload that was read with that secret, where it is small.
    nearby: Option<(Place, StoredPayload)>,
    /// The first failure that the transaction does not survive, even if the
    /// job made nothing of it.
    broken: Option<Broken>,
}

/// Where something is.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    id: [u8; 16],
    place: Place,
}

/// Reading: names of projects are remembered from one transaction to the next.
pub(crate) struct Snapshot<'c> {
    names: &'c mut ProjectNames,
}

/// Writing: counts wait for the end of the batch.
pub(crate) struct Writing<'c> {
    pending: &'c mut Pending,
    full: bool,
    wrote: bool,
}

/// What reading and writing differ in.
pub(crate) trait Mode {
    /// The name of a project.
    fn project_name(
        &mut self,
        connection: &Connection,
        project: ProjectRow,
    ) -> Result<String, Failure>;

    /// By how much a count of a project differs from what is in the file;
    /// `None` where the counts in the file are exact.
    fn uncounted(&self, project: ProjectRow, counted: Counted) -> Option<i64>;
}

// === impl Tx ===

impl<'c> ReadTransaction<'c> {
    pub(crate) fn new(connection: &'c Connection, names: &'c mut ProjectNames) -> Self {
        Self {
            connection,
            mode: Snapshot { names },
            found: None,
            nearby: None,
            broken: None,
        }
    }
}

impl<'c> WriteTransaction<'c> {
    /// While storage is `full`, nothing may be added.
    pub(crate) fn new(connection: &'c Connection, pending: &'c mut Pending, full: bool) -> Self {
        Self {
            connection,
            mode: Writing {
                pending,
                full,
                wrote: false,
            },
            found: None,
            nearby: None,
            broken: None,
        }
    }

    /// Whether the job wrote anything, so that there is a savepoint.
    pub(crate) fn wrote(&self) -> bool {
        self.mode.wrote
    }

    /// Runs something that changes or removes rows. The savepoint to which a
    /// failed job goes back is set before its first write, for many jobs end
    /// without one.
    fn write<T>(
        &mut self,
        statement: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, RepositoryError> {
        self.run(|tx| {
            tx.nearby = None;
            if !tx.mode.wrote {
                tx.connection.prepare_cached(SAVEPOINT_JOB)?.execute([])?;
                tx.mode.wrote = true;
            }
            statement(tx)
        })
    }

    /// Runs something that adds rows, which a full disk does not take: what is
    /// left of it is for deletes.
    fn add<T>(
        &mut self,
        statement: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, RepositoryError> {
        if self.mode.full {
            return Err(Failure::Full.into());
        }
        self.write(statement)
    }

    /// The place of something that has to be there.
    fn expect_place<I: Placed>(&mut self, id: I) -> Result<Place, Failure> {
        self.place(id)?.ok_or(missing(I::KIND))
    }
}

impl<M> Tx<'_, M> {
    /// What took the transaction down, if anything did.
    pub(crate) fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }

    fn run<T>(
        &mut self,
        statement: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, RepositoryError> {
        // SQLite may have ended the transaction with that failure, and whatever
        // the job did next would be on its own.
        if let Some(broken) = &self.broken {
            let why = format!("the transaction failed before: {}", broken.why);
            return Err(RepositoryError::with_source(
                RepositoryErrorKind::Internal,
                why,
            ));
        }
        statement(self).map_err(|failure| {
            if let (Some(reach), None) = (failure.reach(), &self.broken) {
                let why = failure.to_string();
                self.broken = Some(Broken { reach, why });
            }
            failure.into()
        })
    }

    /// The connection, for what no port asks for.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }

    /// The place of something.
    fn place<I: Placed>(&mut self, id: I) -> Result<Option<Place>, Failure> {
        let is_it = |found: &Found| found.kind == I::KIND && found.id == *id.bytes();
        if let Some(found) = self.found.filter(is_it) {
            return Ok(Some(found.place));
        }
        let sql = match I::KIND {
            Kind::Secrets => "SELECT place FROM secrets WHERE uuid = ?1",
            Kind::Containers => "SELECT place FROM containers WHERE uuid = ?1",
            Kind::Orders => "SELECT place FROM orders WHERE uuid = ?1",
        };
        let place = self
            .connection
            .prepare_cached(sql)?
            .query_row([id.bytes()], |row| row.get(0))
            .optional()?;
        self.found = place.map(|place| Found::new(id, place));
        Ok(place)
    }
}

impl Found {
    fn new<I: Placed>(id: I, place: Place) -> Self {
        Self {
            kind: I::KIND,
            id: *id.bytes(),
            place,
        }
    }
}

/// Begins the savepoint of a job that is about to write.
const SAVEPOINT_JOB: &str = "SAVEPOINT job";
/// Keeps what a job wrote.
pub(crate) const RELEASE_JOB: &str = "RELEASE job";
/// Undoes what a job wrote; the savepoint itself stays.
pub(crate) const ROLLBACK_JOB: &str = "ROLLBACK TO job";

/// The job did not look first.
fn missing(kind: Kind) -> Failure {
    Failure::Misuse(match kind {
        Kind::Secrets => "no such secret",
        Kind::Containers => "no such container",
        Kind::Orders => "no such order",
    })
}

impl<M: Mode> ReadTx for Tx<'_, M> {}
impl WriteTx for WriteTransaction<'_> {}

// === impl Mode ===

impl Mode for Snapshot<'_> {
    fn project_name(
        &mut self,
        connection: &Connection,
        project: ProjectRow,
    ) -> Result<String, Failure> {
        self.names.find(connection, project)
    }

    fn uncounted(&self, _project: ProjectRow, _counted: Counted) -> Option<i64> {
        None
    }
}

impl Mode for Writing<'_> {
    fn project_name(
        &mut self,
        connection: &Connection,
        project: ProjectRow,
    ) -> Result<String, Failure> {
        projects::name(connection, project)
    }

    fn uncounted(&self, project: ProjectRow, counted: Counted) -> Option<i64> {
        Some(self.pending.uncounted(project, counted))
    }
}
