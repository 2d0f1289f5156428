//! Removing what projects leave behind that the identity service has deleted.
//!
//! Nothing goes on one word: a project has to be one that the service once knew,
//! that it said again and again, over a configured time, not to know, and that is
//! not one of too many at once. Whatever else the service answers, or if it does
//! not, nothing happens. What is left to do follows from the rows, so a removal
//! goes on where it stopped.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use donjon_domain::{
    ProjectId, Timestamp,
    ports::{
        DirectoryError, Holdings, OwningProject, Presence, ProjectDirectory, Reading, Registration,
        Removal, RemovalCause, RepositoryError, RepositoryExt, Standing, Turn, WriteTx,
    },
};

use crate::{Error, core::Core};

/// Finds and removes what deleted projects left.
pub struct Departures {
    core: Arc<Core>,
    /// What the clock said at the last survey that was noted: a clock that is ahead
    /// for a while removes nothing.
    surveyed: Mutex<Option<Timestamp>>,
}

/// What the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepartureRules {
    /// How many seconds a project has to be missed before anything goes.
    pub delay_s: i64,
    /// Of those that were known before, how many of a hundred may be missed at
    /// once, 0 to 100; more than that look like a fault of the identity service.
    pub missing_percent_max: u32,
}

/// What the identity service says of all projects that own something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// When it began.
    pub at: Timestamp,
    /// What the clock said at the survey that was noted before, in this process.
    pub before: Option<Timestamp>,
    /// Each project, by id.
    pub answers: Vec<(OwningProject, Presence)>,
}

/// What follows from a survey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// How many the service has.
    pub present: u64,
    /// How many nothing is said about, that were never known there: projects of
    /// local tokens, for instance. They stay.
    pub strangers: Vec<ProjectId>,
    /// How many were known there, and nothing follows from the answer.
    pub unclear: u64,
    /// Those that are to be noted as known.
    pub confirmed: Vec<ProjectId>,
    /// Those of them that were missed.
    pub returned: Vec<ProjectId>,
    /// Those that are missed for the first time.
    pub fresh: Vec<ProjectId>,
    /// Those that are missed, since when, and for less than the delay.
    pub waiting: Vec<(ProjectId, Timestamp)>,
    /// Those that are missed for long enough, and since when.
    pub due: Vec<(ProjectId, Timestamp)>,
    /// Whether it looks like a fault of the identity service: then nothing may be
    /// noted or removed.
    pub is_implausible: bool,
}

/// There is no survey.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The identity service does not say.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Storage does not.
    #[error(transparent)]
    Storage(#[from] Error),
}

impl Departures {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            surveyed: Mutex::new(None),
        }
    }

    /// Asks the identity service about all projects that own something, one after
    /// the other. One answer that is none ends it. Changes nothing.
    ///
    /// # Errors
    /// [`SurveyError`].
    pub async fn survey(&self, directory: &dyn ProjectDirectory) -> Result<Survey, SurveyError> {
        let at = self.core.clock.now();
        let mut answers = Vec::new();
        let mut after = None;
        loop {
            let found: Result<_, RepositoryError> = self
                .core
                .repository
                .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                    tx.owning_projects(after.as_ref(), PAGE)
                })
                .await;
            let owners = found.map_err(Error::from)?;
            after = owners.last().map(|owner| owner.project.clone());
            if after.is_none() {
                break;
            }
            for owner in owners {
                let presence = directory.look_up(&owner.project).await?;
                answers.push((owner, presence));
            }
        }
        let before = *self.surveyed();
        Ok(Survey {
            at,
            before,
            answers,
        })
    }

    /// Notes what follows from a survey, but for its time nothing where that is
    /// implausible.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn note(&self, survey: &Survey, outlook: &Outlook) -> Result<(), Error> {
        *self.surveyed() = Some(survey.at);
        if outlook.is_implausible {
            return Ok(());
        }
        self.confirm(&outlook.confirmed).await?;
        let since = survey.at;
        for part in outlook.fresh.chunks(BATCH) {
            let part = part.to_vec();
            self.write(move |tx| {
                for project in &part {
                    tx.miss_project(project, since)?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Notes that the identity service knows these projects.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn confirm(&self, projects: &[ProjectId]) -> Result<(), Error> {
        for part in projects.chunks(BATCH) {
            let part = part.to_vec();
            self.write(move |tx| {
                for project in &part {
                    // Most are known, and reading is cheaper.
                    if tx.standing(project)? != Standing::Confirmed {
                        tx.confirm_project(project)?;
                    }
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// What a project owns.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn holdings(&self, project: &ProjectId) -> Result<Holdings, Error> {
        let (project, now) = (project.clone(), self.core.clock.now());
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.holdings(&project, now)
            })
            .await;
        Ok(found?)
    }

    /// Removes up to `limit` rows of what a project owns that is missed since
    /// then, in one transaction; its keys when nothing else is left.
    ///
    /// # Errors
    /// As storage fails; what was removed before is.
    pub async fn remove_some(
        &self,
        project: &ProjectId,
        since: Timestamp,
        limit: NonZeroU32,
    ) -> Result<Removal, Error> {
        self.remove(project, RemovalCause::Missed(since), limit)
            .await
    }

    /// The same for a project that the operator wants to be gone, whatever the
    /// identity service says. Never gives [`Removal::Spared`].
    ///
    /// # Errors
    /// As storage fails; what was removed before is.
    pub async fn purge_some(
        &self,
        project: &ProjectId,
        limit: NonZeroU32,
    ) -> Result<Removal, Error> {
        self.remove(project, RemovalCause::Ordered, limit).await
    }

    async fn remove(
        &self,
        project: &ProjectId,
        cause: RemovalCause,
        limit: NonZeroU32,
    ) -> Result<Removal, Error> {
        let now = self.core.clock.now();
        let of = project.clone();
        let removal = self
            .write(move |tx| tx.remove_from_project(&of, cause, now, limit))
            .await?;
        match removal {
            Removal::Registered => self.remove_registrations(project, cause, limit).await,
            Removal::Done => {
                // Whoever comes after gets a key that is there.
                self.core.sealing.forget_project(project);
                Ok(removal)
            }
            Removal::Removed(_) | Removal::Spared => Ok(removal),
        }
    }

    /// They are looked for in all there are, which is nothing for a transaction
    /// that others wait for.
    async fn remove_registrations(
        &self,
        project: &ProjectId,
        cause: RemovalCause,
        limit: NonZeroU32,
    ) -> Result<Removal, Error> {
        let of = project.clone();
        let found: Result<Vec<Registration>, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.registrations_of(&of, limit.get())
            })
            .await;
        let (found, of) = (found?, project.clone());
        self.write(move |tx| {
            if let RemovalCause::Missed(since) = cause
                && tx.standing(&of)? != Standing::Missed(since)
            {
                return Ok(Removal::Spared);
            }
            let mut removed = 0;
            for registration in &found {
                removed += u64::from(match registration {
                    Registration::Secret(id, consumer) => {
                        tx.delete_secret_consumer(*id, consumer)?
                    }
                    Registration::Container(id, consumer) => {
                        tx.delete_container_consumer(*id, consumer)?
                    }
                });
            }
            Ok(Removal::Removed(removed))
        })
        .await
    }

    fn surveyed(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.surveyed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut dyn WriteTx) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.core.repository.write_with(job).await?)
    }
}

impl Survey {
    /// What follows, under these rules. What is due now was so by the clock of
    /// the survey before too; without one, nothing is.
    #[must_use]
    pub fn outlook(&self, rules: DepartureRules) -> Outlook {
        let horizon = self.before.map(|before| before.min(self.at));
        self.judge(rules, horizon)
    }

    /// What would follow if the survey before were long ago: what will go, and
    /// when, as far as one can tell today.
    #[must_use]
    pub fn forecast(&self, rules: DepartureRules) -> Outlook {
        self.judge(rules, Some(self.at))
    }

    fn judge(&self, rules: DepartureRules, now: Option<Timestamp>) -> Outlook {
        let horizon = now.map(|now| now.plus_seconds(-rules.delay_s));
        let mut outlook = Outlook::default();
        for (owner, presence) in &self.answers {
            let project = owner.project.clone();
            match (presence, owner.standing) {
                (Presence::Present, standing) => {
                    outlook.present += 1;
                    if matches!(standing, Standing::Missed(_)) {
                        outlook.returned.push(project.clone());
                    }
                    if standing != Standing::Confirmed {
                        outlook.confirmed.push(project);
                    }
                }
                (Presence::Absent | Presence::Unclear, Standing::Unconfirmed) => {
                    outlook.strangers.push(project);
                }
                (Presence::Unclear, _) => outlook.unclear += 1,
                (Presence::Absent, Standing::Confirmed) => outlook.fresh.push(project),
                (Presence::Absent, Standing::Missed(since)) => {
                    if horizon.is_some_and(|horizon| since <= horizon) {
                        outlook.due.push((project, since));
                    } else {
                        outlook.waiting.push((project, since));
                    }
                }
            }
        }
        outlook.is_implausible = outlook.is_implausible(rules.missing_percent_max);
        outlook
    }
}

impl Outlook {
    /// Projects are deleted one by one: where many vanish at once, or none is
    /// left, another Keystone answers, or one that has lost its data.
    fn is_implausible(&self, percent_max: u32) -> bool {
        let fresh = self.fresh.len() as u64;
        let missed = fresh + (self.waiting.len() + self.due.len()) as u64;
        let is_nobody_left = self.present == 0 && missed > 0 && percent_max < 100;
        is_nobody_left || fresh * 100 > u64::from(percent_max) * (fresh + self.present)
    }
}

impl fmt::Debug for Departures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Departures").finish_non_exhaustive()
    }
}

/// Projects that are read at once.
const PAGE: u32 = 100;
/// Projects that are noted in one transaction.
const BATCH: usize = 64;

#[cfg(test)]
mod tests;
