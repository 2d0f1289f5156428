//! Secrets, containers, orders, consumers, ACLs, quotas and keys: their types,
//! their rules, and the ports through which the rules reach storage,
//! cryptography and the outside world.
//!
//! May import: small libraries without I/O (uuid, jiff, zeroize, thiserror).
//! Deliberately absent: any runtime, serde, HTTP, SQL, and every workspace
//! crate. Wire shapes belong to `donjon-api`, statuses to its `problem`
//! module, tables to a storage adapter.
#![doc = include_str!("../README.md")]

mod acl;
mod actor;
mod breaker;
mod consumer;
mod container;
mod id;
mod kek;
mod list;
mod order;
mod quota;
mod secret;
mod secret_bytes;
mod secret_store;
mod text;
mod time;
mod token;
mod transport_key;
mod user_metadata;

pub mod ports;

pub use acl::{Acl, AclChange};
pub use actor::{Actor, Identity, Scope, ServiceCaller};
pub use breaker::Breaker;
pub use consumer::{SecretConsumer, StoredConsumer};
pub use container::{
    Container, ContainerConsumer, ContainerEntry, ContainerType, InvalidEntries, StoredContainer,
    StoredContainerConsumer, UnknownContainerType,
};
pub use id::{
    ConsumerId, ContainerId, DeploymentId, InvalidId, KekId, OrderId, ProjectId, PutId, RootKeyId,
    SecretId, SecretStoreId, TokenId, TransportKeyId, UserId,
};
pub use kek::{
    Binding, Deployment, KekScope, KekState, Sealed, SealedKind, ServerKey, WrapBinding, WrappedKek,
};
pub use list::{
    Comparison, ContainerQuery, Direction, ListScope, OrderQuery, Page, PageRequest, SecretFilter,
    SecretQuery, SecretSortKey, Start, TimeBound,
};
pub use order::{
    KeySpec, Order, OrderFailure, OrderResult, OrderState, OrderType, UnknownOrderType,
};
pub use quota::{ProjectQuotas, Quotas, Resource};
pub use secret::{
    BitLength, ContentType, InvalidBitLength, Secret, SecretType, StoredSecret, UnknownSecretType,
};
pub use secret_bytes::SecretBytes;
pub use secret_store::{Outside, SecretStore, StoredPayload};
pub use text::{Label, LabelTooLong};
pub use time::{InvalidTimestamp, Timestamp};
pub use token::{TokenHash, TokenRow};
pub use transport_key::TransportKey;
pub use user_metadata::{InvalidMetadataKey, MetadataKey, UserMetadata};
