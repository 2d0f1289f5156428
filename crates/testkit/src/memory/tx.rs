//! One transaction on a copy of everything.

mod containers;
mod orders;
mod outside;
mod projects;
mod quotas;
mod rotation;
mod secret_stores;
mod transport_keys;

use std::num::NonZeroU32;

use donjon_domain::{
    Acl, ContentType, Deployment, KekId, KekScope, KekState, MetadataKey, Page, PageRequest,
    ProjectId, RootKeyId, Sealed, Secret, SecretConsumer, SecretId, SecretQuery, StoredConsumer,
    StoredPayload, StoredSecret, Timestamp, UserMetadata, WrappedKek,
    ports::{
        AclReads, AclWrites, ConsumerReads, ConsumerWrites, Counted, KekReads, KekWrites,
        QuotaReads as _, ReadTx, RepositoryError, RepositoryErrorKind, SecretReads, SecretWrites,
        UserMetadataReads, UserMetadataWrites, WriteTx,
    },
};

use super::{
    list,
    state::{SecretRow, State},
};

/// A transaction under way.
pub(super) struct Tx {
    state: State,
    full: bool,
}

impl Tx {
    pub(super) fn new(state: State, full: bool) -> Self {
        Self { state, full }
    }

    pub(super) fn into_state(self) -> State {
        self.state
    }

    pub(super) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// The state, for adding something to it.
    pub(super) fn adding(&mut self) -> Result<&mut State, RepositoryError> {
        if self.full {
            Err(RepositoryError::new(RepositoryErrorKind::Full))
        } else {
            Ok(&mut self.state)
        }
    }

    /// A secret, for adding something to it.
    fn adding_to(&mut self, id: SecretId) -> Result<&mut SecretRow, RepositoryError> {
        let row = self.adding()?.secrets.get_mut(&id);
        row.ok_or_else(|| missing("secret"))
    }
}

fn missing(what: &str) -> RepositoryError {
    RepositoryError::with_source(RepositoryErrorKind::Internal, format!("no such {what}"))
}

fn duplicate() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Duplicate)
}

impl ReadTx for Tx {}
impl WriteTx for Tx {}

impl SecretReads for Tx {
    fn secret(&mut self, id: SecretId) -> Result<Option<StoredSecret>, RepositoryError> {
        Ok(self.state.secrets.get(&id).map(|row| StoredSecret {
            secret: row.secret.clone(),
            acl: row.acl.clone(),
        }))
    }

    fn payload(&mut self, id: SecretId) -> Result<Option<StoredPayload>, RepositoryError> {
        let row = self.state.secrets.get(&id);
        Ok(row.and_then(|row| row.payload.clone()))
    }

    fn list_secrets(
        &mut self,
        query: &SecretQuery,
        now: Timestamp,
    ) -> Result<Page<Secret>, RepositoryError> {
        Ok(list::secrets(&self.state, query, now))
    }

    fn count_secrets(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<u64, RepositoryError> {
        self.count(project, Counted::Secrets, now)
    }
}

impl AclReads for Tx {
    fn secret_acl(&mut self, id: SecretId) -> Result<Option<Acl>, RepositoryError> {
        let row = self.state.secrets.get(&id);
        Ok(row.and_then(|row| row.acl.clone()))
    }
}

impl ConsumerReads for Tx {
    fn secret_consumers(
        &mut self,
        secret: SecretId,
    ) -> Result<Vec<StoredConsumer>, RepositoryError> {
        let row = self.state.secrets.get(&secret);
        Ok(row.map_or_else(Vec::new, |row| row.consumers.clone()))
    }

    fn list_secret_consumers(
        &mut self,
        secret: SecretId,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, RepositoryError> {
        let whole = self.secret_consumers(secret)?;
        let whole: Vec<_> = whole.iter().collect();
        Ok(list::cut(&whole, page, |_, _| false))
    }

    fn has_secret_consumers(
        &mut self,
        secret: SecretId,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        Ok(list::to_u64(self.secret_consumers(secret)?.len()) >= u64::from(at_least.get()))
    }

    fn find_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<Option<StoredConsumer>, RepositoryError> {
        let all = self.secret_consumers(secret)?;
        Ok(all.into_iter().find(|stored| stored.consumer == *consumer))
    }
}

impl UserMetadataReads for Tx {
    fn user_metadata(&mut self, secret: SecretId) -> Result<UserMetadata, RepositoryError> {
        let row = self.state.secrets.get(&secret);
        Ok(row.map_or_else(UserMetadata::new, |row| row.metadata.clone()))
    }

    fn user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<Option<String>, RepositoryError> {
        let row = self.state.secrets.get(&secret);
        Ok(row.and_then(|row| row.metadata.get(key).cloned()))
    }
}

impl KekReads for Tx {
    fn deployment(&mut self) -> Result<Option<Deployment>, RepositoryError> {
        Ok(self.state.deployment.clone())
    }

    fn active_kek(&mut self, scope: &KekScope) -> Result<Option<WrappedKek>, RepositoryError> {
        let active = |kek: &&WrappedKek| kek.scope == *scope && kek.state == KekState::Active;
        Ok(self.state.keks.iter().find(active).cloned())
    }

    fn kek(&mut self, id: KekId) -> Result<Option<WrappedKek>, RepositoryError> {
        Ok(self.state.kek(id).cloned())
    }

    fn last_generation(&mut self, scope: &KekScope) -> Result<u32, RepositoryError> {
        let own = self.state.keks.iter().filter(|kek| kek.scope == *scope);
        Ok(own.map(|kek| kek.generation).max().unwrap_or(0))
    }

    fn keks_wrapped_by(&mut self, root: RootKeyId) -> Result<u64, RepositoryError> {
        let wrapped = self.state.keks.iter().filter(|kek| kek.root == root);
        Ok(wrapped.count() as u64)
    }
}

impl SecretWrites for Tx {
    fn insert_secret(
        &mut self,
        secret: &Secret,
        payload: Option<&StoredPayload>,
    ) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        check_payload(state, payload)?;
        if payload.is_some() != secret.content_type.is_some() {
            return Err(RepositoryError::with_source(
                RepositoryErrorKind::Internal,
                "payload and content type come together",
            ));
        }
        let row = SecretRow {
            secret: secret.clone(),
            payload: payload.cloned(),
            acl: None,
            consumers: Vec::new(),
            metadata: UserMetadata::new(),
        };
        let added = state.secrets.insert(secret.id, row);
        added.then_some(()).ok_or_else(duplicate)
    }

    fn set_payload(
        &mut self,
        id: SecretId,
        content_type: ContentType,
        payload: &StoredPayload,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        check_payload(self.adding()?, Some(payload))?;
        let row = self.adding_to(id)?;
        if row.payload.is_some() {
            return Err(duplicate());
        }
        row.payload = Some(payload.clone());
        row.secret.content_type = Some(content_type);
        row.secret.updated = updated;
        Ok(())
    }

    fn touch_secret(&mut self, id: SecretId, updated: Timestamp) -> Result<(), RepositoryError> {
        let row = self.state.secrets.get_mut(&id);
        let row = row.ok_or_else(|| missing("secret"))?;
        row.secret.updated = updated;
        Ok(())
    }

    fn delete_secret(&mut self, id: SecretId) -> Result<bool, RepositoryError> {
        Ok(self.state.remove_secret(id))
    }
}

fn check_payload(state: &State, payload: Option<&StoredPayload>) -> Result<(), RepositoryError> {
    check_kek(state, payload.map(|payload| &payload.sealed))?;
    match payload.and_then(|payload| payload.outside) {
        Some(outside) if state.secret_stores.get(&outside.store).is_none() => {
            Err(missing("secret store"))
        }
        _ => Ok(()),
    }
}

fn check_kek(state: &State, sealed: Option<&Sealed>) -> Result<(), RepositoryError> {
    let is_known = |sealed: &Sealed| {
        let kek = state.kek(sealed.kek);
        kek.is_some_and(|kek| kek.state != KekState::Destroyed)
    };
    let known = sealed.is_none_or(is_known);
    known.then_some(()).ok_or_else(|| {
        RepositoryError::with_source(RepositoryErrorKind::Internal, "KEK is not stored")
    })
}

impl AclWrites for Tx {
    fn put_secret_acl(&mut self, id: SecretId, acl: &Acl) -> Result<(), RepositoryError> {
        self.adding_to(id)?.acl = Some(acl.clone());
        Ok(())
    }

    fn delete_secret_acl(&mut self, id: SecretId) -> Result<(), RepositoryError> {
        if let Some(row) = self.state.secrets.get_mut(&id) {
            row.acl = None;
        }
        Ok(())
    }
}

impl ConsumerWrites for Tx {
    fn insert_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &StoredConsumer,
    ) -> Result<(), RepositoryError> {
        let consumers = &mut self.adding_to(secret)?.consumers;
        if consumers
            .iter()
            .any(|old| old.consumer == consumer.consumer)
        {
            return Err(duplicate());
        }
        consumers.push(consumer.clone());
        Ok(())
    }

    fn delete_secret_consumer(
        &mut self,
        secret: SecretId,
        consumer: &SecretConsumer,
    ) -> Result<bool, RepositoryError> {
        let Some(row) = self.state.secrets.get_mut(&secret) else {
            return Ok(false);
        };
        let before = row.consumers.len();
        row.consumers.retain(|old| old.consumer != *consumer);
        Ok(row.consumers.len() < before)
    }
}

impl UserMetadataWrites for Tx {
    fn replace_user_metadata(
        &mut self,
        secret: SecretId,
        metadata: &UserMetadata,
    ) -> Result<(), RepositoryError> {
        if !metadata.is_empty() {
            self.adding()?;
        }
        let row = self.state.secrets.get_mut(&secret);
        let row = row.ok_or_else(|| missing("secret"))?;
        row.metadata = metadata.clone();
        Ok(())
    }

    fn put_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
        value: &str,
    ) -> Result<(), RepositoryError> {
        let row = self.adding_to(secret)?;
        row.metadata.insert(key.clone(), value.to_owned());
        Ok(())
    }

    fn delete_user_metadatum(
        &mut self,
        secret: SecretId,
        key: &MetadataKey,
    ) -> Result<(), RepositoryError> {
        if let Some(row) = self.state.secrets.get_mut(&secret) {
            row.metadata.remove(key);
        }
        Ok(())
    }
}

impl KekWrites for Tx {
    fn insert_deployment(&mut self, deployment: &Deployment) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        if state.deployment.is_some() {
            return Err(duplicate());
        }
        state.deployment = Some(deployment.clone());
        Ok(())
    }

    fn insert_kek(&mut self, kek: &WrappedKek) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        let clashes = |old: &WrappedKek| {
            let both_active = old.state == KekState::Active && kek.state == KekState::Active;
            old.id == kek.id
                || (old.scope == kek.scope && (both_active || old.generation == kek.generation))
        };
        if state.keks.iter().any(clashes) {
            return Err(duplicate());
        }
        state.keks.push(kek.clone());
        Ok(())
    }
}
