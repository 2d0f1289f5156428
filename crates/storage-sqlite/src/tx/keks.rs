//! Keys and the installation.

use donjon_domain::{
    Deployment, DeploymentId, KekId, KekScope, KekState, ProjectId, RootKeyId, ServerKey,
    WrappedKek,
    ports::{KekReads, KekWrites, RepositoryError},
};
use rusqlite::{Connection, Row, params};

use super::{Mode, Tx, WriteTransaction, columns::time, projects};
use crate::failure::Failure;

/// A query for the columns that [`read`] reads, in its order.
macro_rules! select_keks {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, scope, generation, state, root, wrapped, created FROM keks ",
            $clauses
        )
    };
}

pub(super) use select_keks;

/// `keks.scope` of the server's own keys; projects have numbers above 0.
const TOKEN_HASH: i64 = -1;

impl<M: Mode> KekReads for Tx<'_, M> {
    fn deployment(&mut self) -> Result<Option<Deployment>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT uuid, root, canary, created FROM deployment";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            Ok(Some(Deployment {
                id: DeploymentId::from_bytes(row.get(0)?),
                root: RootKeyId::from_bytes(row.get(1)?),
                canary: row.get(2)?,
                created: time(row, 3)?,
            }))
        })
    }

    fn active_kek(&mut self, scope: &KekScope) -> Result<Option<WrappedKek>, RepositoryError> {
        self.run(|tx| {
            let Some(stored) = stored_scope(tx.connection, scope)? else {
                return Ok(None);
            };
            let sql = select_keks!("WHERE scope = ?1 AND state = 1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([stored])?;
            rows.next()?.map(|row| read(row, scope.clone())).transpose()
        })
    }

    fn kek(&mut self, id: KekId) -> Result<Option<WrappedKek>, RepositoryError> {
        self.run(|tx| {
            let sql = select_keks!("WHERE uuid = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            kek_of_any_scope(tx, row).map(Some)
        })
    }

    fn last_generation(&mut self, scope: &KekScope) -> Result<u32, RepositoryError> {
        self.run(|tx| {
            let Some(stored) = stored_scope(tx.connection, scope)? else {
                return Ok(0);
            };
            let sql = "SELECT coalesce(max(generation), 0) FROM keks WHERE scope = ?1";
            let mut statement = tx.connection.prepare_cached(sql)?;
            Ok(statement.query_row([stored], |row| row.get(0))?)
        })
    }

    fn keks_wrapped_by(&mut self, root: RootKeyId) -> Result<u64, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT count(*) FROM keks WHERE root = ?1";
            let mut statement = tx.connection.prepare_cached(sql)?;
            let count: i64 = statement.query_row([root.as_bytes()], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

impl KekWrites for WriteTransaction<'_> {
    fn insert_deployment(&mut self, deployment: &Deployment) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "INSERT INTO deployment (id, uuid, root, canary, created) \
                       VALUES (1, ?1, ?2, ?3, ?4)";
            tx.connection.prepare_cached(sql)?.execute(params![
                deployment.id.as_bytes(),
                deployment.root.as_bytes(),
                deployment.canary,
                deployment.created.as_micros(),
            ])?;
            Ok(())
        })
    }

    fn insert_kek(&mut self, kek: &WrappedKek) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let scope = match &kek.scope {
                KekScope::Server(ServerKey::TokenHash) => TOKEN_HASH,
                KekScope::Project(project) => tx
                    .mode
                    .pending
                    .project_row(tx.connection, project.as_str())?,
            };
            let sql = "INSERT INTO keks (uuid, scope, generation, state, root, wrapped, created) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            tx.connection.prepare_cached(sql)?.execute(params![
                kek.id.as_bytes(),
                scope,
                kek.generation,
                stored_state(kek.state),
                kek.root.as_bytes(),
                kek.wrapped,
                kek.created.as_micros(),
            ])?;
            Ok(())
        })
    }
}

/// Reads a row, and the name of its project.
pub(super) fn kek_of_any_scope<M: Mode>(
    tx: &mut Tx<'_, M>,
    row: &Row<'_>,
) -> Result<WrappedKek, Failure> {
    let scope = match row.get(1)? {
        TOKEN_HASH => KekScope::Server(ServerKey::TokenHash),
        project => {
            let name = tx.mode.project_name(tx.connection, project)?;
            KekScope::Project(ProjectId::new(name))
        }
    };
    read(row, scope)
}

fn read(row: &Row<'_>, scope: KekScope) -> Result<WrappedKek, Failure> {
    let wrapped: Vec<u8> = row.get(5)?;
    Ok(WrappedKek {
        id: KekId::from_bytes(row.get(0)?),
        scope,
        generation: row.get(2)?,
        state: state(row.get(3)?, &wrapped)?,
        root: RootKeyId::from_bytes(row.get(4)?),
        wrapped,
        created: time(row, 6)?,
    })
}

/// As in `keks.scope`; `None` for a project that is not there.
fn stored_scope(connection: &Connection, scope: &KekScope) -> Result<Option<i64>, Failure> {
    match scope {
        KekScope::Server(ServerKey::TokenHash) => Ok(Some(TOKEN_HASH)),
        KekScope::Project(project) => projects::row(connection, project.as_str()),
    }
}

fn stored_state(state: KekState) -> i64 {
    match state {
        KekState::Active => 1,
        KekState::Retired | KekState::Destroyed => 2,
    }
}

/// A KEK without wrapped bytes is destroyed: the table knows no third state.
fn state(stored: i64, wrapped: &[u8]) -> Result<KekState, Failure> {
    match stored {
        1 => Ok(KekState::Active),
        2 if wrapped.is_empty() => Ok(KekState::Destroyed),
        2 => Ok(KekState::Retired),
        _ => Err(Failure::BadRow("a key is in no known state")),
    }
}
