//! The database file itself: made by nobody else, readable by nobody else.
//!
//! All checks look at names, none opens the file: closing any descriptor of a
//! file drops every POSIX lock that the process has on it, SQLite's too.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Mode, OFlags};

use crate::{OpenError, OpenErrorKind};

/// The path with its folder resolved, because SQLite is told to refuse links
/// anywhere in a path, and a link to the folder is the operator's choice.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let name = path
        .file_name()
        .ok_or_else(|| OpenError::new(OpenErrorKind::Missing, path.display().to_string()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| OpenError::io(folder, error))?;
    Ok(folder.join(name))
}

/// Makes an empty file that only its owner may read and write, whatever the
/// umask, and makes its name durable.
pub(crate) fn create(path: &Path) -> Result<(), OpenError> {
    let made = create_private(path).and_then(|file| {
        file.sync_all()?;
        sync_folder(path)
    });
    made.map_err(|error| OpenError::io(path, error))
}

/// A new, empty, private file. Fails where the name is taken, by a link too.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
    let file = rustix::fs::open(path, flags, mode)?;
    rustix::fs::fchmod(&file, mode)?;
    Ok(file.into())
}

/// Makes the names in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Checks the database file and what lies beside it: regular files with one
/// name, owned by this process's user, closed to everybody else.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    check_one(path)?;
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        match check_one(Path::new(&beside)) {
            Err(error) if error.kind() == OpenErrorKind::Missing => {}
            other => other?,
        }
    }
    Ok(())
}

/// Bytes that this process may still write to the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let folder = path.parent().unwrap_or(path);
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn check_one(path: &Path) -> Result<(), OpenError> {
    let stat = rustix::fs::lstat(path).map_err(|error| OpenError::io(path, error))?;
    let refuse = |why| {
        let what = format!("{} {why}", path.display());
        Err(OpenError::new(OpenErrorKind::Permissions, what))
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return refuse("is not a regular file");
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    if stat.st_mode & 0o077 != 0 {
        return refuse("is open to others, mode 0600 is needed");
    }
    if stat.st_nlink != 1 {
        return refuse("has more than one name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn refused(path: &Path) -> bool {
        check(path).is_err_and(|error| error.kind() == OpenErrorKind::Permissions)
    }

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        create(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        check(&path).unwrap();
        assert_eq!(create(&path).unwrap_err().kind(), OpenErrorKind::Exists);
    }

    #[test]
    fn a_link_is_neither_made_nor_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("db"), folder.path().join("target"));
        symlink(&target, &path).unwrap();
        assert_eq!(create(&path).unwrap_err().kind(), OpenErrorKind::Exists);
        assert!(!target.exists());
        create(&target).unwrap();
        assert!(refused(&path));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        create(&path).unwrap();
        for bad in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            assert!(refused(&path), "{bad:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let log = folder.path().join("db-wal");
        fs::write(&log, "").unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused(&path));
    }

    #[test]
    fn a_second_name_and_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        create(&path).unwrap();
        fs::hard_link(&path, folder.path().join("other")).unwrap();
        assert!(refused(&path));
        assert!(refused(folder.path()));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = check(&folder.path().join("db")).unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Missing);
        assert!(error.to_string().contains("db is not there"));
    }
}
