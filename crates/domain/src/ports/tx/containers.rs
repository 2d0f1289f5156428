//! Containers, their entries, ACLs and consumers.

use std::num::NonZeroU32;

use crate::{
    Acl, Container, ContainerConsumer, ContainerEntry, ContainerId, ContainerQuery, Label, Page,
    PageRequest, SecretId, StoredContainer, StoredContainerConsumer, Timestamp,
    ports::RepositoryError,
};

/// Reads of containers.
pub trait ContainerReads {
    /// A container and its ACL.
    ///
    /// # Errors
    /// As storage fails.
    fn container(&mut self, id: ContainerId) -> Result<Option<StoredContainer>, RepositoryError>;

    /// The entries of a container, sorted by the bytes of their names (those
    /// without one first), then by when they were added. Entries leave with
    /// their secret; expired secrets stay. Empty where there is no container.
    ///
    /// # Errors
    /// As storage fails.
    fn container_entries(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<ContainerEntry>, RepositoryError>;

    /// Whether this secret was in the container under this name, and is
    /// remembered to have been. `false` where there is no container or secret.
    ///
    /// # Errors
    /// As storage fails.
    fn is_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
    ) -> Result<bool, RepositoryError>;

    /// A part of the list of containers of a project, in the order in which
    /// they were added, whatever times they carry.
    ///
    /// # Errors
    /// As storage fails.
    fn list_containers(
        &mut self,
        query: &ContainerQuery,
    ) -> Result<Page<Container>, RepositoryError>;

    /// All consumers of a container, sorted by the bytes of their names, then
    /// by when they were registered. Empty where there is no container.
    ///
    /// # Errors
    /// As storage fails.
    fn container_consumers(
        &mut self,
        id: ContainerId,
    ) -> Result<Vec<StoredContainerConsumer>, RepositoryError>;

    /// A part of them. No secret's id marks a place among them.
    ///
    /// # Errors
    /// As storage fails.
    fn list_container_consumers(
        &mut self,
        id: ContainerId,
        page: PageRequest,
    ) -> Result<Page<StoredContainerConsumer>, RepositoryError>;

    /// Whether the container has so many consumers, at least one. Visits no
    /// more of them.
    ///
    /// # Errors
    /// As storage fails.
    fn has_container_consumers(
        &mut self,
        id: ContainerId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError>;

    /// The registration of exactly this consumer on this container.
    ///
    /// # Errors
    /// As storage fails.
    fn find_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<Option<StoredContainerConsumer>, RepositoryError>;
}

/// Writes of containers. What adds to a container that is not there or changes
/// it is [`crate::ports::RepositoryErrorKind::Internal`]; so is an entry whose
/// secret is not there, or a memory of one.
pub trait ContainerWrites {
    /// Adds a container with its entries, whose secrets are there; expired
    /// ones and those of other projects too.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the id is taken,
    /// by any project, or two entries are equal; else as storage fails.
    fn insert_container(
        &mut self,
        container: &Container,
        entries: &[ContainerEntry],
    ) -> Result<(), RepositoryError>;

    /// Removes a container, its entries and those that are remembered, ACL and
    /// consumers, not its secrets. `false` where there was none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_container(&mut self, id: ContainerId) -> Result<bool, RepositoryError>;

    /// Sets the time of the last change, and nothing else does.
    ///
    /// # Errors
    /// As storage fails.
    fn touch_container(
        &mut self,
        id: ContainerId,
        updated: Timestamp,
    ) -> Result<(), RepositoryError>;

    /// Adds an entry.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where an equal one is
    /// there: one with the same secret and the same name, or both without; else
    /// as storage fails.
    fn insert_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<(), RepositoryError>;

    /// Removes an entry; `false` where it is not there. A name has to be equal,
    /// and an absent one is equal to an absent one only.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_container_entry(
        &mut self,
        id: ContainerId,
        entry: &ContainerEntry,
    ) -> Result<bool, RepositoryError>;

    /// Remembers that this secret was in the container under this name, until
    /// one of them is deleted, or `kept` others were removed after it. Nothing
    /// else changes: whether the entry is there is not looked at.
    ///
    /// # Errors
    /// As storage fails.
    fn remember_removed_entry(
        &mut self,
        id: ContainerId,
        secret: SecretId,
        name: &Label,
        kept: NonZeroU32,
    ) -> Result<(), RepositoryError>;

    /// Sets the whole ACL of a container.
    ///
    /// # Errors
    /// As storage fails.
    fn put_container_acl(&mut self, id: ContainerId, acl: &Acl) -> Result<(), RepositoryError>;

    /// Removes the ACL of a container; no error where there is none, or no
    /// container.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_container_acl(&mut self, id: ContainerId) -> Result<(), RepositoryError>;

    /// Adds a registration.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the container has
    /// one of the same name and address, whoever registered it; else as storage
    /// fails.
    fn insert_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &StoredContainerConsumer,
    ) -> Result<(), RepositoryError>;

    /// Removes the registration of this consumer; `false` where there is none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_container_consumer(
        &mut self,
        id: ContainerId,
        consumer: &ContainerConsumer,
    ) -> Result<bool, RepositoryError>;
}
