//! Unwrapped keys of projects, so that a request does not unwrap again.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use donjon_domain::{KekId, WrappedKek};
use donjon_envelope::Key;

/// A bounded map. An entry counts only for exactly the row that it was
/// unwrapped from, so that a changed row is found out. Keys wipe themselves
/// when they leave.
#[derive(Debug)]
pub(crate) struct KeyCache {
    keys: RwLock<HashMap<KekId, Entry>>,
    keys_max: usize,
}

#[derive(Debug)]
struct Entry {
    row: WrappedKek,
    key: Arc<Key>,
}

impl KeyCache {
    /// `keys_max` is at least 1.
    pub(crate) fn new(keys_max: usize) -> Self {
        Self {
            keys: RwLock::default(),
            keys_max,
        }
    }

    pub(crate) fn get(&self, row: &WrappedKek) -> Option<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&row.id)
            .filter(|entry| entry.row == *row)
            .map(|entry| Arc::clone(&entry.key))
    }

    pub(crate) fn put(&self, row: &WrappedKek, key: &Arc<Key>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= self.keys_max && !keys.contains_key(&row.id) {
            // Which one goes is left to chance, so that no pattern of use makes each of them miss.
            let victim = keys.keys().next().copied();
            victim.and_then(|id| keys.remove(&id));
        }
        keys.insert(
            row.id,
            Entry {
                row: row.clone(),
                key: Arc::clone(key),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use donjon_domain::{KekScope, KekState, ProjectId, RootKeyId, Timestamp};

    use super::*;

    fn row(number: u16) -> WrappedKek {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        WrappedKek {
            id: KekId::from_bytes(id),
            scope: KekScope::Project(ProjectId::new("p")),
            generation: 1,
            state: KekState::Active,
            root: RootKeyId::from_bytes([0; 16]),
            wrapped: vec![1],
            created: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn a_changed_row_is_not_found() {
        let cache = KeyCache::new(8);
        cache.put(&row(1), &Arc::new(Key::from(&[7; 32])));
        assert!(cache.get(&row(1)).is_some());
        assert!(
            cache
                .get(&WrappedKek {
                    wrapped: vec![2],
                    ..row(1)
                })
                .is_none()
        );
        assert!(
            cache
                .get(&WrappedKek {
                    scope: KekScope::Project(ProjectId::new("q")),
                    ..row(1)
                })
                .is_none()
        );
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = KeyCache::new(1_024);
        for number in 0..2_000 {
            cache.put(&row(number), &Arc::new(Key::from(&[7; 32])));
        }
        assert_eq!(cache.keys.read().unwrap().len(), 1_024);
        assert!(cache.get(&row(1_999)).is_some());
    }
}
