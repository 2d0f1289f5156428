//! What the rules need from outside. Each port is dyn-safe, used as
//! `Arc<dyn Port>`, and has a fake in `donjon-testkit` beside the real adapter;
//! both run the same contract tests.

mod authenticator;
mod crypto;
mod directory;
mod generator;
mod key_source;
mod key_wrapper;
mod payload_store;
mod repository;
mod system;
mod token_store;
mod turns;
mod tx;
mod workers;

use std::{future::Future, pin::Pin};

pub use authenticator::{AuthError, AuthErrorKind, Authenticator, Credential};
pub use crypto::{CryptoError, CryptoErrorKind, CryptoPlugin};
pub use directory::{DirectoryError, Presence, ProjectDirectory};
pub use generator::{
    Generated, GenerationError, GenerationErrorKind, GenerationRequest, KeyGenerator, KeyPair,
};
pub use key_source::{KeySource, RawKey};
pub use key_wrapper::KeyWrapper;
pub use payload_store::{
    InvalidLocator, Listed, Locator, OutsidePayload, PayloadName, PayloadStore, StoreError,
    StoreErrorKind,
};
pub use repository::{
    Health, ReadJob, Reading, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt,
    TxError, WriteJob,
};
pub use system::{Clock, Entropy};
pub use token_store::TokenStore;
pub use turns::{Lane, NoTurn, Turn, Turns};
pub use tx::{
    AclReads, AclWrites, ConsumerReads, ConsumerWrites, ContainerReads, ContainerWrites, Counted,
    Doomed, Holdings, KekReads, KekWrites, OrderReads, OrderWrites, OutsideCount, OutsideReads,
    OutsideWrites, OwningProject, ProjectReads, ProjectWrites, PutIntent, QuotaReads, QuotaWrites,
    ReadTx, Registration, Removal, RemovalCause, RotationReads, RotationWrites, SealedObject,
    SealedRow, SecretReads, SecretStoreReads, SecretStoreWrites, SecretWrites, Standing,
    TransportKeyReads, TransportKeyWrites, UserMetadataReads, UserMetadataWrites, WriteTx,
};
pub use workers::{QueueFull, Workers};

/// A boxed future, as the few async methods of ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed source of an error, so that drivers can change.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;
