//! `PayloadStore` in a folder of files: the example of `docs/plugins.md`.
//!
//! May import: `donjon-domain` and tokio. Deliberately absent: secrecy, and
//! anything that remembers. What a file is called says all there is to know.

#![doc = include_str!("../README.md")]

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str,
    sync::Arc,
    time::Duration,
};

use donjon_domain::{
    DeploymentId, PutId, SecretBytes, SecretId,
    ports::{
        BoxError, BoxFuture, Listed, Locator, OutsidePayload, PayloadName, PayloadStore,
        StoreError, StoreErrorKind,
    },
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Keeps payloads in a folder that nobody else may read. Needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: Arc<Path>,
    patience: Duration,
    threads: Arc<Semaphore>,
}

impl FolderStore {
    /// The folder has to be there. A call that lasts longer than `patience`
    /// ends as if the store were away; so does one that finds no thread in that
    /// time, of which there are 32.
    #[must_use]
    pub fn new(folder: PathBuf, patience: Duration) -> Self {
        Self {
            folder: folder.into(),
            patience,
            threads: Arc::new(Semaphore::new(THREADS_MAX)),
        }
    }

    /// Does what blocks on a thread of its own, for so long and no longer.
    fn call<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let (folder, threads) = (Arc::clone(&self.folder), Arc::clone(&self.threads));
        let working = async {
            let permit = threads.acquire_owned().await.map_err(internal)?;
            let done = spawn_blocking(move || {
                // A thread that hangs counts for as long as it does.
                let _permit = permit;
                work(&folder)
            });
            done.await.map_err(internal)?
        };
        let in_time = timeout(self.patience, working);
        Box::pin(async {
            let late = |late| StoreError::with_source(StoreErrorKind::Unavailable, late);
            in_time.await.map_err(late)?
        })
    }
}

impl PayloadStore for FolderStore {
    fn put<'a>(
        &'a self,
        name: &'a PayloadName,
        payload: &'a OutsidePayload<'a>,
    ) -> BoxFuture<'a, Result<Locator, StoreError>> {
        let (name, bytes) = (*name, SecretBytes::new(payload.bytes.expose().to_vec()));
        self.call(move |folder| {
            let entry = entry(&name);
            let path = folder.join(&entry);
            let parent = folder.join(name.deployment.to_string());
            make(&parent).map_err(failed)?;
            // Always: who made it may not have come so far.
            sync(folder).map_err(failed)?;
            // A name is never used twice. What is cut off here is found by it.
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(failed)?;
            file.write_all(bytes.expose()).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            sync(&parent).map_err(failed)?;
            Ok(Locator::new(entry)?)
        })
    }

    fn get<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<SecretBytes, StoreError>> {
        let name = name_of(locator);
        self.call(move |folder| {
            let missing = || StoreError::new(StoreErrorKind::Missing);
            let path = folder.join(entry(&name.ok_or_else(missing)?));
            match fs::read(path) {
                Ok(bytes) => Ok(SecretBytes::new(bytes)),
                Err(error) if is_missing(&error, folder) => Err(missing()),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn delete<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<(), StoreError>> {
        let name = name_of(locator);
        self.call(move |folder| {
            let Some(name) = name else { return Ok(()) };
            match fs::remove_file(folder.join(entry(&name))) {
                Ok(()) => sync(&folder.join(name.deployment.to_string())).map_err(failed),
                Err(error) if is_missing(&error, folder) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn find<'a>(
        &'a self,
        name: &'a PayloadName,
    ) -> BoxFuture<'a, Result<Option<Locator>, StoreError>> {
        let entry = entry(name);
        self.call(move |folder| match fs::metadata(folder.join(&entry)) {
            Ok(_) => Ok(Some(Locator::new(entry)?)),
            Err(error) if is_missing(&error, folder) => Ok(None),
            Err(error) => Err(failed(error)),
        })
    }

    fn list<'a>(
        &'a self,
        deployment: DeploymentId,
        after: Option<&'a PayloadName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let after = after.copied();
        self.call(move |folder| {
            let files = match fs::read_dir(folder.join(deployment.to_string())) {
                Ok(files) => files,
                Err(error) if is_missing(&error, folder) => return Ok(Vec::new()),
                Err(error) => return Err(failed(error)),
            };
            let mut names = BTreeSet::new();
            for file in files {
                let name = file.map_err(failed)?.file_name();
                names.extend(name.to_str().and_then(|key| name_in(deployment, key)));
            }
            let behind = names.into_iter().filter(|name| Some(*name) > after);
            let listed = behind.take(limit).map(|name| {
                let locator = Locator::new(entry(&name))?;
                Ok(Listed { name, locator })
            });
            listed.collect()
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.call(|folder| fs::read_dir(folder).map(drop).map_err(failed))
    }
}

// === names ===

fn entry(name: &PayloadName) -> String {
    format!("{}/{}.{}", name.deployment, name.secret, name.put)
}

/// `None` for what [`entry`] did not make: nothing else becomes a path.
fn name_of(locator: &Locator) -> Option<PayloadName> {
    let text = str::from_utf8(locator.as_bytes()).ok()?;
    let (deployment, key) = text.split_once('/')?;
    name_in(DeploymentId::parse(deployment).ok()?, key)
}

fn name_in(deployment: DeploymentId, key: &str) -> Option<PayloadName> {
    let (secret, put) = key.split_once('.')?;
    Some(PayloadName {
        deployment,
        secret: SecretId::parse(secret).ok()?,
        put: PutId::parse(put).ok()?,
    })
}

// === files ===

fn make(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        // It is there, or another put was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// A new or removed name lasts when its folder is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether a payload is not there, and the folder is: one that is not mounted
/// has lost nothing.
fn is_missing(error: &io::Error, folder: &Path) -> bool {
    error.kind() == ErrorKind::NotFound && folder.is_dir()
}

/// What the caller can do about it. A payload that is not there is no failure.
fn failed(error: io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::FileTooLarge => StoreErrorKind::Refused,
        ErrorKind::AlreadyExists => StoreErrorKind::Internal,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}

/// The runtime ends, or the work panicked.
fn internal(error: impl Into<BoxError>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Internal, error)
}

/// More do not make a disk faster, and all of them may hang.
const THREADS_MAX: usize = 32;
