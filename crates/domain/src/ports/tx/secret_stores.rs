//! Secret stores, and which one a project prefers.

use crate::{ProjectId, SecretStore, SecretStoreId, ports::RepositoryError};

/// Reads of secret stores.
pub trait SecretStoreReads {
    /// All of them, in the order in which they were added.
    ///
    /// # Errors
    /// As storage fails.
    fn secret_stores(&mut self) -> Result<Vec<SecretStore>, RepositoryError>;

    /// The one that a project prefers.
    ///
    /// # Errors
    /// As storage fails.
    fn preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<SecretStoreId>, RepositoryError>;
}

/// Writes of secret stores.
pub trait SecretStoreWrites {
    /// Adds a secret store.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the id is taken;
    /// else as storage fails.
    fn insert_secret_store(&mut self, store: &SecretStore) -> Result<(), RepositoryError>;

    /// Sets the one that a project prefers.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Internal`] where there is no such
    /// store; else as storage fails.
    fn put_preferred_secret_store(
        &mut self,
        project: &ProjectId,
        store: SecretStoreId,
    ) -> Result<(), RepositoryError>;

    /// Lets a project prefer none; `false` where it did not prefer any.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<bool, RepositoryError>;
}
