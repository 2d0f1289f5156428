//! Secret stores: where payloads are kept. Several can be configured, and a
//! project prefers one.

use crate::{Label, PutId, Sealed, SecretStoreId, Timestamp};

/// A secret store, as it was first configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretStore {
    /// Its id.
    pub id: SecretStoreId,
    /// The name in the configuration. Together with the next two it tells
    /// stores apart; the database has none.
    pub name: Option<Label>,
    /// The plugin that keeps payloads.
    pub plugin: Label,
    /// The plugin that seals them, where they are kept in the database.
    pub crypto_plugin: Option<Label>,
    /// When it was first configured.
    pub created: Timestamp,
    /// The same; rows do not change.
    pub updated: Timestamp,
}

/// The payload of a secret, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayload {
    /// The payload, or, where that is outside, what tells where and how to know
    /// it again.
    pub sealed: Sealed,
    /// Where it is, if not here.
    pub outside: Option<Outside>,
}

/// A payload outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside {
    /// The store that has it.
    pub store: SecretStoreId,
    /// The act of putting it there.
    pub put: PutId,
}

impl From<Sealed> for StoredPayload {
    /// A payload in the database.
    fn from(sealed: Sealed) -> Self {
        Self {
            sealed,
            outside: None,
        }
    }
}
