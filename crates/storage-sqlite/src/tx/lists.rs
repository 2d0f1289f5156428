//! Lists of secrets, containers and orders, and how many secrets there are.
//!
//! A whole project's list, oldest first, is cut by the counts per block (see
//! [`super::seek`]). Every other list visits all rows of its scope, finds the places of
//! the page among those that match (see [`super::window`]), and reads their rows.

use donjon_domain::{
    Container, ContainerQuery, ListScope, Order, OrderQuery, Page, PageRequest, ProjectId, Secret,
    SecretQuery, Start, Timestamp, ports::Counted,
};
use rusqlite::{Statement, params};

use super::{
    Mode, Tx, projects,
    search::Search,
    seek::{self, Listed},
    window::{self, BYTES_MAX, Entry, Part, Rows},
};
use crate::{
    failure::Failure,
    place::{Place, Placed, ProjectRow},
};

/// The part of a list of secrets that the query asks for.
pub(super) fn secrets<M: Mode>(
    tx: &mut Tx<'_, M>,
    query: &SecretQuery,
    now: Timestamp,
) -> Result<Page<Secret>, Failure> {
    match &query.scope {
        ListScope::SharedWith(user) => {
            scan(tx, &Search::shared_secrets(query, user, now), query.page)
        }
        ListScope::Project(project) => {
            let plain = query.filter.is_empty() && query.sort.is_empty();
            of_project(tx, project, query.page, now, plain, |row| {
                Search::secrets(query, row, now)
            })
        }
    }
}

/// The part of a list of containers that the query asks for.
pub(super) fn containers<M: Mode>(
    tx: &mut Tx<'_, M>,
    query: &ContainerQuery,
) -> Result<Page<Container>, Failure> {
    let plain = query.name.is_none() && query.container_type.is_none();
    of_project(tx, &query.project, query.page, ANY_TIME, plain, |row| {
        Search::containers(query, row)
    })
}

/// The part of a list of orders that the query asks for.
pub(super) fn orders<M: Mode>(
    tx: &mut Tx<'_, M>,
    query: &OrderQuery,
) -> Result<Page<Order>, Failure> {
    let plain = query.meta.is_none();
    of_project(tx, &query.project, query.page, ANY_TIME, plain, |row| {
        Search::orders(query, row)
    })
}

/// What does not expire is the same at every time.
const ANY_TIME: Timestamp = Timestamp::from_micros(0);

/// A part of a project's list: of the whole one if `plain`, else of what the
/// search finds.
fn of_project<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    project: &ProjectId,
    page: PageRequest<L::Id>,
    now: Timestamp,
    plain: bool,
    search: impl FnOnce(ProjectRow) -> Search,
) -> Result<Page<L>, Failure> {
    let counted = L::Id::KIND.counted();
    let Some((row, live)) = projects::find(tx.connection, project.as_str(), counted)? else {
        return Ok(nothing(page));
    };
    if plain && counts_hold::<L, M>(tx, row, now)? {
        seek::list(tx, row, live, page, now)
    } else {
        scan(tx, &search(row), page)
    }
}

/// What is expired but counted: project, time, limit.
pub(crate) const EXPIRED: &str = "SELECT count(*) FROM ( \
     SELECT 1 FROM secrets INDEXED BY secrets_expiring \
     WHERE project = ?1 AND counted = 1 AND expiration IS NOT NULL \
     AND expiration <= ?2 LIMIT ?3)";

/// What was swept but is not expired, at a time before that of the sweep: first
/// place, end, time, limit.
pub(crate) const SWEPT_EARLY: &str = "SELECT count(*) FROM ( \
     SELECT 1 FROM secrets INDEXED BY secrets_swept \
     WHERE counted = 0 AND expiration > ?3 AND place >= ?1 AND place < ?2 LIMIT ?4)";

/// How many secrets of a project are not expired at `now`.
pub(super) fn count_secrets<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: &ProjectId,
    now: Timestamp,
) -> Result<u64, Failure> {
    let Some((row, kept)) = kept_secrets(tx, project)? else {
        return Ok(0);
    };
    let early = swept_early(tx, row, now, i64::MAX)?;
    to_u64(kept + early - expired(tx, row, now, i64::MAX)?)
}

/// Whether at least `number` secrets of a project are not expired at `now`.
///
/// A project may have any number of secrets that have just expired, and a job
/// that writes keeps all others waiting: no more of them are counted than the
/// project would have to lose to be below the number.
pub(super) fn has_secrets<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: &ProjectId,
    number: u64,
    now: Timestamp,
) -> Result<bool, Failure> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    if number == 0 {
        return Ok(true);
    }
    let Some((row, kept)) = kept_secrets(tx, project)? else {
        return Ok(false);
    };
    let early = swept_early(tx, row, now, number)?;
    if early >= number {
        return Ok(true);
    }
    let spare = kept + early - number;
    Ok(spare >= 0 && expired(tx, row, now, spare + 1)? <= spare)
}

/// A project's row, and how many of its secrets were not swept.
fn kept_secrets<M: Mode>(
    tx: &Tx<'_, M>,
    project: &ProjectId,
) -> Result<Option<(ProjectRow, i64)>, Failure> {
    let found = projects::find(tx.connection, project.as_str(), Counted::Secrets)?;
    Ok(found.map(|(row, live)| {
        let pending = tx.mode.uncounted(row, Counted::Secrets).unwrap_or(0);
        (row, live + pending)
    }))
}

/// How many are expired but counted; not more than `limit`.
fn expired<M>(
    tx: &Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
    limit: i64,
) -> Result<i64, Failure> {
    let mut statement = tx.connection.prepare_cached(EXPIRED)?;
    Ok(statement.query_row(params![project, now.as_micros(), limit], |row| row.get(0))?)
}

/// How many were swept but are not expired; not more than `limit`.
fn swept_early<M>(
    tx: &Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
    limit: i64,
) -> Result<i64, Failure> {
    let (first, end) = (Place::first_of(project), Place::end_of(project));
    let mut statement = tx.connection.prepare_cached(SWEPT_EARLY)?;
    Ok(
        statement.query_row(params![first, end, now.as_micros(), limit], |row| {
            row.get(0)
        })?,
    )
}

/// Whether the counts in the file say what is visible at `now`: they are those
/// of the last commit, and the sweep took out only what is expired by now.
fn counts_hold<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
) -> Result<bool, Failure> {
    let counted = L::Id::KIND.counted();
    let expires = L::QUERIES.expired.is_some();
    Ok(tx.mode.uncounted(project, counted).is_none() && (!expires || now >= swept_until(tx)?))
}

fn swept_until<M>(tx: &Tx<'_, M>) -> Result<Timestamp, Failure> {
    let micros = tx
        .connection
        .prepare_cached("SELECT swept_until FROM state")?
        .query_row([], |row| row.get(0))?;
    Ok(Timestamp::from_micros(micros))
}

/// An empty list.
pub(super) fn nothing<T, I>(page: PageRequest<I>) -> Page<T> {
    Page {
        items: Vec::new(),
        offset: known_offset(&page),
        total: 0,
    }
}

/// Where a page begins in a list that its marker is not in.
pub(super) fn known_offset<I>(page: &PageRequest<I>) -> u64 {
    match page.start {
        Start::Offset(offset) => offset,
        Start::After(_) => 0,
    }
}

/// Finds the places of the page among all that match, and reads its rows.
fn scan<L: Listed, M: Mode>(
    tx: &mut Tx<'_, M>,
    search: &Search,
    page: PageRequest<L::Id>,
) -> Result<Page<L>, Failure> {
    let limit = usize::try_from(page.limit.max(1)).unwrap_or(usize::MAX);
    let window = match page.start {
        Start::Offset(offset) => {
            window::from_offset(&mut Matching::new(tx, search)?, offset, limit, BYTES_MAX)?
        }
        Start::After(id) => {
            let marker = tx.place(id)?;
            window::from_marker(&mut Matching::new(tx, search)?, marker, limit)?
        }
    };
    let mut items = Vec::new();
    for place in window.places {
        items.push(at(tx, place)?);
    }
    Ok(Page {
        items,
        offset: window.offset,
        total: window.total,
    })
}

/// What a search finds.
struct Matching<'c, 's> {
    statement: Statement<'c>,
    search: &'s Search,
}

impl<'c, 's> Matching<'c, 's> {
    fn new<M>(tx: &Tx<'c, M>, search: &'s Search) -> Result<Self, Failure> {
        Ok(Self {
            statement: tx.connection.prepare(search.sql())?,
            search,
        })
    }
}

impl Rows for Matching<'_, '_> {
    fn each(&mut self, show: &mut dyn FnMut(Entry)) -> Result<(), Failure> {
        let parameters = self.search.parameters();
        let mut rows = self.statement.query(parameters.as_slice())?;
        while let Some(row) = rows.next()? {
            let mut key = Vec::new();
            for (column, is_descending) in (1..).zip(self.search.descending()) {
                key.push(Part::new(row.get_ref(column)?, *is_descending)?);
            }
            show(Entry::new(key, row.get(0)?));
        }
        Ok(())
    }
}

/// The row at a place that was just found.
fn at<L: Listed, M: Mode>(tx: &mut Tx<'_, M>, place: Place) -> Result<L, Failure> {
    let project = tx.mode.project_name(tx.connection, place.project())?;
    let mut statement = tx.connection.prepare_cached(L::QUERIES.one)?;
    let mut rows = statement.query([place])?;
    let row = rows
        .next()?
        .ok_or(Failure::BadRow("an index names a row that is not there"))?;
    L::read(row, ProjectId::new(project))
}

pub(super) fn to_u64(count: impl TryInto<u64>) -> Result<u64, Failure> {
    count
        .try_into()
        .map_err(|_negative| Failure::BadRow("a count is negative"))
}
