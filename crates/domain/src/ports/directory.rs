//! The directory of projects: what an identity service knows.

use std::fmt;

use crate::{
    ProjectId,
    ports::{BoxError, BoxFuture},
};

/// Tells which projects there are.
pub trait ProjectDirectory: Send + Sync {
    /// Asks whether a project is there. An answer of [`Presence::Absent`] is the
    /// directory's own word that it has no such project, from somebody whom it
    /// lets see all projects; whatever else comes is another answer, or none.
    /// Never blocks; ends by itself within seconds.
    fn look_up<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Presence, DirectoryError>>;
}

/// What the directory says of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has it, under exactly this id, enabled or not.
    Present,
    /// It has no project with this id.
    Absent,
    /// It cannot have one with such an id, or has one with another spelling of
    /// it: nothing follows.
    Unclear,
}

/// The directory says nothing.
#[derive(Debug)]
pub struct DirectoryError(BoxError);

impl DirectoryError {
    /// An error with its cause.
    #[must_use]
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the identity service cannot be asked about projects")
    }
}

impl std::error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
