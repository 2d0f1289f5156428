//! Secrets: create, list, fetch, complete, delete.

use std::{num::NonZeroU32, sync::Arc};

use donjon_domain::{
    Actor, BitLength, ContentType, Label, ListScope, Page, ProjectId, Secret, SecretBytes,
    SecretConsumer, SecretId, SecretQuery, SecretType, Timestamp,
    ports::{Counted, ReadTx, Reading, RepositoryError, RepositoryExt, Turn},
};

use crate::{
    Action, Conflict, Denied, Error, Missing, Target, core::Core, outside::Placed, quotas::admit,
};

/// Use cases on secrets.
#[derive(Debug)]
pub struct Secrets {
    core: Arc<Core>,
}

/// A secret to be made. The caller becomes its creator, and the caller's
/// project its owner.
#[derive(Debug)]
pub struct NewSecret {
    /// Its name.
    pub name: Option<Label>,
    /// What it is.
    pub secret_type: SecretType,
    /// A label.
    pub algorithm: Option<Label>,
    /// A label.
    pub mode: Option<Label>,
    /// A label.
    pub bit_length: Option<BitLength>,
    /// From when on it is invisible; later than now.
    pub expiration: Option<Timestamp>,
    /// Its payload; can be added later where it is missing.
    pub payload: Option<NewPayload>,
}

/// A payload to be stored.
#[derive(Debug)]
pub struct NewPayload {
    /// Its bytes, decoded.
    pub bytes: SecretBytes,
    /// Their type.
    pub content_type: ContentType,
}

/// A secret as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// The secret.
    pub secret: Secret,
    /// Its consumers in the order of registration; empty if not asked for.
    pub consumers: Vec<SecretConsumer>,
}

/// A payload as it was stored.
#[derive(Debug)]
pub struct FetchedPayload {
    /// Its bytes.
    pub bytes: SecretBytes,
    /// Their type.
    pub content_type: ContentType,
}

/// What a deletion does about consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Refuses while there are any.
    UnlessConsumed,
    /// Deletes all the same.
    Always,
}

impl Secrets {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Checks that the caller may do this to the project as a whole.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn authorize_project(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    /// Checks that the caller may add the payload of the secret. Returns whether
    /// it has one already.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn authorize_payload(&self, actor: &Actor, id: SecretId) -> Result<bool, Error> {
        Ok(self
            .core
            .authorize(actor, Action::SecretPut, id)
            .await?
            .secret
            .has_payload())
    }

    /// Stores a secret. Returns after it is durable.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::QuotaReached`]; else as sealing or storage
    /// fails. Then there is no secret.
    pub async fn create(&self, actor: &Actor, new: NewSecret) -> Result<SecretId, Error> {
        self.authorize_project(actor, Action::SecretsPost)?;
        let id = self.core.new_secret_id();
        let now = self.core.clock.now();
        let secret = Secret {
            id,
            project: actor.project.clone(),
            creator: actor.user.clone(),
            created: now,
            updated: now,
            name: new.name,
            secret_type: new.secret_type,
            algorithm: new.algorithm,
            mode: new.mode,
            bit_length: new.bit_length,
            expiration: new.expiration,
            content_type: new.payload.as_ref().map(|payload| payload.content_type),
        };
        let placed = match &new.payload {
            Some(payload) => {
                let place = self
                    .core
                    .place(&secret, payload.content_type, &payload.bytes);
                Some(place.await?)
            }
            None => None,
        };
        let puts = placed.as_ref().map(Placed::puts).unwrap_or_default();
        let quotas = self.core.quotas;
        let written = self
            .core
            .repository
            .write_with(move |tx| {
                admit(tx, &quotas, &secret.project, Counted::Secrets, now)?;
                if let Some(placed) = &placed {
                    placed.settle(tx)?;
                }
                let stored = placed.as_ref().map(Placed::stored);
                Ok::<_, Error>(tx.insert_secret(&secret, stored)?)
            })
            .await;
        self.core.or_abandon(&puts, written).await?;
        Ok(id)
    }

    /// A part of a list of secrets. Which lists a caller may see is decided by
    /// its scope: the caller's own project, or what is shared with the caller.
    ///
    /// # Errors
    /// [`Error::Denied`], also for another scope; else as storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        query: SecretQuery,
        with_consumers: bool,
    ) -> Result<Page<SecretView>, Error> {
        self.authorize_project(actor, Action::SecretsGet)?;
        let own = match &query.scope {
            ListScope::Project(project) => *project == actor.project,
            ListScope::SharedWith(user) => actor.user.as_ref() == Some(user),
        };
        if !own {
            return Err(Denied::without_rule(Action::SecretsGet).into());
        }
        let now = self.core.clock.now();
        self.core
            .repository
            .read_with(reading(&query, with_consumers, &actor.project), move |tx| {
                let page = tx.list_secrets(&query, now)?;
                page.try_map(|secret| view(tx, secret, with_consumers))
            })
            .await
    }

    /// What is known of a secret besides its payload.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch(
        &self,
        actor: &Actor,
        id: SecretId,
        with_consumers: bool,
    ) -> Result<SecretView, Error> {
        let stored = self.core.authorize(actor, Action::SecretGet, id).await?;
        if !with_consumers {
            return Ok(SecretView {
                secret: stored.secret,
                consumers: Vec::new(),
            });
        }
        let consumers: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::of(&actor.project)), move |tx| {
                tx.secret_consumers(id)
            })
            .await;
        let consumers = consumers?
            .into_iter()
            .map(|stored| stored.consumer)
            .collect();
        Ok(SecretView {
            secret: stored.secret,
            consumers,
        })
    }

    /// The payload of a secret.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Missing::Payload`] in this
    /// order; [`Error::Integrity`] where the stored bytes do not open;
    /// [`Error::Astray`] where a store outside does not have them.
    pub async fn fetch_payload(
        &self,
        actor: &Actor,
        id: SecretId,
    ) -> Result<FetchedPayload, Error> {
        let read: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| match tx.secret(id)? {
                Some(stored) => Ok(Some((stored, tx.payload(id)?))),
                None => Ok(None),
            })
            .await;
        let now = self.core.clock.now();
        let found = read?.filter(|(stored, _)| !stored.secret.is_expired(now));
        let (stored, payload) = found.ok_or(Error::NotFound(Missing::Secret))?;
        self.core.policy.check(
            actor,
            Action::SecretDecrypt,
            &Target::secret(&stored, actor),
        )?;
        let (Some(payload), Some(content_type)) = (payload, stored.secret.content_type) else {
            return Err(Error::NotFound(Missing::Payload));
        };
        let bytes = self
            .core
            .open_payload(&stored.secret.project, id, payload)
            .await?;
        Ok(FetchedPayload {
            bytes,
            content_type,
        })
    }

    /// Adds the payload of a secret that has none. Works once.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Conflict::PayloadExists`];
    /// else as sealing or storage fails, and then nothing changed.
    pub async fn put_payload(
        &self,
        actor: &Arc<Actor>,
        id: SecretId,
        payload: NewPayload,
    ) -> Result<(), Error> {
        let stored = self.core.authorize(actor, Action::SecretPut, id).await?;
        refuse_second_payload(&stored.secret)?;
        let content_type = payload.content_type;
        let placed = self
            .core
            .place(&stored.secret, content_type, &payload.bytes)
            .await?;
        let puts = placed.puts();
        let written = self
            .core
            .write(actor, Action::SecretPut, id, move |tx, stored, now| {
                refuse_second_payload(&stored.secret)?;
                placed.settle(tx)?;
                Ok(tx.set_payload(id, content_type, placed.stored(), now)?)
            })
            .await;
        self.core.or_abandon(&puts, written).await
    }

    /// Deletes a secret and all that belongs to it.
    ///
    /// # Errors
    /// [`Missing::Secret`], [`Error::Denied`], [`Error::HasConsumers`]; else as
    /// storage fails.
    pub async fn delete(
        &self,
        actor: &Arc<Actor>,
        id: SecretId,
        deletion: Deletion,
    ) -> Result<(), Error> {
        self.core
            .write(actor, Action::SecretDelete, id, move |tx, _, _| {
                if deletion == Deletion::UnlessConsumed
                    && tx.has_secret_consumers(id, NonZeroU32::MIN)?
                {
                    return Err(Error::HasConsumers);
                }
                tx.delete_secret(id)?;
                Ok(())
            })
            .await
    }
}

fn refuse_second_payload(secret: &Secret) -> Result<(), Error> {
    if secret.has_payload() {
        Err(Error::Conflict(Conflict::PayloadExists))
    } else {
        Ok(())
    }
}

fn view(tx: &mut dyn ReadTx, secret: Secret, with_consumers: bool) -> Result<SecretView, Error> {
    let consumers = if with_consumers {
        tx.secret_consumers(secret.id)?
    } else {
        Vec::new()
    };
    Ok(SecretView {
        secret,
        consumers: consumers
            .into_iter()
            .map(|stored| stored.consumer)
            .collect(),
    })
}

/// A plain page of a project costs a seek, unless many secrets expired just now;
/// everything else may visit all rows, or a thousand consumers of each secret.
fn reading(query: &SecretQuery, with_consumers: bool, project: &ProjectId) -> Reading {
    let plain = !with_consumers
        && matches!(query.scope, ListScope::Project(_))
        && query.filter.is_empty()
        && query.sort.is_empty();
    let turn = Turn::of(project);
    if plain {
        Reading::Seek(turn)
    } else {
        Reading::Scan(turn)
    }
}

#[cfg(test)]
mod tests {
    use donjon_domain::{PageRequest, SecretFilter, Start, UserId};

    use super::*;

    #[test]
    fn no_list_holds_a_thread_that_serves_requests() {
        let project = ProjectId::new("p");
        let query = |scope, name: Option<&str>| SecretQuery {
            scope,
            filter: SecretFilter {
                name: name.map(str::to_owned),
                ..SecretFilter::default()
            },
            sort: Vec::new(),
            page: PageRequest {
                start: Start::Offset(0),
                limit: 10,
            },
        };
        let own = || ListScope::Project(project.clone());
        let shared = ListScope::SharedWith(UserId::new("u"));
        let turn = Turn::of(&project);
        for (query, with_consumers, expected) in [
            (query(own(), None), false, Reading::Seek(turn)),
            (query(own(), None), true, Reading::Scan(turn)),
            (query(own(), Some("a")), false, Reading::Scan(turn)),
            (query(shared, None), false, Reading::Scan(turn)),
        ] {
            let found = reading(&query, with_consumers, &project);
            assert_eq!(found, expected, "{query:?}");
        }
    }
}
