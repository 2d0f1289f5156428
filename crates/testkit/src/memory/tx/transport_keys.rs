//! Transport keys.

use donjon_domain::{
    Page, PageRequest, TransportKey, TransportKeyId,
    ports::{RepositoryError, TransportKeyReads, TransportKeyWrites},
};

use super::{Tx, duplicate};
use crate::memory::list;

impl TransportKeyReads for Tx {
    fn transport_key(
        &mut self,
        id: TransportKeyId,
    ) -> Result<Option<TransportKey>, RepositoryError> {
        Ok(self.state.transport_keys.get(&id).cloned())
    }

    fn list_transport_keys(
        &mut self,
        plugin_name: Option<&str>,
        page: PageRequest<TransportKeyId>,
    ) -> Result<Page<TransportKey>, RepositoryError> {
        let keys = self.state.transport_keys.rows();
        let whole: Vec<_> = keys
            .filter(|key| plugin_name.is_none_or(|name| key.plugin_name.as_str() == name))
            .collect();
        Ok(list::cut(&whole, page, |key, id| key.id == id))
    }
}

impl TransportKeyWrites for Tx {
    fn insert_transport_key(&mut self, key: &TransportKey) -> Result<(), RepositoryError> {
        let added = self.adding()?.transport_keys.insert(key.id, key.clone());
        added.then_some(()).ok_or_else(duplicate)
    }

    fn delete_transport_key(&mut self, id: TransportKeyId) -> Result<bool, RepositoryError> {
        Ok(self.state.transport_keys.remove(&id))
    }
}
