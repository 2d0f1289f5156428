//! Wipes what is left of moved rows before it gets from the log into the
//! database file: whatever is in the file is a row that is there.
//!
//! So a DELETE finds the only copy of a row in the file, and only the pages that
//! the log has need to be looked at. After an end that was not in order, the
//! next start looks at all pages.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    ops::Bound,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::Writer;
use crate::{
    failure::{Broken, Failure, Reach},
    residue::{PAGE_BYTES, has_residue, page_count, wipe_pages},
};

/// How far the log was looked at.
pub(super) struct Scrub {
    log: PathBuf,
    /// Which log it was: it is written anew from its start at times.
    salts: [u8; 8],
    /// How many of its frames were looked at.
    frames: u32,
    /// Pages that are to be wiped yet.
    pages: BTreeSet<u32>,
}

/// The log is a header and frames; a frame is a header and a page.
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;

/// Frames that are read in one go.
const FRAMES_AT_ONCE: usize = 32;

/// Where the salts are, in the header of the log and in that of a frame.
const LOG_SALTS_AT: usize = 16;
const FRAME_SALTS_AT: usize = 8;

/// Pages that are looked at in one transaction.
const AT_ONCE: usize = 1_024;

impl Scrub {
    pub(super) fn new(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self {
            log: log.into(),
            salts: [0; 8],
            frames: 0,
            pages: BTreeSet::new(),
        }
    }

    /// Looks at all frames that are new among the first `frames`, and notes the
    /// pages whose last one has something to wipe.
    ///
    /// Nobody holds locks on this file, unlike on the other two, so it may be
    /// opened and closed.
    fn note_frames(&mut self, frames: u32) -> io::Result<()> {
        if frames == 0 {
            return Ok(());
        }
        let log = File::open(&self.log)?;
        let mut header = [0; 32];
        log.read_exact_at(&mut header, 0)?;
        let salts = eight_bytes(&header, LOG_SALTS_AT)?;
        if salts != self.salts || frames < self.frames {
            (self.salts, self.frames) = (salts, 0);
        }
        let mut read = vec![0; FRAME_BYTES * FRAMES_AT_ONCE];
        while self.frames < frames {
            let count = FRAMES_AT_ONCE.min((frames - self.frames) as usize);
            let read = read.get_mut(..FRAME_BYTES * count).unwrap_or_default();
            let before = u64::from(self.frames) * FRAME_BYTES as u64;
            log.read_exact_at(read, LOG_HEADER_BYTES + before)?;
            for frame in read.chunks_exact(FRAME_BYTES) {
                self.note_frame(frame)?;
                self.frames += 1;
            }
        }
        Ok(())
    }

    fn note_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        if eight_bytes(frame, FRAME_SALTS_AT)? != self.salts {
            return Err(io::Error::other("the log has a frame of another log"));
        }
        let Some(([a, b, c, d, ..], page)) = frame.split_first_chunk::<FRAME_HEADER_BYTES>() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let number = u32::from_be_bytes([*a, *b, *c, *d]);
        if has_residue(page, number) {
            self.pages.insert(number);
        } else {
            self.pages.remove(&number);
        }
        Ok(())
    }
}

impl Writer {
    /// Wipes the pages that are in the log. `false` where that failed: it is
    /// tried again with the next ones, or at the next start.
    pub(super) fn scrub_log(&mut self) -> bool {
        let mut done = self.try_scrub_log();
        if let Err(broken) = &done
            && broken.reach == Reach::Room
        {
            self.make_room(&broken.why);
            done = self.try_scrub_log();
        }
        let Err(broken) = done else {
            return true;
        };
        self.checkpoint_failed(broken);
        false
    }

    fn try_scrub_log(&mut self) -> Result<(), Broken> {
        if let Err(error) = self.scrub.note_frames(self.log.frames()) {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the log cannot be read, all pages are looked at");
            let all = 1..=page_count(&self.connection)?;
            self.scrub.pages.extend(all);
        }
        while let Some(last) = self
            .scrub
            .pages
            .iter()
            .nth(AT_ONCE - 1)
            .or(self.scrub.pages.last())
        {
            let rest = self
                .scrub
                .pages
                .range((Bound::Excluded(*last), Bound::Unbounded))
                .copied()
                .collect();
            wipe_pages(&self.connection, self.scrub.pages.range(..=last).copied())?;
            self.scrub.pages = rest;
            // What was written just now needs no look.
            self.scrub.frames = self.log.frames();
        }
        Ok(())
    }
}

/// Wipes all pages of the database, with few of them in the log at a time.
/// Blocks: about a second for 1 GiB, or some where all are to be wiped.
pub(crate) fn scrub_all(
    connection: &Connection,
    mut empty_log: impl FnMut() -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut wiped = 0;
    let count = page_count(connection)?;
    for first in (1..=count).step_by(AT_ONCE) {
        let now = wipe_pages(connection, (first..=count).take(AT_ONCE))?;
        if now > 0 {
            empty_log()?;
        }
        wiped += now;
    }
    Ok(wiped)
}

fn eight_bytes(bytes: &[u8], at: usize) -> io::Result<[u8; 8]> {
    bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}
