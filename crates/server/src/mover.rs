//! Carries a move of payloads between stores through beside the requests, at a
//! bounded pace.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    /// Payloads that cannot be moved.
    pub(crate) stuck: u64,
    /// Some of them, and why; the log has all.
    pub(crate) shown: Vec<(SecretId, String)>,
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
            let mut tries = Tries::default();
            for _ in 0..WALKS_MAX {
                if !self.walk(app, &mut run, &mut tries).await {
                    break;
                }
            }
            self.end(app, &mut run).await;
        }
    }

    /// One way through all that is in the store; says whether something moved,
    /// for then more may have come in behind it.
    async fn walk(&self, app: &Arc<App>, run: &mut Run, tries: &mut Tries) -> bool {
        let (mut after, mut moved) = (None, 0);
        loop {
            let began = Instant::now();
            let batch = rotation::batch(self.rows_per_s);
            match step(app, run, tries, after, batch).await {
                Ok(step) => {
                    moved += step.moved;
                    if let Some(error) = step.again {
                        self.wait(run, &error).await;
                        continue;
                    }
                    run.trouble = tries.is_over().then(|| OVER.to_owned());
                    if step.last.is_none() || tries.is_over() {
                        return moved > 0 && !tries.is_over();
                    }
                    after = step.last;
                    self.note(run);
                    sleep_until(began + rotation::time_of(step.tried, self.rows_per_s)).await;
                }
                Err(error) => self.wait(run, &error).await,
            }
        }
    }

    async fn wait(&self, run: &mut Run, error: &Error) {
        let text = text_of(error);
        if run.trouble.as_ref() != Some(&text) {
            tracing::warn!(error = text, "the move of payloads waits");
        }
        run.trouble = Some(text);
        self.note(run);
        sleep(pause()).await;
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
                    sleep(pause()).await;
                }
            }
        }
        run.is_done = true;
        self.note(run);
        tracing::info!(
            from = run.from.name,
            to = run.to.name,
            moved = run.moved,
            stuck = run.stuck,
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
            stuck: 0,
            shown: Vec::new(),
            trouble: None,
            is_done: false,
        })
    }

    fn note_stuck(&mut self, id: SecretId, error: &Error) {
        let text = text_of(error);
        tracing::warn!(secret = %id, error = text, "a payload cannot be moved");
        self.stuck += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push((id, text));
        }
    }
}

/// What is known of single payloads while a move is made.
#[derive(Default)]
struct Tries {
    stuck: BTreeSet<SecretId>,
    /// How often those of one page failed that are due again.
    failures: BTreeMap<SecretId, u32>,
    /// Payloads that stores refused since one moved.
    refused: u32,
}

impl Tries {
    /// Whether it makes no sense to go on.
    fn is_over(&self) -> bool {
        self.refused >= REFUSED_MAX
    }

    /// Whether it failed often enough.
    fn fail(&mut self, id: SecretId) -> bool {
        let failures = self.failures.entry(id).or_default();
        *failures += 1;
        *failures >= TRIES_MAX
    }
}

/// Makes a whole move at once, where nobody else works on the data, and removes
/// what it left behind.
///
/// # Errors
/// As storage or a store fails; what was moved before stays so.
pub(crate) async fn finish(app: &Arc<App>, mut run: Run) -> Result<Run, Error> {
    app.outbox.begin().await?;
    let (mut after, mut tries) = (None, Tries::default());
    loop {
        let walked = step(app, &mut run, &mut tries, after, PAGE).await?;
        while app.outbox.step().await?.removed > 0 {}
        if let Some(error) = walked.again {
            run.trouble = Some(text_of(&error));
            sleep(pause()).await;
            continue;
        }
        run.trouble = tries.is_over().then(|| OVER.to_owned());
        after = walked.last;
        if after.is_none() || tries.is_over() {
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
    /// Those among them, and what cannot be moved.
    tried: u64,
    /// Why something failed of which it is not known yet whether it can be moved:
    /// the same page is due again.
    again: Option<Error>,
    /// None where there is nothing more.
    last: Option<SecretId>,
}

/// Moves a page, several payloads at once; after trouble one at a time, for several
/// that a store does not answer for keep it from answering for others.
///
/// # Errors
/// What passes; then the same page is due again.
async fn step(
    app: &Arc<App>,
    run: &mut Run,
    tries: &mut Tries,
    after: Option<SecretId>,
    limit: u32,
) -> Result<Walked, Error> {
    let page = app.moves.page(&run.from, after, limit).await?;
    let last = page.last().copied();
    let mut waiting = page.into_iter();
    let at_once = if run.trouble.is_some() { 1 } else { AT_ONCE };
    let (mut moved, mut tried) = (0, 0);
    let (mut again, mut failure) = (None, None);
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < at_once && failure.is_none() && !tries.is_over() {
            let Some(id) = waiting.next() else { break };
            if tries.stuck.contains(&id) {
                continue;
            }
            let (app, from, to) = (Arc::clone(app), run.from.clone(), run.to.clone());
            under_way.spawn(async move { (id, app.moves.move_one(id, &from, &to).await) });
        }
        let Some(ended) = under_way.join_next().await else {
            break;
        };
        let (id, outcome) = ended.map_err(|error| Error::Internal(error.into()))?;
        let (error, is_refusal) = match outcome {
            Ok(Moved::Moved) => {
                moved += 1;
                tried += 1;
                tries.refused = 0;
                run.moved += 1;
                run.left = run.left.saturating_sub(1);
                continue;
            }
            Ok(Moved::Elsewhere) => {
                run.left = run.left.saturating_sub(1);
                continue;
            }
            Ok(Moved::Stuck(error)) => (error, false),
            Ok(Moved::Refused(error)) => (error, true),
            Err(error) if !app.moves.is_of_payload(&error, &run.from, &run.to).await => {
                failure = Some(error);
                continue;
            }
            Err(error) if !tries.fail(id) => {
                again = Some(error);
                continue;
            }
            Err(error) => (error, true),
        };
        tried += 1;
        tries.refused += u32::from(is_refusal);
        tries.stuck.insert(id);
        run.note_stuck(id, &error);
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if again.is_none() {
        tries.failures.clear();
    }
    Ok(Walked {
        moved,
        tried,
        again: again.filter(|_| !tries.is_over()),
        last,
    })
}

/// Longer than any store is left alone after it failed, and never the same: this
/// is not to be the one that asks it first each time.
fn pause() -> Duration {
    let mut byte = [0];
    // Without randomness it is but the longest one.
    let byte = getrandom::fill(&mut byte).map_or(u8::MAX, |()| byte[0]);
    BACKOFF + Duration::from_millis(u64::from(byte) * 8)
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
const BACKOFF: Duration = Duration::from_secs(6);
/// Failures of one payload, while its stores answer for others, until it is stuck.
const TRIES_MAX: u32 = 3;
/// Then it is the stores' matter, not that of payloads.
const REFUSED_MAX: u32 = 100;
const OVER: &str = "100 payloads one after the other were refused, so this move has ended; see what the stores want, and \
     repeat it";
const SHOWN_MAX: usize = 20;
