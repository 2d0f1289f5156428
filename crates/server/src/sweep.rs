//! Removes beside the requests, at a bounded pace, what projects left behind that
//! Keystone has deleted.

use std::{
    fmt,
    num::{NonZero, NonZeroU32},
    time::Duration,
};

use anyhow::Result;
use donjon_app::{App, DepartureRules, Outlook, SurveyError};
use donjon_auth_keystone::Keystone;
use donjon_domain::{
    ProjectId, Timestamp,
    ports::{Presence, ProjectDirectory, Removal},
};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::config::SweepSettings;

/// Asks Keystone, and removes.
pub(crate) struct Sweeper {
    keystone: Keystone,
    settings: SweepSettings,
    wake: Notify,
}

impl Sweeper {
    pub(crate) fn new(keystone: Keystone, settings: SweepSettings) -> Self {
        Self {
            keystone,
            settings,
            wake: Notify::new(),
        }
    }

    /// The next sweep is now.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Works until dropped, which is safe at every point: what is left to do is
    /// found again.
    pub(crate) async fn run(&self, app: &App) {
        let mut sweeps = interval(self.settings.interval);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notes = interval(NOTES_PULSE);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_due = tokio::select! {
                _ = sweeps.tick() => true,
                () = self.wake.notified() => true,
                _ = notes.tick() => false,
            };
            let done = if is_due {
                self.sweep(app).await
            } else {
                self.note_seen(app).await
            };
            if let Err(error) = done {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "nothing is removed of deleted projects before the next sweep"
                );
            }
        }
    }

    async fn sweep(&self, app: &App) -> Result<()> {
        self.note_seen(app).await?;
        let survey = app.departures.survey(&self.keystone).await?;
        let outlook = survey.outlook(self.settings.rules);
        app.departures.note(&survey, &outlook).await?;
        report(&outlook);
        if outlook.is_implausible {
            return Ok(());
        }
        for (project, since) in &outlook.due {
            self.remove(app, project, *since).await?;
        }
        Ok(())
    }

    /// Whoever has a valid token is known to Keystone.
    async fn note_seen(&self, app: &App) -> Result<()> {
        let seen = self.keystone.take_projects();
        Ok(app.departures.confirm(&seen).await?)
    }

    async fn remove(&self, app: &App, project: &ProjectId, since: Timestamp) -> Result<()> {
        let holdings = app.departures.holdings(project).await?;
        if holdings.has_token {
            tracing::warn!(
                %project,
                "keystone has deleted a project on which a local token acts: it stays until that ends"
            );
            return Ok(());
        }
        let (mut rows, mut since_look) = (0, ROWS_BETWEEN_LOOKS);
        loop {
            if since_look >= ROWS_BETWEEN_LOOKS {
                since_look = 0;
                self.note_seen(app).await?;
                // The sweep may have begun long ago.
                if !self.is_still_absent(app, project).await? {
                    tracing::info!(%project, rows, "the project is not removed any further: keystone knows it again");
                    return Ok(());
                }
            }
            match app.departures.remove_some(project, since, BATCH).await? {
                Removal::Removed(0) => {
                    tracing::error!(%project, rows, "registrations are counted, and not found");
                    return Ok(());
                }
                Removal::Removed(removed) => {
                    rows += removed;
                    since_look += removed;
                    sleep(PAUSE).await;
                }
                Removal::Spared => {
                    tracing::info!(%project, rows, "the project is not removed any further: somebody acts on it");
                    return Ok(());
                }
                Removal::Registered => sleep(PAUSE).await,
                Removal::Done => break,
            }
        }
        tracing::info!(
            %project,
            missed = format!("{since}Z"),
            secrets = holdings.secrets,
            containers = holdings.containers,
            orders = holdings.orders,
            consumers = holdings.consumers,
            keys = holdings.keks,
            "keystone has deleted the project: what it owned is removed, its keys are destroyed"
        );
        Ok(())
    }

    async fn is_still_absent(&self, app: &App, project: &ProjectId) -> Result<bool> {
        let presence = self.keystone.look_up(project).await?;
        if presence == Presence::Present {
            app.departures
                .confirm(std::slice::from_ref(project))
                .await?;
        }
        Ok(presence == Presence::Absent)
    }
}

fn report(outlook: &Outlook) {
    let missed = outlook.waiting.len() + outlook.due.len();
    if outlook.is_implausible {
        tracing::error!(
            known = outlook.present,
            missed_now = outlook.fresh.len(),
            missed_before = missed,
            "keystone does not know too many projects at once, which looks like another keystone or \
             one that lost its data: nothing is noted or removed (sweep.missing_percent_max)"
        );
        return;
    }
    for project in &outlook.fresh {
        tracing::warn!(%project, "keystone does not know the project any more");
    }
    for project in &outlook.returned {
        tracing::info!(%project, "keystone knows the project again");
    }
    tracing::debug!(
        known = outlook.present,
        missed_now = outlook.fresh.len(),
        missed_before = missed,
        others = outlook.strangers.len(),
        "asked keystone about projects"
    );
}

/// What a sweep would do now, and later, as far as one can tell: changes nothing.
///
/// # Errors
/// Keystone or storage does not say.
pub(crate) async fn forecast(
    app: &App,
    directory: &dyn ProjectDirectory,
    rules: DepartureRules,
) -> Result<Outlook, SurveyError> {
    Ok(app.departures.survey(directory).await?.forecast(rules))
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

/// Rows in one transaction: requests wait no longer for it than for each other.
const BATCH: NonZeroU32 = NonZero::new(64).unwrap();
/// Between two transactions, so that removing is the least of what the disk does.
const PAUSE: Duration = Duration::from_millis(20);
/// Keystone is asked again whether the project is gone.
const ROWS_BETWEEN_LOOKS: u64 = 1_000;
/// Projects of valid tokens are noted so often.
const NOTES_PULSE: Duration = Duration::from_secs(60);
