//! Containers: create, list, fetch, delete, and change the entries of generic
//! ones.

use std::sync::Arc;

use donjon_domain::{
    Actor, Container, ContainerConsumer, ContainerEntry, ContainerId, ContainerQuery,
    ContainerType, Label, Page, ProjectId, SecretId, StoredContainer, Timestamp,
    ports::{Counted, ReadTx, Reading, RepositoryError, RepositoryExt, Turn, WriteTx},
};

use crate::{Action, Conflict, Denied, Entity as _, Error, Missing, Target, core::Core, quotas};

/// Use cases on containers.
#[derive(Debug)]
pub struct Containers {
    core: Arc<Core>,
}

/// A container to be made. The caller becomes its creator, and the caller's
/// project its owner.
#[derive(Debug, Clone)]
pub struct NewContainer {
    /// Its name.
    pub name: Option<Label>,
    /// What it bundles; the names of the entries fit it.
    pub container_type: ContainerType,
    /// Its entries, no two of which have the same secret.
    pub entries: Vec<EntryRequest>,
}

/// An entry as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRequest {
    /// What the secret is in the container.
    pub name: Option<Label>,
    /// The reference as it came; not a secret.
    pub reference: String,
    /// The secret; `None` where the reference cannot be one of a secret.
    pub secret: Option<SecretId>,
}

/// A container as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerView {
    /// The container.
    pub container: Container,
    /// Its entries, sorted by name.
    pub entries: Vec<ContainerEntry>,
    /// Its consumers, sorted by name.
    pub consumers: Vec<ContainerConsumer>,
}

impl Containers {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Checks that the caller may do this to the containers of the project as a
    /// whole.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn authorize_project(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    /// Makes a container. Returns after it is durable.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::QuotaReached`], [`Error::NoSuchSecret`] in
    /// this order; else as storage fails.
    pub async fn create(&self, actor: &Actor, new: NewContainer) -> Result<ContainerId, Error> {
        self.authorize_project(actor, Action::ContainersPost)?;
        let now = self.core.clock.now();
        let container = Container {
            id: ContainerId::from_uuid(self.core.entropy.uuid_v4()),
            project: actor.project.clone(),
            creator: actor.user.clone(),
            created: now,
            updated: now,
            name: new.name,
            container_type: new.container_type,
        };
        let (id, quotas) = (container.id, self.core.quotas);
        self.core
            .repository
            .write_with(move |tx| {
                quotas::admit(tx, &quotas, &container.project, Counted::Containers, now)?;
                let entries = new
                    .entries
                    .iter()
                    .map(|entry| resolve(tx, entry, &container.project, now))
                    .collect::<Result<Vec<_>, Error>>()?;
                tx.insert_container(&container, &entries)?;
                Ok(id)
            })
            .await
    }

    /// A part of the list of containers of the caller's project. Private ones
    /// are in it.
    ///
    /// # Errors
    /// [`Error::Denied`], also for another project; else as storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        query: ContainerQuery,
    ) -> Result<Page<ContainerView>, Error> {
        self.authorize_project(actor, Action::ContainersGet)?;
        if query.project != actor.project {
            return Err(Denied::without_rule(Action::ContainersGet).into());
        }
        self.core
            .repository
            .read_with(Reading::Scan(Turn::of(&actor.project)), move |tx| {
                let page = tx.list_containers(&query)?;
                Ok(page.try_map(|container| ContainerView::read(tx, container))?)
            })
            .await
    }

    /// A container with its entries and consumers, of which there may be
    /// hundreds.
    ///
    /// # Errors
    /// [`Missing::Container`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch(&self, actor: &Arc<Actor>, id: ContainerId) -> Result<ContainerView, Error> {
        self.core
            .read(
                actor,
                Action::ContainerGet,
                id,
                Reading::Scan(Turn::of(&actor.project)),
                move |tx, stored| Ok(id.view(tx, stored)?),
            )
            .await
    }

    /// Deletes a container with its ACL and consumers. Its secrets stay.
    ///
    /// # Errors
    /// [`Missing::Container`], also where the rules let in a caller of another
    /// project, [`Error::Denied`]; else as storage fails.
    pub async fn delete(&self, actor: &Arc<Actor>, id: ContainerId) -> Result<(), Error> {
        let project = actor.project.clone();
        self.core
            .write(actor, Action::ContainerDelete, id, move |tx, stored, _| {
                if stored.container.project != project {
                    return Err(Error::NotFound(Missing::Container));
                }
                tx.delete_container(id)?;
                Ok(())
            })
            .await
    }

    /// Checks that the caller may add entries, before it is known which.
    ///
    /// # Errors
    /// [`Missing::Container`], [`Error::Denied`]; else as storage fails.
    pub async fn authorize_addition(
        &self,
        actor: &Actor,
        id: ContainerId,
    ) -> Result<ContainerType, Error> {
        let action = Action::ContainerSecretPost;
        let stored = self.core.authorize(actor, action, id).await?;
        Ok(stored.container.container_type)
    }

    /// Adds an entry to a generic container. As in Barbican, one with a name
    /// does not come back once it was removed; storage remembers the last ones.
    ///
    /// # Errors
    /// [`Missing::Container`], [`Error::Denied`], [`Error::FixedEntries`],
    /// [`Error::NoSuchSecret`], [`Conflict::EntryExists`],
    /// [`Conflict::EntryWasRemoved`], [`Error::BoundReached`] in this order;
    /// else as storage fails.
    pub async fn add_entry(
        &self,
        actor: &Arc<Actor>,
        id: ContainerId,
        entry: EntryRequest,
    ) -> Result<(), Error> {
        let (project, bounds) = (actor.project.clone(), self.core.bounds);
        let action = Action::ContainerSecretPost;
        self.core
            .write(actor, action, id, move |tx, stored, now| {
                if stored.container.container_type != ContainerType::Generic {
                    return Err(Error::FixedEntries);
                }
                let entry = resolve_in(tx, &entry, &stored, &project, now)?;
                let entries = tx.container_entries(id)?;
                if entries.contains(&entry) {
                    return Err(Error::Conflict(Conflict::EntryExists));
                }
                if let Some(name) = &entry.name
                    && tx.is_removed_entry(id, entry.secret, name)?
                {
                    return Err(Error::Conflict(Conflict::EntryWasRemoved));
                }
                bounds.admit_entry(&entries)?;
                Ok(tx.insert_container_entry(id, &entry)?)
            })
            .await
    }

    /// Removes an entry of a container of any type. Its name has to be equal.
    ///
    /// # Errors
    /// [`Missing::Container`], [`Error::Denied`], [`Error::NoSuchSecret`],
    /// [`Missing::Entry`] in this order; else as storage fails.
    pub async fn remove_entry(
        &self,
        actor: &Arc<Actor>,
        id: ContainerId,
        entry: EntryRequest,
    ) -> Result<(), Error> {
        let (project, kept) = (actor.project.clone(), self.core.bounds.container_secrets);
        let action = Action::ContainerSecretDelete;
        self.core
            .write(actor, action, id, move |tx, stored, now| {
                let entry = resolve_in(tx, &entry, &stored, &project, now)?;
                if !tx.delete_container_entry(id, &entry)? {
                    return Err(Error::NotFound(Missing::Entry));
                }
                if let Some(name) = &entry.name {
                    tx.remember_removed_entry(id, entry.secret, name, kept)?;
                }
                Ok(())
            })
            .await
    }
}

impl ContainerView {
    pub(crate) fn read(tx: &mut dyn ReadTx, container: Container) -> Result<Self, RepositoryError> {
        let consumers = tx.container_consumers(container.id)?;
        Ok(Self {
            entries: tx.container_entries(container.id)?,
            consumers: consumers.into_iter().map(|row| row.consumer).collect(),
            container,
        })
    }
}

/// The entry that is meant, if its secret is there and the project's.
fn resolve(
    tx: &mut dyn WriteTx,
    entry: &EntryRequest,
    project: &ProjectId,
    now: Timestamp,
) -> Result<ContainerEntry, Error> {
    let found = match entry.secret {
        Some(secret) => secret.live(tx, now)?,
        None => None,
    };
    let own = found.filter(|stored| stored.secret.project == *project);
    let own = own.ok_or_else(|| Error::NoSuchSecret(entry.clone()))?;
    Ok(ContainerEntry {
        name: entry.name.clone(),
        secret: own.secret.id,
    })
}

/// The same in a container that is there. Where the rules let in a caller of
/// another project, the secret has to be of both, so there is none.
fn resolve_in(
    tx: &mut dyn WriteTx,
    entry: &EntryRequest,
    stored: &StoredContainer,
    project: &ProjectId,
    now: Timestamp,
) -> Result<ContainerEntry, Error> {
    if stored.container.project != *project {
        return Err(Error::NoSuchSecret(entry.clone()));
    }
    resolve(tx, entry, project, now)
}
