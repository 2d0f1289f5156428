//! A page of a project's whole list, found without visiting what lies before.
//!
//! `blocks` (and its like for containers and orders) says how many rows count in
//! each 256 places. What has expired but was not swept yet is subtracted, per
//! block, by an index on expiration. So the cost is that of the blocks before
//! the page (one small row for 256), of what expired lately, and of the page
//! itself.

use std::collections::BTreeMap;

use donjon_domain::{Page, PageRequest, ProjectId, Start, Timestamp};
use rusqlite::{Row, params};

use super::{Mode, Tx, lists::to_u64};
use crate::{
    failure::Failure,
    place::{Block, Place, Placed, ProjectRow},
};

/// What stands in the lists of a project.
pub(super) trait Listed: Sized {
    /// What names it.
    type Id: Placed;

    /// How it is found.
    const QUERIES: Queries;

    /// Reads a row that [`Queries::items`] or [`Queries::one`] found. Its first
    /// column is the place.
    fn read(row: &Row<'_>, project: ProjectId) -> Result<Self, Failure>;
}

/// The statements for one kind.
#[derive(Debug)]
pub(super) struct Queries {
    /// The block of each row that is expired but counted: project, time. `None`
    /// for what does not expire.
    pub(super) expired: Option<&'static str>,
    /// The blocks in a range, and their counts: first, end.
    pub(super) blocks: &'static str,
    /// The sum of the counts in a range of blocks: first, end.
    pub(super) before: &'static str,
    /// Rows in a range of places: time, first, end, limit, offset.
    pub(super) items: &'static str,
    /// How many there are: time, first, end.
    pub(super) visible: &'static str,
    /// The row at a place.
    pub(super) one: &'static str,
}

/// The [`Queries`] for a table: by the macro that selects its columns, its name,
/// that of its blocks, and a condition on the time `?1`, or nothing.
macro_rules! queries {
    ($select:ident, $table:literal, $blocks:literal, $condition:literal) => {
        Queries {
            expired: None,
            blocks: concat!(
                "SELECT block, live FROM ",
                $blocks,
                " WHERE block >= ?1 AND block < ?2 ORDER BY block"
            ),
            before: concat!(
                "SELECT coalesce(sum(live), 0) FROM ",
                $blocks,
                " WHERE block >= ?1 AND block < ?2"
            ),
            items: $select!(
                "WHERE place >= ?2 AND place < ?3" $condition
                " ORDER BY place LIMIT ?4 OFFSET ?5"
            ),
            visible: concat!(
                "SELECT count(*) FROM ",
                $table,
                " WHERE place >= ?2 AND place < ?3",
                $condition
            ),
            one: $select!("WHERE place = ?1"),
        }
    };
}
pub(super) use queries;

/// What is expired at some time but still counted, by block.
pub(super) struct Expired(BTreeMap<Block, i64>);

/// Where a page begins: in this block, after as many visible rows of it.
struct Position {
    block: Block,
    skipped: i64,
}

impl Expired {
    pub(super) fn total(&self) -> i64 {
        self.0.values().sum()
    }

    fn in_block(&self, block: Block) -> i64 {
        self.0.get(&block).copied().unwrap_or(0)
    }
}

/// What of the project is expired at `now` but still counted.
pub(super) fn expired<L: Listed, M>(
    tx: &Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
) -> Result<Expired, Failure> {
    let Some(sql) = L::QUERIES.expired else {
        return Ok(Expired(BTreeMap::new()));
    };
    let mut statement = tx.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![project, now.as_micros()])?;
    // SQLite would sort all of them to group them.
    let mut blocks = BTreeMap::new();
    while let Some(row) = rows.next()? {
        *blocks.entry(row.get(0)?).or_insert(0) += 1;
    }
    Ok(Expired(blocks))
}

/// The page. `live` is what the project's row says.
pub(super) fn list<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    live: i64,
    page: PageRequest<L::Id>,
    now: Timestamp,
) -> Result<Page<L>, Failure> {
    let expired = expired::<L, M>(tx, project, now)?;
    let total = to_u64(live - expired.total())?;
    let offset = match page.start {
        Start::Offset(offset) => offset,
        Start::After(id) => to_u64(rank_after::<L, M>(tx, project, id, &expired, now)?)?,
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
fn items<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    skipped: i64,
    limit: u32,
    expired: &Expired,
    now: Timestamp,
) -> Result<Vec<L>, Failure> {
    let name = ProjectId::new(tx.mode.project_name(tx.connection, project)?);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut to_skip = skipped;
    let mut blocks = tx.connection.prepare_cached(L::QUERIES.blocks)?;
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

fn read_block<L: Listed, M>(
    tx: &Tx<'_, M>,
    position: &Position,
    wanted: usize,
    now: Timestamp,
    project: &ProjectId,
    found: &mut Vec<L>,
) -> Result<(), Failure> {
    let missing = i64::try_from(wanted.saturating_sub(found.len())).unwrap_or(i64::MAX);
    let mut statement = tx.connection.prepare_cached(L::QUERIES.items)?;
    let mut rows = statement.query(params![
        now.as_micros(),
        position.block.start(),
        position.block.end(),
        missing,
        position.skipped,
    ])?;
    while let Some(row) = rows.next()? {
        found.push(L::read(row, project.clone())?);
    }
    Ok(())
}

/// How many visible rows stand before the one behind the marker; 0 where
/// the marker is not in the list.
fn rank_after<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    marker: L::Id,
    expired: &Expired,
    now: Timestamp,
) -> Result<i64, Failure> {
    let Some(place) = tx.place(marker)?.filter(|place| place.project() == project) else {
        return Ok(0);
    };
    let block = place.block();
    let up_to_marker = visible_between::<L, M>(tx, block.start(), place.next(), now)?;
    let is_visible = visible_between::<L, M>(tx, place, place.next(), now)? == 1;
    if !is_visible {
        return Ok(0);
    }
    let (first, _) = blocks_of(project);
    let before: i64 = tx
        .connection
        .prepare_cached(L::QUERIES.before)?
        .query_row((first, block), |row| row.get(0))?;
    let expired_before: i64 = expired.0.range(..block).map(|(_, count)| count).sum();
    Ok(before - expired_before + up_to_marker)
}

fn visible_between<L: Listed, M>(
    tx: &Tx<'_, M>,
    start: Place,
    end: Place,
    now: Timestamp,
) -> Result<i64, Failure> {
    let count = tx
        .connection
        .prepare_cached(L::QUERIES.visible)?
        .query_row(params![now.as_micros(), start, end], |row| row.get(0))?;
    Ok(count)
}

/// The blocks of a project: the first, and the first behind it.
fn blocks_of(project: ProjectRow) -> (Block, Block) {
    (
        Place::first_of(project).block(),
        Place::end_of(project).block(),
    )
}

/// All statements of all kinds, for the test that each searches.
#[cfg(test)]
pub(crate) fn list_queries() -> Vec<&'static str> {
    use donjon_domain::{Container, Order, Secret};

    [Secret::QUERIES, Container::QUERIES, Order::QUERIES]
        .iter()
        .flat_map(|queries| {
            let rest = [
                queries.blocks,
                queries.before,
                queries.items,
                queries.visible,
                queries.one,
            ];
            queries.expired.into_iter().chain(rest)
        })
        .collect()
}
