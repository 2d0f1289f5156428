//! ACLs: whether there is one, and who may, stands in the secret's row; the
//! rest in tables of its own, which most secrets need not be looked up in.

use donjon_domain::{
    Acl, SecretId, UserId,
    ports::{AclReads, AclWrites, RepositoryError},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{AclFlag, time},
};
use crate::{failure::Failure, place::Place};

impl<M: Mode> AclReads for Tx<'_, M> {
    fn secret_acl(&mut self, id: SecretId) -> Result<Option<Acl>, RepositoryError> {
        self.run(|tx| {
            let sql = "SELECT place, acl FROM secrets WHERE uuid = ?1";
            let found: Option<(Place, i64)> = tx
                .connection
                .prepare_cached(sql)?
                .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((place, flag)) = found else {
                return Ok(None);
            };
            read(tx.connection, place, AclFlag::from_stored(flag)?)
        })
    }
}

impl AclWrites for WriteTransaction<'_> {
    fn put_secret_acl(&mut self, id: SecretId, acl: &Acl) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let place = tx.expect_place(id)?;
            set_flag(tx.connection, place, AclFlag::of(acl.project_access))?;
            let sql = "INSERT INTO acls (place, created, updated) VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET created = excluded.created, \
                       updated = excluded.updated";
            tx.connection.prepare_cached(sql)?.execute(params![
                place,
                acl.created.as_micros(),
                acl.updated.as_micros(),
            ])?;
            put_users(tx.connection, place, acl)
        })
    }

    fn delete_secret_acl(&mut self, id: SecretId) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(());
            };
            set_flag(tx.connection, place, AclFlag::None)?;
            tx.connection
                .prepare_cached("DELETE FROM acls WHERE place = ?1")?
                .execute([place])?;
            Ok(())
        })
    }
}

/// The ACL of the secret at `place`, of which its row says `flag`.
pub(super) fn read(
    connection: &Connection,
    place: Place,
    flag: AclFlag,
) -> Result<Option<Acl>, Failure> {
    let project_access = match flag {
        AclFlag::None => return Ok(None),
        AclFlag::Open => true,
        AclFlag::Private => false,
    };
    let mut acls =
        connection.prepare_cached("SELECT created, updated FROM acls WHERE place = ?1")?;
    let mut rows = acls.query([place])?;
    let row = rows
        .next()?
        .ok_or(Failure::BadRow("an ACL has a flag and no row"))?;
    let (created, updated) = (time(row, 0)?, time(row, 1)?);
    let mut users = connection.prepare_cached("SELECT user FROM acl_users WHERE place = ?1")?;
    let users = users
        .query_map([place], |row| row.get::<_, String>(0).map(UserId::new))?
        .collect::<Result<_, _>>()?;
    Ok(Some(Acl {
        users,
        project_access,
        created,
        updated,
    }))
}

fn set_flag(connection: &Connection, place: Place, flag: AclFlag) -> Result<(), Failure> {
    connection
        .prepare_cached("UPDATE secrets SET acl = ?2 WHERE place = ?1 AND acl <> ?2")?
        .execute(params![place, flag.as_stored()])?;
    Ok(())
}

fn put_users(connection: &Connection, place: Place, acl: &Acl) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM acl_users WHERE place = ?1")?
        .execute([place])?;
    let mut insert =
        connection.prepare_cached("INSERT INTO acl_users (place, user) VALUES (?1, ?2)")?;
    for user in &acl.users {
        insert.execute(params![place, user.as_str()])?;
    }
    Ok(())
}
