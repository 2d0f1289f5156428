//! Rows of locally issued tokens.

use donjon_domain::{
    ProjectId, Timestamp, TokenHash, TokenId, TokenRow, UserId, ports::RepositoryError,
};
use rusqlite::{Row, params};

use super::{
    Mode, Tx, WriteTransaction,
    columns::{optional_time, time},
};
use crate::failure::Failure;

/// A query for the columns that [`read`] reads, in its order.
macro_rules! select_tokens {
    ($clauses:literal) => {
        concat!(
            "SELECT uuid, hash, project, user, roles, created, expires, last_used FROM tokens ",
            $clauses
        )
    };
}

impl<M: Mode> Tx<'_, M> {
    pub(crate) fn find_token(
        &mut self,
        hash: TokenHash,
    ) -> Result<Option<TokenRow>, RepositoryError> {
        self.run(|tx| {
            let sql = select_tokens!("WHERE hash = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([hash.as_bytes()])?;
            rows.next()?.map(read).transpose()
        })
    }

    pub(crate) fn list_tokens(&mut self) -> Result<Vec<TokenRow>, RepositoryError> {
        self.run(|tx| {
            let sql = select_tokens!("ORDER BY created, id");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(read(row)?);
            }
            Ok(tokens)
        })
    }
}

impl WriteTransaction<'_> {
    pub(crate) fn insert_token(&mut self, token: &TokenRow) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "INSERT INTO tokens \
                       (uuid, hash, project, user, roles, created, expires, last_used) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            tx.connection.prepare_cached(sql)?.execute(params![
                token.id.as_bytes(),
                token.hash.as_bytes(),
                token.project.as_str(),
                token.user.as_str(),
                stored_roles(&token.roles),
                token.created.as_micros(),
                token.expires.map(Timestamp::as_micros),
                token.last_used.map(Timestamp::as_micros),
            ])?;
            Ok(())
        })
    }

    pub(crate) fn remove_token(&mut self, id: TokenId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let gone = tx
                .connection
                .prepare_cached("DELETE FROM tokens WHERE uuid = ?1")?
                .execute([id.as_bytes()])?;
            tx.mode.pending.note_deletion();
            Ok(gone > 0)
        })
    }

    pub(crate) fn record_token_use(
        &mut self,
        id: TokenId,
        at: Timestamp,
    ) -> Result<(), RepositoryError> {
        self.add(|tx| {
            let sql = "UPDATE tokens SET last_used = ?2 \
                       WHERE uuid = ?1 AND (last_used IS NULL OR last_used < ?2)";
            tx.connection
                .prepare_cached(sql)?
                .execute(params![id.as_bytes(), at.as_micros()])?;
            Ok(())
        })
    }
}

fn read(row: &Row<'_>) -> Result<TokenRow, Failure> {
    let roles: String = row.get(4)?;
    Ok(TokenRow {
        id: TokenId::from_bytes(row.get(0)?),
        hash: TokenHash::from_bytes(row.get(1)?),
        project: ProjectId::new(row.get::<_, String>(2)?),
        user: UserId::new(row.get::<_, String>(3)?),
        roles: self::roles(&roles).ok_or(Failure::BadRow("a token's roles do not parse"))?,
        created: time(row, 5)?,
        expires: optional_time(row, 6)?,
        last_used: optional_time(row, 7)?,
    })
}

/// Each role behind its length in bytes and a colon: no role needs escaping.
fn stored_roles(roles: &[String]) -> String {
    roles
        .iter()
        .map(|role| format!("{}:{role}", role.len()))
        .collect()
}

fn roles(mut stored: &str) -> Option<Vec<String>> {
    let mut roles = Vec::new();
    while !stored.is_empty() {
        let (bytes, rest) = stored.split_once(':')?;
        let (role, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        roles.push(role.to_owned());
        stored = rest;
    }
    Some(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_back() {
        for list in [&[][..], &[""], &["admin", "member"], &["1:a", "ü", ":"]] {
            let list: Vec<String> = list.iter().map(|role| (*role).to_owned()).collect();
            assert_eq!(roles(&stored_roles(&list)), Some(list));
        }
        assert_eq!(stored_roles(&["admin".to_owned()]), "5:admin");
    }

    #[test]
    fn bad_roles_are_noticed() {
        for bad in ["admin", "6:admin", "x:admin", "1:ü", ":", "-1:a"] {
            assert_eq!(roles(bad), None, "{bad}");
        }
    }
}
