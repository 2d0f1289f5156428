//! Secret stores: which there are, and which one a project prefers. Unless
//! several are enabled, there is nothing to choose, and every call says so.

use std::sync::Arc;

use donjon_domain::{
    Actor, ProjectId, SecretStore, SecretStoreId,
    ports::{Reading, RepositoryError, RepositoryExt},
};

use crate::{Action, Error, Missing, Target, core::Core};

/// A secret store in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveStore {
    /// Its row.
    pub store: SecretStore,
    /// Its name for people.
    pub name: String,
    /// Whether secrets of projects without a preference go here.
    pub is_global_default: bool,
}

/// Use cases on secret stores.
#[derive(Debug)]
pub struct SecretStores {
    core: Arc<Core>,
}

impl SecretStores {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// All of them.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::MultipleStores`] in this order.
    pub fn list(&self, actor: &Actor) -> Result<&[ActiveStore], Error> {
        self.authorize(actor, Action::SecretStoresGet)?;
        self.enabled()
    }

    /// The one for projects without a preference.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::MultipleStores`] in this order.
    pub fn global_default(&self, actor: &Actor) -> Result<&ActiveStore, Error> {
        self.authorize(actor, Action::SecretStoresGetGlobalDefault)?;
        let found = self.enabled()?.iter().find(|store| store.is_global_default);
        found.ok_or(Error::NotFound(Missing::SecretStore))
    }

    /// The one that the caller's project prefers.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::MultipleStores`],
    /// [`Missing::PreferredStore`] in this order; else as storage fails.
    pub async fn preferred(&self, actor: &Actor) -> Result<&ActiveStore, Error> {
        self.authorize(actor, Action::SecretStoresGetPreferred)?;
        let stores = self.enabled()?;
        let project = actor.project.clone();
        let id: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| {
                tx.preferred_secret_store(&project)
            })
            .await;
        let id = id?;
        let found = stores.iter().find(|active| Some(active.store.id) == id);
        found.ok_or(Error::NotFound(Missing::PreferredStore))
    }

    /// Checks that there is a store of this id. Comes before the policy.
    ///
    /// # Errors
    /// [`Missing::MultipleStores`], [`Missing::SecretStore`].
    pub fn find(&self, id: &str) -> Result<SecretStoreId, Error> {
        self.active(id).map(|active| active.store.id)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Missing::MultipleStores`], [`Missing::SecretStore`],
    /// [`Error::Denied`] in this order.
    pub fn fetch(&self, actor: &Actor, id: &str) -> Result<&ActiveStore, Error> {
        let found = self.active(id)?;
        self.authorize(actor, Action::SecretStoreGet)?;
        Ok(found)
    }

    /// Lets the caller's project prefer this one from now on.
    ///
    /// # Errors
    /// [`Missing::MultipleStores`], [`Missing::SecretStore`],
    /// [`Error::Denied`] in this order; else as storage fails.
    pub async fn prefer(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        let id = self.find(id)?;
        self.authorize(actor, Action::SecretStorePreferredPost)?;
        let project = actor.project.clone();
        let written: Result<(), RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.put_preferred_secret_store(&project, id))
            .await;
        Ok(written?)
    }

    /// Lets the caller's project prefer none. Which one it is told to forget
    /// does not matter, as in Barbican.
    ///
    /// # Errors
    /// [`Missing::MultipleStores`], [`Missing::SecretStore`],
    /// [`Error::Denied`], [`Missing::PreferredStore`] in this order; else as
    /// storage fails.
    pub async fn forget(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        self.find(id)?;
        self.authorize(actor, Action::SecretStorePreferredDelete)?;
        let project: ProjectId = actor.project.clone();
        self.core
            .repository
            .write_with(move |tx| {
                if tx.delete_preferred_secret_store(&project)? {
                    Ok(())
                } else {
                    Err(Error::NotFound(Missing::PreferredStore))
                }
            })
            .await
    }

    fn authorize(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    fn enabled(&self) -> Result<&[ActiveStore], Error> {
        match self.core.secret_stores.as_slice() {
            [] => Err(Error::NotFound(Missing::MultipleStores)),
            stores => Ok(stores),
        }
    }

    fn active(&self, id: &str) -> Result<&ActiveStore, Error> {
        let stores = self.enabled()?;
        let id = SecretStoreId::parse(id).ok();
        let found = stores.iter().find(|active| Some(active.store.id) == id);
        found.ok_or(Error::NotFound(Missing::SecretStore))
    }
}
