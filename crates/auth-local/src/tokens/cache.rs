//! Tokens that were used lately, in memory, so that a request does not ask
//! storage for its token again; and when they were used, until that is flushed.
//!
//! Invariant: once [`TokenCache::removed`] was called for a token whose row is
//! gone from storage, it is not found here any more. A lookup that read the row
//! before it went is told so by the generation, which every removal raises; a
//! removal under way, or given up half way, bars its token until it is through.

use std::{
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, Ordering},
    },
};

use donjon_domain::{Actor, Scope, Timestamp, TokenHash, TokenId, TokenRow};

/// A bounded map from hash to token. Eviction is by halves: a token that was
/// not used since the younger half filled up last goes with the older one.
pub(super) struct TokenCache {
    half_max: usize,
    state: RwLock<State>,
}

/// What a token in memory says about its holder.
pub(super) enum Known {
    Valid(Actor),
    Expired,
}

struct Entry {
    id: TokenId,
    actor: Actor,
    expires: Option<Timestamp>,
    /// Microseconds since the epoch.
    used: AtomicI64,
    /// Up to where `used` was flushed.
    flushed: AtomicI64,
}

/// Tells whether a removal happened since it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

struct State {
    generation: u64,
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
    barred: HashSet<TokenId>,
    /// Unflushed uses of tokens that are in neither half: at most one for each
    /// token in storage.
    loose_uses: HashMap<TokenId, Timestamp>,
}

/// Compares in constant time, as [`TokenHash`] does.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Key(TokenHash);

// === impl TokenCache ===

impl TokenCache {
    /// `entries_max` is at least 2.
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            half_max: entries_max / 2,
            state: RwLock::new(State {
                generation: 0,
                young: HashMap::new(),
                old: HashMap::new(),
                barred: HashSet::new(),
                loose_uses: HashMap::new(),
            }),
        }
    }

    /// Taken before storage is asked for a row.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.read().generation)
    }

    /// Looks for a token, and notes the use where it is valid; `None` where
    /// storage has to be asked.
    pub(super) fn find(&self, hash: &TokenHash, now: Timestamp) -> Option<Known> {
        let key = Key(*hash);
        let state = self.read();
        if let Some(entry) = state.young.get(&key) {
            return Some(entry.accept(now));
        }
        if !state.old.contains_key(&key) {
            return None;
        }
        drop(state);
        let mut state = self.write();
        let entry = state.old.remove(&key)?;
        let known = entry.accept(now);
        state.insert(key, entry, self.half_max);
        Some(known)
    }

    /// Keeps what storage said, unless a removal may have made it untrue since
    /// `generation` was taken, and that the token was accepted at `now`.
    pub(super) fn keep(&self, generation: Generation, row: TokenRow, now: Timestamp) {
        let mut state = self.write();
        if state.generation == generation.0 && !state.barred.contains(&row.id) {
            let entry = Entry {
                id: row.id,
                actor: actor_of(&row),
                expires: row.expires,
                used: AtomicI64::new(now.as_micros()),
                flushed: AtomicI64::new(i64::MIN),
            };
            state.insert(Key(row.hash), entry, self.half_max);
        } else {
            state.note_loose(row.id, now);
        }
    }

    /// Called before a row is removed from storage.
    pub(super) fn removing(&self, id: TokenId) {
        let mut state = self.write();
        state.barred.insert(id);
        state.drop_token(id);
    }

    /// Called after it is gone, durably.
    pub(super) fn removed(&self, id: TokenId) {
        let mut state = self.write();
        state.generation += 1;
        state.barred.remove(&id);
        state.drop_token(id);
    }

    /// Takes the uses that were not taken before.
    pub(super) fn take_uses(&self) -> Vec<(TokenId, Timestamp)> {
        let mut state = self.write();
        let mut uses = std::mem::take(&mut state.loose_uses);
        for entry in state.young.values().chain(state.old.values()) {
            if let Some(used) = entry.take_use() {
                note_later(&mut uses, entry.id, used);
            }
        }
        uses.into_iter().collect()
    }

    /// Gives back uses that could not be flushed.
    pub(super) fn return_uses(&self, uses: Vec<(TokenId, Timestamp)>) {
        let mut state = self.write();
        for (id, used) in uses {
            state.note_loose(id, used);
        }
    }

    /// When tokens were last used, as far as known here.
    pub(super) fn uses(&self) -> HashMap<TokenId, Timestamp> {
        let state = self.read();
        let mut uses = state.loose_uses.clone();
        for entry in state.young.values().chain(state.old.values()) {
            note_later(&mut uses, entry.id, entry.used());
        }
        uses
    }

    // Every change of the state is complete before something can panic, so a
    // poisoned lock protects a sound state.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    fn accept(&self, now: Timestamp) -> Known {
        if self.expires.is_some_and(|expires| expires <= now) {
            return Known::Expired;
        }
        // Noting every use would make the processors pass one cache line around.
        if now.as_micros()
            >= self
                .used
                .load(Ordering::Relaxed)
                .saturating_add(NOTED_MICROS)
        {
            self.used.fetch_max(now.as_micros(), Ordering::Relaxed);
        }
        Known::Valid(self.actor.clone())
    }

    fn used(&self) -> Timestamp {
        Timestamp::from_micros(self.used.load(Ordering::Relaxed))
    }

    fn take_use(&self) -> Option<Timestamp> {
        let used = self.used();
        let flushed = self.flushed.swap(used.as_micros(), Ordering::Relaxed);
        (flushed < used.as_micros()).then_some(used)
    }
}

// === impl State ===

impl State {
    fn insert(&mut self, key: Key, entry: Entry, half_max: usize) {
        if self.young.len() >= half_max {
            let young = std::mem::take(&mut self.young);
            for entry in std::mem::replace(&mut self.old, young).into_values() {
                if let Some(used) = entry.take_use() {
                    self.note_loose(entry.id, used);
                }
            }
        }
        self.young.insert(key, entry);
    }

    fn drop_token(&mut self, id: TokenId) {
        self.young.retain(|_, entry| entry.id != id);
        self.old.retain(|_, entry| entry.id != id);
        self.loose_uses.remove(&id);
    }

    fn note_loose(&mut self, id: TokenId, used: Timestamp) {
        note_later(&mut self.loose_uses, id, used);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

pub(super) fn actor_of(row: &TokenRow) -> Actor {
    Actor {
        user: Some(row.user.clone()),
        project: row.project.clone(),
        roles: row.roles.clone(),
        scope: Scope::Project,
        identity: None,
    }
}

/// How exact the time of the last use is.
const NOTED_MICROS: i64 = 1_000_000;

fn note_later(uses: &mut HashMap<TokenId, Timestamp>, id: TokenId, used: Timestamp) {
    let noted = uses.entry(id).or_insert(used);
    *noted = used.max(*noted);
}
