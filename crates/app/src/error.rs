//! The closed list of ways in which a use case can end badly. No status code
//! and no text for clients is here; `api` maps each variant.

use donjon_domain::{
    Resource,
    ports::{
        BoxError, CryptoError, RepositoryError, RepositoryErrorKind, StoreError, StoreErrorKind,
    },
};

use crate::{Bounded, Denied, EntryRequest};

/// A use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule refuses the caller.
    #[error("{0}")]
    Denied(Denied),
    /// What the request names is not there.
    #[error("{0:?} not found")]
    NotFound(Missing),
    /// The request contradicts what is there.
    #[error("conflict: {0:?}")]
    Conflict(Conflict),
    /// The secret has consumers, and the deletion was not forced.
    #[error("secret has consumers")]
    HasConsumers,
    /// An entry of a container refers to no secret of the project.
    #[error("reference to a secret that is not there")]
    NoSuchSecret(EntryRequest),
    /// Entries of this container stay as they are.
    #[error("only entries of generic containers change")]
    FixedEntries,
    /// The registration belongs to another project.
    #[error("consumer belongs to another project")]
    NotTheRegistrar,
    /// The project has as many as it may have; nothing was done.
    #[error("quota of {limit} {} reached", resource.as_str())]
    QuotaReached {
        /// Of what.
        resource: Resource,
        /// How many are allowed.
        limit: i64,
    },
    /// The secret or container has as much of it as it may have; nothing was
    /// done.
    #[error("limit of {limit} {bounded:?} reached")]
    BoundReached {
        /// Of what.
        bounded: Bounded,
        /// How much is allowed.
        limit: u64,
    },
    /// Too much waits; nothing was done.
    #[error("overloaded")]
    Overloaded,
    /// There is no room; nothing was done.
    #[error("storage is full")]
    StorageFull,
    /// Storage, the crypto backend or a secret store does not answer; nothing
    /// was done.
    #[error("unavailable")]
    Unavailable(#[source] BoxError),
    /// A secret store gives back something else than was put there, or has it no
    /// more; nothing was done. Its operator mends that.
    #[error("a secret store does not keep what it was given")]
    Astray(#[source] BoxError),
    /// Whether it was done is not known.
    #[error("outcome unknown")]
    OutcomeUnknown(#[source] BoxError),
    /// Stored bytes do not open or make no sense: damage or tampering.
    #[error("integrity")]
    Integrity(#[source] BoxError),
    /// Anything that no input explains.
    #[error("internal")]
    Internal(#[source] BoxError),
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The secret: unknown, deleted or expired.
    Secret,
    /// The container.
    Container,
    /// The order.
    Order,
    /// The transport key.
    TransportKey,
    /// Any choice of secret stores: there is one, and nothing to prefer.
    MultipleStores,
    /// The secret store.
    SecretStore,
    /// A secret store that the project prefers.
    PreferredStore,
    /// The quotas of a project.
    ProjectQuotas,
    /// The payload of a secret.
    Payload,
    /// A key of user metadata.
    Metadatum,
    /// A consumer.
    Consumer,
    /// An entry of a container.
    Entry,
}

/// What the request contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The secret has a payload already.
    PayloadExists,
    /// The key of user metadata is there already.
    MetadatumExists,
    /// The key of user metadata is not the one that was named.
    MetadatumKeyDiffers,
    /// The container has this entry already.
    EntryExists,
    /// The container had this entry, which has a name.
    EntryWasRemoved,
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<RepositoryError> for Error {
    fn from(error: RepositoryError) -> Self {
        match error.kind() {
            RepositoryErrorKind::Overloaded => Self::Overloaded,
            RepositoryErrorKind::Full => Self::StorageFull,
            RepositoryErrorKind::Unavailable => Self::Unavailable(error.into()),
            RepositoryErrorKind::OutcomeUnknown => Self::OutcomeUnknown(error.into()),
            RepositoryErrorKind::Corrupt => Self::Integrity(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            // What a store refuses that Donjon would not, its operator mends.
            StoreErrorKind::Unavailable | StoreErrorKind::Refused => {
                Self::Unavailable(error.into())
            }
            StoreErrorKind::Missing | StoreErrorKind::Corrupt => Self::Astray(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<CryptoError> for Error {
    fn from(error: CryptoError) -> Self {
        use donjon_domain::ports::CryptoErrorKind as Kind;
        match error.kind() {
            Kind::Unavailable => Self::Unavailable(error.into()),
            Kind::DoesNotOpen => Self::Integrity(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}
