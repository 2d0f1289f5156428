//! Carries a move of payloads between stores through beside the requests, at a
//! bounded pace.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use donjon_app::{App, Error, Moved, StoreEnd};
use donjon_domain::SecretId;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{admin::text_of, rotation};

/// Makes one move at a time. It is forgotten when the server stops, and what is
/// left follows from the rows: whoever asks again goes on.
pub(crate) struct Mover {
    rows_per_s: NonZero<u32>,
    /// The one that is under way, or was last.
    run: Mutex<Option<Run>>,
    wake: Notify,
}

/// A move, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) from: StoreEnd,
    pub(crate) to: StoreEnd,
    /// Payloads that wait, as far as is known.
    pub(crate) left: u64,
    pub(crate) moved: u64,
    /// What cannot be moved, and why.
    pub(crate) stuck: BTreeMap<SecretId, String>,
    /// What holds it up now.
    pub(crate) trouble: Option<String>,
    pub(crate) is_done: bool,
}

impl Mover {
    pub(crate) fn new(rows_per_s: NonZero<u32>) -> Self {
        Self {
            rows_per_s,
            run: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// The move that is under way, or was last.
    pub(crate) fn current(&self) -> Option<Run> {
        self.lock().clone()
    }

    /// Begins a move, unless one is under way: that is given then.
    pub(crate) fn begin(&self, fresh: Run) -> Run {
        let mut run = self.lock();
        if let Some(under_way) = run.as_ref().filter(|run| !run.is_done) {
            return under_way.clone();
        }
        *run = Some(fresh.clone());
        self.wake.notify_one();
        fresh
    }

    /// Works until dropped.
    pub(crate) async fn run(&self, app: &Arc<App>) {
        loop {
            let Some(mut run) = self.current().filter(|run| !run.is_done) else {
                self.wake.notified().await;
                continue;
            };
            for _ in 0..WALKS_MAX {
                if !self.walk(app, &mut run).await {
                    break;
                }
            }
            self.end(app, &mut run).await;
        }
    }

    /// One way through all that is in the store; says whether something moved,
    /// for then more may have come in behind it.
    async fn walk(&self, app: &Arc<App>, run: &mut Run) -> bool {
        let (mut after, mut moved) = (None, 0);
        loop {
            let began = Instant::now();
            match step(app, run, after, rotation::batch(self.rows_per_s)).await {
                Ok(Walked { last: None, .. }) => return moved > 0,
                Ok(step) => {
                    run.trouble = None;
                    after = step.last;
                    moved += step.moved;
                    self.note(run);
                    sleep_until(began + rotation::time_of(step.moved, self.rows_per_s)).await;
                }
                Err(error) => {
                    let text = text_of(&error);
                    if run.trouble.as_ref() != Some(&text) {
                        tracing::warn!(error = text, "the move of payloads waits");
                    }
                    run.trouble = Some(text);
                    self.note(run);
                    sleep(BACKOFF).await;
                }
            }
        }
    }

    async fn end(&self, app: &App, run: &mut Run) {
        let mut is_told = false;
        loop {
            match app.moves.count(&run.from).await {
                Ok(left) => {
                    run.left = left;
                    break;
                }
                Err(error) => {
                    if !is_told {
                        let error = text_of(&error);
                        tracing::warn!(error, "what is left of a move cannot be counted yet");
                        is_told = true;
                    }
                    sleep(BACKOFF).await;
                }
            }
        }
        run.is_done = true;
        self.note(run);
        tracing::info!(
            from = run.from.name,
            to = run.to.name,
            moved = run.moved,
            stuck = run.stuck.len(),
            left = run.left,
            "the move of payloads is done"
        );
    }

    fn note(&self, run: &Run) {
        *self.lock() = Some(run.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// How many payloads there are to move.
    ///
    /// # Errors
    /// As storage fails.
    pub(crate) async fn new(app: &App, from: StoreEnd, to: StoreEnd) -> Result<Self, Error> {
        Ok(Self {
            left: app.moves.count(&from).await?,
            from,
            to,
            moved: 0,
            stuck: BTreeMap::new(),
            trouble: None,
            is_done: false,
        })
    }
}

/// Makes a whole move at once, where nobody else works on the data, and removes
/// what it left behind.
///
/// # Errors
/// As storage or a store fails; what was moved before stays so.
pub(crate) async fn finish(app: &Arc<App>, mut run: Run) -> Result<Run, Error> {
    app.outbox.begin().await?;
    let mut after = None;
    loop {
        let walked = step(app, &mut run, after, PAGE).await?;
        after = walked.last;
        while app.outbox.step().await?.removed > 0 {}
        if after.is_none() {
            break;
        }
    }
    run.left = app.moves.count(&run.from).await?;
    run.is_done = true;
    Ok(run)
}

/// A part of a walk.
struct Walked {
    moved: u64,
    /// None where there is nothing more.
    last: Option<SecretId>,
}

/// Moves a page, several payloads at once.
///
/// # Errors
/// What passes; then the same page is due again.
async fn step(
    app: &Arc<App>,
    run: &mut Run,
    after: Option<SecretId>,
    limit: u32,
) -> Result<Walked, Error> {
    let page = app.moves.page(&run.from, after, limit).await?;
    let last = page.last().copied();
    let mut waiting = page.into_iter();
    let (mut moved, mut failure) = (0, None);
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < AT_ONCE && failure.is_none() {
            let Some(id) = waiting.next() else { break };
            if run.stuck.contains_key(&id) {
                continue;
            }
            let (app, from, to) = (Arc::clone(app), run.from.clone(), run.to.clone());
            under_way.spawn(async move { (id, app.moves.move_one(id, &from, &to).await) });
        }
        let Some(ended) = under_way.join_next().await else {
            break;
        };
        let (id, outcome) = ended.map_err(|error| Error::Internal(error.into()))?;
        match outcome {
            Ok(Moved::Moved) => {
                moved += 1;
                run.moved += 1;
                run.left = run.left.saturating_sub(1);
            }
            Ok(Moved::Elsewhere) => run.left = run.left.saturating_sub(1),
            Ok(Moved::Stuck(error)) => {
                let text = text_of(&error);
                tracing::warn!(secret = %id, error = text, "a payload cannot be moved");
                run.stuck.insert(id, text);
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(Walked { moved, last }), Err)
}

impl fmt::Debug for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mover").finish_non_exhaustive()
    }
}

/// Payloads between two looks at what is left.
const PAGE: u32 = 64;
/// Calls of a store wait for the network, not for each other.
const AT_ONCE: usize = 8;
/// What comes in behind a walk is moved by the next; where it comes in all the
/// time, somebody has to change what projects prefer.
const WALKS_MAX: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(2);
