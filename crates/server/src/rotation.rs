//! Carries changes of keys through beside the requests, at a bounded pace.

use std::{
    fmt,
    num::NonZero,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use donjon_app::{App, Error, KeyLimits, Step, WornKey};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// Makes the steps of changes that were begun, now or before the last stop.
pub(crate) struct Rotator {
    rows_per_s: NonZero<u32>,
    is_paused: AtomicBool,
    changed: AtomicU64,
    failed_steps: AtomicU64,
    wake: Notify,
}

impl Rotator {
    pub(crate) fn new(rows_per_s: NonZero<u32>) -> Self {
        Self {
            rows_per_s,
            is_paused: AtomicBool::new(false),
            changed: AtomicU64::new(0),
            failed_steps: AtomicU64::new(0),
            wake: Notify::new(),
        }
    }

    /// Something was begun.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// Keys and rows changed so far.
    pub(crate) fn changed(&self) -> u64 {
        self.changed.load(Ordering::Relaxed)
    }

    /// Steps that failed so far.
    pub(crate) fn failed_steps(&self) -> u64 {
        self.failed_steps.load(Ordering::Relaxed)
    }

    /// Works until dropped.
    pub(crate) async fn run(&self, app: &App) {
        let mut rows = 0;
        loop {
            let began = Instant::now();
            if self.is_paused() {
                self.wake.notified().await;
                continue;
            }
            match app.rotation.step(batch(self.rows_per_s), IN_FLIGHT_S).await {
                Ok(Step::Changed(changed)) => {
                    rows += changed;
                    self.changed.fetch_add(changed, Ordering::Relaxed);
                    sleep_until(began + time_of(changed, self.rows_per_s)).await;
                }
                Ok(Step::Waiting) => self.rest(PULSE).await,
                Ok(Step::Done) => {
                    if rows > 0 {
                        tracing::info!(rows, "the change of keys is done");
                        rows = 0;
                    }
                    self.wake.notified().await;
                }
                Err(error) => {
                    self.failed_steps.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the change of keys waits"
                    );
                    self.rest(BACKOFF).await;
                }
            }
        }
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = sleep(time) => {}
        }
    }
}

/// At a slow pace, a few rows often rather than many after a long while.
pub(crate) fn batch(rows_per_s: NonZero<u32>) -> u32 {
    (rows_per_s.get() / BATCHES_PER_S).clamp(1, BATCH_MAX)
}

/// How long so many rows take at this pace.
pub(crate) fn time_of(rows: u64, rows_per_s: NonZero<u32>) -> Duration {
    let micros = rows.saturating_mul(1_000_000) / u64::from(rows_per_s.get());
    Duration::from_micros(micros)
}

/// Makes all steps at once, where nobody else works on the data.
///
/// # Errors
/// As a step fails; what was changed before stays so.
pub(crate) async fn finish(app: &App) -> Result<(), Error> {
    while app.rotation.step(BATCH_MAX, 0).await? != Step::Done {}
    Ok(())
}

/// The keys past these limits, a line each.
///
/// # Errors
/// As storage fails.
pub(crate) async fn worn_keys(app: &App, limits: KeyLimits) -> Result<Vec<String>, Error> {
    let worn = app.rotation.worn_keys(limits, WORN_MAX).await?;
    Ok(worn.iter().map(describe).collect())
}

fn describe(key: &WornKey) -> String {
    match key {
        WornKey::Root { id, age_s } => format!(
            "root key {id} has been in use for {} days; it is time for another one (`donjon root-key new`)",
            age_s / DAY_S
        ),
        WornKey::Project {
            project,
            generation,
            age_s,
            rows,
        } => format!(
            "key {generation} of project {project} is {} days old and seals {rows} secrets; it is time for another \
             one (`donjon rotate project --project {project}`)",
            age_s / DAY_S
        ),
    }
}

impl fmt::Debug for Rotator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotator").finish_non_exhaustive()
    }
}

/// Rows in one transaction: requests wait no longer for it than for each other.
const BATCH_MAX: u32 = 64;
/// At the default pace 10 rows: with 40 the slowest of a hundred requests took three
/// times as long as without a change, beside 200 in a second.
const BATCHES_PER_S: u32 = 200;
/// Longer than a request may take between sealing and storing. What is later
/// still is refused by storage, not lost.
const IN_FLIGHT_S: i64 = 45;
const PULSE: Duration = Duration::from_secs(1);
const BACKOFF: Duration = Duration::from_secs(10);
const DAY_S: i64 = 86_400;
/// Of the keys of projects past their limits that are named.
const WORN_MAX: u32 = 20;
