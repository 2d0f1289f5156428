//! What went wrong in SQLite, and how far it reaches: one row, one job, one
//! batch, or all of storage.

use donjon_domain::ports::{RepositoryError, RepositoryErrorKind};
use rusqlite::{ErrorCode, ffi};

/// A statement or a row failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what nobody wrote.
    #[error("stored row makes no sense: {0}")]
    BadRow(&'static str),
    /// The caller asked for what cannot be.
    #[error("{0}")]
    Misuse(&'static str),
    /// A row with this key is there already.
    #[error("row exists")]
    Duplicate,
    /// Nothing may be added while the disk is full.
    #[error("disk is full")]
    Full,
}

/// How far a failure reaches beyond the job that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The transaction cannot go on; the next one may work.
    Transaction,
    /// There is no room; the next one may work after room was made.
    Room,
    /// The file system failed: what is on disk is not known any more.
    Disk,
    /// The database is damaged.
    Damage,
}

/// What takes a whole transaction down.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) reach: Reach,
    pub(crate) why: String,
}

impl Failure {
    /// What the caller of the job gets to know.
    pub(crate) fn kind(&self) -> RepositoryErrorKind {
        match self {
            Self::Sqlite(error) => kind_of(error),
            Self::BadRow(_) => RepositoryErrorKind::Corrupt,
            Self::Misuse(_) => RepositoryErrorKind::Internal,
            Self::Duplicate => RepositoryErrorKind::Duplicate,
            Self::Full => RepositoryErrorKind::Full,
        }
    }

    /// How far it reaches; `None` where only the statement failed, and left
    /// nothing behind.
    pub(crate) fn reach(&self) -> Option<Reach> {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = self else {
            return None;
        };
        match error.code {
            ErrorCode::DiskFull => Some(Reach::Room),
            // The index of the WAL could not grow; nothing else asks for it.
            _ if error.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Some(Reach::Room),
            ErrorCode::SystemIoFailure => Some(Reach::Disk),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Reach::Damage),
            ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => None,
            _ => Some(Reach::Transaction),
        }
    }

    /// Whether an integer primary key was taken, as opposed to another key.
    pub(crate) fn is_taken_place(&self) -> bool {
        self.extended_code() == Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    }

    /// Whether a row refers to one that is not there.
    pub(crate) fn is_missing_parent(&self) -> bool {
        self.extended_code() == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
    }

    /// Whether a row was refused for what its columns say together.
    pub(crate) fn is_odd_row(&self) -> bool {
        self.extended_code() == Some(ffi::SQLITE_CONSTRAINT_CHECK)
    }

    fn extended_code(&self) -> Option<i32> {
        match self {
            Self::Sqlite(error) => error.sqlite_error().map(|error| error.extended_code),
            _ => None,
        }
    }
}

impl From<Failure> for RepositoryError {
    fn from(failure: Failure) -> Self {
        Self::with_source(failure.kind(), failure)
    }
}

/// For statements that no job is responsible for.
impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        let reach = match &failure {
            // The counts do not fit their table: somebody else wrote to it.
            Failure::BadRow(_) => Reach::Damage,
            _ => failure.reach().unwrap_or(Reach::Transaction),
        };
        Self {
            reach,
            why: failure.to_string(),
        }
    }
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Failure::from(error).into()
    }
}

fn kind_of(error: &rusqlite::Error) -> RepositoryErrorKind {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => kind_of_code(*error),
        // A value has another type than its column, or is out of range.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedMoreThanOneRow
        | rusqlite::Error::QueryReturnedNoRows => RepositoryErrorKind::Corrupt,
        _ => RepositoryErrorKind::Internal,
    }
}

fn kind_of_code(error: ffi::Error) -> RepositoryErrorKind {
    match error.code {
        ErrorCode::ConstraintViolation => match error.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => RepositoryErrorKind::Duplicate,
            _ => RepositoryErrorKind::Internal,
        },
        ErrorCode::DiskFull => RepositoryErrorKind::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => RepositoryErrorKind::Corrupt,
        // A scan took too long.
        ErrorCode::OperationInterrupted => RepositoryErrorKind::Overloaded,
        ErrorCode::SystemIoFailure => RepositoryErrorKind::Unavailable,
        _ => RepositoryErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extended_code: i32, kind: RepositoryErrorKind, reach: Option<Reach>) {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(extended_code), None);
        let failure = Failure::from(error);
        assert_eq!(
            (failure.kind(), failure.reach()),
            (kind, reach),
            "{extended_code}"
        );
    }

    #[test]
    fn codes_reach_as_far_as_they_do() {
        use RepositoryErrorKind::{Corrupt, Duplicate, Full, Internal, Overloaded, Unavailable};
        check(ffi::SQLITE_FULL, Full, Some(Reach::Room));
        check(ffi::SQLITE_IOERR_SHMSIZE, Unavailable, Some(Reach::Room));
        check(ffi::SQLITE_IOERR_FSYNC, Unavailable, Some(Reach::Disk));
        check(ffi::SQLITE_IOERR_WRITE, Unavailable, Some(Reach::Disk));
        check(ffi::SQLITE_CORRUPT, Corrupt, Some(Reach::Damage));
        check(ffi::SQLITE_NOTADB, Corrupt, Some(Reach::Damage));
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, Duplicate, None);
        check(ffi::SQLITE_CONSTRAINT_FOREIGNKEY, Internal, None);
        check(ffi::SQLITE_CONSTRAINT_CHECK, Internal, None);
        check(ffi::SQLITE_INTERRUPT, Overloaded, Some(Reach::Transaction));
        check(ffi::SQLITE_NOMEM, Internal, Some(Reach::Transaction));
    }
}
