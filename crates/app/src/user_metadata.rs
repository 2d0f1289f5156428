//! User metadata of secrets.

use std::sync::Arc;

use donjon_domain::{
    Actor, MetadataKey, SecretId, UserMetadata,
    ports::{Reading, RepositoryError, RepositoryExt},
};

use crate::{Action, Conflict, Error, Missing, core::Core};

/// Use cases on user metadata.
#[derive(Debug)]
pub struct UserMetadataUseCases {
    core: Arc<Core>,
}

impl UserMetadataUseCases {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// All user metadata of a secret.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch_all(&self, actor: &Actor, secret: SecretId) -> Result<UserMetadata, Error> {
        self.core
            .authorize(actor, Action::SecretMetaGet, secret)
            .await?;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.user_metadata(secret))
            .await;
        Ok(found?)
    }

    /// The value under one key.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Missing::Metadatum`]; else as
    /// storage fails.
    pub async fn fetch(
        &self,
        actor: &Actor,
        secret: SecretId,
        key: MetadataKey,
    ) -> Result<String, Error> {
        self.core
            .authorize(actor, Action::SecretMetaGet, secret)
            .await?;
        let found: Result<Option<String>, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.user_metadatum(secret, &key))
            .await;
        found?.ok_or(Error::NotFound(Missing::Metadatum))
    }

    /// Replaces all user metadata. How much there may be is up to the caller.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn replace(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        metadata: UserMetadata,
    ) -> Result<(), Error> {
        self.core
            .write(actor, Action::SecretMetaPut, secret, move |tx, _, _| {
                Ok(tx.replace_user_metadata(secret, &metadata)?)
            })
            .await
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Conflict::MetadatumExists`],
    /// [`Error::BoundReached`] in this order; else as storage fails.
    pub async fn add(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        key: MetadataKey,
        value: String,
    ) -> Result<(), Error> {
        let bounds = self.core.bounds;
        self.core
            .write(actor, Action::SecretMetaPost, secret, move |tx, _, _| {
                if tx.user_metadatum(secret, &key)?.is_some() {
                    return Err(Error::Conflict(Conflict::MetadatumExists));
                }
                bounds.admit_metadatum(&tx.user_metadata(secret)?, &key, &value)?;
                Ok(tx.put_user_metadatum(secret, &key, &value)?)
            })
            .await
    }

    /// Changes the value of a key that is there. `new` repeats the key.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Missing::Metadatum`],
    /// [`Conflict::MetadatumKeyDiffers`], [`Error::BoundReached`] in this order;
    /// else as storage fails.
    pub async fn change(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        key: MetadataKey,
        new: (MetadataKey, String),
    ) -> Result<(), Error> {
        let (new_key, value) = new;
        let bounds = self.core.bounds;
        self.core
            .write(actor, Action::SecretMetaPut, secret, move |tx, _, _| {
                if tx.user_metadatum(secret, &key)?.is_none() {
                    return Err(Error::NotFound(Missing::Metadatum));
                }
                if new_key != key {
                    return Err(Error::Conflict(Conflict::MetadatumKeyDiffers));
                }
                bounds.admit_metadatum(&tx.user_metadata(secret)?, &key, &value)?;
                Ok(tx.put_user_metadatum(secret, &key, &value)?)
            })
            .await
    }

    /// Sets the value of a key, whether or not it is there. `new` repeats the
    /// key. Returns whether the key is new.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`],
    /// [`Conflict::MetadatumKeyDiffers`], [`Error::BoundReached`] in this order;
    /// else as storage fails.
    pub async fn set(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        key: MetadataKey,
        new: (MetadataKey, String),
    ) -> Result<bool, Error> {
        let (new_key, value) = new;
        let bounds = self.core.bounds;
        self.core
            .write(actor, Action::SecretMetaPost, secret, move |tx, _, _| {
                if new_key != key {
                    return Err(Error::Conflict(Conflict::MetadatumKeyDiffers));
                }
                let all = tx.user_metadata(secret)?;
                bounds.admit_metadatum(&all, &key, &value)?;
                let is_new = !all.contains_key(&key);
                tx.put_user_metadatum(secret, &key, &value)?;
                Ok(is_new)
            })
            .await
    }

    /// Removes a key; no error where it is not there.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn remove(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        key: MetadataKey,
    ) -> Result<(), Error> {
        self.core
            .write(actor, Action::SecretMetaDelete, secret, move |tx, _, _| {
                Ok(tx.delete_user_metadatum(secret, &key)?)
            })
            .await
    }
}
