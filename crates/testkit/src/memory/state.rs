//! All rows, as plain values.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use donjon_domain::{
    Acl, Deployment, KekId, Sealed, Secret, SecretId, StoredConsumer, TokenRow, UserMetadata,
    WrappedKek,
};

/// Everything that is stored. A copy shares what does not change.
#[derive(Clone, Default)]
pub(super) struct State {
    /// Secrets by the number of their creation.
    entries: BTreeMap<u64, Arc<Entry>>,
    numbers: HashMap<SecretId, u64>,
    created: u64,
    pub(super) keks: Vec<WrappedKek>,
    pub(super) deployment: Option<Deployment>,
    pub(super) tokens: Vec<TokenRow>,
}

/// A secret and all that belongs to it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) secret: Secret,
    pub(super) payload: Option<Sealed>,
    pub(super) acl: Option<Acl>,
    pub(super) consumers: Vec<StoredConsumer>,
    pub(super) metadata: UserMetadata,
}

impl State {
    pub(super) fn entry(&self, id: SecretId) -> Option<&Entry> {
        let number = self.numbers.get(&id)?;
        self.entries.get(number).map(Arc::as_ref)
    }

    pub(super) fn entry_mut(&mut self, id: SecretId) -> Option<&mut Entry> {
        let number = self.numbers.get(&id)?;
        self.entries.get_mut(number).map(Arc::make_mut)
    }

    /// All entries, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Arc::as_ref)
    }

    /// Adds an entry; `false` where its id is taken.
    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        let id = entry.secret.id;
        if self.numbers.contains_key(&id) {
            return false;
        }
        self.created += 1;
        self.numbers.insert(id, self.created);
        self.entries.insert(self.created, Arc::new(entry));
        true
    }

    pub(super) fn remove(&mut self, id: SecretId) -> bool {
        let Some(number) = self.numbers.remove(&id) else {
            return false;
        };
        self.entries.remove(&number).is_some()
    }

    pub(super) fn kek(&self, id: KekId) -> Option<&WrappedKek> {
        self.keks.iter().find(|kek| kek.id == id)
    }
}
