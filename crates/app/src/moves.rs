//! Moving payloads from one secret store to another, while the server works.
//!
//! What is left to do follows from the rows, so a move that was cut off is begun
//! again and goes on. A payload is put where it goes and read there once, then its
//! row is exchanged in one transaction, which dooms what it leaves behind: at every
//! moment the row names a payload that is whole.

use std::{fmt, sync::Arc};

use donjon_domain::{
    SecretId, SecretStoreId, StoredPayload,
    ports::{Reading, RepositoryError, RepositoryExt, StoreError, StoreErrorKind, Turn},
};

use crate::{
    Error, Missing,
    core::Core,
    outside::{MOVES_MAX, Placed},
};

/// Moves payloads.
pub struct Moves {
    core: Arc<Core>,
}

/// A store that is configured, as one end of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreEnd {
    /// Its name for people.
    pub name: String,
    /// Whether secrets of projects without a preference go here.
    pub is_global_default: bool,
    /// None is the database.
    pub(crate) outside: Option<SecretStoreId>,
}

/// What became of one payload.
#[derive(Debug)]
pub enum Moved {
    /// It is in the other store, and what was in this one is gone or doomed.
    Moved,
    /// It is not in this store any more, or not at all.
    Elsewhere,
    /// It stays where it is, and trying again at once does not help: it is
    /// damaged or lost.
    Stuck(Error),
    /// Likewise: one of the stores refuses what has to be done.
    Refused(Error),
}

impl Moves {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The stores that are configured, in this order.
    pub fn stores(&self) -> impl Iterator<Item = StoreEnd> {
        self.core.secret_stores.iter().map(|active| {
            let id = active.store.id;
            StoreEnd {
                name: active.name.clone(),
                is_global_default: active.is_global_default,
                outside: self.core.outside.has(id).then_some(id),
            }
        })
    }

    /// Checks that a store answers.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn check(&self, store: &StoreEnd) -> Result<(), Error> {
        if let Some(id) = store.outside {
            self.core.outside.get(id)?.payloads.check().await?;
        }
        Ok(())
    }

    /// How many payloads are in a store. Walks all secrets.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn count(&self, store: &StoreEnd) -> Result<u64, Error> {
        let store = store.outside;
        let counted: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.count_payloads_in(store)
            })
            .await;
        Ok(counted?)
    }

    /// Up to `limit` secrets whose payload is in a store, behind `after`; where
    /// that is gone, from the start. None at all mean that there are none behind
    /// it.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn page(
        &self,
        store: &StoreEnd,
        after: Option<SecretId>,
        limit: u32,
    ) -> Result<Vec<SecretId>, Error> {
        let store = store.outside;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                tx.payloads_in(store, after, limit)
            })
            .await;
        Ok(found?)
    }

    /// Moves the payload of one secret. Whoever reads it meanwhile gets it, and
    /// whoever deletes the secret ends this. May be called for many at once.
    ///
    /// # Errors
    /// What passes: storage or a store does not answer. Then the payload is where
    /// it was, and nothing is left elsewhere, or doomed.
    pub async fn move_one(
        &self,
        id: SecretId,
        from: &StoreEnd,
        to: &StoreEnd,
    ) -> Result<Moved, Error> {
        for _ in 0..MOVES_MAX {
            match self.try_once(id, from.outside, to.outside).await {
                Ok(Some(moved)) => return Ok(moved),
                // Its row changed, as when the project gets another key.
                Ok(None) => {}
                Err(Error::NotFound(Missing::Secret)) => return Ok(Moved::Elsewhere),
                Err(error) if is_refusal(&error) => return Ok(Moved::Refused(error)),
                Err(error) if is_lasting(&error) => return Ok(Moved::Stuck(error)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unavailable("the row changes all the time".into()))
    }

    /// Whether a failure of [`Self::move_one`] may be of that payload alone: a
    /// store failed, and both answer when something else is asked. Asks them.
    pub async fn is_of_payload(&self, error: &Error, from: &StoreEnd, to: &StoreEnd) -> bool {
        store_error(error).is_some()
            && self.check(from).await.is_ok()
            && self.check(to).await.is_ok()
    }

    /// `None` where the row was changed meanwhile.
    async fn try_once(
        &self,
        id: SecretId,
        from: Option<SecretStoreId>,
        to: Option<SecretStoreId>,
    ) -> Result<Option<Moved>, Error> {
        let read: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| match tx.secret(id)? {
                // One that expired is moved too: it is kept for a while.
                Some(stored) => Ok(tx.payload(id)?.map(|payload| (stored.secret, payload))),
                None => Ok(None),
            })
            .await;
        let Some((secret, old)) = read?.filter(|(_, payload)| store_of(payload) == from) else {
            return Ok(Some(Moved::Elsewhere));
        };
        let Some(content_type) = secret.content_type else {
            return Ok(Some(Moved::Elsewhere));
        };
        let opened = self
            .core
            .open_payload(&secret.project, id, old.clone())
            .await;
        let bytes = opened?;
        let placed = match to {
            Some(store) => {
                self.core
                    .put_outside(store, &secret, content_type, &bytes)
                    .await?
            }
            None => self.core.seal_here(&secret, &bytes).await?,
        };
        drop(bytes);
        let puts = placed.puts();
        let verified = self.core.verify(&secret.project, id, &placed).await;
        self.core.or_abandon(&puts, verified).await?;
        self.exchange(id, old, placed).await
    }

    async fn exchange(
        &self,
        id: SecretId,
        old: StoredPayload,
        placed: Placed,
    ) -> Result<Option<Moved>, Error> {
        let puts = placed.puts();
        let written: Result<(), Exchange> = self
            .core
            .repository
            .write_with(move |tx| {
                placed.settle(tx).map_err(Exchange::Failed)?;
                let is_moved = tx.move_payload(id, &old, placed.stored())?;
                // What was settled is undone with the rest.
                is_moved.then_some(()).ok_or(Exchange::Changed)
            })
            .await;
        match written {
            Ok(()) => Ok(Some(Moved::Moved)),
            Err(Exchange::Changed) => {
                self.core.abandon(&puts).await;
                Ok(None)
            }
            Err(Exchange::Failed(error)) => {
                self.core.abandon(&puts).await;
                Err(error)
            }
        }
    }
}

/// Why a row was not exchanged.
enum Exchange {
    /// It is not as it was read.
    Changed,
    Failed(Error),
}

impl From<RepositoryError> for Exchange {
    fn from(error: RepositoryError) -> Self {
        Self::Failed(error.into())
    }
}

fn store_of(payload: &StoredPayload) -> Option<SecretStoreId> {
    payload.outside.map(|outside| outside.store)
}

/// Whether it is about this payload, not about stores that are away.
fn is_lasting(error: &Error) -> bool {
    !matches!(
        error,
        Error::Unavailable(_) | Error::Overloaded | Error::StorageFull | Error::OutcomeUnknown(_)
    )
}

fn is_refusal(error: &Error) -> bool {
    store_error(error).is_some_and(|error| error.kind() == StoreErrorKind::Refused)
}

/// What a store said that passes, or that it refused.
fn store_error(error: &Error) -> Option<&StoreError> {
    match error {
        Error::Unavailable(source) => source.downcast_ref(),
        _ => None,
    }
}

impl fmt::Debug for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moves").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
