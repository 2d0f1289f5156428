//! Payloads in stores outside of the database: putting them there, getting them
//! back, and knowing them again.
//!
//! A put is written down before it is made. It becomes a secret's in the
//! transaction that stores the secret, or is doomed; [`crate::Outbox`] removes
//! what is doomed.

mod receipt;

use std::{collections::HashMap, fmt, sync::Arc};

use donjon_domain::{
    ContentType, DeploymentId, Outside, ProjectId, PutId, Secret, SecretBytes, SecretId,
    SecretStoreId, StoredPayload,
    ports::{
        GenerationRequest, Locator, OutsidePayload, PayloadName, PayloadStore, PutIntent, Reading,
        RepositoryError, RepositoryExt, StoreErrorKind, WriteTx,
    },
};

pub(crate) use self::receipt::Receipt;
use crate::{Error, core::Core};

/// Stores outside of the database, by the ids of their rows. Also those that
/// nothing new goes to.
#[derive(Clone)]
pub struct OutsideStores {
    deployment: DeploymentId,
    stores: HashMap<SecretStoreId, OutsideStore>,
}

#[derive(Clone)]
pub(crate) struct OutsideStore {
    pub(crate) name: String,
    pub(crate) payloads: Arc<dyn PayloadStore>,
}

/// A payload that was sealed or put, on its way to its row.
pub(crate) struct Placed(StoredPayload);

impl OutsideStores {
    /// None yet, for this installation.
    #[must_use]
    pub fn new(deployment: DeploymentId) -> Self {
        Self {
            deployment,
            stores: HashMap::new(),
        }
    }

    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self::new(DeploymentId::from_bytes([0; 16]))
    }

    /// Adds one, under the id of its row and its name for people.
    pub fn add(&mut self, id: SecretStoreId, name: String, payloads: Arc<dyn PayloadStore>) {
        self.stores.insert(id, OutsideStore { name, payloads });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    pub(crate) fn has(&self, id: SecretStoreId) -> bool {
        self.stores.contains_key(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SecretStoreId, &OutsideStore)> {
        self.stores.iter().map(|(id, store)| (*id, store))
    }

    pub(crate) fn get(&self, id: SecretStoreId) -> Result<&OutsideStore, Error> {
        let missing = || Error::Unavailable(format!("secret store {id} is not configured").into());
        self.stores.get(&id).ok_or_else(missing)
    }

    pub(crate) fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    pub(crate) fn name(&self, secret: SecretId, put: PutId) -> PayloadName {
        PayloadName {
            deployment: self.deployment,
            secret,
            put,
        }
    }
}

impl Placed {
    /// As the row keeps it.
    pub(crate) fn stored(&self) -> &StoredPayload {
        &self.0
    }

    /// What has to be abandoned where it is not stored.
    pub(crate) fn puts(&self) -> Vec<PutId> {
        self.0.outside.iter().map(|outside| outside.put).collect()
    }

    /// To be called in the transaction that stores it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the put took so long that it was given up;
    /// else as storage fails.
    pub(crate) fn settle(&self, tx: &mut dyn WriteTx) -> Result<(), Error> {
        match self.0.outside {
            Some(outside) if !tx.settle_put(outside.put)? => Err(Error::Unavailable(
                "putting a payload into its store took too long".into(),
            )),
            _ => Ok(()),
        }
    }
}

impl Core {
    /// Seals or puts the payload of a secret, where its project wants it.
    /// `secret` need not be stored yet.
    ///
    /// # Errors
    /// As sealing, storage or the store fails; then nothing is left of it, or
    /// doomed.
    pub(crate) async fn place(
        &self,
        secret: &Secret,
        content_type: ContentType,
        bytes: &SecretBytes,
    ) -> Result<Placed, Error> {
        match self.store_of_new(&secret.project).await? {
            Some(store) => self.put_outside(store, secret, content_type, bytes).await,
            None => self.seal_here(secret, bytes).await,
        }
    }

    pub(crate) async fn seal_here(
        &self,
        secret: &Secret,
        bytes: &SecretBytes,
    ) -> Result<Placed, Error> {
        let sealed = self.sealing.seal(&secret.project, secret.id, bytes);
        Ok(Placed(sealed.await?.into()))
    }

    pub(crate) async fn put_outside(
        &self,
        store: SecretStoreId,
        secret: &Secret,
        content_type: ContentType,
        bytes: &SecretBytes,
    ) -> Result<Placed, Error> {
        let outside = self.begin_put(store, secret.id).await?;
        let done = async {
            let payload = OutsidePayload {
                project: &secret.project,
                secret_type: secret.secret_type,
                content_type,
                algorithm: secret.algorithm.as_ref(),
                bit_length: secret.bit_length,
                bytes,
            };
            let name = self.outside.name(secret.id, outside.put);
            let payloads = &self.outside.get(store)?.payloads;
            let locator = payloads.put(&name, &payload).await?;
            self.seal_receipt(&secret.project, secret.id, outside, locator, bytes)
                .await
        };
        let done = done.await;
        self.or_abandon(&[outside.put], done).await
    }

    /// Lets the store make the keys of these secrets, all of one project, and
    /// reads them once, to know them again. `None` where it does not make such.
    pub(crate) async fn generate_outside(
        &self,
        project: &ProjectId,
        secrets: &[SecretId],
        request: GenerationRequest<'_>,
    ) -> Result<Option<Vec<Placed>>, Error> {
        let Some(id) = self.store_of_new(project).await? else {
            return Ok(None);
        };
        let payloads = &self.outside.get(id)?.payloads;
        if !payloads.can_generate(request) {
            return Ok(None);
        }
        let mut puts = Vec::with_capacity(secrets.len());
        for secret in secrets {
            puts.push(self.begin_put(id, *secret).await?);
        }
        let done = async {
            let names: Vec<_> = secrets
                .iter()
                .zip(&puts)
                .map(|(secret, outside)| self.outside.name(*secret, outside.put))
                .collect();
            let locators = payloads.generate(&names, project, request).await?;
            let mut placed = Vec::with_capacity(secrets.len());
            for ((secret, outside), locator) in secrets.iter().zip(&puts).zip(locators) {
                let bytes = payloads.get(&locator).await?;
                let receipt = self.seal_receipt(project, *secret, *outside, locator, &bytes);
                placed.push(receipt.await?);
            }
            if placed.len() == secrets.len() {
                Ok(Some(placed))
            } else {
                Err(Error::Internal("a store made too few keys".into()))
            }
        };
        let done = done.await;
        let puts: Vec<_> = puts.iter().map(|outside| outside.put).collect();
        self.or_abandon(&puts, done).await
    }

    /// The bytes of a payload that was read from its row.
    ///
    /// # Errors
    /// [`Error::Astray`] where a store has something else than was stored, or
    /// nothing; [`Error::Integrity`] where the row does not open;
    /// [`crate::Missing::Secret`] where the secret went meanwhile; else as
    /// sealing or the store fails.
    pub(crate) async fn open_payload(
        &self,
        project: &ProjectId,
        id: SecretId,
        mut stored: StoredPayload,
    ) -> Result<SecretBytes, Error> {
        for _ in 0..MOVES_MAX {
            match self.open_once(project, id, &stored).await {
                Err(Opening::Missing(error)) => {
                    // It may have moved since its row was read.
                    let found: Result<_, RepositoryError> = self
                        .repository
                        .read_with(Reading::Point, move |tx| tx.payload(id))
                        .await;
                    match found? {
                        None => return Err(Error::NotFound(crate::Missing::Secret)),
                        Some(same) if same == stored => return Err(error),
                        Some(moved) => stored = moved,
                    }
                }
                Err(Opening::Failed(error)) => return Err(error),
                Ok(bytes) => return Ok(bytes),
            }
        }
        Err(Error::Unavailable("the payload moves all the time".into()))
    }

    /// Reads what was put once more, before what it is to replace goes.
    ///
    /// # Errors
    /// [`Error::Astray`] where its store does not have it; else as sealing or the
    /// store fails.
    pub(crate) async fn verify(
        &self,
        project: &ProjectId,
        id: SecretId,
        placed: &Placed,
    ) -> Result<(), Error> {
        match self.open_once(project, id, placed.stored()).await {
            Ok(_) => Ok(()),
            Err(Opening::Missing(error) | Opening::Failed(error)) => Err(error),
        }
    }

    async fn open_once(
        &self,
        project: &ProjectId,
        id: SecretId,
        stored: &StoredPayload,
    ) -> Result<SecretBytes, Opening> {
        let Some(outside) = stored.outside else {
            let opened = self.sealing.open(project, id, &stored.sealed).await;
            return opened.map_err(Opening::Failed);
        };
        let receipt = self.receipt(project, id, outside, stored).await;
        let receipt = receipt.map_err(Opening::Failed)?;
        let store = self.outside.get(outside.store).map_err(Opening::Failed)?;
        let bytes = store.payloads.get(&receipt.locator).await;
        let bytes = bytes.map_err(|error| match error.kind() {
            StoreErrorKind::Missing => Opening::Missing(error.into()),
            _ => Opening::Failed(error.into()),
        })?;
        if receipt.is_of(&bytes) {
            Ok(bytes)
        } else {
            Err(Opening::Failed(Error::Astray(
                format!(
                    "secret store {} gives other bytes than were put",
                    store.name
                )
                .into(),
            )))
        }
    }

    /// What was noted when the payload was put.
    pub(crate) async fn receipt(
        &self,
        project: &ProjectId,
        id: SecretId,
        outside: Outside,
        stored: &StoredPayload,
    ) -> Result<Receipt, Error> {
        let opened = self.sealing.open_locator(project, id, &stored.sealed);
        let receipt = Receipt::decode(&opened.await?);
        // Whoever edits the row cannot send us to another store.
        let own = receipt.filter(|receipt| receipt.outside == outside);
        own.ok_or_else(|| Error::Integrity("a locator is not that of its row".into()))
    }

    /// Dooms what was put, where the rest of the work failed. What cannot be
    /// doomed now is found later, as it is after a crash.
    pub(crate) async fn or_abandon<T>(
        &self,
        puts: &[PutId],
        done: Result<T, Error>,
    ) -> Result<T, Error> {
        if done.is_err() {
            self.abandon(puts).await;
        }
        done
    }

    pub(crate) async fn abandon(&self, puts: &[PutId]) {
        if puts.is_empty() {
            return;
        }
        let puts = puts.to_vec();
        let written: Result<(), RepositoryError> = self
            .repository
            .write_with(move |tx| puts.iter().try_for_each(|put| tx.doom_put(*put).map(drop)))
            .await;
        if let Err(error) = written {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a payload that is nobody's stays in its store for now"
            );
        }
    }

    async fn begin_put(&self, store: SecretStoreId, secret: SecretId) -> Result<Outside, Error> {
        let intent = PutIntent {
            outside: Outside {
                store,
                put: PutId::from_uuid(self.entropy.uuid_v4()),
            },
            secret,
            begun: self.clock.now(),
        };
        let written: Result<(), RepositoryError> = self
            .repository
            .write_with(move |tx| tx.begin_put(&intent))
            .await;
        written?;
        Ok(intent.outside)
    }

    async fn seal_receipt(
        &self,
        project: &ProjectId,
        secret: SecretId,
        outside: Outside,
        locator: Locator,
        bytes: &SecretBytes,
    ) -> Result<Placed, Error> {
        let receipt = Receipt::new(outside, locator, bytes, &*self.entropy);
        let plain = receipt.encode();
        let sealed = self.sealing.seal_locator(project, secret, &plain);
        Ok(Placed(StoredPayload {
            sealed: sealed.await?,
            outside: Some(outside),
        }))
    }

    /// Where new payloads of the project go; `None` is the database.
    async fn store_of_new(&self, project: &ProjectId) -> Result<Option<SecretStoreId>, Error> {
        if self.outside.is_empty() {
            return Ok(None);
        }
        let mut preferred = None;
        if self.secret_stores.len() > 1 {
            let project = project.clone();
            let found: Result<_, RepositoryError> = self
                .repository
                .read_with(Reading::Point, move |tx| {
                    tx.preferred_secret_store(&project)
                })
                .await;
            preferred = found?;
        }
        let mut stores = self.secret_stores.iter();
        let chosen = stores
            .clone()
            .find(|active| Some(active.store.id) == preferred)
            .or_else(|| stores.find(|active| active.is_global_default));
        let id = chosen.map(|active| active.store.id);
        Ok(id.filter(|id| self.outside.has(*id)))
    }
}

/// Why a payload was not opened.
enum Opening {
    /// Its store does not have it.
    Missing(Error),
    Failed(Error),
}

impl fmt::Debug for OutsideStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.stores.values().map(|store| &store.name);
        f.debug_list().entries(names).finish()
    }
}

/// A payload that moves while it is read is read anew so often.
pub(crate) const MOVES_MAX: u32 = 4;

#[cfg(test)]
pub(crate) mod tests;
