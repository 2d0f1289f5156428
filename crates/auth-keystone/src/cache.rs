//! What Keystone said lately, in memory, and who waits for its next answer.
//!
//! Keys are hashes under a key of this process. Refusals are kept apart from
//! tokens, so that a flood of invented tokens drives out no valid one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::{KeystoneError, Token, ValidationError};

/// HMAC of a token, and of how it was asked for.
pub(crate) type Key = [u8; 32];

/// How a validation ended.
pub(crate) type Outcome = Result<Arc<Token>, ValidationError>;

pub(crate) struct TokenCache {
    state: Mutex<State>,
}

struct State {
    tokens: Halves<(Arc<Token>, Instant)>,
    refused: Halves<Instant>,
    flights: HashMap<Key, watch::Receiver<Option<Outcome>>>,
}

/// What is known of a token.
pub(crate) enum Found {
    Token(Arc<Token>),
    Refused,
    /// Somebody asks Keystone already.
    Flight(watch::Receiver<Option<Outcome>>),
    /// The caller has to ask, and tells the others.
    Lead(Flight),
    /// Too many tokens are being asked about.
    Full,
}

/// A question to Keystone under way. Whoever waits for it is told when it
/// lands, or is dropped.
pub(crate) struct Flight {
    key: Key,
    cache: Arc<TokenCache>,
    sender: watch::Sender<Option<Outcome>>,
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                tokens: Halves::new(ENTRIES_MAX),
                refused: Halves::new(ENTRIES_MAX),
                flights: HashMap::new(),
            }),
        }
    }

    /// The token, if it was found valid lately.
    pub(crate) fn find(&self, key: &Key, now: Instant) -> Option<Arc<Token>> {
        self.lock().find(key, now)
    }

    /// What is known of a token; the first who asks about one of which nothing
    /// is known leads.
    pub(crate) fn begin(self: &Arc<Self>, key: Key, now: Instant) -> Found {
        let mut state = self.lock();
        if let Some(token) = state.find(&key, now) {
            return Found::Token(token);
        }
        if state.refused.get(&key).is_some_and(|until| *until > now) {
            return Found::Refused;
        }
        if let Some(flight) = state.flights.get(&key) {
            return Found::Flight(flight.clone());
        }
        if state.flights.len() >= FLIGHTS_MAX {
            return Found::Full;
        }
        let (sender, receiver) = watch::channel(None);
        state.flights.insert(key, receiver);
        Found::Lead(Flight {
            key,
            cache: Arc::clone(self),
            sender,
        })
    }

    /// Forgets every token, for Keystone may have forgotten them too.
    pub(crate) fn flush(&self) {
        self.lock().tokens.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&mut self, key: &Key, now: Instant) -> Option<Arc<Token>> {
        let (token, until) = self.tokens.get(key)?;
        (*until > now).then(|| Arc::clone(token))
    }
}

impl Flight {
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Outcome>> {
        self.sender.subscribe()
    }

    /// Tells everybody. A token is kept for `kept` from `now` on, a refusal for
    /// `refused`, an outage not at all.
    pub(crate) fn land(self, outcome: Outcome, now: Instant, kept: Duration, refused: Duration) {
        {
            let mut state = self.cache.lock();
            match &outcome {
                Ok(token) if !kept.is_zero() => {
                    let entry = (Arc::clone(token), now + kept);
                    state.tokens.insert(self.key, entry);
                }
                Err(ValidationError::Invalid) => {
                    state.refused.insert(self.key, now + refused);
                }
                Ok(_) | Err(ValidationError::Unavailable(_)) => {}
            }
        }
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cache.lock().flights.remove(&self.key);
    }
}

/// Waits for the end of somebody's question.
pub(crate) async fn landed(mut flight: watch::Receiver<Option<Outcome>>) -> Outcome {
    let landed = flight.wait_for(Option::is_some).await;
    match landed.map(|outcome| outcome.clone()) {
        Ok(Some(outcome)) => outcome,
        Ok(None) | Err(_) => Err(KeystoneError::GivenUp.into()),
    }
}

/// A bounded map. What was not looked for since the younger half filled up last
/// goes with the older one.
struct Halves<V> {
    half_max: usize,
    young: HashMap<Key, V>,
    old: HashMap<Key, V>,
}

impl<V> Halves<V> {
    fn new(entries_max: usize) -> Self {
        Self {
            half_max: entries_max / 2,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    fn get(&mut self, key: &Key) -> Option<&V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(*key, value);
        }
        self.young.get(key)
    }

    fn insert(&mut self, key: Key, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half_max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// Of tokens, and as many of refusals.
const ENTRIES_MAX: usize = 10_000;
/// What waits for Keystone holds a task and a connection's place.
const FLIGHTS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_bounded_and_keep_what_is_used() {
        let key = |number: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            key
        };
        let mut halves = Halves::new(10);
        halves.insert(key(0), 0);
        for number in 1..100 {
            halves.insert(key(number), number);
            assert_eq!(halves.get(&key(0)), Some(&0), "{number}");
            assert!(halves.young.len() + halves.old.len() <= 10);
        }
        assert_eq!(halves.get(&key(50)), None);
        halves.clear();
        assert_eq!(halves.get(&key(0)), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_dropped_flight_leaves_nobody_waiting() {
        let cache = Arc::new(TokenCache::new());
        let now = Instant::now();
        let Found::Lead(flight) = cache.begin([1; 32], now) else {
            panic!("nothing is known yet");
        };
        let Found::Flight(waiting) = cache.begin([1; 32], now) else {
            panic!("one leads already");
        };
        drop(flight);
        let outcome = landed(waiting).await;
        assert!(matches!(outcome, Err(ValidationError::Unavailable(_))));
        assert!(matches!(cache.begin([1; 32], now), Found::Lead(_)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn flights_are_bounded() {
        let cache = Arc::new(TokenCache::new());
        let now = Instant::now();
        let flights: Vec<_> = (0..FLIGHTS_MAX)
            .map(|number| {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&number.to_be_bytes());
                cache.begin(key, now)
            })
            .collect();
        assert!(matches!(cache.begin([255; 32], now), Found::Full));
        drop(flights);
        assert!(matches!(cache.begin([255; 32], now), Found::Lead(_)));
    }
}
