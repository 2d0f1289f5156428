//! The operations of the API by the names that stand in error texts.

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    SecretCreation,
    SecretsRetrieval,
    SecretRetrieval,
    SecretPayloadRetrieval,
    SecretUpdate,
    SecretDeletion,
    MetadataRetrieval,
    MetadataCreation,
    MetadatumCreation,
    MetadatumRetrieval,
    MetadatumUpdate,
    MetadatumRemoval,
    ConsumersRetrieval,
    ConsumerCreation,
    ConsumerDeletion,
    ConsumerRetrieval,
    AclRetrieval,
    AclUpdate,
    AclDeletion,
    /// What no other name fits: looking up what a request names.
    Request,
}

impl Operation {
    /// The name, in Barbican's spelling and capitals.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SecretCreation => "Secret creation",
            Self::SecretsRetrieval => "Secret(s) retrieval",
            Self::SecretRetrieval => "Secret retrieval",
            Self::SecretPayloadRetrieval => "Secret payload retrieval",
            Self::SecretUpdate => "Secret update",
            Self::SecretDeletion => "Secret deletion",
            Self::MetadataRetrieval => "Secret metadata retrieval",
            Self::MetadataCreation => "Secret metadata creation",
            Self::MetadatumCreation => "Secret metadatum creation",
            Self::MetadatumRetrieval => "Secret metadatum retrieval",
            Self::MetadatumUpdate => "Secret metadatum update",
            Self::MetadatumRemoval => "Secret metadatum removal",
            Self::ConsumersRetrieval => "SecretConsumers(s) retrieval",
            Self::ConsumerCreation => "SecretConsumer creation",
            Self::ConsumerDeletion => "SecretConsumer deletion",
            Self::ConsumerRetrieval => "SecretConsumer retrieval",
            Self::AclRetrieval => "SecretACL(s) retrieval",
            Self::AclUpdate => "SecretACL(s) Update",
            Self::AclDeletion => "SecretACL(s) deletion",
            Self::Request => "Request",
        }
    }
}
