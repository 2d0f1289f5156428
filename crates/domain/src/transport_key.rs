//! Transport keys: public keys of a storage backend, which clients may look
//! up. No backend of this server uses them; the rows are kept for clients.

use crate::{Label, Timestamp, TransportKeyId};

/// A transport key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportKey {
    /// Its id.
    pub id: TransportKeyId,
    /// The backend that it belongs to.
    pub plugin_name: Label,
    /// The key.
    pub transport_key: String,
    /// When it was added.
    pub created: Timestamp,
    /// The same; rows do not change.
    pub updated: Timestamp,
}
