//! A full disk. Room for deletes is kept in a file that holds nothing; it is
//! given up when the disk is full, and made again when there is plenty.

use std::{io, path::PathBuf};

use donjon_domain::ports::Health;
use rusqlite::Connection;
use rustix::{fs::FallocateFlags, io::Errno};

use super::Writer;
use crate::{Ballast, file};

/// What is known of the room on the disk.
#[derive(Debug)]
pub(crate) struct Reserve {
    pub(crate) ballast: Ballast,
    pub(crate) database: PathBuf,
    pub(crate) pages_max: Option<u32>,
}

/// Free pages that are given back at a time.
const GIVEN_BACK_PAGES: u32 = 512;

/// So much has to be free before anything may be added again, even without a
/// ballast.
const ROOM_BYTES_MIN: u64 = 1 << 20;

const PAGE_BYTES: u64 = 4_096;

impl Reserve {
    /// Makes the ballast, where it is not there in its full size.
    pub(crate) fn hold(&self) -> io::Result<()> {
        let Ballast { path, bytes } = &self.ballast;
        match path.symlink_metadata() {
            Ok(found) if found.is_file() && found.len() == *bytes => return Ok(()),
            Ok(_) => std::fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if *bytes == 0 {
            return Ok(());
        }
        let made = file::create_private(path)
            .and_then(|file| allocate(file, *bytes))
            .and_then(|()| file::sync_folder(path));
        if made.is_err() {
            // What was allocated of it is worth more as free room.
            let _ = std::fs::remove_file(path).is_ok();
        }
        made
    }

    /// Gives the ballast up. `false` where there was none.
    pub(crate) fn release(&self) -> io::Result<bool> {
        match std::fs::remove_file(&self.ballast.path) {
            Ok(()) => file::sync_folder(&self.ballast.path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Bytes that may still be written to the database.
    fn free_bytes(&self, connection: &Connection) -> io::Result<u64> {
        let on_disk = file::free_bytes(&self.database)?;
        let Some(pages_max) = self.pages_max else {
            return Ok(on_disk);
        };
        let count = |name: &str| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map(i64::unsigned_abs)
                .map_err(io::Error::other)
        };
        let used = count("page_count")?.saturating_sub(count("freelist_count")?);
        let pages = u64::from(pages_max).saturating_sub(used);
        Ok(on_disk.min(pages * PAGE_BYTES))
    }

    fn is_plenty(&self, free_bytes: u64) -> bool {
        free_bytes >= ROOM_BYTES_MIN.max(2 * self.ballast.bytes)
    }
}

impl Writer {
    /// The disk is full: nothing may be added any more, and deletes get what
    /// the ballast held.
    pub(super) fn make_room(&mut self, why: &str) {
        if self.shared.health() == Health::Good {
            tracing::warn!(
                why,
                "the disk is full: only reads and deletes go on; make room before a restart"
            );
        }
        self.shared.set_full(true);
        if let Err(error) = self.reserve.release() {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the ballast cannot be given up");
        }
    }

    /// Gives pages that deletes freed back to the disk, and lets things be
    /// added again once there is plenty of room.
    pub(super) fn look_at_room(&mut self) {
        let given_back = self.run_own(|tx| tx.give_back(GIVEN_BACK_PAGES));
        if given_back.is_err() || self.is_stopped() {
            return;
        }
        self.empty_log();
        match self.reserve.free_bytes(&self.connection) {
            Ok(free) if self.reserve.is_plenty(free) => self.leave_full(),
            Ok(_) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the room on the disk is not known");
            }
        }
    }

    fn leave_full(&mut self) {
        match self.reserve.hold() {
            Ok(()) => {
                tracing::info!("there is room on the disk again");
                self.shared.set_full(false);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the ballast cannot be made again");
            }
        }
    }
}

/// Takes real blocks: a file with holes would hold no room.
fn allocate(file: std::fs::File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            io::copy(&mut io::Read::take(io::repeat(0x42), bytes), &mut &file)?;
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}
