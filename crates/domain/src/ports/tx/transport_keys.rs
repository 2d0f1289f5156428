//! Transport keys.

use crate::{Page, PageRequest, TransportKey, TransportKeyId, ports::RepositoryError};

/// Reads of transport keys.
pub trait TransportKeyReads {
    /// A transport key.
    ///
    /// # Errors
    /// As storage fails.
    fn transport_key(
        &mut self,
        id: TransportKeyId,
    ) -> Result<Option<TransportKey>, RepositoryError>;

    /// A part of the list of all of them, or of those of one plugin, whose name
    /// is compared exactly, in the order in which they were added. No secret's
    /// id marks a place among them.
    ///
    /// # Errors
    /// As storage fails.
    fn list_transport_keys(
        &mut self,
        plugin_name: Option<&str>,
        page: PageRequest<TransportKeyId>,
    ) -> Result<Page<TransportKey>, RepositoryError>;
}

/// Writes of transport keys.
pub trait TransportKeyWrites {
    /// Adds a transport key.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the id is taken;
    /// else as storage fails.
    fn insert_transport_key(&mut self, key: &TransportKey) -> Result<(), RepositoryError>;

    /// Removes one; `false` where there was none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_transport_key(&mut self, id: TransportKeyId) -> Result<bool, RepositoryError>;
}
