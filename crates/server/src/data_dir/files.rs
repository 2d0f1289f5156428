//! Files and folders that are there, whole, or not at all, also after a power
//! cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, Result, anyhow};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

/// Makes a folder that nobody else may enter (0700), in a folder that is there.
///
/// # Errors
/// As the system says.
pub(super) fn create_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .with_context(|| {
            format!(
                "{}: cannot be made; the folder above it has to be there, and be writable",
                path.display()
            )
        })?;
    sync_parent(path)
}

/// Makes a file that nobody else may read (0600). It is durable when this
/// returns; a file of this name that is there already is an error.
///
/// # Errors
/// As the system says.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let draft = path.with_added_extension("new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        renameat_with(CWD, &draft, CWD, path, RenameFlags::NOREPLACE)?;
        Ok(())
    };
    write().map_err(|error| {
        let path = path.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            anyhow!("{path}: cannot be written: it is there already, and nothing is replaced; name another file")
        } else {
            anyhow::Error::new(error).context(format!("{path}: cannot be written"))
        }
    })?;
    sync_parent(path)
}

/// Removes a file, durably. None is no error.
///
/// # Errors
/// As the system says.
pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be removed", path.display())),
        Ok(()) => sync_parent(path),
    }
}

fn sync_parent(path: &Path) -> Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{}: cannot be synced", parent.display()))
}
