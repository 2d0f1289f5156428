//! Reads files that hold secrets, if nobody else could have.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::{InvalidPassphraseKey, InvalidRootKey};

/// A file with a secret that must not be used, and why: a root key, a passphrase, a PIN.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyFileError {
    /// It cannot be opened or read; also where it is a symbolic link.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no regular file, or has several names.
    #[error("{}: not a regular file with a single link", path.display())]
    NotOneRegularFile {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("{}: owned by uid {uid}, should be owned by the user who runs the server, or root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Others have rights on it.
    #[error("{}: mode {mode:04o} lets others at it; run chmod 0600 on it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others can replace it.
    #[error("{}: its folder has mode {mode:04o}, so others can replace it; run chmod go-w on the folder", path.display())]
    FolderMode {
        /// The file.
        path: PathBuf,
        /// The permission bits of its folder.
        mode: u32,
    },
    /// Somebody else can replace it.
    #[error("{}: its folder is owned by uid {uid}, should be owned by the user who runs the server, or root", path.display())]
    FolderOwner {
        /// The file.
        path: PathBuf,
        /// Who owns its folder.
        uid: u32,
    },
    /// It holds no salt and parameters for a passphrase.
    #[error("{}", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidPassphraseKey,
    },
    /// It holds something else.
    #[error("{}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidRootKey,
    },
}

/// Reads a file, if it and its folder are such that only the user who runs
/// this process, or root, could have put it there and can read it. At most
/// `bytes_max` and one more come out, so that the caller sees what is too long.
/// Blocks for the read.
///
/// # Errors
/// [`RootKeyFileError`] names what to mend.
///
/// # Source
/// CVE-2023-1633: a key that local users can read is no key.
pub fn read_private(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, RootKeyFileError> {
    read(path, bytes_max, 0o077)
}

/// Reads a credential as systemd lays it down for a service: the same, but the
/// group may read. Where the service has a user of its own, systemd lets that
/// user in by an ACL, and the mode of the file then shows the ACL's mask as
/// rights of the group.
///
/// # Errors
/// [`RootKeyFileError`] names what to mend.
pub fn read_credential(
    path: &Path,
    bytes_max: u64,
) -> Result<Zeroizing<Vec<u8>>, RootKeyFileError> {
    read(path, bytes_max, 0o037)
}

fn read(path: &Path, bytes_max: u64, not: u32) -> Result<Zeroizing<Vec<u8>>, RootKeyFileError> {
    let unreadable = |source: io::Error| RootKeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| unreadable(errno.into()))?;
    let file = fs::File::from(descriptor);
    // Asked of the open file, so that it cannot be exchanged in between.
    check_file(path, &file.metadata().map_err(unreadable)?, not)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let folder = fs::metadata(folder).map_err(unreadable)?;
    check_folder(path, folder.uid(), folder.mode())?;
    let capacity = usize::try_from(bytes_max).unwrap_or(0).saturating_add(1);
    let mut contents = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut contents)
        .map_err(unreadable)?;
    Ok(contents)
}

fn check_file(path: &Path, metadata: &fs::Metadata, not: u32) -> Result<(), RootKeyFileError> {
    let path = || path.to_owned();
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(RootKeyFileError::NotOneRegularFile { path: path() });
    }
    let uid = metadata.uid();
    if !is_trusted(uid) {
        return Err(RootKeyFileError::Owner { path: path(), uid });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & not != 0 {
        Err(RootKeyFileError::Mode { path: path(), mode })
    } else {
        Ok(())
    }
}

pub(super) fn check_folder(path: &Path, uid: u32, mode: u32) -> Result<(), RootKeyFileError> {
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
