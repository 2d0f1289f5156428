//! Wipes what SQLite leaves of rows that it moved.
//!
//! `secure_delete` overwrites a row where it is deleted, and a page when it is
//! freed. But a page that is divided, or gets rows from its neighbours, is put
//! together anew, and what lay in its unused part before is left there: copies
//! of rows that live elsewhere now, and that nobody wipes when those are
//! deleted. Here the unused parts of pages are set to zeros, which changes
//! nothing that SQLite reads.
//!
//! # Source
//! SQLite documentation: fileformat2 1.6 (b-tree pages), 1.8 (pointer map);
//! dbpage.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, config::DbConfig};

use crate::{failure::Failure, readers::execute};

/// Wipes these pages of the database in one transaction, and says how many had
/// to be. The numbers may be in any order; those of pages that hold no rows, or
/// are not there any more, are passed over. Blocks: some microseconds per page.
///
/// # Errors
/// Those of a transaction; nothing has changed then.
pub(crate) fn wipe_pages(
    connection: &Connection,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<usize, Failure> {
    let mut left_behind = Vec::new();
    let mut kinds = Kinds::read(connection)?;
    for number in numbers {
        if !kinds.has_rows(connection, number)? {
            continue;
        }
        if let Some(mut page) = read_page(connection, number)?
            && wipe(&mut page, number, kinds.usable)
        {
            left_behind.push((number, page));
        }
    }
    if !left_behind.is_empty() {
        // Raw pages are out of reach otherwise.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
        let done = write_pages(connection, &left_behind);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        done?;
    }
    Ok(left_behind.len())
}

/// How many pages the database has.
pub(crate) fn page_count(connection: &Connection) -> Result<u32, Failure> {
    Ok(connection.pragma_query_value(None, "page_count", |row| row.get(0))?)
}

fn read_page(connection: &Connection, number: u32) -> Result<Option<Vec<u8>>, Failure> {
    let page = connection
        .prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    Ok(page)
}

fn write_pages(connection: &Connection, pages: &[(u32, Vec<u8>)]) -> Result<(), Failure> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let written = pages.iter().try_for_each(|(number, page)| {
        connection
            .prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?
            .execute((number, page))?;
        Ok(())
    });
    let done = written.and_then(|()| execute(connection, "COMMIT"));
    if !connection.is_autocommit() {
        // What matters is why it failed.
        let _ = execute(connection, "ROLLBACK").is_ok();
    }
    done
}

/// What a page is for, by the pointer map, which every database has from which
/// single pages can be given back.
struct Kinds {
    /// Bytes of a page that SQLite uses.
    usable: usize,
    /// The page of the map that was looked at last.
    map: Option<(u32, Vec<u8>)>,
}

/// The entries of the map: a kind, and the number of a page that refers to it.
const ENTRY_BYTES: u32 = 5;
const ROOT: u8 = 1;
const BRANCH: u8 = 5;

/// The page with the byte that SQLite locks, which is not used.
const LOCKED_PAGE: u32 = (1 << 30) / 4_096 + 1;

impl Kinds {
    fn read(connection: &Connection) -> Result<Self, Failure> {
        let first = read_page(connection, 1)?.ok_or(Failure::BadRow("there is no first page"))?;
        let reserved = first.get(RESERVED_AT).copied().map_or(0, usize::from);
        Ok(Self {
            usable: first.len().saturating_sub(reserved),
            map: None,
        })
    }

    /// Whether a page is part of a table or an index.
    fn has_rows(&mut self, connection: &Connection, number: u32) -> Result<bool, Failure> {
        let Some((map, entry)) = entry_of(number, self.usable) else {
            return Ok(number == 1);
        };
        if self.map.as_ref().is_none_or(|(known, _)| *known != map) {
            self.map = read_page(connection, map)?.map(|page| (map, page));
        }
        let kind = self.map.as_ref().and_then(|(_, page)| page.get(entry));
        Ok(matches!(kind, Some(&(ROOT | BRANCH))))
    }
}

/// Looks at many bytes at a time.
fn is_zero(bytes: &[u8]) -> bool {
    let is_zero = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all | byte) == 0;
    bytes.chunks(64).all(is_zero)
}

/// Where the header of the file has how many bytes at the end of each page are
/// not used.
const RESERVED_AT: usize = 20;

/// The page of the pointer map that has the entry of a page, and where in it;
/// `None` for the first page and for those of the map itself.
fn entry_of(number: u32, usable: usize) -> Option<(u32, usize)> {
    let entries = u32::try_from(usable).ok()? / ENTRY_BYTES;
    let group = number.checked_sub(2)? / (entries + 1);
    let mut map = group * (entries + 1) + 2;
    if map == LOCKED_PAGE {
        map += 1;
    }
    let nth = number.checked_sub(map + 1)?;
    Some((map, usize::try_from(nth * ENTRY_BYTES).ok()?))
}

/// All files of this crate have pages of this size.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Whether there is something to wipe in what would be a page of a table or an
/// index, and may be another one.
pub(crate) fn has_residue(page: &[u8], number: u32) -> bool {
    let unused = unused(page, number, page.len()).unwrap_or_default();
    let mut parts = unused.into_iter().filter_map(|range| page.get(range));
    parts.any(|bytes| !is_zero(bytes))
}

/// Sets the unused parts of a page of a table or an index to zeros, and says
/// whether they were anything else. A page that makes no sense stays as it is.
fn wipe(page: &mut [u8], number: u32, usable: usize) -> bool {
    let Some(unused) = unused(page, number, usable) else {
        return false;
    };
    let mut found = false;
    for range in unused {
        if let Some(bytes) = page.get_mut(range)
            && !is_zero(bytes)
        {
            bytes.fill(0);
            found = true;
        }
    }
    found
}

/// The unused parts: between the list of the rows and the first of them, and
/// the holes between them, save for the links that join those. What is too
/// small to be linked has three bytes at most.
fn unused(page: &[u8], number: u32, usable: usize) -> Option<Vec<Range<usize>>> {
    let header = if number == 1 { FILE_HEADER_BYTES } else { 0 };
    let header_bytes = match page.get(header)? {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let list_end = header + header_bytes + 2 * two_bytes(page, header + 3)?;
    let first_row = match two_bytes(page, header + 5)? {
        0 => 65_536,
        at => at,
    };
    if list_end > first_row || first_row > usable || usable > page.len() {
        return None;
    }
    let mut unused = Vec::new();
    unused.push(list_end..first_row);
    let (mut end, mut hole) = (first_row, two_bytes(page, header + 1)?);
    while hole != 0 {
        let (next, bytes) = (two_bytes(page, hole)?, two_bytes(page, hole + 2)?);
        if hole < end || bytes < LINK_BYTES {
            return None;
        }
        end = hole + bytes;
        if end > usable {
            return None;
        }
        unused.push(hole + LINK_BYTES..end);
        hole = next;
    }
    Some(unused)
}

/// The first page begins with the header of the file.
const FILE_HEADER_BYTES: usize = 100;

/// A hole begins with the place of the next one and its own size.
const LINK_BYTES: usize = 4;

fn two_bytes(page: &[u8], at: usize) -> Option<usize> {
    let bytes = page.get(at..at + 2)?;
    Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
}

#[cfg(test)]
mod tests;
