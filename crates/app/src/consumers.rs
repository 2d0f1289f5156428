//! Consumers of secrets.

use std::sync::Arc;

use donjon_domain::{
    Actor, ConsumerId, Page, PageRequest, SecretConsumer, SecretId, StoredConsumer,
    ports::{ReadTx, Reading, RepositoryError, RepositoryExt},
};

use crate::{Action, Error, Missing, SecretView, core::Core};

/// Use cases on consumers.
#[derive(Debug)]
pub struct Consumers {
    core: Arc<Core>,
}

impl Consumers {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// A part of the consumers of a secret.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        secret: SecretId,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, Error> {
        self.core
            .authorize_secret(actor, Action::SecretConsumersGet, secret)
            .await?;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan, move |tx| {
                tx.list_secret_consumers(secret, page)
            })
            .await;
        Ok(found?)
    }

    /// One registration on this secret, by id.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Missing::Consumer`], [`Error::Denied`]; else as
    /// storage fails.
    pub async fn fetch(
        &self,
        actor: &Actor,
        secret: SecretId,
        id: ConsumerId,
    ) -> Result<StoredConsumer, Error> {
        self.core.find_secret(secret).await?;
        let all: Result<Vec<StoredConsumer>, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan, move |tx| tx.secret_consumers(secret))
            .await;
        let found = all?.into_iter().find(|stored| stored.id == id);
        let found = found.ok_or(Error::NotFound(Missing::Consumer))?;
        self.core
            .authorize_secret(actor, Action::ConsumerGet, secret)
            .await?;
        Ok(found)
    }

    /// Registers a consumer; an equal one that is there already stays as it is.
    /// Returns the secret with all its consumers.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn register(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        consumer: SecretConsumer,
    ) -> Result<SecretView, Error> {
        let id = ConsumerId::from_uuid(self.core.entropy.uuid_v4());
        let project = actor.project.clone();
        self.core
            .write_secret(
                actor,
                Action::SecretConsumersPost,
                secret,
                move |tx, mut stored, now| {
                    if tx.find_secret_consumer(secret, &consumer)?.is_none() {
                        let (project, consumer) = (project.clone(), consumer.clone());
                        let row = StoredConsumer {
                            id,
                            project,
                            consumer,
                            created: now,
                            updated: now,
                        };
                        tx.insert_secret_consumer(secret, &row)?;
                        tx.touch_secret(secret, now)?;
                        stored.secret.updated = now;
                    }
                    view(tx, stored.secret)
                },
            )
            .await
    }

    /// Removes a registration. Projects remove their own, and the owner of the
    /// secret removes any. Returns the secret with the consumers that are left.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Missing::Consumer`],
    /// [`Error::NotTheRegistrar`]; else as storage fails.
    pub async fn remove(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        consumer: SecretConsumer,
    ) -> Result<SecretView, Error> {
        let project = actor.project.clone();
        self.core
            .write_secret(
                actor,
                Action::SecretConsumersDelete,
                secret,
                move |tx, stored, _| {
                    let row = tx
                        .find_secret_consumer(secret, &consumer)?
                        .ok_or(Error::NotFound(Missing::Consumer))?;
                    if project != row.project && project != stored.secret.project {
                        return Err(Error::NotTheRegistrar);
                    }
                    tx.delete_secret_consumer(secret, &consumer)?;
                    view(tx, stored.secret)
                },
            )
            .await
    }
}

fn view(tx: &mut dyn ReadTx, secret: donjon_domain::Secret) -> Result<SecretView, Error> {
    let consumers = tx
        .secret_consumers(secret.id)?
        .into_iter()
        .map(|stored| stored.consumer)
        .collect();
    Ok(SecretView { secret, consumers })
}
