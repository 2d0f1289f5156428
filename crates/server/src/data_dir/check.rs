//! Whether a folder or a file is ours alone.

use std::{fs::Metadata, io, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result, ensure};
use rustix::process::geteuid;

/// # Errors
/// It is no folder, belongs to somebody else, or others may enter it.
pub(super) fn folder(path: &Path) -> Result<()> {
    let metadata =
        std::fs::metadata(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    ensure!(metadata.is_dir(), "{}: not a folder", path.display());
    ours_alone(path, &metadata, "700")
}

/// A file that is not there is in order.
///
/// # Errors
/// It is no plain file, belongs to somebody else, or others may open it.
pub(super) fn private_file(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be opened", path.display())),
        Ok(metadata) => {
            ensure!(metadata.is_file(), "{}: not a plain file", path.display());
            ours_alone(path, &metadata, "600")
        }
    }
}

fn ours_alone(path: &Path, metadata: &Metadata, mode_wanted: &str) -> Result<()> {
    let (owner, we) = (metadata.uid(), geteuid().as_raw());
    ensure!(
        owner == we,
        "{}: belongs to user {owner}, and donjon runs as user {we}; run it as the owner",
        path.display()
    );
    let mode = metadata.mode() & 0o7777;
    ensure!(
        mode & 0o077 == 0,
        "{0}: open to others (mode {mode:04o}); run `chmod {mode_wanted} {0}`",
        path.display()
    );
    Ok(())
}
