//! The data folder: who may work in it, what state it is in, and how a new one
//! comes to be.
//!
//! Invariants: nothing is touched before the folder is ours alone and locked; a
//! root key is made only together with a new database, and is durable before
//! it; a folder whose making was interrupted carries a mark, and nobody was ever
//! served from it, so the next start goes on where the last one stopped.

mod check;
mod files;
mod lock;

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow};
use donjon_crypto_software::RootKey;
use donjon_domain::ports::Entropy;
use zeroize::Zeroizing;

pub(crate) use self::files::write_private;
use self::lock::{Lock, Locked};
use crate::{
    exit::{Exit, Failure, OrExit},
    root_key::{RootKeySource, RootKeys},
};

/// A data folder that no other process works in, for as long as this lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    /// Absolute, so that it can be shown to people.
    path: PathBuf,
    stage: Stage,
    _lock: Lock,
}

/// Another process works in a data folder.
#[derive(Debug)]
struct InUse {
    path: PathBuf,
    pid: Option<u32>,
}

/// How far the making of a data folder got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing is in it.
    New,
    /// It was begun, and never used.
    Unfinished,
    /// It is complete.
    Whole,
}

impl DataDir {
    /// Locks the folder, which is made where it is missing. Blocks on file I/O.
    ///
    /// # Errors
    /// [`Exit::DataFolder`] where it is not ours alone, in use, or neither empty
    /// nor a data folder; [`Exit::RootKey`] where a root key is missing that
    /// nobody may replace.
    pub(crate) fn open_or_create(path: &Path, root_key: &RootKeys) -> Result<Self, Failure> {
        if !path.exists() {
            files::create_folder(path).or_exit(Exit::DataFolder)?;
        }
        Self::open(path, root_key)
    }

    /// The same, and waits about a second where another process has the folder:
    /// verbs such as `donjon token list` hold it for a moment.
    ///
    /// # Errors
    /// As [`Self::open_or_create`].
    pub(crate) async fn open_or_create_in_time(
        path: &Path,
        root_key: &RootKeys,
    ) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS {
            match Self::open_or_create(path, root_key) {
                Err(failure) if failure.is::<InUse>() => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
        Self::open_or_create(path, root_key)
    }

    /// The same for a folder that has to be whole already.
    ///
    /// # Errors
    /// As [`Self::open_or_create`]; and [`Exit::DataFolder`] where there is no
    /// data yet.
    pub(crate) fn open_whole(path: &Path, root_key: &RootKeys) -> Result<Self, Failure> {
        let no_data = || {
            let hint = "no data here yet; run `donjon init` or `donjon serve` first";
            Failure::new(Exit::DataFolder, anyhow!("{}: {hint}", path.display()))
        };
        if !path.exists() {
            return Err(no_data());
        }
        // A folder without anything is left without anything, a lock too.
        let is_empty = check::folder(path)
            .and_then(|()| names(path))
            .or_exit(Exit::DataFolder)?
            .is_empty();
        if is_empty {
            return Err(no_data());
        }
        let opened = Self::open(path, root_key)?;
        if opened.stage == Stage::Whole {
            Ok(opened)
        } else {
            Err(no_data())
        }
    }

    fn open(path: &Path, root_key: &RootKeys) -> Result<Self, Failure> {
        check::folder(path).or_exit(Exit::DataFolder)?;
        let path = fs::canonicalize(path)
            .with_context(|| format!("{}: cannot be opened", path.display()))
            .or_exit(Exit::DataFolder)?;
        refuse_foreign(&path)?;
        let lock = match Lock::take(&path.join(LOCK)).or_exit(Exit::DataFolder)? {
            Locked::Ours(lock) => lock,
            Locked::Theirs { pid } => return Err(in_use(&path, pid)),
        };
        for name in PRIVATE_FILES {
            check::private_file(&path.join(name)).or_exit(Exit::DataFolder)?;
        }
        let stage = stage(&path, root_key)?;
        Ok(Self {
            path,
            stage,
            _lock: lock,
        })
    }

    /// Whether somebody, such as a server that just starts, holds the lock.
    pub(crate) fn is_in_use(path: &Path) -> bool {
        Lock::is_held(&path.join(LOCK))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub(crate) fn first_token(&self) -> PathBuf {
        self.path.join(FIRST_TOKEN)
    }

    /// Where the root key lies, absolute, if it can be found; `None` where
    /// that is no file.
    pub(crate) fn root_key(&self, keys: &RootKeys) -> Option<PathBuf> {
        match &keys.current {
            _ if keys.is_default => Some(self.path.join(ROOT_KEY)),
            RootKeySource::File(path) | RootKeySource::Passphrase(path, _) => {
                Some(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
            }
            RootKeySource::Credential(_)
            | RootKeySource::Env(_)
            | RootKeySource::Hsm(_)
            | RootKeySource::Transit(_) => None,
        }
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.path.join(ADMIN_SOCKET)
    }

    /// Marks the folder as unfinished, and makes a root key where none is named
    /// elsewhere. Does nothing in a folder that is whole.
    ///
    /// # Errors
    /// [`Exit::DataFolder`] where files cannot be written.
    pub(crate) fn begin(&self, root_key: &RootKeys, entropy: &dyn Entropy) -> Result<(), Failure> {
        if self.stage == Stage::Whole {
            return Ok(());
        }
        let mark = self.path.join(UNFINISHED);
        if !mark.exists() {
            write_private(&mark, UNFINISHED_TEXT).or_exit(Exit::DataFolder)?;
        }
        if root_key.is_default && !root_key.current.is_there() {
            let text = RootKey::generate(entropy).to_file_contents();
            write_private(&self.path.join(ROOT_KEY), text.as_bytes()).or_exit(Exit::DataFolder)?;
        }
        Ok(())
    }

    /// Writes the first token, instead of one of an earlier attempt.
    ///
    /// # Errors
    /// [`Exit::DataFolder`] where the file cannot be written.
    pub(crate) fn write_first_token(&self, token: &[u8]) -> Result<(), Failure> {
        let path = self.first_token();
        files::remove_if_there(&path).or_exit(Exit::DataFolder)?;
        let mut line = Zeroizing::new(Vec::with_capacity(token.len() + 1));
        line.extend_from_slice(token);
        line.push(b'\n');
        write_private(&path, &line).or_exit(Exit::DataFolder)
    }

    /// Takes the mark away: from now on the folder is used.
    ///
    /// # Errors
    /// [`Exit::DataFolder`] where the mark stays.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        files::remove_if_there(&self.path.join(UNFINISHED)).or_exit(Exit::DataFolder)?;
        self.stage = Stage::Whole;
        Ok(())
    }
}

/// Refuses a folder in which something else lives, before anything, a lock
/// included, is written to it.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let names = names(path).or_exit(Exit::DataFolder)?;
    let is_ours = MARKS.iter().any(|mark| names.contains(*mark));
    match names.first() {
        Some(name) if !is_ours => Err(Failure::new(
            Exit::DataFolder,
            anyhow!(
                "{}: neither empty nor a data folder of donjon, for it holds {name}; name a new or an empty folder",
                path.display()
            ),
        )),
        _ => Ok(()),
    }
}

fn stage(path: &Path, root_key: &RootKeys) -> Result<Stage, Failure> {
    let names = names(path).or_exit(Exit::DataFolder)?;
    let has = |name: &str| names.contains(name);
    let has_root_key = root_key.current.is_there();
    let (shown, key) = (path.display(), &root_key.current);
    if has(UNFINISHED) {
        return Ok(Stage::Unfinished);
    }
    if has(DATABASE) {
        refuse_emptied(&path.join(DATABASE))?;
        return if has_root_key {
            Ok(Stage::Whole)
        } else {
            Err(Failure::new(
                Exit::RootKey,
                anyhow!(
                    "{shown}: there is a database, and its root key is not at {key}; \
                     put the root key back from where you keep it. A new one is never made here: it would open nothing"
                ),
            ))
        };
    }
    // A start cut off while it wrote its mark has done nothing else yet.
    let is_nothing = |name: &String| name == LOCK || name == UNFINISHED_DRAFT;
    if let Some(name) = names.iter().find(|name| !is_nothing(name)) {
        return Err(Failure::new(
            Exit::DataFolder,
            anyhow!(
                "{shown}: there is {name}, and no database; put {DATABASE} back from a backup, \
                 or name an empty folder to begin anew"
            ),
        ));
    }
    if has_root_key || root_key.is_default {
        Ok(Stage::New)
    } else {
        Err(Failure::new(
            Exit::RootKey,
            anyhow!("{key}: no root key there; {}", key.recipe()),
        ))
    }
}

/// A database that was in use is never empty; a new one in its place would hide
/// that it was lost.
fn refuse_emptied(database: &Path) -> Result<(), Failure> {
    let bytes = fs::metadata(database).or_exit(Exit::DataFolder)?.len();
    if bytes > 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::DataFolder,
        anyhow!(
            "{}: the database is empty, though its folder was in use; put it back from a backup",
            database.display()
        ),
    ))
}

/// What is in the folder, but for what a file system puts there itself.
fn names(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        names.insert(name.to_string_lossy().into_owned());
    }
    names.remove(LOST_FOUND);
    Ok(names)
}

fn in_use(path: &Path, pid: Option<u32>) -> Failure {
    let path = path.to_owned();
    Failure::new(Exit::DataFolder, InUse { path, pid })
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: another donjon", self.path.display())?;
        if let Some(pid) = self.pid {
            write!(f, " (process {pid})")?;
        }
        f.write_str(" works in this folder; two would destroy it. Stop that one first")
    }
}

impl std::error::Error for InUse {}

/// How often and after which pauses a start looks whether a folder is free.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) const ROOT_KEY: &str = "root.key";
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";
const DATABASE: &str = "donjon.db";
const FIRST_TOKEN: &str = "first-token";
const LOCK: &str = "donjon.lock";
const BALLAST: &str = "ballast";
const UNFINISHED: &str = "unfinished";
const UNFINISHED_DRAFT: &str = "unfinished.new";
const UNFINISHED_TEXT: &[u8] =
    b"The first start did not come to its end; the next one goes on from here.\n";
const LOST_FOUND: &str = "lost+found";

/// Each of them says that the folder is one of ours.
const MARKS: &[&str] = &[DATABASE, ROOT_KEY, LOCK, UNFINISHED];

/// What nobody else may read. The root key is looked at where it is loaded.
const PRIVATE_FILES: &[&str] = &[
    DATABASE,
    "donjon.db-wal",
    "donjon.db-shm",
    "donjon.db-journal",
    FIRST_TOKEN,
    BALLAST,
    UNFINISHED,
];

#[cfg(test)]
mod tests;
