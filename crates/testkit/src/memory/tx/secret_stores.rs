//! Secret stores, and which one a project prefers.

use donjon_domain::{
    ProjectId, SecretStore, SecretStoreId,
    ports::{RepositoryError, SecretStoreReads, SecretStoreWrites},
};

use super::{Tx, duplicate, missing};

impl SecretStoreReads for Tx {
    fn secret_stores(&mut self) -> Result<Vec<SecretStore>, RepositoryError> {
        Ok(self.state.secret_stores.rows().cloned().collect())
    }

    fn preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<SecretStoreId>, RepositoryError> {
        Ok(self.state.preferred_stores.get(project).copied())
    }
}

impl SecretStoreWrites for Tx {
    fn insert_secret_store(&mut self, store: &SecretStore) -> Result<(), RepositoryError> {
        let added = self.adding()?.secret_stores.insert(store.id, store.clone());
        added.then_some(()).ok_or_else(duplicate)
    }

    fn put_preferred_secret_store(
        &mut self,
        project: &ProjectId,
        store: SecretStoreId,
    ) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        if state.secret_stores.get(&store).is_none() {
            return Err(missing("secret store"));
        }
        state.preferred_stores.insert(project.clone(), store);
        Ok(())
    }

    fn delete_preferred_secret_store(
        &mut self,
        project: &ProjectId,
    ) -> Result<bool, RepositoryError> {
        Ok(self.state.preferred_stores.remove(project).is_some())
    }
}
