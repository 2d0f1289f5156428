//! Builds the adapters and takes an installation into use: the root key is the
//! right one, the installation's row and the first token are there.

use std::{fmt, sync::Arc};

use anyhow::{Context, anyhow};
use donjon_app::{ActiveStore, App, OutsideStores, Policy, Ports, Startup};
use donjon_auth_keystone::Keystone;
use donjon_auth_local::{NewToken, NoAuth, Tokens};
use donjon_crypto_software::{SoftwareCrypto, SoftwareGenerator};
use donjon_domain::{
    Deployment, ProjectId, RootKeyId, ServerKey, UserId,
    ports::{
        Authenticator, BoxFuture, Clock, CryptoError, CryptoErrorKind, CryptoPlugin, Entropy,
        Health, KeyGenerator, Reading, Repository, RepositoryError, RepositoryExt, Turn, Workers,
    },
};
use donjon_storage_sqlite::{OpenErrorKind, OpenOptions, SqliteRepository, StopCause};

use crate::{
    admin::Integrity,
    config::{AuthMode, AuthSettings, Settings},
    data_dir::{DataDir, Stage},
    exit::{Exit, Failure, OrExit},
    hsm::Hsms,
    modes::Modes,
    root_key::RootKeys,
    stores,
    system::{OsEntropy, SystemClock},
};

/// The adapters of a data folder, in use.
#[derive(Clone)]
pub(crate) struct Installation {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    crypto: Arc<dyn CryptoPlugin>,
    /// Those to choose from; empty where that is not enabled.
    secret_stores: Vec<ActiveStore>,
    outside: OutsideStores,
    hsms: Hsms,
    storage: Arc<SqliteRepository>,
}

impl Installation {
    /// Opens a data folder, and completes a new one: afterwards it is whole.
    ///
    /// # Errors
    /// [`Exit::RootKey`] where the root key cannot be used or is another one;
    /// [`Exit::Storage`] where the database cannot; [`Exit::DataFolder`] where
    /// files cannot be written, or the database holds no installation.
    pub(crate) async fn open(settings: &Settings, data: &mut DataDir) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        data.begin(&settings.root_key, &*entropy)?;
        let mut hsms = Hsms::default();
        let (crypto, previous) = load_root_keys(&settings.root_key, &mut hsms, &entropy).await?;
        let crypto = Arc::new(crypto);
        let storage = open_storage(settings, data, &clock).await?;
        let repository: Arc<dyn Repository> = storage.clone();
        if data.stage() == Stage::Whole {
            require_deployment(&*repository, data).await?;
        }
        let startup = Startup {
            repository: &*repository,
            crypto: &*crypto,
            clock: &*clock,
            entropy: &*entropy,
        };
        startup.adopt_or_create().await.map_err(exit_of)?;
        check_root_keys(&*repository, crypto.root(), previous).await?;
        let hash_key = startup.server_key(ServerKey::TokenHash).await;
        let tokens = Tokens::new(
            storage.clone(),
            &hash_key.map_err(exit_of)?,
            clock.clone(),
            entropy.clone(),
        );
        let (secret_stores, outside) = stores::open(settings, &startup, exit_of).await?;
        let installation = Self {
            secret_stores,
            outside,
            hsms,
            tokens: Arc::new(tokens.or_exit(Exit::Storage)?),
            repository,
            clock,
            entropy,
            crypto,
            storage,
        };
        if data.stage() != Stage::Whole {
            installation.make_first_token(data).await?;
            data.finish()?;
        }
        Ok(installation)
    }

    /// What makes the keys that orders ask for. Waits for the HSM, where it is one.
    ///
    /// # Errors
    /// [`Exit::RootKey`] where the HSM does not.
    pub(crate) async fn generator(
        &mut self,
        settings: &Settings,
    ) -> Result<Arc<dyn KeyGenerator>, Failure> {
        let Some(token) = &settings.generate_in else {
            return Ok(self.software_generator());
        };
        let source = self.hsms.key_source(token).await.or_exit(Exit::RootKey)?;
        let entropy = Arc::clone(&self.entropy);
        Ok(Arc::new(SoftwareGenerator::with_source(entropy, source)))
    }

    /// The same without an HSM.
    pub(crate) fn software_generator(&self) -> Arc<dyn KeyGenerator> {
        Arc::new(SoftwareGenerator::new(Arc::clone(&self.entropy)))
    }

    /// The use cases on top of the adapters, under these rules.
    pub(crate) fn app(
        &self,
        settings: &Settings,
        policy: Policy,
        generator: Arc<dyn KeyGenerator>,
        workers: Arc<dyn Workers>,
    ) -> App {
        App::new(Ports {
            repository: Arc::clone(&self.repository),
            crypto: Arc::clone(&self.crypto),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            generator,
            workers,
            policy,
            quotas: settings.quotas,
            bounds: settings.limits.bounds(),
            secret_stores: self.secret_stores.clone(),
            outside: self.outside.clone(),
        })
    }

    /// Tells who is asking, in these modes; `keystone` is there if it is one of
    /// them.
    pub(crate) fn authenticator(
        &self,
        modes: &[AuthMode],
        keystone: Option<&Keystone>,
    ) -> Arc<dyn Authenticator> {
        let modes = modes.iter().filter_map(|mode| match mode {
            AuthMode::Keystone => {
                keystone.map(|keystone| Arc::new(keystone.clone()) as Arc<dyn Authenticator>)
            }
            AuthMode::Tokens => Some(self.tokens.clone()),
            AuthMode::NoAuth => Some(Arc::new(NoAuth)),
        });
        let modes: Vec<_> = modes.collect();
        match <[_; 1]>::try_from(modes) {
            Ok([mode]) => mode,
            Err(modes) => Arc::new(Modes::new(modes)),
        }
    }

    /// Finds what is wrong with the database.
    pub(crate) fn integrity(&self) -> Arc<dyn Integrity> {
        self.storage.clone()
    }

    /// Resolves when writes have stopped for good.
    pub(crate) fn stopped(&self) -> impl Future<Output = StopCause> + Send + 'static + use<> {
        self.storage.stopped()
    }

    /// Stores when tokens were last used. What cannot be stored now is stored
    /// next time.
    pub(crate) async fn flush_uses(&self) {
        if let Err(error) = self.tokens.flush_uses().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "last uses of tokens are not stored"
            );
        }
    }

    /// Stores what is left to store and closes the database.
    ///
    /// # Errors
    /// [`Exit::Storage`] where storage had stopped, or does not close.
    pub(crate) async fn close(self) -> Result<Exit, Failure> {
        if self.repository.health() == Health::Stopped {
            let stopped = anyhow!("storage has stopped; its last error is in the log");
            return Err(Failure::new(Exit::Storage, stopped));
        }
        self.flush_uses().await;
        self.storage.close().await.or_exit(Exit::Storage)?;
        Ok(Exit::Good)
    }

    /// Whatever an interrupted start left is worth nothing: nobody has seen it.
    async fn make_first_token(&self, data: &DataDir) -> Result<(), Failure> {
        for left in self.tokens.list().await.or_exit(Exit::Storage)? {
            self.tokens.revoke(left.id).await.or_exit(Exit::Storage)?;
        }
        let issued = self.tokens.issue(NewToken {
            project: ProjectId::new("default"),
            user: Some(UserId::new("admin")),
            roles: ["admin", "member", "reader"].map(str::to_owned).to_vec(),
            expires: None,
        });
        let issued = issued.await.or_exit(Exit::Storage)?;
        data.write_first_token(issued.token.expose())
    }
}

/// Gets ready to ask the Keystone that is configured. Blocks on file I/O; takes
/// no connection yet, so that a server starts while Keystone is away.
///
/// # Errors
/// [`Exit::Config`] where URL or certificates cannot be used.
pub(crate) fn keystone(auth: &AuthSettings) -> Result<Option<Keystone>, Failure> {
    let Some(settings) = &auth.keystone else {
        return Ok(None);
    };
    if settings.is_plain() {
        tracing::warn!(
            "the service's credential and tokens are readable on the way to {}; use https",
            settings.auth_url
        );
    }
    let keystone = Keystone::new(
        settings.config(),
        Arc::new(SystemClock),
        Arc::new(OsEntropy),
    );
    keystone
        .map(Some)
        .context("auth.keystone")
        .or_exit(Exit::Config)
}

async fn load_root_keys(
    keys: &RootKeys,
    hsms: &mut Hsms,
    entropy: &Arc<dyn Entropy>,
) -> Result<(SoftwareCrypto, Option<RootKeyId>), Failure> {
    let current = keys.current.open(hsms, entropy).await;
    let current = current.or_exit(Exit::RootKey)?;
    let previous = match &keys.previous {
        Some(previous) => Some(previous.open(hsms, entropy).await.or_exit(Exit::RootKey)?),
        None => None,
    };
    let previous_id = previous.as_ref().map(|previous| previous.id());
    let crypto = SoftwareCrypto::new(current, previous, Arc::clone(entropy), keys.keks_max());
    Ok((crypto, previous_id))
}

/// Refuses to serve without a root key that is still needed, and warns of one
/// that is kept beside the current one: it opens as much as that, and mostly
/// somebody forgot it.
async fn check_root_keys(
    repository: &dyn Repository,
    current: RootKeyId,
    previous: Option<RootKeyId>,
) -> Result<(), Failure> {
    let found: Result<_, RepositoryError> = repository
        .read_with(Reading::Scan(Turn::SERVER), move |tx| {
            Ok((tx.deployment()?, tx.root_keys()?))
        })
        .await;
    let (deployment, root_keys) = found.or_exit(Exit::Storage)?;
    for (id, keys) in &root_keys {
        if *id != current && Some(*id) != previous {
            return Err(Failure::new(
                Exit::RootKey,
                anyhow!(
                    "root key {id} is not configured, and {keys} keys in the database still need it; name it \
                     as root_key.previous until `donjon rotate root --wait` says 0 left"
                ),
            ));
        }
    }
    let Some(previous) = previous else {
        return Ok(());
    };
    let needs_it = |(id, keys): &(RootKeyId, u64)| (*id == previous).then_some(*keys);
    let keys = root_keys.iter().find_map(needs_it).unwrap_or_default();
    let is_installed = deployment.is_some_and(|deployment| deployment.root == previous);
    if is_installed {
        tracing::warn!(
            keys,
            "root_key.previous ({previous}) is set and still needed: keys that it wraps are in the \
             database, until `donjon rotate root` wraps them with the current one"
        );
    } else if keys > 0 {
        tracing::warn!(
            keys,
            "root_key.previous ({previous}) is set and still needed: the change to the current root key \
             goes on"
        );
    } else {
        tracing::warn!(
            "root_key.previous ({previous}) is set and not needed any more: nothing in the database \
             is wrapped by it; take it out of the configuration"
        );
    }
    Ok(())
}

/// Makes the database where a new folder has none yet.
async fn open_storage(
    settings: &Settings,
    data: &DataDir,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<SqliteRepository>, Failure> {
    let mut options = OpenOptions::new(data.database(), Arc::clone(clock));
    options.expired_kept = settings.expired_kept;
    let is_new = data.stage() != Stage::Whole && !options.path.exists();
    let opening = tokio::task::spawn_blocking(move || {
        if is_new {
            SqliteRepository::create(options)
        } else {
            SqliteRepository::open(options)
        }
    });
    let opened = opening.await.or_exit(Exit::Storage)?;
    let (storage, opened) = opened.map_err(|error| {
        let exit = exit_of_opening(error.kind());
        Failure::new(exit, error)
    })?;
    if !opened.was_clean {
        tracing::info!("the last stop was not in order; the database was checked and is whole");
    }
    if let Some(migrated) = opened.migrated.filter(|_| !is_new) {
        tracing::info!(?migrated, "the database was brought to the newest schema");
    }
    Ok(Arc::new(storage))
}

/// What stays wrong however often one starts is a matter of the folder.
fn exit_of_opening(kind: OpenErrorKind) -> Exit {
    match kind {
        OpenErrorKind::Missing
        | OpenErrorKind::Exists
        | OpenErrorKind::Permissions
        | OpenErrorKind::InUse
        | OpenErrorKind::NewerSchema { .. }
        | OpenErrorKind::AlteredSchema
        | OpenErrorKind::NotOurs => Exit::DataFolder,
        _ => Exit::Storage,
    }
}

/// A folder that is whole has an installation in its database; one without
/// lost it, and a new one in its place would hide that.
async fn require_deployment(repository: &dyn Repository, data: &DataDir) -> Result<(), Failure> {
    let found: Result<Option<Deployment>, RepositoryError> = repository
        .read_with(Reading::Point, |tx| tx.deployment())
        .await;
    match found.or_exit(Exit::Storage)? {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            Exit::DataFolder,
            anyhow!(
                "{}: the database is empty, though its folder was in use; put it back from a backup",
                data.database().display()
            ),
        )),
    }
}

/// Tells a wrong root key from failing storage.
fn exit_of(error: donjon_app::Error) -> Failure {
    let mut source = std::error::Error::source(&error);
    let mut about_the_root_key = None;
    while let Some(cause) = source {
        if let Some(crypto) = cause.downcast_ref::<CryptoError>() {
            about_the_root_key = is_about_the_root_key(crypto.kind()).then(|| crypto.to_string());
        }
        source = cause.source();
    }
    match about_the_root_key {
        Some(problem) => Failure::new(
            Exit::RootKey,
            anyhow!("{problem}; put that key back, or name where it is in root_key.previous"),
        ),
        None => Failure::new(Exit::Storage, error),
    }
}

fn is_about_the_root_key(kind: CryptoErrorKind) -> bool {
    matches!(
        kind,
        CryptoErrorKind::WrongRootKey { .. } | CryptoErrorKind::UnknownRootKey(_)
    )
}

impl Integrity for SqliteRepository {
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, RepositoryError>> {
        Box::pin(Self::check(self))
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation").finish_non_exhaustive()
    }
}
