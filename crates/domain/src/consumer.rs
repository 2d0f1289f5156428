//! Consumers: resources elsewhere that use a secret or a container and asked to
//! be noted.

use crate::{ConsumerId, Label, ProjectId, Timestamp};

/// What a service registers on a secret. Equal registrations are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretConsumer {
    /// The service, such as `image`. 1 to 255 characters.
    pub service: Label,
    /// The kind of resource, such as `images`. 1 to 255 characters.
    pub resource_type: Label,
    /// The id of the resource in its service; at least one character.
    pub resource_id: String,
}

/// A registration as it is kept, on a secret unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsumer<C = SecretConsumer> {
    /// Id of the registration.
    pub id: ConsumerId,
    /// The project of the caller who registered it; the one who may remove it.
    pub project: ProjectId,
    /// What was registered.
    pub consumer: C,
    /// When it was registered.
    pub created: Timestamp,
    /// When it was last registered.
    pub updated: Timestamp,
}
