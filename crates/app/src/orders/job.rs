//! Orders that are carried out beside the requests: which are under way, and
//! how each ends.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use donjon_domain::{
    Order, OrderId, OrderState, ProjectId,
    ports::{BoxFuture, Health, QueueFull, Reading, RepositoryError, RepositoryExt, Turn},
};

use super::{
    failure,
    made::{Made, make},
};
use crate::{Error, core::Core};

/// How many orders one look for waiting ones starts, at the most.
const RESUMED_MAX: u32 = 256;

/// How many of them are of one project. More than wait in memory.
const RESUMED_OF_EACH_MAX: u32 = 8;

/// The jobs of orders.
pub(super) struct Jobs {
    core: Arc<Core>,
    under_way: Arc<UnderWay>,
    /// Orders wait that found no room.
    backlog: AtomicBool,
}

/// Orders that have a job, or will have one at once, and whose they are.
#[derive(Default)]
struct UnderWay(Mutex<HashMap<OrderId, Turn>>);

/// An order that nobody else starts. Given back when dropped.
pub(super) struct Claim {
    id: OrderId,
    turn: Turn,
    under_way: Arc<UnderWay>,
}

impl Jobs {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            under_way: Arc::default(),
            backlog: AtomicBool::new(false),
        }
    }

    /// `None` where the order has a job.
    pub(super) fn claim(&self, id: OrderId, project: &ProjectId) -> Option<Claim> {
        let turn = Turn::of(project);
        let is_new = match self.under_way.lock().entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(turn);
                true
            }
        };
        is_new.then(|| Claim {
            id,
            turn,
            under_way: Arc::clone(&self.under_way),
        })
    }

    /// Starts the job of an order that is stored. Returns what resolves when
    /// it has ended or taken too long, or `None` where there is no room: the
    /// order then waits until a job ends.
    pub(super) fn start(self: &Arc<Self>, claim: Claim) -> Option<BoxFuture<'static, ()>> {
        let (jobs, turn) = (Arc::clone(self), claim.turn);
        let job = async move {
            let has_ended = jobs.run(claim.id).await;
            drop(claim);
            // Where one order has to wait, others would only wait with it.
            if has_ended && jobs.backlog.swap(false, Ordering::Relaxed) {
                jobs.resume_backlog().await;
            }
        };
        match self.core.workers.start(turn, Box::pin(job)) {
            Ok(done) => Some(done),
            Err(QueueFull) => {
                self.backlog.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// Starts jobs for orders that wait and have none: the oldest of each
    /// project, then its next, as long as there is room. None while the disk is full: their keys could
    /// not be stored.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<usize, Error> {
        if self.core.repository.health() != Health::Good {
            return Ok(0);
        }
        let (under_way, of_one) = self.under_way.count();
        // Enough that some are among them that have no job.
        let limit = RESUMED_MAX.saturating_add(under_way);
        let of_each = RESUMED_OF_EACH_MAX.saturating_add(of_one);
        let pending: Result<Vec<Order>, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.pending_orders(of_each, limit)
            })
            .await;
        let mut started = 0;
        let mut full = HashSet::new();
        for order in pending? {
            if full.contains(&order.project) {
                continue;
            }
            let Some(claim) = self.claim(order.id, &order.project) else {
                continue;
            };
            if self.start(claim).is_some() {
                started += 1;
            } else {
                // There may be room for others.
                full.insert(order.project);
            }
        }
        Ok(started)
    }

    async fn resume_backlog(self: &Arc<Self>) {
        if let Err(error) = self.resume().await {
            // The next look finds them.
            self.backlog.store(true, Ordering::Relaxed);
            warn(&error, "waiting orders could not be looked for");
        }
    }

    /// Whether the order has ended.
    async fn run(&self, id: OrderId) -> bool {
        match carry_out(&self.core, id).await {
            Ok(Ended::Active) => tracing::debug!(order = %id, "order carried out"),
            Ok(Ended::Failed) => tracing::info!(order = %id, "order failed"),
            Ok(Ended::Before) => tracing::debug!(order = %id, "order is gone or has ended"),
            Err(error) => {
                warn(&error, "an order could not be carried out now and waits");
                return false;
            }
        }
        true
    }
}

/// How a job found or left its order.
enum Ended {
    Active,
    Failed,
    /// It was deleted, or another job was faster.
    Before,
}

async fn carry_out(core: &Core, id: OrderId) -> Result<Ended, Error> {
    let found: Result<_, RepositoryError> = core
        .repository
        .read_with(Reading::Point, move |tx| tx.order(id))
        .await;
    let Some(order) = found?.filter(|order| order.state == OrderState::Pending) else {
        return Ok(Ended::Before);
    };
    let made = match make_from(core, &order).await {
        Ok(made) => made,
        // What no later run mends ends the order.
        Err(error @ (Error::Integrity(_) | Error::Internal(_))) => {
            warn(&error, "an order cannot be carried out");
            Made::failed(failure::internal())
        }
        Err(error) => return Err(error),
    };
    let is_active = matches!(made.state, OrderState::Active(_));
    Ok(match (end(core, id, made).await?, is_active) {
        (false, _) => Ended::Before,
        (true, true) => Ended::Active,
        (true, false) => Ended::Failed,
    })
}

/// Ends an order and stores what it made, all or nothing. `false`, and nothing
/// is written, where the order does not wait any more.
pub(super) async fn end(core: &Core, id: OrderId, made: Made) -> Result<bool, Error> {
    let now = core.clock.now();
    let puts = made.puts();
    let written = core
        .repository
        .write_with(move |tx| {
            let found = tx.order(id)?;
            if found.is_none_or(|order| order.state != OrderState::Pending) {
                return Ok(false);
            }
            made.insert(tx)?;
            tx.end_order(id, &made.state, now)?;
            Ok::<_, Error>(true)
        })
        .await;
    if !matches!(written, Ok(true)) {
        core.abandon(&puts).await;
    }
    written
}

async fn make_from(core: &Core, order: &Order) -> Result<Made, Error> {
    let passphrase = match &order.passphrase {
        Some(sealed) => {
            let opened = core
                .sealing
                .open_passphrase(&order.project, order.id, sealed);
            Some(opened.await?)
        }
        None => None,
    };
    make(core, order, passphrase.as_ref()).await
}

fn warn(error: &Error, text: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{text}");
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are, and of the project that has most.
    fn count(&self) -> (u32, u32) {
        let under_way = self.lock();
        let mut of_each: HashMap<Turn, u32> = HashMap::new();
        for turn in under_way.values() {
            *of_each.entry(*turn).or_default() += 1;
        }
        let all = u32::try_from(under_way.len()).unwrap_or(u32::MAX);
        (all, of_each.into_values().max().unwrap_or(0))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.id);
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("under_way", &self.under_way.lock().len())
            .finish_non_exhaustive()
    }
}
