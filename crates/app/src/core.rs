//! What all use cases share: the ports, the policy, and the ways to get at
//! a secret or container that the caller may work with.

use std::{fmt, sync::Arc};

use donjon_domain::{
    Actor, Quotas, SecretId, Timestamp,
    ports::{
        Clock, CryptoPlugin, Entropy, KeyGenerator, ReadTx, Reading, Repository, RepositoryExt,
        Workers, WriteTx,
    },
};

use crate::{Action, ActiveStore, Bounds, Entity, Error, OutsideStores, Policy, sealing::Sealing};

/// The adapters that the use cases work with.
#[derive(Clone)]
pub struct Ports {
    /// Where everything that lasts is kept.
    pub repository: Arc<dyn Repository>,
    /// Seals payloads.
    pub crypto: Arc<dyn CryptoPlugin>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids.
    pub entropy: Arc<dyn Entropy>,
    /// Makes the keys of orders.
    pub generator: Arc<dyn KeyGenerator>,
    /// Where orders that take long are carried out.
    pub workers: Arc<dyn Workers>,
    /// Says who may do what.
    pub policy: Policy,
    /// What projects without quotas of their own may have.
    pub quotas: Quotas,
    /// How much may hang on one secret or container.
    pub bounds: Bounds,
    /// Secret stores to choose from, one of them the global default; empty
    /// where there is no choice.
    pub secret_stores: Vec<ActiveStore>,
    /// Stores outside of the database.
    pub outside: OutsideStores,
}

pub(crate) struct Core {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    /// What projects without quotas of their own may have.
    pub(crate) quotas: Quotas,
    pub(crate) bounds: Bounds,
    pub(crate) secret_stores: Vec<ActiveStore>,
    pub(crate) outside: OutsideStores,
    pub(crate) sealing: Sealing,
    pub(crate) generator: Arc<dyn KeyGenerator>,
    pub(crate) workers: Arc<dyn Workers>,
}

impl Core {
    pub(crate) fn new(ports: Ports) -> Self {
        let Ports {
            repository,
            crypto,
            clock,
            entropy,
            generator,
            workers,
            policy,
            quotas,
            bounds,
            secret_stores,
            outside,
        } = ports;
        let sealing = Sealing::new(
            Arc::clone(&repository),
            crypto,
            Arc::clone(&clock),
            Arc::clone(&entropy),
        );
        Self {
            repository,
            clock,
            entropy,
            policy,
            quotas,
            bounds,
            secret_stores,
            outside,
            sealing,
            generator,
            workers,
        }
    }

    /// Finds something that is there and checks that the caller may do `action`
    /// with it.
    pub(crate) async fn authorize<E: Entity>(
        &self,
        actor: &Actor,
        action: Action,
        id: E,
    ) -> Result<E::Stored, Error> {
        let stored = self.find(id).await?;
        self.policy
            .check(actor, action, &E::target(&stored, actor))?;
        Ok(stored)
    }

    /// Finds something that is there, whoever asks.
    pub(crate) async fn find<E: Entity>(&self, id: E) -> Result<E::Stored, Error> {
        let now = self.clock.now();
        self.repository
            .read_with(Reading::Point, move |tx| live(tx, id, now))
            .await
    }

    /// Runs `job` on a snapshot with something that is there and with which the
    /// caller may do `action`.
    pub(crate) async fn read<E, T, F>(
        &self,
        actor: &Arc<Actor>,
        action: Action,
        id: E,
        reading: Reading,
        mut job: F,
    ) -> Result<T, Error>
    where
        E: Entity,
        T: Send + 'static,
        F: FnMut(&mut dyn ReadTx, E::Stored) -> Result<T, Error> + Send + 'static,
    {
        let now = self.clock.now();
        let (actor, policy) = (Arc::clone(actor), self.policy.clone());
        self.repository
            .read_with(reading, move |tx| {
                let stored = live(tx, id, now)?;
                policy.check(&actor, action, &E::target(&stored, &actor))?;
                job(tx, stored)
            })
            .await
    }

    /// Runs `job` in a transaction on something that is there and with which
    /// the caller may do `action`; both are checked inside of it.
    pub(crate) async fn write<E, T, F>(
        &self,
        actor: &Arc<Actor>,
        action: Action,
        id: E,
        mut job: F,
    ) -> Result<T, Error>
    where
        E: Entity,
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTx, E::Stored, Timestamp) -> Result<T, Error> + Send + 'static,
    {
        let now = self.clock.now();
        let (actor, policy) = (Arc::clone(actor), self.policy.clone());
        self.repository
            .write_with(move |tx| {
                let stored = live(tx, id, now)?;
                policy.check(&actor, action, &E::target(&stored, &actor))?;
                job(tx, stored, now)
            })
            .await
    }

    pub(crate) fn new_secret_id(&self) -> SecretId {
        SecretId::from_uuid(self.entropy.uuid_v4())
    }
}

/// Something that is there.
pub(crate) fn live<E: Entity>(
    tx: &mut dyn ReadTx,
    id: E,
    now: Timestamp,
) -> Result<E::Stored, Error> {
    id.live(tx, now)?.ok_or(Error::NotFound(E::MISSING))
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}
