//! Projects as owners: which of them the identity service is known to have, and
//! removing what one leaves behind.
//!
//! A project belongs to the identity service once that has said so; what it does
//! not know and never knew is somebody else's. How far a removal got follows
//! from the rows alone, so that it goes on after any stop.

use std::num::NonZeroU32;

use crate::{
    ContainerConsumer, ContainerId, ProjectId, SecretConsumer, SecretId, Timestamp,
    ports::RepositoryError,
};

/// A project that owns something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwningProject {
    /// Its id.
    pub project: ProjectId,
    /// What is remembered about it.
    pub standing: Standing,
}

/// What the identity service said of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It never said that it knows it.
    Unconfirmed,
    /// It knew it when it was last asked.
    Confirmed,
    /// It knew it once, and since this time it did not.
    Missed(Timestamp),
}

/// What a project owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Secrets, expired ones too.
    pub secrets: u64,
    /// Containers.
    pub containers: u64,
    /// Orders.
    pub orders: u64,
    /// Registrations as a consumer on whatever is not its own.
    pub consumers: u64,
    /// KEKs that are not destroyed.
    pub keks: u64,
    /// Quotas, and a preferred secret store: 0 to 2.
    pub settings: u64,
    /// Whether a locally issued token, which has not expired, acts on it.
    pub has_token: bool,
}

/// A registration as a consumer on something that another project owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// On a secret.
    Secret(SecretId, SecretConsumer),
    /// On a container.
    Container(ContainerId, ContainerConsumer),
}

/// Why a project is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalCause {
    /// The identity service does not know it since then. Ends as soon as that is
    /// not so any more, or a local token acts on the project.
    Missed(Timestamp),
    /// The operator wants it.
    Ordered,
}

/// What a step of a removal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// So many rows went, at least one; there may be more.
    Removed(u64),
    /// All that is left are registrations on what others own.
    Registered,
    /// The project is not, or no longer, one to remove; nothing was done.
    Spared,
    /// Nothing is left, and its KEKs are gone.
    Done,
}

/// Reads of projects.
pub trait ProjectReads {
    /// Up to `limit` projects that own something, by id, behind `after`. A KEK,
    /// quotas and a preferred secret store are something too. Walks the projects.
    ///
    /// # Errors
    /// As storage fails.
    fn owning_projects(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<OwningProject>, RepositoryError>;

    /// What is remembered about a project.
    ///
    /// # Errors
    /// As storage fails.
    fn standing(&mut self, project: &ProjectId) -> Result<Standing, RepositoryError>;

    /// What a project owns. Walks it.
    ///
    /// # Errors
    /// As storage fails.
    fn holdings(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<Holdings, RepositoryError>;

    /// Up to `limit` registrations that a project made. Walks those of all
    /// projects.
    ///
    /// # Errors
    /// As storage fails.
    fn registrations_of(
        &mut self,
        project: &ProjectId,
        limit: u32,
    ) -> Result<Vec<Registration>, RepositoryError>;
}

/// Writes of projects.
pub trait ProjectWrites {
    /// The identity service knows the project: it is confirmed, and not missed
    /// any more.
    ///
    /// # Errors
    /// As storage fails.
    fn confirm_project(&mut self, project: &ProjectId) -> Result<(), RepositoryError>;

    /// The identity service does not know the project. `false` where it never
    /// did, or the project is missed already: then nothing changes.
    ///
    /// # Errors
    /// As storage fails.
    fn miss_project(
        &mut self,
        project: &ProjectId,
        since: Timestamp,
    ) -> Result<bool, RepositoryError>;

    /// Removes up to `limit` rows of what a project owns, with all that hangs on
    /// it, as long as the cause holds. When nothing is left, its KEKs go, of any
    /// state, and what was remembered about it: from then on nothing can be stored
    /// under those KEKs.
    ///
    /// # Errors
    /// As storage fails.
    fn remove_from_project(
        &mut self,
        project: &ProjectId,
        cause: RemovalCause,
        now: Timestamp,
        limit: NonZeroU32,
    ) -> Result<Removal, RepositoryError>;
}

impl Holdings {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows() == 0 && self.keks == 0
    }

    /// How many things there are beside keys.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.secrets + self.containers + self.orders + self.consumers + self.settings
    }
}
