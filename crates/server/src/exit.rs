//! How the process ends. Supervisors and scripts tell causes apart by the exit
//! code, people by the message.

use std::{fmt, process::ExitCode};

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well; a server was asked to stop and has drained.
    Good = 0,
    /// None of the causes below: an address is in use, a token does not exist.
    Other = 1,
    /// The command line, the environment or the configuration file.
    Config = 2,
    /// The root key: missing, not protected, or not the one of this data.
    RootKey = 3,
    /// The data folder: permissions, in use, or not one.
    DataFolder = 4,
    /// Storage failed; a restart may help (EX_TEMPFAIL of sysexits.h).
    Storage = 75,
}

/// What went wrong, and the exit code for it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

/// Gives errors an exit code.
pub(crate) trait OrExit<T> {
    /// Turns an error into a failure with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

// === impl Failure ===

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether this is what went wrong.
    pub(crate) fn is<E: std::error::Error + Send + Sync + 'static>(&self) -> bool {
        self.error.is::<E>()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
