//! Storage as transactions. A use case hands over a closure, and the closure
//! is one transaction: rules stay with the use case, tables with the adapter.
//!
//! The shape fits engines that retry transactions and run on several nodes: a
//! closure may run more than once, ids and times are made outside of it, and
//! no type of a driver shows.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Acl, Deployment, KekId, KekScope, MetadataKey, Page, PageRequest, Sealed, Secret,
    SecretConsumer, SecretId, SecretQuery, StoredConsumer, StoredSecret, Timestamp, UserMetadata,
    WrappedKek,
    ports::{BoxError, BoxFuture},
};

/// A unit of reading: sees one snapshot. May run more than once.
pub type ReadJob = Box<dyn FnMut(&mut dyn ReadTx) -> Result<(), TxError> + Send>;

/// A unit of writing: all or nothing. May run more than once; its reads see
/// its own writes.
pub type WriteJob = Box<dyn FnMut(&mut dyn WriteTx) -> Result<(), TxError> + Send>;

/// How long a read is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A handful of rows by key: microseconds.
    Point,
    /// A list that may visit many rows: milliseconds, never on a thread that
    /// serves requests.
    Scan,
}

/// Stores everything that lasts.
pub trait Repository: Send + Sync {
    /// Runs `job` on a snapshot. Resolves with its outcome.
    fn read(&self, reading: Reading, job: ReadJob) -> BoxFuture<'_, Result<(), TxError>>;

    /// Runs `job` in a transaction of its own. Resolves after its effects are
    /// durable, or after they were undone because it failed. The job runs to
    /// its end even if the future is dropped.
    fn write(&self, job: WriteJob) -> BoxFuture<'_, Result<(), TxError>>;

    /// How storage is.
    fn health(&self) -> Health;
}

/// How storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes work.
    Good,
    /// The disk is full: reads and deletes work.
    Full,
    /// Writes have stopped for good; only a restart helps.
    Stopped,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub enum TxError {
    /// The job gave up; what it had done is undone.
    Abandoned,
    /// Storage failed.
    Storage(RepositoryError),
}

/// Storage failed.
#[derive(Debug)]
pub struct RepositoryError {
    kind: RepositoryErrorKind,
    source: Option<BoxError>,
}

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepositoryErrorKind {
    /// Too many jobs wait; try again soon.
    Overloaded,
    /// The disk is full; creating fails until there is room.
    Full,
    /// Storage stopped; nothing helps but a restart.
    Unavailable,
    /// The commit failed in a way that leaves its outcome open.
    OutcomeUnknown,
    /// A row makes no sense.
    Corrupt,
    /// A row with this key is there already.
    Duplicate,
    /// Anything else.
    Internal,
}

// === traits of a transaction, by aggregate ===

/// Reads of one snapshot.
pub trait ReadTx: SecretReads + AclReads + ConsumerReads + UserMetadataReads + KekReads {}

/// Reads and writes of one transaction.
pub trait WriteTx:
    ReadTx + SecretWrites + AclWrites + ConsumerWrites + UserMetadataWrites + KekWrites
{
}

/// Reads of secrets. Expired secrets are returned by id; hiding them is a rule.
pub trait SecretReads {
    /// A secret and its ACL.
    ///
    /// # Errors
    /// As storage fails.
    fn secret(&mut self, id: SecretId) -> Result<Option<StoredSecret>, RepositoryError>;

    /// The sealed payload of a secret.
    ///
    /// # Errors
    /// As storage fails.
    fn payload(&mut self, id: SecretId) -> Result<Option<Sealed>, RepositoryError>;

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
        project: &crate::ProjectId,
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
}

/// Writes of secrets. Whatever adds to a secret that is not there, here and in
/// the other aggregates, fails with [`RepositoryErrorKind::Internal`]: the job
/// has to look first.
pub trait SecretWrites {
    /// Adds a secret, with its payload where it has one. `payload` is there
    /// exactly when `secret.content_type` is.
    ///
    /// # Errors
    /// [`RepositoryErrorKind::Duplicate`] where the id is taken;
    /// [`RepositoryErrorKind::Internal`] where the KEK of the payload is not
    /// stored yet; else as storage fails.
    fn insert_secret(
        &mut self,
        secret: &Secret,
        payload: Option<&Sealed>,
    ) -> Result<(), RepositoryError>;

    /// Adds the payload of a secret that has none, and its type.
    ///
    /// # Errors
    /// [`RepositoryErrorKind::Duplicate`] where it has one;
    /// [`RepositoryErrorKind::Internal`] where the KEK of the payload is not
    /// stored yet; else as storage fails.
    fn set_payload(
        &mut self,
        id: SecretId,
        content_type: crate::ContentType,
        payload: &Sealed,
        updated: Timestamp,
    ) -> Result<(), RepositoryError>;

    /// Sets the time of the last change.
    ///
    /// # Errors
    /// As storage fails.
    fn touch_secret(&mut self, id: SecretId, updated: Timestamp) -> Result<(), RepositoryError>;

    /// Removes a secret and all that belongs to it: payload, ACL, consumers,
    /// user metadata. `false` where there was none. Ciphertext is gone from
    /// the database file with this transaction.
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
    /// [`RepositoryErrorKind::Duplicate`] where the secret has an equal one.
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
    /// [`RepositoryErrorKind::Duplicate`] where there is one.
    fn insert_deployment(&mut self, deployment: &Deployment) -> Result<(), RepositoryError>;

    /// Adds a KEK.
    ///
    /// # Errors
    /// [`RepositoryErrorKind::Duplicate`] where its scope has an active one
    /// and this is active, or has its generation.
    fn insert_kek(&mut self, kek: &WrappedKek) -> Result<(), RepositoryError>;
}

// === carrying results out of a transaction ===

/// Transactions with a result.
pub trait RepositoryExt: Repository {
    /// Runs `job` on a snapshot and returns what it returned.
    fn read_with<T, E>(
        &self,
        reading: Reading,
        job: impl FnMut(&mut dyn ReadTx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static;

    /// Runs `job` in a transaction and returns what it returned; where that is
    /// an error, its writes are undone.
    fn write_with<T, E>(
        &self,
        job: impl FnMut(&mut dyn WriteTx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static;
}

impl<R: Repository + ?Sized> RepositoryExt for R {
    async fn read_with<T, E>(
        &self,
        reading: Reading,
        mut job: impl FnMut(&mut dyn ReadTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static,
    {
        let slot = Slot::new();
        let inside = slot.clone();
        let done = self
            .read(reading, Box::new(move |tx| inside.fill(job(tx))))
            .await;
        slot.finish(done)
    }

    async fn write_with<T, E>(
        &self,
        mut job: impl FnMut(&mut dyn WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static,
    {
        let slot = Slot::new();
        let inside = slot.clone();
        let done = self.write(Box::new(move |tx| inside.fill(job(tx)))).await;
        slot.finish(done)
    }
}

/// Carries the result of the last run of a job to its caller.
struct Slot<T, E>(Arc<Mutex<Option<Result<T, E>>>>);

impl<T, E: From<RepositoryError>> Slot<T, E> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn fill(&self, result: Result<T, E>) -> Result<(), TxError> {
        let outcome = if result.is_ok() {
            Ok(())
        } else {
            Err(TxError::Abandoned)
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        outcome
    }

    fn finish(self, done: Result<(), TxError>) -> Result<T, E> {
        if let Err(TxError::Storage(error)) = done {
            return Err(error.into());
        }
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(RepositoryError::new(RepositoryErrorKind::Internal).into()))
    }
}

// === impl RepositoryError ===

impl RepositoryError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: RepositoryErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: RepositoryErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> RepositoryErrorKind {
        self.kind
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RepositoryErrorKind::Overloaded => "storage is overloaded",
            RepositoryErrorKind::Full => "storage is full",
            RepositoryErrorKind::Unavailable => "storage has stopped",
            RepositoryErrorKind::OutcomeUnknown => "outcome of the commit is unknown",
            RepositoryErrorKind::Corrupt => "stored row makes no sense",
            RepositoryErrorKind::Duplicate => "row exists",
            RepositoryErrorKind::Internal => "storage failed",
        })
    }
}

impl std::error::Error for RepositoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for TxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("transaction was given up"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Abandoned => None,
            Self::Storage(error) => Some(error),
        }
    }
}
