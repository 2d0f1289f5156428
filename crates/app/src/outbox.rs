//! Removes from stores what is no secret's any more, and what never became one.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use donjon_domain::{
    PutId, SecretStoreId, Timestamp,
    ports::{Doomed, Reading, RepositoryError, RepositoryExt, StoreError, StoreErrorKind, Turn},
};

use crate::{Error, core::Core, outside::OutsideStore};

/// Removes doomed payloads.
pub struct Outbox {
    core: Arc<Core>,
    /// When puts that take too long were last looked for.
    doomed_at: Mutex<Option<Timestamp>>,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Payloads that are gone from their stores.
    pub removed: u64,
    /// Those that wait for another attempt.
    pub failed: u64,
    /// Those that are not there and may still arrive, or are still there.
    pub awaited: u64,
}

/// Payloads of secrets that are gone, which wait to be removed from their stores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers(BTreeMap<String, HashSet<PutId>>);

impl Leftovers {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names of stores for people, and how many wait there: 1 or more.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        let stores = self.0.iter();
        stores.map(|(name, puts)| (name.as_str(), puts.len() as u64))
    }

    /// Forgets those that are not among these any more.
    pub fn narrow(&mut self, now: &Self) {
        for (name, puts) in &mut self.0 {
            match now.0.get(name) {
                Some(left) => puts.retain(|put| left.contains(put)),
                None => puts.clear(),
            }
        }
        self.0.retain(|_, puts| !puts.is_empty());
    }
}

impl Outbox {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            doomed_at: Mutex::default(),
        }
    }

    /// Dooms all puts that were begun before: nobody waits for them. To be
    /// called once, before the first request.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn begin(&self) -> Result<u64, Error> {
        if self.core.outside.is_empty() {
            return Ok(0);
        }
        self.doom_until(self.core.clock.now()).await
    }

    /// Removes a part of what is doomed and due, store by store; a store that
    /// does not answer holds up no other. To be called by one caller at a time,
    /// now and then.
    ///
    /// # Errors
    /// As storage fails; what a store does is a part of the result.
    pub async fn step(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        if self.core.outside.is_empty() {
            return Ok(swept);
        }
        let now = self.core.clock.now();
        if self.is_time_to_doom(now) {
            self.doom_until(now.plus_seconds(-PUT_S_MAX)).await?;
        }
        for (id, store) in self.core.outside.iter() {
            for doomed in self.due(id, now).await? {
                match remove(&self.core, store, &doomed, now).await {
                    Ok(Removal::Gone) => {
                        self.forget(&doomed).await?;
                        swept.removed += 1;
                    }
                    Ok(Removal::Awaited) => {
                        self.postpone(&doomed, now.plus_seconds(AWAIT_S)).await?;
                        swept.awaited += 1;
                    }
                    Err(error) => {
                        let rest_s = backoff_s(doomed.attempts);
                        self.postpone(&doomed, now.plus_seconds(rest_s)).await?;
                        swept.failed += 1;
                        tracing::warn!(
                            store = store.name,
                            secret = %doomed.secret,
                            attempts = doomed.attempts + 1,
                            again_in_s = rest_s,
                            error = &error as &dyn std::error::Error,
                            "a payload that is nobody's could not be removed from its store"
                        );
                        if error.kind() == StoreErrorKind::Unavailable {
                            break;
                        }
                    }
                }
            }
        }
        Ok(swept)
    }

    /// Removes all that is due, where nobody else does; gives up where stores fail
    /// again and again.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn empty(&self) -> Result<(), Error> {
        let mut fruitless = 0;
        while fruitless < FRUITLESS_MAX {
            let swept = self.step().await?;
            if swept == Swept::default() {
                break;
            }
            fruitless = if swept.removed > 0 { 0 } else { fruitless + 1 };
        }
        Ok(())
    }

    /// What was secrets' and waits to be removed, due or not. Puts that did not
    /// become a secret's are none of it. Walks all of it.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn leftovers(&self) -> Result<Leftovers, Error> {
        let mut leftovers = Leftovers::default();
        let ever = Timestamp::from_micros(i64::MAX);
        for (id, store) in self.core.outside.iter() {
            let found: Result<_, RepositoryError> = self
                .core
                .repository
                .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                    tx.doomed(id, ever, u32::MAX)
                })
                .await;
            let doomed = found?.into_iter();
            let of_secrets = doomed.filter(|doomed| doomed.begun.is_none());
            let puts: HashSet<_> = of_secrets.map(|doomed| doomed.outside.put).collect();
            if !puts.is_empty() {
                leftovers.0.insert(store.name.clone(), puts);
            }
        }
        Ok(leftovers)
    }

    /// Once a minute: it is a write.
    fn is_time_to_doom(&self, now: Timestamp) -> bool {
        let mut last = self
            .doomed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| now >= last.plus_seconds(AWAIT_S));
        if is_time {
            *last = Some(now);
        }
        is_time
    }

    async fn due(&self, store: SecretStoreId, now: Timestamp) -> Result<Vec<Doomed>, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.doomed(store, now, STEP_MAX)
            })
            .await;
        Ok(found?)
    }

    async fn doom_until(&self, until: Timestamp) -> Result<u64, Error> {
        let written: Result<_, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.doom_puts(until))
            .await;
        Ok(written?)
    }

    async fn forget(&self, doomed: &Doomed) -> Result<(), Error> {
        let put = doomed.outside.put;
        let written: Result<_, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.forget_doomed(put))
            .await;
        written?;
        Ok(())
    }

    async fn postpone(&self, doomed: &Doomed, due: Timestamp) -> Result<(), Error> {
        let put = doomed.outside.put;
        let written: Result<_, RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| tx.postpone_doomed(put, due))
            .await;
        written?;
        Ok(())
    }
}

enum Removal {
    Gone,
    /// Its put may still be on the way, or what was deleted is still found.
    Awaited,
}

/// By its name: where it is was sealed for its project, whose keys may be gone.
async fn remove(
    core: &Core,
    store: &OutsideStore,
    doomed: &Doomed,
    now: Timestamp,
) -> Result<Removal, StoreError> {
    let name = core.outside.name(doomed.secret, doomed.outside.put);
    let mut deleted = 0;
    while let Some(locator) = store.payloads.find(&name).await? {
        if deleted == DOUBLES_MAX {
            return Ok(Removal::Awaited);
        }
        // A put that arrived twice may have left two.
        store.payloads.delete(&locator).await?;
        deleted += 1;
    }
    let is_late = |begun: Timestamp| now < begun.plus_seconds(ARRIVAL_S_MAX);
    Ok(if deleted == 0 && doomed.begun.is_some_and(is_late) {
        Removal::Awaited
    } else {
        Removal::Gone
    })
}

/// Five seconds, then twice as long each time, up to an hour.
fn backoff_s(attempts: u32) -> i64 {
    (5_i64 << attempts.min(10)).min(3_600)
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// Payloads of one name that are deleted in one step.
const DOUBLES_MAX: u32 = 4;
/// Steps that remove nothing.
const FRUITLESS_MAX: u32 = 3;
/// Of one store in one step.
const STEP_MAX: u32 = 100;
/// How long a put may be under way: longer than any request or order waits for
/// a store.
pub(crate) const PUT_S_MAX: i64 = 900;
/// A put that nobody waits for any more arrives within this time, or never.
const ARRIVAL_S_MAX: i64 = 900;
/// How soon to look for one that may still arrive.
const AWAIT_S: i64 = 60;
