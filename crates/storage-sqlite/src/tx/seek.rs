//! A page of a project's whole list, found without visiting what lies before.
//!
//! `blocks` says how many secrets count in each 256 places. What has expired
//! but was not swept yet is subtracted, per block, by an index on expiration.
//! So the cost is that of the blocks before the page (one small row for 256
//! secrets), of what expired lately, and of the page itself.

use std::collections::BTreeMap;

use donjon_domain::{Page, PageRequest, Secret, SecretId, Start, Timestamp};
use rusqlite::params;

use super::{
    Mode, Tx,
    columns::{SecretRow, select_secrets},
    lists::to_u64,
};
use crate::{
    failure::Failure,
    place::{Block, Place, ProjectRow},
};

/// What is expired at some time but still counted, by block.
pub(super) struct Expired(BTreeMap<Block, i64>);

/// Where a page begins: in this block, after as many visible secrets of it,
/// and after as many of the whole list.
struct Position {
    block: Block,
    skipped: i64,
}

const EXPIRED: &str = "SELECT place >> 8, count(*) FROM secrets INDEXED BY secrets_expiring \
     WHERE project = ?1 AND counted = 1 AND expiration IS NOT NULL AND expiration <= ?2 GROUP BY 1";

const BLOCKS: &str =
    "SELECT block, live FROM blocks WHERE block >= ?1 AND block < ?2 ORDER BY block";

const ITEMS: &str = select_secrets!(
    "WHERE place >= ?1 AND place < ?2 AND counted = 1 \
     AND (expiration IS NULL OR expiration > ?3) ORDER BY place LIMIT ?4 OFFSET ?5"
);

const BEFORE: &str = "SELECT coalesce(sum(live), 0) FROM blocks WHERE block >= ?1 AND block < ?2";

const VISIBLE: &str = "SELECT count(*) FROM secrets WHERE place >= ?1 AND place < ?2 \
     AND counted = 1 AND (expiration IS NULL OR expiration > ?3)";

/// All of them, for the test that each uses an index.
#[cfg(test)]
pub(crate) const QUERIES: [&str; 5] = [EXPIRED, BLOCKS, ITEMS, BEFORE, VISIBLE];

impl Expired {
    pub(super) fn total(&self) -> i64 {
        self.0.values().sum()
    }

    fn in_block(&self, block: Block) -> i64 {
        self.0.get(&block).copied().unwrap_or(0)
    }
}

/// What of the project is expired at `now` but still counted.
pub(super) fn expired<M: Mode>(
    tx: &Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
) -> Result<Expired, Failure> {
    let mut statement = tx.connection.prepare_cached(EXPIRED)?;
    let blocks = statement
        .query_map(params![project, now.as_micros()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Expired(blocks))
}

/// The page. `live` is what the project's row says.
pub(super) fn list<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    live: i64,
    page: PageRequest,
    now: Timestamp,
) -> Result<Page<Secret>, Failure> {
    let expired = expired(tx, project, now)?;
    let total = to_u64(live - expired.total())?;
    let offset = match page.start {
        Start::Offset(offset) => offset,
        Start::After(id) => to_u64(rank_after(tx, project, id, &expired, now)?)?,
    };
    let items = if offset < total {
        let skipped = i64::try_from(offset).unwrap_or(i64::MAX);
        items(tx, project, skipped, page.limit.max(1), &expired, now)?
    } else {
        Vec::new()
    };
    Ok(Page {
        items,
        offset,
        total,
    })
}

/// Reads the items block by block, so that a region full of secrets that were
/// swept is passed over.
fn items<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    skipped: i64,
    limit: u32,
    expired: &Expired,
    now: Timestamp,
) -> Result<Vec<Secret>, Failure> {
    let name = tx.mode.project_name(tx.connection, project)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut to_skip = skipped;
    let mut blocks = tx.connection.prepare_cached(BLOCKS)?;
    let mut blocks = blocks.query(blocks_of(project))?;
    while let Some(row) = blocks.next()? {
        let (block, live): (Block, i64) = (row.get(0)?, row.get(1)?);
        let visible = live - expired.in_block(block);
        if to_skip >= visible {
            to_skip -= visible;
            continue;
        }
        let position = Position {
            block,
            skipped: std::mem::take(&mut to_skip),
        };
        read_block(tx, &position, wanted, now, &name, &mut found)?;
        if found.len() >= wanted {
            break;
        }
    }
    Ok(found)
}

fn read_block<M>(
    tx: &Tx<'_, M>,
    position: &Position,
    wanted: usize,
    now: Timestamp,
    project: &str,
    found: &mut Vec<Secret>,
) -> Result<(), Failure> {
    let missing = i64::try_from(wanted.saturating_sub(found.len())).unwrap_or(i64::MAX);
    let mut statement = tx.connection.prepare_cached(ITEMS)?;
    let mut rows = statement.query(params![
        position.block.start(),
        position.block.end(),
        now.as_micros(),
        missing,
        position.skipped,
    ])?;
    while let Some(row) = rows.next()? {
        found.push(SecretRow::read(row)?.into_secret(project.to_owned()));
    }
    Ok(())
}

/// How many visible secrets stand before the one behind the marker; 0 where
/// the marker is not in the list.
fn rank_after<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    marker: SecretId,
    expired: &Expired,
    now: Timestamp,
) -> Result<i64, Failure> {
    let Some(place) = tx.place(marker)?.filter(|place| place.project() == project) else {
        return Ok(0);
    };
    let block = place.block();
    let up_to_marker = visible_between(tx, block.start(), place.next(), now)?;
    let is_visible = visible_between(tx, place, place.next(), now)? == 1;
    if !is_visible {
        return Ok(0);
    }
    let (first, _) = blocks_of(project);
    let before: i64 = tx
        .connection
        .prepare_cached(BEFORE)?
        .query_row((first, block), |row| row.get(0))?;
    let expired_before: i64 = expired.0.range(..block).map(|(_, count)| count).sum();
    Ok(before - expired_before + up_to_marker)
}

fn visible_between<M>(
    tx: &Tx<'_, M>,
    start: Place,
    end: Place,
    now: Timestamp,
) -> Result<i64, Failure> {
    let count = tx
        .connection
        .prepare_cached(VISIBLE)?
        .query_row(params![start, end, now.as_micros()], |row| row.get(0))?;
    Ok(count)
}

/// The blocks of a project: the first, and the first behind it.
fn blocks_of(project: ProjectRow) -> (Block, Block) {
    (
        Place::first_of(project).block(),
        Place::end_of(project).block(),
    )
}
