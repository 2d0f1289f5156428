//! Who unwraps which key right now, so that requests which miss the same one
//! ask the root key once.
//!
//! The first that comes leads and the others wait for what comes of it, a
//! failure included: were each to ask again, the last would wait for a device
//! that is away as many times as there are others. Where the leader is dropped
//! on the way, one of those that wait takes its place.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use donjon_domain::{KekId, WrappedKek, ports::CryptoErrorKind};
use donjon_envelope::Key;

/// What comes of an unwrapping.
pub(crate) type Landed = Result<Arc<Key>, CryptoErrorKind>;

/// All unwrappings that are on their way; one for each id at most.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<KekId, Arc<Flight>>>);

/// What a caller does about a key that it misses.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// Unwraps, and tells the others.
    Lead(Leader<'a>),
    /// Waits.
    Follow(Follower),
    /// Unwraps for itself alone, since another row of this id is on its way.
    Alone,
}

/// Unwraps. Has to land, else the others begin again.
#[derive(Debug)]
pub(crate) struct Leader<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
}

/// Resolves to what came of it, or `None` where the leader went away.
#[derive(Debug)]
pub(crate) struct Follower {
    flight: Arc<Flight>,
    /// Which of the wakers is its own.
    number: Option<usize>,
}

#[derive(Debug)]
struct Flight {
    row: WrappedKek,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    landed: Option<Landed>,
    wakers: Vec<Waker>,
}

// === impl Flights ===

impl Flights {
    pub(crate) fn turn(&self, row: &WrappedKek) -> Turn<'_> {
        let mut flights = lock(&self.0);
        match flights.get(&row.id) {
            Some(flight) if flight.row == *row => Turn::Follow(Follower {
                flight: Arc::clone(flight),
                number: None,
            }),
            Some(_) => Turn::Alone,
            None => {
                let flight = Arc::new(Flight {
                    row: row.clone(),
                    state: Mutex::default(),
                });
                flights.insert(row.id, Arc::clone(&flight));
                Turn::Lead(Leader {
                    flights: self,
                    flight,
                })
            }
        }
    }
}

// === impl Leader ===

impl Leader<'_> {
    /// Tells all that wait. A key is in the cache before, for those that come.
    pub(crate) fn land(self, landed: Landed) {
        lock(&self.flight.state).landed = Some(landed);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        lock(&self.flights.0).remove(&self.flight.row.id);
        let wakers = {
            let mut state = lock(&self.flight.state);
            state.is_over = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

// === impl Follower ===

impl Future for Follower {
    type Output = Option<Landed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Landed>> {
        let follower = self.get_mut();
        let mut state = lock(&follower.flight.state);
        if state.is_over {
            return Poll::Ready(state.landed.clone());
        }
        let waker = context.waker();
        match follower.number.and_then(|own| state.wakers.get_mut(own)) {
            Some(own) => own.clone_from(waker),
            None => {
                follower.number = Some(state.wakers.len());
                state.wakers.push(waker.clone());
            }
        }
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole at every point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
