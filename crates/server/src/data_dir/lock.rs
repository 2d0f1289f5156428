//! The lock of a data folder. It belongs to an open file, so it goes away with
//! the process, however that ends.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

pub(super) enum Locked {
    Ours(Lock),
    /// Another process has it.
    Theirs {
        pid: Option<u32>,
    },
}

impl Lock {
    /// # Errors
    /// The file cannot be opened, or cannot be locked on this file system.
    pub(super) fn take(path: &Path) -> Result<Locked> {
        super::check::private_file(path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .with_context(|| format!("{}: cannot be opened", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Ok(Locked::Theirs {
                    pid: read_pid(&mut file),
                });
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{}: cannot be locked", path.display()));
            }
        }
        // Only for the message to the next one; the lock does not depend on it.
        drop(
            file.set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id())),
        );
        Ok(Locked::Ours(Self { _file: file }))
    }

    pub(super) fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| {
            flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
        })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
