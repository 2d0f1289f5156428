//! Clients that ask all the time, and what they were answered.

use std::collections::BTreeMap;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::tokens::{Kind, PAYLOAD, Tokens};
use crate::kit::http;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// Of the answer, or why there was none.
    pub(crate) status: Result<u16, String>,
    pub(crate) has_payload: bool,
}

/// Clients at work until this is dropped.
pub(crate) struct Load<'a> {
    shared: Arc<Shared<'a>>,
}

struct Shared<'a> {
    host: &'a str,
    tokens: &'a Tokens,
    calls: Mutex<Vec<Call>>,
    is_over: AtomicBool,
}

/// What came of some calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    pub(crate) statuses: BTreeMap<u16, usize>,
    pub(crate) wrongly_let_in: usize,
    pub(crate) longest: Duration,
}

const CLIENTS: usize = 8;
/// Between two calls of one client.
const PAUSE: Duration = Duration::from_millis(100);
/// Beyond what is allowed, so that how long it took is known.
const WAIT: Duration = Duration::from_secs(20);

impl<'a> Load<'a> {
    pub(crate) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        host: &'a str,
        tokens: &'a Tokens,
    ) -> Self
    where
        'a: 'scope,
    {
        let shared = Arc::new(Shared {
            host,
            tokens,
            calls: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        for client in 0..CLIENTS {
            let shared = Arc::clone(&shared);
            scope.spawn(move || shared.work(client));
        }
        Self { shared }
    }

    /// The calls that ended since this was last asked.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls())
    }

    /// When the first call ended well that began after `since` and showed a new token.
    pub(crate) fn first_new_since(&self, since: Instant) -> Option<Instant> {
        let calls = self.shared.calls();
        let good = calls.iter().filter(|call| {
            let is_new = matches!(call.kind, Kind::New | Kind::NewService);
            is_new && call.began >= since && call.status == Ok(200)
        });
        good.map(|call| call.began + call.took).min()
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared<'_> {
    fn work(&self, client: usize) {
        // Each begins with another kind, so that all are at work at any time.
        for round in client.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let kind = Kind::ALL.get(round % Kind::ALL.len());
            if let Some(kind) = kind {
                self.call(*kind, round * CLIENTS + client);
            }
            thread::sleep(PAUSE);
        }
    }

    fn call(&self, kind: Kind, number: usize) {
        let Some((request, shown)) = self.tokens.request(kind, number) else {
            return;
        };
        let began = Instant::now();
        let answer = http::once(self.host, &request, WAIT);
        let took = began.elapsed();
        let has_payload = answer
            .as_ref()
            .is_ok_and(|answer| answer.text().contains(PAYLOAD));
        let status = answer
            .map(|answer| answer.status)
            .map_err(|error| error.to_string());
        if status == Ok(503) {
            self.tokens.give_back(shown);
        }
        self.calls().push(Call {
            kind,
            began,
            took,
            status,
            has_payload,
        });
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    pub(crate) fn of(calls: &[Call]) -> Self {
        let mut tally = Self {
            calls: calls.len(),
            ..Self::default()
        };
        for call in calls {
            if let Ok(status) = call.status {
                *tally.statuses.entry(status).or_default() += 1;
                let is_in = (200..300).contains(&status) || call.has_payload;
                tally.wrongly_let_in += usize::from(is_in && !call.kind.is_good());
            }
            tally.longest = tally.longest.max(call.took);
        }
        tally
    }
}
