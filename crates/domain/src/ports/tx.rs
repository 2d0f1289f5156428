//! What a transaction can read and write, one pair of traits per aggregate.

mod containers;
mod orders;
mod outside;
mod projects;
mod quotas;
mod rotation;
mod secret_stores;
mod transport_keys;

pub use containers::{ContainerReads, ContainerWrites};
pub use orders::{OrderReads, OrderWrites};
pub use outside::{Doomed, OutsideCount, OutsideReads, OutsideWrites, PutIntent};
pub use projects::{
    Holdings, OwningProject, ProjectReads, ProjectWrites, Registration, Removal, RemovalCause,
    Standing,
};
pub use quotas::{Counted, QuotaReads, QuotaWrites};
pub use rotation::{RotationReads, RotationWrites, SealedObject, SealedRow};
pub use secret_stores::{SecretStoreReads, SecretStoreWrites};
pub use transport_keys::{TransportKeyReads, TransportKeyWrites};

use std::num::NonZeroU32;

use crate::{
    Acl, ContentType, Deployment, KekId, KekScope, MetadataKey, Page, PageRequest, ProjectId,
    RootKeyId, Secret, SecretConsumer, SecretId, SecretQuery, StoredConsumer, StoredPayload,
    StoredSecret, Timestamp, UserMetadata, WrappedKek, ports::RepositoryError,
};

/// Reads of one snapshot.
pub trait ReadTx:
    SecretReads
    + AclReads
    + ConsumerReads
    + UserMetadataReads
    + ContainerReads
    + OrderReads
    + QuotaReads
    + TransportKeyReads
    + SecretStoreReads
    + OutsideReads
    + KekReads
    + RotationReads
    + ProjectReads
{
}

/// Reads and writes of one transaction.
pub trait WriteTx:
    ReadTx
    + SecretWrites
    + AclWrites
    + ConsumerWrites
    + UserMetadataWrites
    + ContainerWrites
    + OrderWrites
    + QuotaWrites
    + TransportKeyWrites
    + SecretStoreWrites
    + OutsideWrites
    + KekWrites
    + RotationWrites
    + ProjectWrites
{
}

/// Reads of secrets. Expired secrets are returned by id; hiding them is a rule.
pub trait SecretReads {
    /// A secret and its ACL.
    ///
    /// # Errors
    /// As storage fails.
    fn secret(&mut self, id: SecretId) -> Result<Option<StoredSecret>, RepositoryError>;

    /// The payload of a secret.
    ///
    /// # Errors
    /// As storage fails.
    fn payload(&mut self, id: SecretId) -> Result<Option<StoredPayload>, RepositoryError>;

    /// A part of a list of secrets that are not expired at `now`.
    ///
    /// # Errors
    /// As storage fails.
    fn list_secrets(
        &mut self,
        query: &SecretQuery,
        now: Timestamp,
    ) -> Result<Page<Secret>, RepositoryError>;

    /// How many secrets of the project are not expired at `now`.
    ///
    /// # Errors
    /// As storage fails.
    fn count_secrets(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<u64, RepositoryError>;
}

/// Reads of ACLs.
pub trait AclReads {
    /// The ACL of a secret.
    ///
    /// # Errors
    /// As storage fails.
    fn secret_acl(&mut self, id: SecretId) -> Result<Option<Acl>, RepositoryError>;
}

/// Reads of consumers.
pub trait ConsumerReads {
    /// All consumers of a secret, in the order of registration.
    ///
    /// # Errors
    /// As storage fails.
    fn secret_consumers(
        &mut self,
        secret: SecretId,
    ) -> Result<Vec<StoredConsumer>, RepositoryError>;

    /// A part of them.
    ///
    /// # Errors
    /// As storage fails.
    fn list_secret_consumers(
        &mut self,
        secret: SecretId,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, RepositoryError>;

    /// Whether the secret has so many consumers, at least one. Visits no more of
    /// them.
    ///
    /// # Errors
    /// As storage fails.
    fn has_secret_consumers(
        &mut self,
        secret: SecretId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError>;

    /// The registration of exactly this consumer on this secret.
    ///
    /// # Errors
    /// As storage fails.
    fn find_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<Option<StoredConsumer>, RepositoryError>;
}

/// Reads of user metadata.
pub trait UserMetadataReads {
    /// All user metadata of a secret; empty where there is none.
    ///
    /// # Errors
    /// As storage fails.
    fn user_metadata(&mut self, secret: SecretId) -> Result<UserMetadata, RepositoryError>;

    /// The value under one key, which is compared with regard to case.
    ///
    /// # Errors
    /// As storage fails.
    fn user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<Option<String>, RepositoryError>;
}

/// Reads of keys and of the installation.
pub trait KekReads {
    /// The installation; `None` in a new database.
    ///
    /// # Errors
    /// As storage fails.
    fn deployment(&mut self) -> Result<Option<Deployment>, RepositoryError>;

    /// The active KEK of a scope.
    ///
    /// # Errors
    /// As storage fails.
    fn active_kek(&mut self, scope: &KekScope) -> Result<Option<WrappedKek>, RepositoryError>;

    /// A KEK by id.
    ///
    /// # Errors
    /// As storage fails.
    fn kek(&mut self, id: KekId) -> Result<Option<WrappedKek>, RepositoryError>;

    /// The highest generation that a KEK of this scope has or had, in any state; 0
    /// where there never was one.
    ///
    /// # Errors
    /// As storage fails.
    fn last_generation(&mut self, scope: &KekScope) -> Result<u32, RepositoryError>;

    /// How many KEKs of any scope and state a root key wraps. Walks all of them.
    ///
    /// # Errors
    /// As storage fails.
    fn keks_wrapped_by(&mut self, root: RootKeyId) -> Result<u64, RepositoryError>;
}

/// Writes of secrets. Whatever adds to a secret that is not there, here and in
/// the other aggregates, fails with [`crate::ports::RepositoryErrorKind::Internal`]: the job
/// has to look first.
pub trait SecretWrites {
    /// Adds a secret, with its payload where it has one. `payload` is there
    /// exactly when `secret.content_type` is.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the id is taken;
    /// [`crate::ports::RepositoryErrorKind::Internal`] where the KEK of the payload is not
    /// stored yet, or destroyed; else as storage fails.
    fn insert_secret(
        &mut self,
        secret: &Secret,
        payload: Option<&StoredPayload>,
    ) -> Result<(), RepositoryError>;

    /// Adds the payload of a secret that has none, and its type.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where it has one;
    /// [`crate::ports::RepositoryErrorKind::Internal`] where the KEK of the payload is not
    /// stored yet, or destroyed; else as storage fails.
    fn set_payload(
        &mut self,
        id: SecretId,
        content_type: ContentType,
        payload: &StoredPayload,
        updated: Timestamp,
    ) -> Result<(), RepositoryError>;

    /// Sets the time of the last change.
    ///
    /// # Errors
    /// As storage fails.
    fn touch_secret(&mut self, id: SecretId, updated: Timestamp) -> Result<(), RepositoryError>;

    /// Removes a secret and all that belongs to it: payload, ACL, consumers,
    /// user metadata. `false` where there was none. Ciphertext is gone from
    /// the database file with this transaction; a payload in a store is doomed
    /// by it.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_secret(&mut self, id: SecretId) -> Result<bool, RepositoryError>;
}

/// Writes of ACLs.
pub trait AclWrites {
    /// Sets the whole ACL of a secret.
    ///
    /// # Errors
    /// As storage fails.
    fn put_secret_acl(&mut self, id: SecretId, acl: &Acl) -> Result<(), RepositoryError>;

    /// Removes the ACL of a secret; no error where there is none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_secret_acl(&mut self, id: SecretId) -> Result<(), RepositoryError>;
}

/// Writes of consumers.
pub trait ConsumerWrites {
    /// Adds a registration.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the secret has an equal one.
    fn insert_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &StoredConsumer,
    ) -> Result<(), RepositoryError>;

    /// Removes the registration of this consumer; `false` where there is none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<bool, RepositoryError>;
}

/// Writes of user metadata.
pub trait UserMetadataWrites {
    /// Replaces all user metadata of a secret.
    ///
    /// # Errors
    /// As storage fails.
    fn replace_user_metadata(
        &mut self,
        secret: SecretId,
        metadata: &UserMetadata,
    ) -> Result<(), RepositoryError>;

    /// Sets one value, whether or not the key is there.
    ///
    /// # Errors
    /// As storage fails.
    fn put_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
        value: &str,
    ) -> Result<(), RepositoryError>;

    /// Removes one key; no error where it is not there.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<(), RepositoryError>;
}

/// Writes of keys and of the installation.
pub trait KekWrites {
    /// Writes the row of a new installation.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where there is one.
    fn insert_deployment(&mut self, deployment: &Deployment) -> Result<(), RepositoryError>;

    /// Adds a KEK.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where its scope has an active one
    /// and this is active, or has its generation.
    fn insert_kek(&mut self, kek: &WrappedKek) -> Result<(), RepositoryError>;
}
