//! Root keys: making them, reading them from a file with care, telling two of
//! them apart.

use std::{
    fmt, fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use base64ct::{Base64, Encoding as _};
use donjon_domain::{RootKeyId, ports::Entropy};
use donjon_envelope::{KEY_BYTES, Key};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// 32 bytes that wrap all other keys. Wiped when dropped; `Debug` shows the id
/// alone.
pub struct RootKey {
    id: RootKeyId,
    key: Key,
}

/// The text is neither 32 raw bytes nor the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a root key is 32 raw bytes, or their base64 in one line")]
pub struct InvalidRootKey;

/// A root key file that must not be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyFileError {
    /// It cannot be opened or read; also where it is a symbolic link.
    #[error("root key {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no regular file, or has several names.
    #[error("root key {}: not a regular file with a single link", path.display())]
    NotOneRegularFile {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("root key {}: owned by uid {uid}, should be owned by the user who runs the server, or root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Others have rights on it.
    #[error("root key {}: mode {mode:04o} lets others at it, run chmod 0600 on it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others can replace it.
    #[error("root key {}: its folder has mode {mode:04o}, so others can replace it; run chmod go-w on the folder", path.display())]
    FolderMode {
        /// The file.
        path: PathBuf,
        /// The permission bits of its folder.
        mode: u32,
    },
    /// Somebody else can replace it.
    #[error("root key {}: its folder is owned by uid {uid}, should be owned by the user who runs the server, or root", path.display())]
    FolderOwner {
        /// The file.
        path: PathBuf,
        /// Who owns its folder.
        uid: u32,
    },
    /// It holds something else.
    #[error("root key {}: {source}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidRootKey,
    },
}

impl RootKey {
    /// The most bytes that a root key file has; a longer one is refused unread.
    const FILE_BYTES_MAX: u64 = 64;

    /// Draws a new root key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut *bytes);
        Self::from_key(Key::from_bytes(bytes))
    }

    /// Reads 32 raw bytes, or their base64 with or without a line end.
    ///
    /// # Errors
    /// [`InvalidRootKey`] for anything else.
    pub fn parse(contents: &[u8]) -> Result<Self, InvalidRootKey> {
        if let Ok(key) = Key::try_from(contents) {
            return Ok(Self::from_key(key));
        }
        let text = contents.trim_ascii();
        let mut decoded = Zeroizing::new([0; KEY_BYTES]);
        match Base64::decode(text, &mut *decoded) {
            Ok(bytes) if bytes.len() == KEY_BYTES => Ok(Self::from_key(Key::from_bytes(decoded))),
            _ => Err(InvalidRootKey),
        }
    }

    /// Reads a file, if it and its folder are such that only the user who runs
    /// this process, or root, could have put the key there and can read it.
    /// Blocks for the read.
    ///
    /// # Errors
    /// [`RootKeyFileError`] names what to mend.
    ///
    /// # Source
    /// CVE-2023-1633: a key that local users can read is no key.
    pub fn from_file(path: &Path) -> Result<Self, RootKeyFileError> {
        let unreadable = |source: io::Error| RootKeyFileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| unreadable(errno.into()))?;
        let file = fs::File::from(descriptor);
        // Asked of the open file, so that it cannot be exchanged in between.
        check_file(path, &file.metadata().map_err(unreadable)?)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let folder = fs::metadata(folder).map_err(unreadable)?;
        check_folder(path, folder.uid(), folder.mode())?;
        let capacity = usize::try_from(Self::FILE_BYTES_MAX).unwrap_or(64) + 1;
        let mut contents = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(Self::FILE_BYTES_MAX + 1)
            .read_to_end(&mut contents)
            .map_err(unreadable)?;
        Self::parse(&contents).map_err(|source| RootKeyFileError::Contents {
            path: path.to_owned(),
            source,
        })
    }

    /// The key as a file holds it: base64 and a line end.
    #[must_use]
    pub fn to_file_contents(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(vec![0; Base64::encoded_len(self.key.expose_bytes()) + 1]);
        let length = Base64::encode(self.key.expose_bytes(), &mut text).map_or(0, str::len);
        text.truncate(length);
        text.push(b'\n');
        Zeroizing::new(String::from_utf8_lossy(&text).into_owned())
    }

    /// Tells this root key apart from others.
    ///
    /// `id = SHA-256("donjon/root-key-id/1" || key)`, its first 16 bytes. The
    /// key has 256 random bits, so its hash says nothing about it.
    #[must_use]
    pub fn id(&self) -> RootKeyId {
        self.id
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    fn from_key(key: Key) -> Self {
        let digest = Sha256::new()
            .chain_update(ID_LABEL)
            .chain_update(key.expose_bytes())
            .finalize();
        let mut id = [0; 16];
        id.iter_mut()
            .zip(digest)
            .for_each(|(byte, digest)| *byte = digest);
        Self {
            id: RootKeyId::from_bytes(id),
            key,
        }
    }
}

const ID_LABEL: &str = "donjon/root-key-id/1";

fn check_file(path: &Path, metadata: &fs::Metadata) -> Result<(), RootKeyFileError> {
    let path = || path.to_owned();
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(RootKeyFileError::NotOneRegularFile { path: path() });
    }
    let uid = metadata.uid();
    if !is_trusted(uid) {
        return Err(RootKeyFileError::Owner { path: path(), uid });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        Err(RootKeyFileError::Mode { path: path(), mode })
    } else {
        Ok(())
    }
}

fn check_folder(path: &Path, uid: u32, mode: u32) -> Result<(), RootKeyFileError> {
    let path = || path.to_owned();
    if !is_trusted(uid) {
        return Err(RootKeyFileError::FolderOwner { path: path(), uid });
    }
    let mode = mode & 0o7777;
    if mode & 0o022 != 0 {
        Err(RootKeyFileError::FolderMode { path: path(), mode })
    } else {
        Ok(())
    }
}

/// Whether an owner is the user of this process, or root, who can do everything
/// anyway.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
