//! Changing keys while the server works: the root key, and the key of a project.
//!
//! What is left to do follows from the rows, so a change goes on where it
//! stopped, whatever stopped it. A root key changes in two steps: the
//! installation's row says that the current root key is the one, then KEK after
//! KEK is wrapped by it. A project gets a new KEK, what the old one seals is
//! sealed anew, and then the old one is destroyed.

mod limits;
mod walk;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use donjon_domain::{
    KekId, KekScope, ProjectId, RootKeyId, WrappedKek,
    ports::{ReadTx, Reading, RepositoryError, RepositoryExt, SealedRow, Turn},
};

pub use self::limits::{KeyLimits, WornKey};
use self::walk::{Pass, Walk};
use crate::{Error, core::Core};

/// Changes keys.
pub struct Rotation {
    core: Arc<Core>,
    walk: Mutex<Walk>,
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
    /// How many retired keys there are.
    pub retired_keys: u64,
    /// How many rows all of them seal.
    pub retired_rows: u64,
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
        keys + self.retired_keys + self.retired_rows
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
            .new_deployment(deployment.id, self.core.clock.now())
            .await?;
        let written: Result<bool, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.rewrap_deployment(deployment.root, &moved))
            .await;
        self.walk().begin_root();
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
        // Whoever was first, and whether or not it is known that it happened: what
        // is sealed from now on gets the key that is active now.
        self.core.sealing.forget_active(project);
        if !matches!(written, Ok(false)) {
            self.walk().retire(retired, self.core.clock.now());
        }
        Ok(if written? {
            Begun::Begun
        } else {
            Begun::UnderWay
        })
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
        let keks = self.keks_to_rewrap(limit).await?;
        if !keks.is_empty() {
            return self.rewrap(keks).await;
        }
        loop {
            if self.is_front_ready().await? {
                if let changed @ Step::Changed(_) = self.empty(limit, in_flight_s).await? {
                    return Ok(changed);
                }
                continue;
            }
            match self.walk().end_pass() {
                Pass::Again => {}
                Pass::Waiting => return Ok(Step::Waiting),
                Pass::Nothing => return Ok(Step::Done),
            }
        }
    }

    /// How far everything is.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn status(&self) -> Result<RotationStatus, Error> {
        let current = self.core.sealing.crypto().root();
        let empty = self.walk().empty();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let installed = tx.deployment()?.map_or(current, |found| found.root);
                let root_keys = tx.root_keys()?;
                let mut status = RotationStatus {
                    current,
                    installed,
                    root_keys,
                    retired: Vec::new(),
                    retired_keys: 0,
                    retired_rows: 0,
                };
                for_each_retired(tx, |tx, kek| {
                    let rows = if empty.contains(&kek.id) {
                        0
                    } else {
                        tx.count_sealed_by(&kek)?
                    };
                    status.retired_keys += 1;
                    status.retired_rows += rows;
                    match kek.scope {
                        KekScope::Project(project) if status.retired.len() < RETIRED_MAX => {
                            status.retired.push((project, kek.generation, rows));
                        }
                        _ => {}
                    }
                    Ok(())
                })?;
                Ok(status)
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

    async fn keks_to_rewrap(&self, limit: u32) -> Result<Vec<WrappedKek>, Error> {
        let Some(at) = self.walk().look_at_keys() else {
            return Ok(Vec::new());
        };
        let current = self.core.sealing.crypto().root();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let installed = tx.deployment()?.map(|deployment| deployment.root);
                if installed == Some(current) {
                    tx.keks_not_wrapped_by(current, limit)
                } else {
                    Ok(Vec::new())
                }
            })
            .await;
        let keks = found?;
        if keks.is_empty() {
            // Keys that are made from now on are wrapped by the current one.
            self.walk().all_are_wrapped(at);
        }
        Ok(keks)
    }

    /// Reads more retired KEKs where it has none. `false` where there are no
    /// more in this pass.
    async fn is_front_ready(&self) -> Result<bool, Error> {
        let after = {
            let walk = self.walk();
            if walk.front().is_some() {
                return Ok(true);
            }
            walk.read_behind()
        };
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.retired_keks(after, PAGE)
            })
            .await;
        let keks = found?;
        let is_more = !keks.is_empty();
        self.walk().push(keks);
        Ok(is_more)
    }

    /// Seals anew a part of what the retired KEK at the front seals, and destroys
    /// it when that is nothing.
    async fn empty(&self, limit: u32, in_flight_s: i64) -> Result<Step, Error> {
        let Some((old, after)) = self.walk().front() else {
            return Ok(Step::Done);
        };
        let KekScope::Project(project) = old.scope.clone() else {
            self.walk().leave();
            return Ok(Step::Done);
        };
        if self.is_kept_for_nothing(old.id, in_flight_s) {
            return Ok(Step::Waiting);
        }
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
            if after.is_some() {
                self.walk().start_over();
                return Ok(Step::Changed(0));
            }
            return self.destroy(old.id, in_flight_s).await;
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
        self.walk().has_walked_to(last);
        Ok(Step::Changed(changed))
    }

    /// Whether a KEK was found empty and has to be kept nevertheless.
    fn is_kept_for_nothing(&self, id: KekId, in_flight_s: i64) -> bool {
        let mut walk = self.walk();
        let now = self.core.clock.now();
        let is_kept = walk.is_empty(id) && walk.is_kept(id, now, in_flight_s);
        if is_kept {
            walk.leave_waiting();
        }
        is_kept
    }

    async fn destroy(&self, id: KekId, in_flight_s: i64) -> Result<Step, Error> {
        {
            let mut walk = self.walk();
            if walk.is_kept(id, self.core.clock.now(), in_flight_s) {
                walk.leave_waiting();
                return Ok(Step::Waiting);
            }
        }
        let written: Result<bool, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.destroy_kek(id))
            .await;
        let is_destroyed = written?;
        // Else a late row came in, which the next pass finds.
        self.walk().leave();
        Ok(Step::Changed(u64::from(is_destroyed)))
    }

    fn walk(&self) -> MutexGuard<'_, Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes through all retired KEKs, by id.
fn for_each_retired(
    tx: &mut dyn ReadTx,
    mut visit: impl FnMut(&mut dyn ReadTx, WrappedKek) -> Result<(), RepositoryError>,
) -> Result<(), RepositoryError> {
    let mut after = None;
    loop {
        let keks = tx.retired_keks(after, PAGE)?;
        let Some(last) = keks.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for kek in keks {
            visit(tx, kek)?;
        }
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").finish_non_exhaustive()
    }
}

/// Retired KEKs that are read at once.
const PAGE: u32 = 100;
/// Of those that the status names.
const RETIRED_MAX: usize = 100;

#[cfg(test)]
mod tests;
