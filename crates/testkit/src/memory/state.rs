//! All rows, as plain values.

use std::collections::{BTreeMap, HashMap};

use donjon_domain::{
    Acl, Container, ContainerEntry, ContainerId, Deployment, KekId, Label, Order, OrderId,
    ProjectId, ProjectQuotas, PutId, Secret, SecretId, SecretStore, SecretStoreId, StoredConsumer,
    StoredContainerConsumer, StoredPayload, Timestamp, TokenRow, TransportKey, TransportKeyId,
    UserMetadata, WrappedKek,
};

use super::table::Table;

/// Everything that is stored.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) secrets: Table<SecretId, SecretRow>,
    pub(super) containers: Table<ContainerId, ContainerRow>,
    pub(super) orders: Table<OrderId, Order>,
    pub(super) secret_stores: Table<SecretStoreId, SecretStore>,
    pub(super) outbox: BTreeMap<PutId, OutboxRow>,
    pub(super) preferred_stores: HashMap<ProjectId, SecretStoreId>,
    pub(super) transport_keys: Table<TransportKeyId, TransportKey>,
    pub(super) quotas: Table<ProjectId, (ProjectId, ProjectQuotas)>,
    pub(super) keks: Vec<WrappedKek>,
    pub(super) deployment: Option<Deployment>,
    pub(super) tokens: Vec<TokenRow>,
    /// Projects that the identity service knows or knew, and since when it does
    /// not know them.
    pub(super) known_projects: HashMap<ProjectId, Option<Timestamp>>,
}

/// A secret and all that belongs to it.
#[derive(Clone)]
pub(super) struct SecretRow {
    pub(super) secret: Secret,
    pub(super) payload: Option<StoredPayload>,
    pub(super) acl: Option<Acl>,
    pub(super) consumers: Vec<StoredConsumer>,
    pub(super) metadata: UserMetadata,
}

/// A put that is under way, or doomed.
#[derive(Clone)]
pub(super) struct OutboxRow {
    pub(super) store: SecretStoreId,
    pub(super) secret: SecretId,
    pub(super) begun: Option<Timestamp>,
    /// `None` while it is under way.
    pub(super) due: Option<Timestamp>,
    pub(super) attempts: u32,
}

/// A container and all that belongs to it.
#[derive(Clone)]
pub(super) struct ContainerRow {
    pub(super) container: Container,
    /// In the order in which they were added.
    pub(super) entries: Vec<ContainerEntry>,
    /// Named entries that went, by numbers in the order in which they did.
    pub(super) removed: BTreeMap<u64, (SecretId, Label)>,
    pub(super) acl: Option<Acl>,
    /// In the order in which they were registered.
    pub(super) consumers: Vec<StoredContainerConsumer>,
}

impl State {
    /// Removes a secret, what belongs to it, and the entries that name it or
    /// did.
    pub(super) fn remove_secret(&mut self, id: SecretId) -> bool {
        self.containers.change(
            |row| {
                row.entries.iter().any(|entry| entry.secret == id)
                    || row.removed.values().any(|(secret, _)| *secret == id)
            },
            |row| {
                row.entries.retain(|entry| entry.secret != id);
                row.removed.retain(|_, (secret, _)| *secret != id);
            },
        );
        if let Some(payload) = self.secrets.get(&id).and_then(|row| row.payload.clone()) {
            self.doom(id, &payload);
        }
        self.secrets.remove(&id)
    }

    /// What a secret had in a store has to go.
    pub(super) fn doom(&mut self, secret: SecretId, payload: &StoredPayload) {
        if let Some(outside) = payload.outside {
            let row = OutboxRow {
                store: outside.store,
                secret,
                begun: None,
                due: Some(Timestamp::from_micros(0)),
                attempts: 0,
            };
            self.outbox.insert(outside.put, row);
        }
    }

    pub(super) fn kek(&self, id: KekId) -> Option<&WrappedKek> {
        self.keks.iter().find(|kek| kek.id == id)
    }
}
