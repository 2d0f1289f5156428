//! A transaction on one connection, as the ports want it.

mod acls;
mod columns;
mod consumers;
mod housekeeping;
mod keks;
mod lists;
mod projects;
mod secrets;
mod seek;
mod tokens;
mod user_metadata;

use donjon_domain::{
    Sealed, SecretId,
    ports::{ReadTx, RepositoryError, RepositoryErrorKind, WriteTx},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    failure::{Broken, Failure},
    pending::Pending,
    place::{Place, ProjectRow},
};

pub(crate) use projects::ProjectNames;
#[cfg(test)]
pub(crate) use seek::QUERIES;

/// A transaction that reads a snapshot.
pub(crate) type ReadTransaction<'c> = Tx<'c, Snapshot<'c>>;

/// One job of a batch that writes.
pub(crate) type WriteTransaction<'c> = Tx<'c, Writing<'c>>;

/// A transaction: the connection, and what reading and writing differ in.
pub(crate) struct Tx<'c, M> {
    connection: &'c Connection,
    mode: M,
    /// The secret that was looked up last, for the look-ups that follow.
    found: Option<(SecretId, Place)>,
    /// The payload that was read with that secret, where it is small.
    nearby: Option<(Place, Sealed)>,
    /// The first failure that the transaction does not survive, even if the
    /// job made nothing of it.
    broken: Option<Broken>,
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

    /// By how much the count of a project differs from what is in the file;
    /// `None` where the counts in the file are exact.
    fn uncounted(&self, project: ProjectRow) -> Option<i64>;
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

    /// The place of a secret that has to be there.
    fn expect_place(&mut self, id: SecretId) -> Result<Place, Failure> {
        self.place(id)?.ok_or(NO_SUCH_SECRET)
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

    /// The place of a secret.
    fn place(&mut self, id: SecretId) -> Result<Option<Place>, Failure> {
        if let Some((_, place)) = self.found.filter(|(found, _)| *found == id) {
            return Ok(Some(place));
        }
        let place = self
            .connection
            .prepare_cached("SELECT place FROM secrets WHERE uuid = ?1")?
            .query_row([id.as_bytes()], |row| row.get(0))
            .optional()?;
        self.found = place.map(|place| (id, place));
        Ok(place)
    }
}

/// Begins the savepoint of a job that is about to write.
const SAVEPOINT_JOB: &str = "SAVEPOINT job";
/// Keeps what a job wrote.
pub(crate) const RELEASE_JOB: &str = "RELEASE job";
/// Undoes what a job wrote; the savepoint itself stays.
pub(crate) const ROLLBACK_JOB: &str = "ROLLBACK TO job";

const NO_SUCH_SECRET: Failure = Failure::Misuse("no such secret");

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

    fn uncounted(&self, _project: ProjectRow) -> Option<i64> {
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

    fn uncounted(&self, project: ProjectRow) -> Option<i64> {
        Some(self.pending.live_of(project))
    }
}
