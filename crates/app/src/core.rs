//! What all use cases share: the ports, the policy, and the two ways to get at
//! a secret that the caller may work with.

use std::{fmt, sync::Arc};

use donjon_domain::{
    Actor, Quotas, SecretId, StoredSecret, Timestamp,
    ports::{Clock, CryptoPlugin, Entropy, ReadTx, Reading, Repository, RepositoryExt, WriteTx},
};

use crate::{Action, Error, Missing, Policy, Target, sealing::Sealing};

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
    /// Says who may do what.
    pub policy: Policy,
}

pub(crate) struct Core {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    /// What projects without quotas of their own may have.
    pub(crate) quotas: Quotas,
    pub(crate) sealing: Sealing,
}

impl Core {
    pub(crate) fn new(ports: Ports) -> Self {
        let Ports {
            repository,
            crypto,
            clock,
            entropy,
            policy,
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
            quotas: Quotas::UNLIMITED,
            sealing,
        }
    }

    /// Finds a live secret and checks that the caller may do `action` with it.
    pub(crate) async fn authorize_secret(
        &self,
        actor: &Actor,
        action: Action,
        id: SecretId,
    ) -> Result<StoredSecret, Error> {
        let stored = self.find_secret(id).await?;
        self.policy
            .check(actor, action, &Target::secret(&stored, actor))?;
        Ok(stored)
    }

    /// Finds a live secret, whoever asks.
    pub(crate) async fn find_secret(&self, id: SecretId) -> Result<StoredSecret, Error> {
        let now = self.clock.now();
        self.repository
            .read_with(Reading::Point, move |tx| live_secret(tx, id, now))
            .await
    }

    /// Runs `job` in a transaction on a live secret with which the caller may
    /// do `action`; both are checked inside of it.
    pub(crate) async fn write_secret<T, F>(
        &self,
        actor: &Arc<Actor>,
        action: Action,
        id: SecretId,
        mut job: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTx, StoredSecret, Timestamp) -> Result<T, Error> + Send + 'static,
    {
        let now = self.clock.now();
        let (actor, policy) = (Arc::clone(actor), self.policy.clone());
        self.repository
            .write_with(move |tx| {
                let stored = live_secret(tx, id, now)?;
                policy.check(&actor, action, &Target::secret(&stored, &actor))?;
                job(tx, stored, now)
            })
            .await
    }

    pub(crate) fn new_secret_id(&self) -> SecretId {
        SecretId::from_uuid(self.entropy.uuid_v4())
    }
}

/// Expired secrets are as good as gone.
fn live_secret(tx: &mut dyn ReadTx, id: SecretId, now: Timestamp) -> Result<StoredSecret, Error> {
    let found = tx
        .secret(id)?
        .filter(|stored| !stored.secret.is_expired(now));
    found.ok_or(Error::NotFound(Missing::Secret))
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
