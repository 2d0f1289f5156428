//! Containers, their entries, ACLs and consumers.

use std::{collections::BTreeMap, num::NonZeroU32};

use donjon_domain::{
    Acl, Container, ContainerConsumer, ContainerEntry, ContainerId, ContainerQuery, Label, Page,
    PageRequest, SecretId, StoredContainer, StoredContainerConsumer, Timestamp,
    ports::{ContainerReads, ContainerWrites, RepositoryError},
};

use super::{Tx, duplicate, missing};
use crate::memory::{
    list,
    state::{ContainerRow, State},
};

impl Tx {
    /// A container, for adding something to it.
    fn adding_to_container(
        &mut self,
        id: ContainerId,
    ) -> Result<&mut ContainerRow, RepositoryError> {
        let row = self.adding()?.containers.get_mut(&id);
        row.ok_or_else(|| missing("container"))
    }
}

impl ContainerReads for Tx {
    fn container(&mut self, id: ContainerId) -> Result<Option<StoredContainer>, RepositoryError> {
        let row = self.state.containers.get(&id);
        Ok(row.map(|row| StoredContainer {
            container: row.container.clone(),
            acl: row.acl.clone(),
        }))
    }

    fn container_entries(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<ContainerEntry>, RepositoryError> {
        let row = self.state.containers.get(&id);
        let mut entries = row.map_or_else(Vec::new, |row| row.entries.clone());
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn is_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
    ) -> Result<bool, RepositoryError> {
        let row = self.state.containers.get(&id);
        let is = |(old, label): &(SecretId, Label)| *old == secret && label == name;
        Ok(row.is_some_and(|row| row.removed.values().any(is)))
    }

    fn list_containers(
        &mut self,
        query: &ContainerQuery,
    ) -> Result<Page<Container>, RepositoryError> {
        Ok(list::containers(&self.state, query))
    }

    fn container_consumers(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<StoredContainerConsumer>, RepositoryError> {
        let row = self.state.containers.get(&id);
        let mut consumers = row.map_or_else(Vec::new, |row| row.consumers.clone());
        consumers.sort_by(|left, right| left.consumer.name.cmp(&right.consumer.name));
        Ok(consumers)
    }

    fn list_container_consumers(
        &mut self,
        id: ContainerId,
        page: PageRequest,
    ) -> Result<Page<StoredContainerConsumer>, RepositoryError> {
        let whole = self.container_consumers(id)?;
        let whole: Vec<_> = whole.iter().collect();
        Ok(list::cut(&whole, page, |_, _| false))
    }

    fn has_container_consumers(
        &mut self,
        id: ContainerId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        Ok(list::to_u64(self.container_consumers(id)?.len()) >= u64::from(at_least.get()))
    }

    fn find_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<Option<StoredContainerConsumer>, RepositoryError> {
        let all = self.container_consumers(id)?;
        Ok(all.into_iter().find(|stored| stored.consumer == *consumer))
    }
}

impl ContainerWrites for Tx {
    fn insert_container(
        &mut self,
        container: &Container,
        entries: &[ContainerEntry],
    ) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        let mut row = ContainerRow {
            container: container.clone(),
            entries: Vec::new(),
            removed: BTreeMap::new(),
            acl: None,
            consumers: Vec::new(),
        };
        for entry in entries {
            check_secret(state, entry.secret)?;
            add_entry(&mut row, entry)?;
        }
        let added = state.containers.insert(container.id, row);
        added.then_some(()).ok_or_else(duplicate)
    }

    fn delete_container(&mut self, id: ContainerId) -> Result<bool, RepositoryError> {
        Ok(self.state.containers.remove(&id))
    }

    fn touch_container(
        &mut self,
        id: ContainerId,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        let row = self.state.containers.get_mut(&id);
        let row = row.ok_or_else(|| missing("container"))?;
        row.container.updated = updated;
        Ok(())
    }

    fn insert_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<(), RepositoryError> {
        check_secret(self.adding()?, entry.secret)?;
        add_entry(self.adding_to_container(id)?, entry)
    }

    fn delete_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<bool, RepositoryError> {
        let Some(row) = self.state.containers.get_mut(&id) else {
            return Ok(false);
        };
        let before = row.entries.len();
        row.entries.retain(|old| old != entry);
        Ok(row.entries.len() < before)
    }

    fn remember_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
        kept: NonZeroU32,
    ) -> Result<(), RepositoryError> {
        check_secret(&self.state, secret)?;
        let row = self.state.containers.get_mut(&id);
        let removed = &mut row.ok_or_else(|| missing("container"))?.removed;
        let number = removed.keys().last().map_or(1, |last| last + 1);
        let entry = (secret, name.clone());
        removed.retain(|old, known| *known != entry && number - old < u64::from(kept.get()));
        removed.insert(number, entry);
        Ok(())
    }

    fn put_container_acl(&mut self, id: ContainerId, acl: &Acl) -> Result<(), RepositoryError> {
        self.adding_to_container(id)?.acl = Some(acl.clone());
        Ok(())
    }

    fn delete_container_acl(&mut self, id: ContainerId) -> Result<(), RepositoryError> {
        if let Some(row) = self.state.containers.get_mut(&id) {
            row.acl = None;
        }
        Ok(())
    }

    fn insert_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &StoredContainerConsumer,
    ) -> Result<(), RepositoryError> {
        let consumers = &mut self.adding_to_container(id)?.consumers;
        if consumers
            .iter()
            .any(|old| old.consumer == consumer.consumer)
        {
            return Err(duplicate());
        }
        consumers.push(consumer.clone());
        Ok(())
    }

    fn delete_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<bool, RepositoryError> {
        let Some(row) = self.state.containers.get_mut(&id) else {
            return Ok(false);
        };
        let before = row.consumers.len();
        row.consumers.retain(|old| old.consumer != *consumer);
        Ok(row.consumers.len() < before)
    }
}

fn check_secret(state: &State, secret: SecretId) -> Result<(), RepositoryError> {
    let known = state.secrets.get(&secret).is_some();
    known.then_some(()).ok_or_else(|| missing("secret"))
}

fn add_entry(row: &mut ContainerRow, entry: &ContainerEntry) -> Result<(), RepositoryError> {
    if row.entries.contains(entry) {
        return Err(duplicate());
    }
    row.entries.push(entry.clone());
    Ok(())
}
