//! Transport keys: rows that clients may look up. No store of this server wraps
//! payloads with them.

use std::sync::Arc;

use donjon_domain::{
    Actor, Label, Page, PageRequest, TransportKey, TransportKeyId,
    ports::{Reading, RepositoryError, RepositoryExt, Turn},
};

use crate::{Action, Error, Missing, Target, core::Core};

/// Use cases on transport keys.
#[derive(Debug)]
pub struct TransportKeys {
    core: Arc<Core>,
}

impl TransportKeys {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Adds a transport key. Whether there is such a plugin is not checked.
    ///
    /// # Errors
    /// [`Error::Denied`]; else as storage fails.
    pub async fn create(
        &self,
        actor: &Actor,
        plugin_name: Label,
        transport_key: String,
    ) -> Result<TransportKeyId, Error> {
        self.authorize(actor, Action::TransportKeysPost)?;
        let id = TransportKeyId::from_uuid(self.core.entropy.uuid_v4());
        let now = self.core.clock.now();
        let key = TransportKey {
            id,
            plugin_name,
            transport_key,
            created: now,
            updated: now,
        };
        let written: Result<(), RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.insert_transport_key(&key))
            .await;
        written?;
        Ok(id)
    }

    /// A part of the list of all of them, or of those of one plugin.
    ///
    /// # Errors
    /// [`Error::Denied`]; else as storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        plugin_name: Option<String>,
        page: PageRequest<TransportKeyId>,
    ) -> Result<Page<TransportKey>, Error> {
        self.authorize(actor, Action::TransportKeysGet)?;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::of(&actor.project)), move |tx| {
                tx.list_transport_keys(plugin_name.as_deref(), page)
            })
            .await;
        Ok(found?)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::TransportKey`] in this order; else as
    /// storage fails.
    pub async fn fetch(&self, actor: &Actor, id: TransportKeyId) -> Result<TransportKey, Error> {
        self.authorize(actor, Action::TransportKeyGet)?;
        self.find(id).await
    }

    /// Checks that there is one with this id, whoever asks.
    ///
    /// # Errors
    /// [`Missing::TransportKey`]; else as storage fails.
    pub async fn exists(&self, id: TransportKeyId) -> Result<(), Error> {
        self.find(id).await.map(drop)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::TransportKey`] in this order; else as
    /// storage fails.
    pub async fn remove(&self, actor: &Actor, id: TransportKeyId) -> Result<(), Error> {
        self.authorize(actor, Action::TransportKeyDelete)?;
        self.core
            .repository
            .write_with(move |tx| {
                if tx.delete_transport_key(id)? {
                    Ok(())
                } else {
                    Err(Error::NotFound(Missing::TransportKey))
                }
            })
            .await
    }

    fn authorize(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    async fn find(&self, id: TransportKeyId) -> Result<TransportKey, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.transport_key(id))
            .await;
        found?.ok_or(Error::NotFound(Missing::TransportKey))
    }
}
