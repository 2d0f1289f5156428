//! What secrets and containers have in common: an owner, an access control
//! list, consumers. Use cases on these are written once, for ids of both kinds.

mod container;
mod secret;

use std::{fmt, num::NonZeroU32, sync::Arc};

use donjon_domain::{
    Acl, Actor, Page, PageRequest, ProjectId, StoredConsumer, Timestamp,
    ports::{Counted, ReadTx, RepositoryError, WriteTx},
};

use crate::{Action, Error, Missing, Target, core::Core};

/// The id of a secret or of a container.
pub trait Entity: fmt::Display + Copy + Send + Sync + 'static {
    /// The row, with its ACL.
    type Stored: Send + 'static;
    /// What services register on it.
    type Consumer: Clone + Send + Sync + 'static;
    /// The entity as it is shown.
    type View: Send + 'static;

    /// Which rules guard what.
    const RULES: EntityRules;
    /// As what its consumers are counted.
    const CONSUMERS: Counted;
    /// What it is if it is not there.
    const MISSING: Missing;

    /// The row, unless it is as good as gone.
    ///
    /// # Errors
    /// As storage fails.
    fn live(
        self,
        tx: &mut dyn ReadTx,
        now: Timestamp,
    ) -> Result<Option<Self::Stored>, RepositoryError>;

    /// Describes it to a rule.
    fn target<'a>(stored: &'a Self::Stored, actor: &Actor) -> Target<'a>;

    /// The project that owns it.
    fn project(stored: &Self::Stored) -> &ProjectId;

    /// Its ACL, where one was written.
    fn acl(stored: Self::Stored) -> Option<Acl>;

    /// Sets its whole ACL, or removes it.
    ///
    /// # Errors
    /// As storage fails.
    fn set_acl(self, tx: &mut dyn WriteTx, acl: Option<&Acl>) -> Result<(), RepositoryError>;

    /// Sets the time of the last change, in storage and in `stored`.
    ///
    /// # Errors
    /// As storage fails.
    fn touch(
        self,
        tx: &mut dyn WriteTx,
        stored: &mut Self::Stored,
        now: Timestamp,
    ) -> Result<(), RepositoryError>;

    /// All that belongs to what is shown.
    ///
    /// # Errors
    /// As storage fails.
    fn view(self, tx: &mut dyn ReadTx, stored: Self::Stored)
    -> Result<Self::View, RepositoryError>;

    /// All its consumers.
    ///
    /// # Errors
    /// As storage fails.
    fn consumers(
        self,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<StoredConsumer<Self::Consumer>>, RepositoryError>;

    /// A part of its consumers.
    ///
    /// # Errors
    /// As storage fails.
    fn list_consumers(
        self,
        tx: &mut dyn ReadTx,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer<Self::Consumer>>, RepositoryError>;

    /// Whether it has so many consumers.
    ///
    /// # Errors
    /// As storage fails.
    fn has_consumers(
        self,
        tx: &mut dyn ReadTx,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError>;

    /// The registration of exactly this consumer.
    ///
    /// # Errors
    /// As storage fails.
    fn find_consumer(
        self,
        tx: &mut dyn ReadTx,
        consumer: &Self::Consumer,
    ) -> Result<Option<StoredConsumer<Self::Consumer>>, RepositoryError>;

    /// Adds a registration that is not there yet.
    ///
    /// # Errors
    /// As storage fails.
    fn insert_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &StoredConsumer<Self::Consumer>,
    ) -> Result<(), RepositoryError>;

    /// Removes the registration of this consumer; `false` where there is none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &Self::Consumer,
    ) -> Result<bool, RepositoryError>;
}

/// The rules that guard what entities have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityRules {
    /// Reading the ACL.
    pub acl_get: Action,
    /// Writing the ACL.
    pub acl_put_patch: Action,
    /// Removing the ACL.
    pub acl_delete: Action,
    /// Listing consumers.
    pub consumers_get: Action,
    /// Registering a consumer.
    pub consumers_post: Action,
    /// Removing a consumer.
    pub consumers_delete: Action,
}

/// Questions about entities.
#[derive(Debug)]
pub struct Entities {
    core: Arc<Core>,
}

impl Entities {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Checks that it is there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; else as storage fails.
    pub async fn exists<E: Entity>(&self, id: E) -> Result<(), Error> {
        self.core.find(id).await.map(drop)
    }

    /// Checks that it is there, and that the caller may do this.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn authorize<E: Entity>(
        &self,
        actor: &Actor,
        action: Action,
        id: E,
    ) -> Result<(), Error> {
        self.core.authorize(actor, action, id).await.map(drop)
    }

    /// Checks that it is there and the project's own.
    ///
    /// # Errors
    /// [`Error::NotFound`], also where it is another project's; else as storage
    /// fails.
    pub async fn owned_by<E: Entity>(&self, project: &ProjectId, id: E) -> Result<(), Error> {
        let stored = self.core.find(id).await?;
        if E::project(&stored) == project {
            Ok(())
        } else {
            Err(Error::NotFound(E::MISSING))
        }
    }
}
