//! Consumers of secrets and containers.

use std::sync::Arc;

use donjon_domain::{
    Actor, ConsumerId, Page, PageRequest, ProjectId, StoredConsumer,
    ports::{Reading, RepositoryExt as _, Turn},
};

use crate::{
    Action, Entity, Error, Missing,
    core::{Core, live},
    quotas,
};

/// Use cases on consumers.
#[derive(Debug)]
pub struct Consumers {
    core: Arc<Core>,
}

impl Consumers {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// A part of the consumers.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn list<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer<E::Consumer>>, Error> {
        self.core
            .read(
                actor,
                E::RULES.consumers_get,
                id,
                Reading::Scan(Turn::of(&actor.project)),
                move |tx, _| Ok(id.list_consumers(tx, page)?),
            )
            .await
    }

    /// One registration on this entity, by its id.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the entity, [`Error::Denied`],
    /// [`Missing::Consumer`] in this order; else as storage fails.
    pub async fn fetch<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        consumer: ConsumerId,
    ) -> Result<StoredConsumer<E::Consumer>, Error> {
        self.core
            .read(
                actor,
                Action::ConsumerGet,
                id,
                Reading::Scan(Turn::of(&actor.project)),
                move |tx, _| {
                    let all = id.consumers(tx)?;
                    let found = all.into_iter().find(|row| row.id == consumer);
                    found.ok_or(Error::NotFound(Missing::Consumer))
                },
            )
            .await
    }

    /// Registers a consumer; an equal one that is there already stays as it is.
    /// Returns the entity with all its consumers.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`], [`Error::QuotaReached`], also
    /// where nothing would be added, [`Error::BoundReached`]; else as storage
    /// fails.
    pub async fn register<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        consumer: E::Consumer,
    ) -> Result<E::View, Error> {
        let registration = ConsumerId::from_uuid(self.core.entropy.uuid_v4());
        let project = actor.project.clone();
        let (quotas, bounds) = (self.core.quotas, self.core.bounds);
        self.core
            .write(
                actor,
                E::RULES.consumers_post,
                id,
                move |tx, mut stored, now| {
                    let is_own = project == *E::project(&stored);
                    quotas::admit(tx, &quotas, &project, E::CONSUMERS, now)?;
                    if id.find_consumer(tx, &consumer)?.is_none() {
                        bounds.admit_consumer(tx, id, is_own)?;
                        let row = StoredConsumer {
                            id: registration,
                            project: project.clone(),
                            consumer: consumer.clone(),
                            created: now,
                            updated: now,
                        };
                        id.insert_consumer(tx, &row)?;
                        id.touch(tx, &mut stored, now)?;
                    }
                    Ok(())
                },
            )
            .await?;
        self.view(id, &actor.project).await
    }

    /// Removes a registration. Projects remove their own, and the owner of the
    /// entity removes any. Returns the entity with the consumers that are left.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the entity, [`Error::Denied`],
    /// [`Missing::Consumer`], [`Error::NotTheRegistrar`]; else as storage fails.
    pub async fn remove<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        consumer: E::Consumer,
    ) -> Result<E::View, Error> {
        let project = actor.project.clone();
        self.core
            .write(
                actor,
                E::RULES.consumers_delete,
                id,
                move |tx, stored, _| {
                    let row = id
                        .find_consumer(tx, &consumer)?
                        .ok_or(Error::NotFound(Missing::Consumer))?;
                    if project != row.project && project != *E::project(&stored) {
                        return Err(Error::NotTheRegistrar);
                    }
                    id.delete_consumer(tx, &consumer)?;
                    Ok(())
                },
            )
            .await?;
        self.view(id, &actor.project).await
    }

    /// The entity after a change. All its consumers are in it, so it is not
    /// read in the transaction, for which every other writer waits.
    async fn view<E: Entity>(&self, id: E, project: &ProjectId) -> Result<E::View, Error> {
        let now = self.core.clock.now();
        let read = |reading| {
            self.core.repository.read_with(reading, move |tx| {
                let stored = live(tx, id, now)?;
                Ok(id.view(tx, stored)?)
            })
        };
        match read(Reading::Scan(Turn::of(project))).await {
            // Nothing may look undone now because others wait for lists.
            Err(Error::Overloaded) => read(Reading::Point).await,
            outcome => outcome,
        }
    }
}
