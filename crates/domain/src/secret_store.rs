//! Secret stores: where payloads are kept. Several can be configured, and a
//! project prefers one.

use crate::{Label, SecretStoreId, Timestamp};

/// A secret store, as it was first configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretStore {
    /// Its id.
    pub id: SecretStoreId,
    /// The plugin that keeps payloads. Together with the next it tells stores
    /// apart.
    pub plugin: Label,
    /// The plugin that seals them, where they are kept in the database.
    pub crypto_plugin: Option<Label>,
    /// When it was first configured.
    pub created: Timestamp,
    /// The same; rows do not change.
    pub updated: Timestamp,
}
