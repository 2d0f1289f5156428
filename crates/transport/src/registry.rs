//! Who is connected: the caps, the counters, and how to reach every connection at shutdown.
//!
//! A lock is taken when a connection opens and closes, never per request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicIsize, AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use crate::answers::Answers;
use crate::limits::Limits;
use crate::peer::{ConnectionInfo, IpRange, Peer, counting_key};

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) trusted_proxies: Vec<IpRange>,
    pub(crate) http: hyper::server::conn::http1::Builder,
    pub(crate) slots: Slots,
    pub(crate) answers: Answers,
    counters: Counters,
    mode: AtomicU8,
    registry: Mutex<Registry>,
    /// Told whenever the last connection has gone.
    emptied: Notify,
}

/// What connections are to do, in the order in which it gets stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Mode {
    Run = 0,
    /// Finish what is in flight, then close.
    Drain = 1,
    /// Close at once.
    Abort = 2,
}

/// The places for requests being worked on.
///
/// A request takes one when it first has to wait. One that is answered at once takes none: there are never
/// more of them than threads, and a counter that all threads write to would be the dearest part of it. So
/// [`max`](Self::max) may be exceeded by as many requests as there are threads.
///
/// Aligned, so that writes to it do not push the neighbouring fields out of other processors' caches.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slots {
    taken: AtomicIsize,
    max: isize,
}

/// One taken place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a>(&'a Slots);

/// A connection's place in the registry, given back when dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
    id: u64,
    counted_ip: Option<IpAddr>,
}

/// Live figures of a server. Cheap to clone and to read.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Shared>);

#[derive(Debug, Default)]
struct Counters {
    panics: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    overloads: AtomicU64,
    timeouts: AtomicU64,
}

#[derive(Debug, Default)]
struct Registry {
    last_id: u64,
    wakers: HashMap<u64, Option<Waker>>,
    per_ip: HashMap<IpAddr, usize>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(limits: Limits, trusted_proxies: Vec<IpRange>) -> Self {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.header_read_timeout(None) // the watch does it, for idle connections too
            .max_headers(limits.headers_max)
            .max_header_size(limits.head_bytes_max) // the buffer may grow beyond its limit
            .max_buf_size(limits.head_bytes_max.max(HYPER_BUFFER_MIN))
            .half_close(false) // a client that leaves cancels its request
            .writev(true); // a payload must not be copied into hyper's write buffer
        Self {
            http,
            trusted_proxies,
            slots: Slots::new(limits.requests_in_flight_max),
            answers: Answers::new(limits.answer_bytes_max),
            counters: Counters::default(),
            mode: AtomicU8::new(Mode::Run as u8),
            registry: Mutex::default(),
            emptied: Notify::new(),
            limits,
        }
    }

    /// Enters a new connection, or tells that there are too many.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: &Peer,
        listener: usize,
    ) -> Option<(Admission, ConnectionInfo)> {
        let is_trusted_proxy = peer
            .ip()
            .is_some_and(|ip| self.trusted_proxies.iter().any(|range| range.contains(ip)));
        let counted_ip = peer
            .ip()
            .filter(|_| !peer.is_local() && !is_trusted_proxy)
            .map(counting_key);
        let entered = self.registry().enter(counted_ip, &self.limits);
        let counter = if entered.is_some() {
            &self.counters.accepted
        } else {
            &self.counters.refused
        };
        counter.fetch_add(1, Relaxed);
        let id = entered?;
        let admission = Admission {
            shared: Arc::clone(self),
            id,
            counted_ip,
        };
        let info = ConnectionInfo {
            id,
            listener,
            peer: peer.clone(),
            tls: false,
            client_certificate: None,
            is_trusted_proxy,
        };
        Some((admission, info))
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(SeqCst) {
            0 => Mode::Run,
            1 => Mode::Drain,
            _ => Mode::Abort,
        }
    }

    /// Tells every connection to close, and how. Never goes back to a milder mode.
    pub(crate) fn close_all(&self, mode: Mode) {
        self.mode.fetch_max(mode as u8, SeqCst);
        for waker in self.registry().wakers.values().flatten() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.registry().wakers.len()
    }

    /// Waits until no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(crate) fn count_panic(&self) {
        self.counters.panics.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_overload(&self) {
        self.counters.overloads.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_timeout(&self) {
        self.counters.timeouts.fetch_add(1, Relaxed);
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Registry ===

impl Registry {
    fn enter(&mut self, counted_ip: Option<IpAddr>, limits: &Limits) -> Option<u64> {
        if self.wakers.len() >= limits.connections_max {
            return None;
        }
        if let Some(ip) = counted_ip {
            let of_ip = self.per_ip.entry(ip).or_default();
            if *of_ip >= limits.connections_per_ip_max {
                return None;
            }
            *of_ip += 1;
        }
        self.last_id += 1;
        self.wakers.insert(self.last_id, None);
        Some(self.last_id)
    }

    fn leave(&mut self, id: u64, counted_ip: Option<IpAddr>) {
        self.wakers.remove(&id);
        if let Some(ip) = counted_ip
            && let Some(of_ip) = self.per_ip.get_mut(&ip)
        {
            *of_ip -= 1;
            if *of_ip == 0 {
                self.per_ip.remove(&ip);
            }
        }
    }
}

// === impl Admission ===

impl Admission {
    /// Remembers how to wake the connection's task when the server closes.
    ///
    /// To be called before the task first looks at [`Shared::mode`], so that no change is missed.
    pub(crate) fn remember(&self, waker: &Waker) {
        self.shared
            .registry()
            .wakers
            .insert(self.id, Some(waker.clone()));
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let is_empty = {
            let mut registry = self.shared.registry();
            registry.leave(self.id, self.counted_ip);
            registry.wakers.is_empty()
        };
        if is_empty {
            self.shared.emptied.notify_waiters();
        }
    }
}

// === impl Slots ===

impl Slots {
    fn new(max: usize) -> Self {
        Self {
            taken: AtomicIsize::new(0),
            max: isize::try_from(max).unwrap_or(isize::MAX),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.taken.load(Relaxed) >= self.max
    }

    pub(crate) fn enter(&self) -> Slot<'_> {
        self.taken.fetch_add(1, Relaxed);
        Slot(self)
    }

    /// Lends a place to others while its request waits for the network.
    pub(crate) fn give_back(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }

    /// Takes a lent place back, above the maximum if need be: the request is already admitted.
    pub(crate) fn take_over(&self) {
        self.taken.fetch_add(1, Relaxed);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

// === impl Meter ===

impl Meter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Panics caught in [`Service`](crate::Service) since the server was bound. Anything but 0 is a bug.
    pub fn panics(&self) -> u64 {
        self.0.counters.panics.load(Relaxed)
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Requests being worked on right now, without those that wait for their body.
    pub fn requests_in_flight(&self) -> usize {
        usize::try_from(self.0.slots.taken.load(Relaxed)).unwrap_or(0)
    }

    /// Connections admitted since the server was bound.
    pub fn connections_accepted(&self) -> u64 {
        self.0.counters.accepted.load(Relaxed)
    }

    /// Connections closed at once because a cap was reached.
    pub fn connections_refused(&self) -> u64 {
        self.0.counters.refused.load(Relaxed)
    }

    /// Bytes of answers beyond 64 KiB each that clients have not taken yet.
    pub fn answer_bytes(&self) -> usize {
        self.0.answers.held()
    }

    /// Requests refused because too many were in flight, or too many bytes of answers.
    pub fn overloads(&self) -> u64 {
        self.0.counters.overloads.load(Relaxed)
    }

    /// Connections closed because the client was too slow, without those that were merely idle.
    pub fn timeouts(&self) -> u64 {
        self.0.counters.timeouts.load(Relaxed)
    }
}

/// hyper panics on a smaller buffer.
const HYPER_BUFFER_MIN: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(limits: Limits, trusted: &str) -> Arc<Shared> {
        Arc::new(Shared::new(limits, vec![trusted.parse().unwrap()]))
    }

    fn peer(ip: &str) -> Peer {
        Peer::from_ip((ip.parse::<IpAddr>().unwrap(), 1).into())
    }

    #[test]
    fn connections_are_capped_per_address() {
        let limits = Limits {
            connections_per_ip_max: 2,
            ..Limits::default()
        };
        let shared = shared(limits, "10.0.0.0/8");
        let enter = |ip: &str| shared.admit(&peer(ip), 0);
        let first = enter("192.0.2.1").unwrap();
        let _second = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none());
        assert!(
            enter("::ffff:192.0.2.1").is_none(),
            "the same address in IPv6 form"
        );
        let _neighbour = enter("192.0.2.2").unwrap();
        drop(first);
        let _third = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none());
    }

    #[test]
    fn loopback_and_trusted_proxies_are_not_counted_per_address() {
        let limits = Limits {
            connections_per_ip_max: 1,
            ..Limits::default()
        };
        let shared = shared(limits, "10.0.0.0/8");
        for ip in ["127.0.0.1", "::1", "10.1.2.3"] {
            let first = shared.admit(&peer(ip), 0).unwrap();
            let second = shared.admit(&peer(ip), 0).unwrap();
            assert_eq!(first.1.is_trusted_proxy, ip == "10.1.2.3");
            drop((first, second));
        }
        let unix = Peer::Unix {
            uid: 0,
            gid: 0,
            pid: None,
        };
        let _all = [
            shared.admit(&unix, 0).unwrap(),
            shared.admit(&unix, 0).unwrap(),
        ];
    }

    #[test]
    fn the_global_cap_counts_everybody() {
        let limits = Limits {
            connections_max: 1,
            ..Limits::default()
        };
        let shared = shared(limits, "10.0.0.0/8");
        let first = shared.admit(&peer("127.0.0.1"), 0).unwrap();
        assert!(shared.admit(&peer("10.0.0.1"), 0).is_none());
        drop(first);
        assert!(shared.admit(&peer("10.0.0.1"), 0).is_some());
        assert_eq!(shared.connections(), 0);
        assert!(shared.registry().per_ip.is_empty());
    }

    #[test]
    fn a_lent_place_is_free_for_others() {
        let slots = Slots::new(1);
        let slot = slots.enter();
        assert!(slots.is_full());
        slots.give_back();
        assert!(!slots.is_full());
        let other = slots.enter();
        slots.take_over();
        drop(slot);
        assert!(slots.is_full());
        drop(other);
        assert_eq!(slots.taken.load(Relaxed), 0);
    }
}
