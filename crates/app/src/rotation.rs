//! Changing keys while the server works: the root key, and the key of a project.
//!
//! What is left to do follows from the rows, so a change goes on where it
//! stopped, whatever stopped it. A root key changes in two steps: the
//! installation's row says that the current root key is the one, then KEK after
//! KEK is wrapped by it. A project gets a new KEK, what the old one seals is
//! sealed anew, and then the old one is destroyed.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use donjon_domain::{
    KekId, KekScope, ProjectId, RootKeyId, Timestamp, WrappedKek,
    ports::{Reading, RepositoryError, RepositoryExt, SealedObject, SealedRow, Turn},
};

use crate::{Error, core::Core};

/// Changes keys.
pub struct Rotation {
    core: Arc<Core>,
    /// When KEKs were retired by this process: requests on the way may hold
    /// what they sealed.
    retired: Mutex<HashMap<KekId, Timestamp>>,
    /// How far the walk through what a KEK seals got.
    walk: Mutex<Option<(KekId, SealedObject)>>,
}

/// What came of asking for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It goes on from here by [`Rotation::step`].
    Begun,
    /// It was begun before and is not finished.
    UnderWay,
    /// There is nothing to change: the root key is the one in use already, or
    /// the project has no key yet.
    Nothing,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many rows changed; there is more to do.
    Changed(u64),
    /// What is left has to wait for requests on the way, a minute at most.
    Waiting,
    /// Nothing is left.
    Done,
}

/// How far changes of keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStatus {
    /// The root key that new keys are wrapped with.
    pub current: RootKeyId,
    /// The one that the installation was last moved to. Another one than
    /// `current` means that the change was not asked for yet.
    pub installed: RootKeyId,
    /// How many keys each root key wraps.
    pub root_keys: Vec<(RootKeyId, u64)>,
    /// Retired keys of projects, with how many rows they still seal. Not more
    /// than a hundred.
    pub retired: Vec<(ProjectId, u32, u64)>,
}

impl RotationStatus {
    /// How many keys and rows wait for a change that was begun.
    #[must_use]
    pub fn left(&self) -> u64 {
        let keys = if self.installed == self.current {
            self.others()
        } else {
            0
        };
        // A retired key without rows waits for its end.
        let rows = self.retired.iter().map(|(_, _, rows)| rows + 1);
        keys + rows.sum::<u64>()
    }

    /// How many keys other root keys than the current one wrap.
    #[must_use]
    pub fn others(&self) -> u64 {
        let others = self
            .root_keys
            .iter()
            .filter(|(root, _)| *root != self.current);
        others.map(|(_, keys)| keys).sum()
    }
}

impl Rotation {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            retired: Mutex::default(),
            walk: Mutex::default(),
        }
    }

    /// Moves the installation to the current root key. Keys follow in steps.
    ///
    /// # Errors
    /// As storage or the crypto plugin fails.
    pub async fn begin_root(&self) -> Result<Begun, Error> {
        let current = self.core.sealing.crypto().root();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let keks = tx.keks_not_wrapped_by(current, 1)?;
                Ok((tx.deployment()?, !keks.is_empty()))
            })
            .await;
        let (deployment, is_left) = found?;
        let Some(deployment) = deployment else {
            return Ok(Begun::Nothing);
        };
        if deployment.root == current {
            return Ok(if is_left {
                Begun::UnderWay
            } else {
                Begun::Nothing
            });
        }
        let crypto = self.core.sealing.crypto();
        let moved = crypto
            .new_deployment(deployment.id, deployment.created)
            .await?;
        let written: Result<bool, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.rewrap_deployment(deployment.root, &moved))
            .await;
        Ok(if written? {
            Begun::Begun
        } else {
            Begun::UnderWay
        })
    }

    /// Gives a project a new key. What the old one seals follows in steps.
    ///
    /// # Errors
    /// As storage or the crypto plugin fails.
    pub async fn begin_project(&self, project: &ProjectId) -> Result<Begun, Error> {
        let scope = KekScope::Project(project.clone());
        let wanted = scope.clone();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.active_kek(&wanted))
            .await;
        let Some(old) = found? else {
            return Ok(Begun::Nothing);
        };
        let id = KekId::from_uuid(self.core.entropy.uuid_v4());
        let crypto = self.core.sealing.crypto();
        let now = self.core.clock.now();
        let fresh = crypto
            .new_kek(id, scope, old.generation.saturating_add(1), now)
            .await?;
        let retired = old.id;
        let written: Result<bool, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| {
                let is_first = tx.retire_kek(old.id)?;
                if is_first {
                    tx.insert_kek(&fresh)?;
                }
                Ok(is_first)
            })
            .await;
        let is_first = written?;
        // Whoever was first: what is sealed from now on gets the new key.
        self.core.sealing.forget_active(project);
        if !is_first {
            return Ok(Begun::UnderWay);
        }
        lock(&self.retired).insert(retired, self.core.clock.now());
        Ok(Begun::Begun)
    }

    /// The projects that have keys, up to `limit` of them behind `after`, by
    /// name.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn projects(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<ProjectId>, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.projects_with_keks(after.as_ref(), limit)
            })
            .await;
        Ok(found?)
    }

    /// Changes up to `limit` (1 or more) rows of whatever was begun, in one
    /// transaction. To be called by one caller at a time, until nothing is left.
    /// `in_flight_s` is how many seconds a request may take between sealing
    /// and storing; 0 where there are none. A retired key is kept for so long.
    ///
    /// # Errors
    /// As storage or the crypto plugin fails; what was changed before stays so.
    pub async fn step(&self, limit: u32, in_flight_s: i64) -> Result<Step, Error> {
        let current = self.core.sealing.crypto().root();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let installed = tx.deployment()?.map(|deployment| deployment.root);
                let keks = if installed == Some(current) {
                    tx.keks_not_wrapped_by(current, limit)?
                } else {
                    Vec::new()
                };
                Ok((keks, tx.retired_keks(STEP_KEKS_MAX)?))
            })
            .await;
        let (keks, retired) = found?;
        if !keks.is_empty() {
            return self.rewrap(keks).await;
        }
        let mut step = Step::Done;
        for kek in retired {
            match self.empty(kek, limit, in_flight_s).await? {
                Step::Done => {}
                Step::Waiting => step = Step::Waiting,
                changed @ Step::Changed(_) => return Ok(changed),
            }
        }
        Ok(step)
    }

    /// How far everything is.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn status(&self) -> Result<RotationStatus, Error> {
        let current = self.core.sealing.crypto().root();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let installed = tx.deployment()?.map_or(current, |found| found.root);
                let root_keys = tx.root_keys()?;
                let mut retired = Vec::new();
                for kek in tx.retired_keks(STATUS_KEKS_MAX)? {
                    let left = tx.count_sealed_by(&kek)?;
                    if let KekScope::Project(project) = kek.scope {
                        retired.push((project, kek.generation, left));
                    }
                }
                Ok(RotationStatus {
                    current,
                    installed,
                    root_keys,
                    retired,
                })
            })
            .await;
        Ok(found?)
    }

    async fn rewrap(&self, keks: Vec<WrappedKek>) -> Result<Step, Error> {
        let crypto = self.core.sealing.crypto();
        let mut pairs = Vec::with_capacity(keks.len());
        for old in keks {
            let new = crypto.rewrap(&old).await?;
            pairs.push((old, new));
        }
        let written: Result<u64, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| {
                let mut changed = 0;
                for (old, new) in &pairs {
                    changed += u64::from(tx.rewrap_kek(old, new)?);
                }
                Ok(changed)
            })
            .await;
        Ok(Step::Changed(written?))
    }

    /// Seals anew a part of what a retired KEK seals, and destroys it when that
    /// is nothing.
    async fn empty(&self, old: WrappedKek, limit: u32, in_flight_s: i64) -> Result<Step, Error> {
        let KekScope::Project(project) = old.scope.clone() else {
            return Ok(Step::Done);
        };
        let after = self.walked(old.id);
        let kek = old.clone();
        let found: Result<Vec<SealedRow>, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.sealed_by(&kek, after, limit)
            })
            .await;
        let rows = found?;
        let Some(last) = rows.last().map(|row| row.object) else {
            *lock(&self.walk) = None;
            // The walk may have begun behind rows that came in meanwhile.
            return if after.is_some() {
                Ok(Step::Changed(0))
            } else {
                self.destroy(old.id, in_flight_s).await
            };
        };
        let mut resealed = Vec::with_capacity(rows.len());
        for row in rows {
            let new = self.core.sealing.reseal(&project, &row).await?;
            resealed.push((row, new));
        }
        let written: Result<u64, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| {
                let mut changed = 0;
                for (row, new) in &resealed {
                    changed += u64::from(tx.reseal(row.object, &row.sealed, new)?);
                }
                Ok(changed)
            })
            .await;
        let changed = written?;
        *lock(&self.walk) = Some((old.id, last));
        Ok(Step::Changed(changed))
    }

    async fn destroy(&self, id: KekId, in_flight_s: i64) -> Result<Step, Error> {
        let retired = lock(&self.retired).get(&id).copied();
        let now = self.core.clock.now();
        if retired.is_some_and(|at| now < at.plus_seconds(in_flight_s)) {
            return Ok(Step::Waiting);
        }
        let written: Result<bool, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.destroy_kek(id))
            .await;
        let is_destroyed = written?;
        if is_destroyed {
            lock(&self.retired).remove(&id);
        }
        // Else a late row came in, and is next.
        Ok(Step::Changed(u64::from(is_destroyed)))
    }

    fn walked(&self, kek: KekId) -> Option<SealedObject> {
        lock(&self.walk)
            .filter(|(id, _)| *id == kek)
            .map(|(_, last)| last)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").finish_non_exhaustive()
    }
}

/// Retired KEKs that are looked at in one step.
const STEP_KEKS_MAX: u32 = 1_000;
const STATUS_KEKS_MAX: u32 = 100;

#[cfg(test)]
mod tests;
