//! ACLs: whether there is one, and who may, stands in the row of what it
//! guards; the rest in tables of its own, which most rows need not be looked
//! up in.

use donjon_domain::{
    Acl, SecretId, UserId,
    ports::{AclReads, AclWrites, RepositoryError},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{AclFlag, time},
    missing,
};
use crate::{
    failure::Failure,
    place::{Kind, Place, Placed},
};

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
            let flag = AclFlag::from_stored(flag)?;
            read(tx.connection, Kind::Secrets, place, flag)
        })
    }
}

impl AclWrites for WriteTransaction<'_> {
    fn put_secret_acl(&mut self, id: SecretId, acl: &Acl) -> Result<(), RepositoryError> {
        self.add(|tx| put(tx, id, acl))
    }

    fn delete_secret_acl(&mut self, id: SecretId) -> Result<(), RepositoryError> {
        self.write(|tx| delete(tx, id))
    }
}

/// The ACL of what is at `place`, of which its row says `flag`.
pub(super) fn read(
    connection: &Connection,
    kind: Kind,
    place: Place,
    flag: AclFlag,
) -> Result<Option<Acl>, Failure> {
    let project_access = match flag {
        AclFlag::None => return Ok(None),
        AclFlag::Open => true,
        AclFlag::Private => false,
    };
    let statements = statements(kind)?;
    let mut acls = connection.prepare_cached(statements.times)?;
    let mut rows = acls.query([place])?;
    let row = rows
        .next()?
        .ok_or(Failure::BadRow("an ACL has a flag and no row"))?;
    let (created, updated) = (time(row, 0)?, time(row, 1)?);
    let mut users = connection.prepare_cached(statements.users)?;
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

/// Sets the whole ACL of something that has to be there.
pub(super) fn put<I: Placed>(
    tx: &mut WriteTransaction<'_>,
    id: I,
    acl: &Acl,
) -> Result<(), Failure> {
    let place = tx.expect_place(id)?;
    let statements = statements(I::KIND)?;
    let flag = AclFlag::of(acl.project_access);
    set_flag(tx.connection, &statements, place, flag)?;
    tx.connection
        .prepare_cached(statements.put_times)?
        .execute(params![
            place,
            acl.created.as_micros(),
            acl.updated.as_micros(),
        ])?;
    tx.connection
        .prepare_cached(statements.delete_users)?
        .execute([place])?;
    let mut insert = tx.connection.prepare_cached(statements.insert_user)?;
    for user in &acl.users {
        insert.execute(params![place, user.as_str()])?;
    }
    Ok(())
}

/// Removes the ACL of something, if it is there and has one.
pub(super) fn delete<I: Placed>(tx: &mut WriteTransaction<'_>, id: I) -> Result<(), Failure> {
    let Some(place) = tx.place(id)? else {
        return Ok(());
    };
    let statements = statements(I::KIND)?;
    set_flag(tx.connection, &statements, place, AclFlag::None)?;
    tx.connection
        .prepare_cached(statements.delete)?
        .execute([place])?;
    Ok(())
}

fn set_flag(
    connection: &Connection,
    statements: &Statements,
    place: Place,
    flag: AclFlag,
) -> Result<(), Failure> {
    connection
        .prepare_cached(statements.set_flag)?
        .execute(params![place, flag.as_stored()])?;
    Ok(())
}

/// The statements for the ACLs of one kind.
struct Statements {
    set_flag: &'static str,
    times: &'static str,
    put_times: &'static str,
    delete: &'static str,
    users: &'static str,
    insert_user: &'static str,
    delete_users: &'static str,
}

fn statements(kind: Kind) -> Result<Statements, Failure> {
    macro_rules! statements {
        ($guarded:literal, $acls:literal, $users:literal) => {
            Statements {
                set_flag: concat!(
                    "UPDATE ",
                    $guarded,
                    " SET acl = ?2 WHERE place = ?1 AND acl <> ?2"
                ),
                times: concat!("SELECT created, updated FROM ", $acls, " WHERE place = ?1"),
                put_times: concat!(
                    "INSERT INTO ",
                    $acls,
                    " (place, created, updated) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE \
                     SET created = excluded.created, updated = excluded.updated"
                ),
                delete: concat!("DELETE FROM ", $acls, " WHERE place = ?1"),
                users: concat!("SELECT user FROM ", $users, " WHERE place = ?1"),
                insert_user: concat!("INSERT INTO ", $users, " (place, user) VALUES (?1, ?2)"),
                delete_users: concat!("DELETE FROM ", $users, " WHERE place = ?1"),
            }
        };
    }
    match kind {
        Kind::Secrets => Ok(statements!("secrets", "acls", "acl_users")),
        Kind::Containers => Ok(statements!(
            "containers",
            "container_acls",
            "container_acl_users"
        )),
        // Nothing guards an order but its project.
        Kind::Orders => Err(missing(kind)),
    }
}
