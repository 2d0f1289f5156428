//! Why a database was not opened.

use std::{fmt, io, path::Path};

use donjon_domain::ports::BoxError;

use crate::failure::{Failure, Reach};

/// The database was not opened.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    what: String,
    source: Option<BoxError>,
}

/// What the operator has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// There is no file at the path.
    Missing,
    /// There is a file already where a new one was to be made.
    Exists,
    /// The file, or one beside it, is a link, no regular file, belongs to
    /// somebody else, or is open to others.
    Permissions,
    /// Another process has the file open.
    InUse,
    /// A newer version made the file.
    NewerSchema {
        /// The version of its schema.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The file says that it was made by other scripts than those known here.
    AlteredSchema,
    /// The file is a database of something else, or none at all.
    NotOurs,
    /// The file is damaged.
    Corrupt,
    /// SQLite does not take a setting that durability depends on.
    Settings,
    /// There is no room on the disk.
    Full,
    /// The operating system said no in another way.
    Io,
    /// Anything else.
    Internal,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// An error of the operating system, at `path`.
    pub(crate) fn io(path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let kind = match error.kind() {
            io::ErrorKind::NotFound => OpenErrorKind::Missing,
            io::ErrorKind::AlreadyExists => OpenErrorKind::Exists,
            io::ErrorKind::PermissionDenied => OpenErrorKind::Permissions,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenErrorKind::Full,
            _ => OpenErrorKind::Io,
        };
        Self {
            kind,
            what: path.display().to_string(),
            source: Some(error.into()),
        }
    }

    /// What the operator has to look at.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        let code = match &failure {
            Failure::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        let kind = match (failure.reach(), code) {
            (_, Some(rusqlite::ErrorCode::NotADatabase)) => OpenErrorKind::NotOurs,
            (_, Some(rusqlite::ErrorCode::DatabaseBusy)) => OpenErrorKind::InUse,
            (
                _,
                Some(
                    rusqlite::ErrorCode::PermissionDenied
                    | rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::CannotOpen,
                ),
            ) => OpenErrorKind::Permissions,
            (Some(Reach::Damage), _) => OpenErrorKind::Corrupt,
            (Some(Reach::Room), _) => OpenErrorKind::Full,
            (Some(Reach::Disk), _) => OpenErrorKind::Io,
            _ if matches!(failure, Failure::BadRow(_)) => OpenErrorKind::Corrupt,
            _ => OpenErrorKind::Internal,
        };
        Self {
            kind,
            what: "database".to_owned(),
            source: Some(failure.into()),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Failure::from(error).into()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match self.kind {
            OpenErrorKind::Missing => write!(f, "{what} is not there"),
            OpenErrorKind::Exists => write!(f, "{what} exists already"),
            OpenErrorKind::Permissions => write!(f, "permissions do not fit: {what}"),
            OpenErrorKind::InUse => write!(f, "{what} is in use by another process"),
            OpenErrorKind::NewerSchema { found, known } => write!(
                f,
                "{what} has schema version {found}, the newest known here is {known}"
            ),
            OpenErrorKind::AlteredSchema => write!(f, "schema was made by other scripts: {what}"),
            OpenErrorKind::NotOurs => write!(f, "{what} is not a database of this server"),
            OpenErrorKind::Corrupt => write!(f, "database is damaged: {what}"),
            OpenErrorKind::Settings => write!(f, "SQLite does not take a setting: {what}"),
            OpenErrorKind::Full => write!(
                f,
                "no room on the disk: {what}; make room, then start again"
            ),
            OpenErrorKind::Io => write!(f, "cannot be used: {what}"),
            OpenErrorKind::Internal => write!(f, "cannot be opened: {what}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
