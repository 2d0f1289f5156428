//! From values to columns and back. What nobody wrote is a bad row.

use donjon_domain::{
    BitLength, ContentType, Label, ProjectId, Secret, SecretId, SecretType, Timestamp, UserId,
};
use rusqlite::Row;

use crate::{failure::Failure, place::Place};

/// A query for the columns that [`SecretRow::read`] reads, in its order, and
/// for others behind them.
macro_rules! select_secrets {
    ($($clauses:literal)+) => {
        select_secrets!([""] $($clauses)+)
    };
    ([$more_columns:literal] $($clauses:literal)+) => {
        concat!(
            "SELECT place, uuid, acl, created, updated, expiration, secret_type, content_type, \
             bit_length, creator, name, algorithm, mode",
            $more_columns,
            " FROM secrets ",
            $($clauses),+
        )
    };
}
pub(super) use select_secrets;

/// A secret as it is stored: its project by number.
pub(super) struct SecretRow {
    pub(super) place: Place,
    pub(super) acl: AclFlag,
    secret: Secret,
}

/// The first column behind those of [`SecretRow`].
pub(super) const MORE_COLUMNS: usize = 13;

/// `secrets.acl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AclFlag {
    /// There is no ACL.
    None,
    /// There is one; the project has access.
    Open,
    /// There is one; the project has no access.
    Private,
}

impl SecretRow {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, Failure> {
        let secret = Secret {
            id: SecretId::from_bytes(row.get(1)?),
            project: ProjectId::new(String::new()),
            creator: user(row, 9)?,
            created: time(row, 3)?,
            updated: time(row, 4)?,
            name: label(row, 10)?,
            secret_type: secret_type(row.get(6)?)?,
            algorithm: label(row, 11)?,
            mode: label(row, 12)?,
            bit_length: bit_length(row.get(8)?)?,
            expiration: optional_time(row, 5)?,
            content_type: content_type(row.get(7)?)?,
        };
        Ok(Self {
            place: row.get(0)?,
            acl: AclFlag::from_stored(row.get(2)?)?,
            secret,
        })
    }

    pub(super) fn into_secret(self, project: ProjectId) -> Secret {
        Secret {
            project,
            ..self.secret
        }
    }
}

impl AclFlag {
    pub(super) fn of(project_access: bool) -> Self {
        if project_access {
            Self::Open
        } else {
            Self::Private
        }
    }

    pub(super) fn as_stored(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Open => 1,
            Self::Private => 2,
        }
    }

    pub(super) fn from_stored(stored: i64) -> Result<Self, Failure> {
        match stored {
            0 => Ok(Self::None),
            1 => Ok(Self::Open),
            2 => Ok(Self::Private),
            _ => Err(Failure::BadRow("acl is out of range")),
        }
    }
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_micros(row.get(column)?))
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Failure> {
    let micros: Option<i64> = row.get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

pub(super) fn user(row: &Row<'_>, column: usize) -> Result<Option<UserId>, Failure> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(UserId::new))
}

pub(super) fn label(row: &Row<'_>, column: usize) -> Result<Option<Label>, Failure> {
    let text: Option<String> = row.get(column)?;
    text.map(Label::new)
        .transpose()
        .map_err(|_too_long| Failure::BadRow("a label is too long"))
}

/// The number of a type: its place in the order of their names.
pub(super) fn stored_secret_type(secret_type: SecretType) -> i64 {
    match secret_type {
        SecretType::Certificate => 0,
        SecretType::Opaque => 1,
        SecretType::Passphrase => 2,
        SecretType::Private => 3,
        SecretType::Public => 4,
        SecretType::Symmetric => 5,
    }
}

fn secret_type(stored: i64) -> Result<SecretType, Failure> {
    SecretType::ALL
        .into_iter()
        .find(|known| stored_secret_type(*known) == stored)
        .ok_or(Failure::BadRow("secret_type is out of range"))
}

pub(super) fn stored_content_type(content_type: ContentType) -> i64 {
    match content_type {
        ContentType::Text => 0,
        ContentType::OctetStream => 1,
        ContentType::Pkcs8 => 2,
        ContentType::TextWithCharset => 3,
    }
}

pub(super) fn content_type(stored: Option<i64>) -> Result<Option<ContentType>, Failure> {
    let known = |stored| {
        ContentType::ALL
            .into_iter()
            .find(|known| stored_content_type(*known) == stored)
            .ok_or(Failure::BadRow("content_type is out of range"))
    };
    stored.map(known).transpose()
}

pub(super) fn bit_length(stored: Option<i64>) -> Result<Option<BitLength>, Failure> {
    stored
        .map(BitLength::new)
        .transpose()
        .map_err(|_out_of_range| Failure::BadRow("bit_length is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_numbered_in_the_order_of_their_names() {
        let mut by_number = SecretType::ALL;
        by_number.sort_by_key(|secret_type| stored_secret_type(*secret_type));
        let mut by_name = SecretType::ALL;
        by_name.sort_by_key(|secret_type| secret_type.as_str());
        assert_eq!(by_number, by_name);
        for known in SecretType::ALL {
            assert_eq!(secret_type(stored_secret_type(known)).unwrap(), known);
        }
        assert!(secret_type(6).is_err());
    }

    #[test]
    fn content_types_and_flags_come_back() {
        for known in ContentType::ALL {
            let stored = Some(stored_content_type(known));
            assert_eq!(content_type(stored).unwrap(), Some(known));
        }
        assert!(content_type(Some(4)).is_err());
        for flag in [AclFlag::None, AclFlag::Open, AclFlag::Private] {
            assert_eq!(AclFlag::from_stored(flag.as_stored()).unwrap(), flag);
        }
        assert!(AclFlag::from_stored(3).is_err());
    }
}
