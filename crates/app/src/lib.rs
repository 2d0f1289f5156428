//! One async function per use case: who may, what happens, in which
//! transaction. Payloads are sealed here, before storage sees them.
//!
//! May import: `donjon-domain` and `donjon-oslo-policy`. Deliberately absent:
//! HTTP, JSON, SQL and every adapter; `api` calls this crate, `server` gives it
//! the adapters.
//!
//! Each use case takes three steps in this order: authorize on a read, do
//! cryptography, then one short write that checks again whatever may have
//! changed in between.
//!
#![doc = include_str!("../README.md")]

mod access;
mod acls;
mod bounds;
mod consumers;
mod containers;
mod core;
mod departures;
mod entity;
mod error;
mod inspection;
mod moves;
mod orders;
mod outbox;
mod outside;
mod policy;
mod quotas;
mod rotation;
mod sealing;
mod secret_stores;
mod secrets;
mod transport_keys;
mod user_metadata;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use access::{Access, Explained};
pub use acls::Acls;
pub use bounds::{Bounded, Bounds};
pub use consumers::Consumers;
pub use containers::{ContainerView, Containers, EntryRequest, NewContainer};
pub use core::Ports;
pub use departures::{DepartureRules, Departures, Outlook, Survey, SurveyError};
pub use entity::{Entities, Entity, EntityRules};
pub use error::{Conflict, Error, Missing};
pub use inspection::{Inspection, StoreFindings, Stray, Unreadable};
pub use moves::{Moved, Moves, StoreEnd};
pub use orders::{NewOrder, Orders};
pub use outbox::{Leftovers, Outbox, Swept};
pub use outside::OutsideStores;
pub use policy::{Action, Denied, Policy, RuleInForce, Target};
pub use quotas::QuotaUseCases;
pub use rotation::{Begun, KeyLimits, Rotation, RotationStatus, Step, WornKey};
pub use sealing::Startup;
pub use secret_stores::{ActiveStore, SecretStores};
pub use secrets::{Deletion, FetchedPayload, NewPayload, NewSecret, SecretView, Secrets};
pub use transport_keys::TransportKeys;
pub use user_metadata::UserMetadataUseCases;

/// All use cases.
#[derive(Debug)]
pub struct App {
    /// Storing and fetching secrets.
    pub secrets: Secrets,
    /// Containers and what is in them.
    pub containers: Containers,
    /// Questions about secrets and containers alike.
    pub entities: Entities,
    /// Consumers of secrets and containers.
    pub consumers: Consumers,
    /// User metadata of secrets.
    pub user_metadata: UserMetadataUseCases,
    /// Access control lists of secrets and containers.
    pub acls: Acls,
    /// Quotas.
    pub quotas: QuotaUseCases,
    /// Secret stores.
    pub secret_stores: SecretStores,
    /// Transport keys.
    pub transport_keys: TransportKeys,
    /// Explaining decisions.
    pub access: Access,
    /// Orders.
    pub orders: Orders,
    /// Removing from stores what is nobody's.
    pub outbox: Outbox,
    /// Moving payloads between stores.
    pub moves: Moves,
    /// Comparing stores with the database.
    pub inspection: Inspection,
    /// Changing keys.
    pub rotation: Rotation,
    /// Removing what deleted projects left.
    pub departures: Departures,
}

impl App {
    /// Puts the use cases on top of adapters.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let core = Arc::new(core::Core::new(ports));
        Self {
            secrets: Secrets::new(Arc::clone(&core)),
            containers: Containers::new(Arc::clone(&core)),
            entities: Entities::new(Arc::clone(&core)),
            consumers: Consumers::new(Arc::clone(&core)),
            user_metadata: UserMetadataUseCases::new(Arc::clone(&core)),
            acls: Acls::new(Arc::clone(&core)),
            orders: Orders::new(Arc::clone(&core)),
            quotas: QuotaUseCases::new(Arc::clone(&core)),
            secret_stores: SecretStores::new(Arc::clone(&core)),
            transport_keys: TransportKeys::new(Arc::clone(&core)),
            outbox: Outbox::new(Arc::clone(&core)),
            moves: Moves::new(Arc::clone(&core)),
            inspection: Inspection::new(Arc::clone(&core)),
            rotation: Rotation::new(Arc::clone(&core)),
            departures: Departures::new(Arc::clone(&core)),
            access: Access::new(core),
        }
    }
}
