//! Rows of one kind, in the order in which they were added.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

/// Rows under their ids. A copy shares what does not change.
#[derive(Clone)]
pub(super) struct Table<I, T> {
    /// Rows by the number of their creation.
    rows: BTreeMap<u64, Arc<T>>,
    numbers: HashMap<I, u64>,
    created: u64,
}

impl<I: Eq + Hash, T: Clone> Table<I, T> {
    pub(super) fn get(&self, id: &I) -> Option<&T> {
        let number = self.numbers.get(id)?;
        self.rows.get(number).map(Arc::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: &I) -> Option<&mut T> {
        let number = self.numbers.get(id)?;
        self.rows.get_mut(number).map(Arc::make_mut)
    }

    /// All rows, oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &T> {
        self.rows.values().map(Arc::as_ref)
    }

    /// Changes the rows that `concerns` picks; the others stay shared.
    pub(super) fn change(&mut self, concerns: impl Fn(&T) -> bool, change: impl Fn(&mut T)) {
        self.rows
            .values_mut()
            .filter(|row| concerns(row))
            .for_each(|row| change(Arc::make_mut(row)));
    }

    /// Adds a row; `false` where its id is taken.
    pub(super) fn insert(&mut self, id: I, row: T) -> bool {
        if self.numbers.contains_key(&id) {
            return false;
        }
        self.created += 1;
        self.numbers.insert(id, self.created);
        self.rows.insert(self.created, Arc::new(row));
        true
    }

    /// Removes a row; `false` where there is none.
    pub(super) fn remove(&mut self, id: &I) -> bool {
        let Some(number) = self.numbers.remove(id) else {
            return false;
        };
        self.rows.remove(&number).is_some()
    }
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            numbers: HashMap::new(),
            created: 0,
        }
    }
}
