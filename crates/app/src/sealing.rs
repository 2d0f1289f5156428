//! Payloads and the keys that seal them. Keys are made on first use, one per
//! project, and are durable before anything is sealed with them.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

use donjon_domain::{
    Binding, DeploymentId, KekId, KekScope, Label, OrderId, ProjectId, Sealed, SealedKind,
    SecretBytes, SecretId, SecretStore, SecretStoreId, ServerKey, WrappedKek,
    ports::{
        Clock, CryptoPlugin, Entropy, Reading, Repository, RepositoryError, RepositoryErrorKind,
        RepositoryExt, SealedObject, SealedRow,
    },
};

use crate::{ActiveStore, Error};

/// What is sealed here is written once, so its version is always the first.
const WRITTEN_ONCE: u32 = 1;

pub(crate) struct Sealing {
    repository: Arc<dyn Repository>,
    crypto: Arc<dyn CryptoPlugin>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Wrapped keys are no secrets; what they wrap stays in the plugin.
    active: Cache<ProjectId>,
    by_id: Cache<KekId>,
}

impl Sealing {
    pub(crate) fn new(
        repository: Arc<dyn Repository>,
        crypto: Arc<dyn CryptoPlugin>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            repository,
            crypto,
            clock,
            entropy,
            active: Cache::new(),
            by_id: Cache::new(),
        }
    }

    /// Seals the payload of a secret under the active key of its project.
    pub(crate) async fn seal(
        &self,
        project: &ProjectId,
        secret: SecretId,
        plain: &SecretBytes,
    ) -> Result<Sealed, Error> {
        self.seal_as(&payload_binding(project, secret), plain).await
    }

    pub(crate) async fn open(
        &self,
        project: &ProjectId,
        secret: SecretId,
        sealed: &Sealed,
    ) -> Result<SecretBytes, Error> {
        self.open_as(&payload_binding(project, secret), sealed)
            .await
    }

    /// Seals where the payload of a secret is.
    pub(crate) async fn seal_locator(
        &self,
        project: &ProjectId,
        secret: SecretId,
        plain: &SecretBytes,
    ) -> Result<Sealed, Error> {
        self.seal_as(&locator_binding(project, secret), plain).await
    }

    pub(crate) async fn open_locator(
        &self,
        project: &ProjectId,
        secret: SecretId,
        sealed: &Sealed,
    ) -> Result<SecretBytes, Error> {
        self.open_as(&locator_binding(project, secret), sealed)
            .await
    }

    /// Seals the passphrase of an order until it is carried out.
    pub(crate) async fn seal_passphrase(
        &self,
        project: &ProjectId,
        order: OrderId,
        plain: &SecretBytes,
    ) -> Result<Sealed, Error> {
        self.seal_as(&passphrase_binding(project, order), plain)
            .await
    }

    pub(crate) async fn open_passphrase(
        &self,
        project: &ProjectId,
        order: OrderId,
        sealed: &Sealed,
    ) -> Result<SecretBytes, Error> {
        self.open_as(&passphrase_binding(project, order), sealed)
            .await
    }

    async fn seal_as(&self, binding: &Binding<'_>, plain: &SecretBytes) -> Result<Sealed, Error> {
        let kek = self.project_kek(binding.project).await?;
        Ok(self.crypto.seal(&kek, binding, plain).await?)
    }

    async fn open_as(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<SecretBytes, Error> {
        let kek = self.kek(sealed.kek).await?;
        Ok(self.crypto.open(&kek, binding, sealed).await?)
    }

    /// Seals anew, under the active key of the project, what an older one seals.
    pub(crate) async fn reseal(
        &self,
        project: &ProjectId,
        row: &SealedRow,
    ) -> Result<Sealed, Error> {
        let binding = match row.object {
            SealedObject::Secret(id) => Binding {
                kind: row.kind,
                ..payload_binding(project, id)
            },
            SealedObject::Order(id) => passphrase_binding(project, id),
        };
        let plain = self.open_as(&binding, &row.sealed).await?;
        let active = self.active.get(project);
        if active.is_some_and(|kek| kek.id == row.sealed.kek) {
            // Retired behind the back of this process, or of whoever asked for it.
            self.active.forget(project);
        }
        self.seal_as(&binding, &plain).await
    }

    /// The next payload of the project is sealed under whatever key is active
    /// then.
    pub(crate) fn forget_active(&self, project: &ProjectId) {
        self.active.forget(project);
    }

    /// All keys of the project were destroyed.
    pub(crate) fn forget_project(&self, project: &ProjectId) {
        self.active.forget(project);
        self.by_id
            .forget_all(|kek| kek.scope == KekScope::Project(project.clone()));
    }

    pub(crate) fn crypto(&self) -> &dyn CryptoPlugin {
        &*self.crypto
    }

    async fn project_kek(&self, project: &ProjectId) -> Result<Arc<WrappedKek>, Error> {
        if let Some(kek) = self.active.get(project) {
            return Ok(kek);
        }
        // Before the look, so that one that is outdated by then is not kept.
        let forgotten = self.active.forgotten();
        let keys = KeyMaker {
            repository: &*self.repository,
            crypto: &*self.crypto,
            clock: &*self.clock,
            entropy: &*self.entropy,
        };
        let kek = Arc::new(
            keys.active_or_new(KekScope::Project(project.clone()))
                .await?,
        );
        self.active.put(project.clone(), &kek, forgotten);
        Ok(kek)
    }

    async fn kek(&self, id: KekId) -> Result<Arc<WrappedKek>, Error> {
        if let Some(kek) = self.by_id.get(&id) {
            return Ok(kek);
        }
        let forgotten = self.by_id.forgotten();
        let found: Result<_, RepositoryError> = self
            .repository
            .read_with(Reading::Point, move |tx| tx.kek(id))
            .await;
        let missing =
            || RepositoryError::with_source(RepositoryErrorKind::Corrupt, format!("no key {id}"));
        let kek = Arc::new(found?.ok_or_else(missing)?);
        self.by_id.put(id, &kek, forgotten);
        Ok(kek)
    }
}

fn payload_binding(project: &ProjectId, secret: SecretId) -> Binding<'_> {
    Binding {
        project,
        object: *secret.as_bytes(),
        kind: SealedKind::Payload,
        version: WRITTEN_ONCE,
    }
}

fn locator_binding(project: &ProjectId, secret: SecretId) -> Binding<'_> {
    Binding {
        kind: SealedKind::Locator,
        ..payload_binding(project, secret)
    }
}

fn passphrase_binding(project: &ProjectId, order: OrderId) -> Binding<'_> {
    Binding {
        project,
        object: *order.as_bytes(),
        kind: SealedKind::Passphrase,
        version: WRITTEN_ONCE,
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").finish_non_exhaustive()
    }
}

// === KeyMaker ===

struct KeyMaker<'a> {
    repository: &'a dyn Repository,
    crypto: &'a dyn CryptoPlugin,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
}

impl KeyMaker<'_> {
    /// The active key of a scope, made now if there is none. Where two callers
    /// make one at once, the first to be stored is the one that both get.
    async fn active_or_new(&self, scope: KekScope) -> Result<WrappedKek, Error> {
        let wanted = scope.clone();
        let found: Result<_, RepositoryError> = self
            .repository
            .read_with(Reading::Point, move |tx| match tx.active_kek(&wanted)? {
                Some(kek) => Ok(Ok(kek)),
                None => Ok(Err(tx.last_generation(&wanted)?)),
            })
            .await;
        let last = match found? {
            Ok(kek) => return Ok(kek),
            Err(last) => last,
        };
        let id = KekId::from_uuid(self.entropy.uuid_v4());
        // The first one, unless those before were destroyed.
        let generation = last.saturating_add(1);
        let fresh = self
            .crypto
            .new_kek(id, scope, generation, self.clock.now())
            .await?;
        self.repository
            .write_with(move |tx| {
                if let Some(first) = tx.active_kek(&fresh.scope)? {
                    return Ok(first);
                }
                tx.insert_kek(&fresh)?;
                Ok(fresh.clone())
            })
            .await
    }
}

// === Startup ===

/// What has to happen once before anything is sealed or opened.
#[derive(Clone, Copy)]
pub struct Startup<'a> {
    /// Where keys are kept.
    pub repository: &'a dyn Repository,
    /// What wraps them.
    pub crypto: &'a dyn CryptoPlugin,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Draws ids.
    pub entropy: &'a dyn Entropy,
}

impl Startup<'_> {
    /// Makes the installation's row in a new database, or checks with its
    /// canary that the root key is the right one.
    ///
    /// # Errors
    /// [`Error::Internal`] with a [`donjon_domain::ports::CryptoError`] as its
    /// source where the root key is another one; else as storage fails.
    pub async fn adopt_or_create(&self) -> Result<(), Error> {
        let found: Result<_, RepositoryError> = self
            .repository
            .read_with(Reading::Point, |tx| tx.deployment())
            .await;
        let deployment = match found? {
            Some(deployment) => deployment,
            None => {
                let id = DeploymentId::from_uuid(self.entropy.uuid_v4());
                let fresh = self.crypto.new_deployment(id, self.clock.now()).await?;
                let kept = fresh.clone();
                let written: Result<(), RepositoryError> = self
                    .repository
                    .write_with(move |tx| tx.insert_deployment(&fresh))
                    .await;
                written?;
                kept
            }
        };
        Ok(self.crypto.adopt(&deployment).await?)
    }

    /// The store that is configured: payloads in the database, sealed in
    /// software. It gets its id when it is there for the first time.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn secret_store(&self) -> Result<ActiveStore, Error> {
        Ok(ActiveStore {
            store: self
                .store_row(None, STORE_PLUGIN, Some(CRYPTO_PLUGIN))
                .await?,
            name: "Software Only Crypto".to_owned(),
            is_global_default: true,
        })
    }

    /// The row of a store outside of the database, by the plugin as clients know
    /// it and its name in the configuration.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn outside_store(&self, plugin: &str, name: &str) -> Result<SecretStore, Error> {
        self.store_row(Some(name), plugin, None).await
    }

    async fn store_row(
        &self,
        name: Option<&str>,
        plugin: &str,
        crypto_plugin: Option<&str>,
    ) -> Result<SecretStore, Error> {
        let id = SecretStoreId::from_uuid(self.entropy.uuid_v4());
        let now = self.clock.now();
        let name = name.map(named).transpose()?;
        let plugin = named(plugin)?;
        let crypto_plugin = crypto_plugin.map(named).transpose()?;
        let store: Result<SecretStore, RepositoryError> = self
            .repository
            .write_with(move |tx| {
                let known = tx.secret_stores()?.into_iter().find(|store| {
                    store.name == name
                        && store.plugin == plugin
                        && store.crypto_plugin == crypto_plugin
                });
                if let Some(store) = known {
                    return Ok(store);
                }
                let store = SecretStore {
                    id,
                    name: name.clone(),
                    plugin: plugin.clone(),
                    crypto_plugin: crypto_plugin.clone(),
                    created: now,
                    updated: now,
                };
                tx.insert_secret_store(&store)?;
                Ok(store)
            })
            .await;
        Ok(store?)
    }

    /// One of the server's own keys, made now if there is none.
    ///
    /// # Errors
    /// As storage or the crypto plugin fails.
    pub async fn server_key(&self, key: ServerKey) -> Result<SecretBytes, Error> {
        let keys = KeyMaker {
            repository: self.repository,
            crypto: self.crypto,
            clock: self.clock,
            entropy: self.entropy,
        };
        let kek = keys.active_or_new(KekScope::Server(key)).await?;
        Ok(self.crypto.unwrap_server_key(&kek).await?)
    }
}

fn named(plugin: &str) -> Result<Label, Error> {
    Label::new(plugin.to_owned()).map_err(|error| Error::Internal(error.into()))
}

/// Names of plugins, as Barbican's configuration and clients know them.
const STORE_PLUGIN: &str = "store_crypto";
const CRYPTO_PLUGIN: &str = "simple_crypto";

impl fmt::Debug for Startup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startup").finish_non_exhaustive()
    }
}

// === Cache ===

/// A bounded map of wrapped keys. When it is full it starts anew: a miss costs
/// one point read.
struct Cache<K>(RwLock<Cached<K>>);

struct Cached<K> {
    keks: HashMap<K, Arc<WrappedKek>>,
    /// How often something was forgotten.
    forgotten: u64,
}

impl<K: Eq + Hash> Cache<K> {
    const KEYS_MAX: usize = 16_384;

    fn new() -> Self {
        Self(RwLock::new(Cached {
            keks: HashMap::new(),
            forgotten: 0,
        }))
    }

    fn get(&self, key: &K) -> Option<Arc<WrappedKek>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keks
            .get(key)
            .map(Arc::clone)
    }

    fn forgotten(&self) -> u64 {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.forgotten
    }

    /// Keeps what was looked up since `forgotten` was read, unless something
    /// was forgotten since: it may be what was looked up.
    fn put(&self, key: K, kek: &Arc<WrappedKek>, forgotten: u64) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.forgotten != forgotten {
            return;
        }
        if cached.keks.len() >= Self::KEYS_MAX {
            cached.keks.clear();
        }
        cached.keks.insert(key, Arc::clone(kek));
    }

    fn forget(&self, key: &K) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cached.forgotten += 1;
        cached.keks.remove(key);
    }

    fn forget_all(&self, concerns: impl Fn(&WrappedKek) -> bool) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cached.forgotten += 1;
        cached.keks.retain(|_, kek| !concerns(kek));
    }
}
