//! Lists of secrets, and how many there are.
//!
//! A whole project's list, oldest first, is cut by the counts per block (see
//! [`super::seek`]). Every other list visits all rows of its scope: it collects
//! the places that match, in order, and then reads the rows of the page.

use std::fmt::Write as _;

use donjon_domain::{
    Comparison, Direction, Label, ListScope, Page, PageRequest, ProjectId, Secret, SecretQuery,
    SecretSortKey, Start, TimeBound, Timestamp,
};
use rusqlite::ToSql;

use super::{
    Mode, Tx,
    columns::{SecretRow, select_secrets, stored_secret_type},
    projects, seek,
};
use crate::{
    failure::Failure,
    place::{Place, ProjectRow},
};

/// The part of the list that the query asks for.
pub(super) fn list<M: Mode>(
    tx: &mut Tx<'_, M>,
    query: &SecretQuery,
    now: Timestamp,
) -> Result<Page<Secret>, Failure> {
    let project = match &query.scope {
        ListScope::SharedWith(_) => None,
        ListScope::Project(project) => match projects::find(tx.connection, project.as_str())? {
            Some(found) => Some(found),
            None => return Ok(nothing(query.page)),
        },
    };
    let plain = query.filter.is_empty() && query.sort.is_empty();
    match project {
        Some((row, live)) if plain && counts_hold(tx, row, now)? => {
            seek::list(tx, row, live, query.page, now)
        }
        _ => scan(tx, query, project.map(|(row, _)| row), now),
    }
}

/// How many secrets of a project are not expired at `now`.
pub(super) fn count<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: &ProjectId,
    now: Timestamp,
) -> Result<u64, Failure> {
    let Some((row, live)) = projects::find(tx.connection, project.as_str())? else {
        return Ok(0);
    };
    let count = if now < swept_until(tx)? {
        let sql = "SELECT count(*) FROM secrets WHERE place >= ?1 AND place < ?2 \
                   AND (expiration IS NULL OR expiration > ?3)";
        tx.connection
            .prepare_cached(sql)?
            .query_row(range(row, now), |row| row.get(0))?
    } else {
        let pending = tx.mode.uncounted(row).unwrap_or(0);
        live + pending - seek::expired(tx, row, now)?.total()
    };
    to_u64(count)
}

/// Whether the counts in the file say what is visible at `now`: they are those
/// of the last commit, and the sweep took out only what is expired by now.
fn counts_hold<M: Mode>(
    tx: &mut Tx<'_, M>,
    project: ProjectRow,
    now: Timestamp,
) -> Result<bool, Failure> {
    Ok(tx.mode.uncounted(project).is_none() && now >= swept_until(tx)?)
}

fn swept_until<M: Mode>(tx: &Tx<'_, M>) -> Result<Timestamp, Failure> {
    let micros = tx
        .connection
        .prepare_cached("SELECT swept_until FROM state")?
        .query_row([], |row| row.get(0))?;
    Ok(Timestamp::from_micros(micros))
}

fn nothing(page: PageRequest) -> Page<Secret> {
    Page {
        items: Vec::new(),
        offset: match page.start {
            Start::Offset(offset) => offset,
            Start::After(_) => 0,
        },
        total: 0,
    }
}

/// Collects all places that match, cuts the page out of them, reads its rows.
fn scan<M: Mode>(
    tx: &mut Tx<'_, M>,
    query: &SecretQuery,
    project: Option<ProjectRow>,
    now: Timestamp,
) -> Result<Page<Secret>, Failure> {
    let places = matching(tx, query, project, now)?;
    let offset = match query.page.start {
        Start::Offset(offset) => offset,
        Start::After(id) => {
            let marker = tx.place(id)?;
            let at = places.iter().position(|place| Some(*place) == marker);
            at.map_or(Ok(0), |at| to_u64(at).map(|at| at + 1))?
        }
    };
    let page = places
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(query.page.limit.max(1)).unwrap_or(usize::MAX));
    let mut items = Vec::new();
    for place in page {
        items.push(at(tx, *place)?);
    }
    Ok(Page {
        items,
        offset,
        total: to_u64(places.len())?,
    })
}

/// The secret at a place that was just found.
fn at<M: Mode>(tx: &mut Tx<'_, M>, place: Place) -> Result<Secret, Failure> {
    let sql = select_secrets!("WHERE place = ?1");
    let mut statement = tx.connection.prepare_cached(sql)?;
    let mut rows = statement.query([place])?;
    let row = rows
        .next()?
        .ok_or(Failure::BadRow("an index names a row that is not there"))?;
    let row = SecretRow::read(row)?;
    let project = tx.mode.project_name(tx.connection, row.place.project())?;
    Ok(row.into_secret(project))
}

fn matching<M: Mode>(
    tx: &Tx<'_, M>,
    query: &SecretQuery,
    project: Option<ProjectRow>,
    now: Timestamp,
) -> Result<Vec<Place>, Failure> {
    let search = Search::new(query, project, now);
    let mut statement = tx.connection.prepare(&search.sql)?;
    let parameters: Vec<&dyn ToSql> = search.parameters.iter().map(AsRef::as_ref).collect();
    let places = statement
        .query_map(parameters.as_slice(), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(places)
}

/// A query made to measure. Its text comes from this file alone; whatever a
/// client sent is a parameter.
struct Search {
    sql: String,
    parameters: Vec<Box<dyn ToSql>>,
}

impl Search {
    fn new(query: &SecretQuery, project: Option<ProjectRow>, now: Timestamp) -> Self {
        let mut search = Self {
            sql: "SELECT secrets.place FROM secrets".to_owned(),
            parameters: Vec::new(),
        };
        match (&query.scope, project) {
            (ListScope::SharedWith(user), _) => {
                search.sql.push_str(" JOIN acl_users USING (place) WHERE");
                search.condition("acl_users.user =", user.as_str().to_owned());
            }
            (ListScope::Project(_), row) => {
                let row = row.unwrap_or(0);
                search.sql.push_str(" WHERE");
                search.condition("secrets.place >=", Place::first_of(row));
                search.and("secrets.place <", Place::end_of(row));
            }
        }
        search.sql.push_str(" AND (expiration IS NULL OR");
        search.condition("expiration >", now.as_micros());
        search.sql.push(')');
        search.filter(query);
        search.order(query);
        search
    }

    fn filter(&mut self, query: &SecretQuery) {
        let filter = &query.filter;
        for (column, pattern) in [
            ("name LIKE", &filter.name),
            ("algorithm LIKE", &filter.algorithm),
            ("mode LIKE", &filter.mode),
        ] {
            match pattern.as_deref().map(shortened) {
                Some(Some(pattern)) => self.and(column, pattern),
                Some(None) => self.sql.push_str(" AND 0"),
                None => {}
            }
        }
        if let Some(bits) = filter.bit_length {
            self.and("bit_length =", bits);
        }
        if let Some(secret_type) = filter.secret_type {
            self.and("secret_type =", stored_secret_type(secret_type));
        }
        for (column, bounds) in [
            ("created", &filter.created),
            ("updated", &filter.updated),
            ("expiration", &filter.expiration),
        ] {
            for bound in bounds {
                self.bound(column, *bound);
            }
        }
    }

    fn bound(&mut self, column: &str, bound: TimeBound) {
        let comparison = match bound.comparison {
            Comparison::Equal => "=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
        };
        self.and(&format!("{column} {comparison}"), bound.at.as_micros());
    }

    /// Absent values come first and texts compare by bytes, as SQLite does it;
    /// ties are in the order of creation.
    fn order(&mut self, query: &SecretQuery) {
        self.sql.push_str(" ORDER BY ");
        for (key, direction) in &query.sort {
            let Some(column) = column_of(*key) else {
                continue;
            };
            self.sql.push_str(column);
            self.sql.push_str(match direction {
                Direction::Ascending => ", ",
                Direction::Descending => " DESC, ",
            });
        }
        // Within a project the table is in that order already.
        self.sql.push_str(match query.scope {
            ListScope::Project(_) => "secrets.place",
            ListScope::SharedWith(_) => "creation",
        });
    }

    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.sql.push_str(" AND");
        self.condition(condition, value);
    }

    fn condition(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.parameters.push(Box::new(value));
        let number = self.parameters.len();
        // Writing into a string does not fail.
        let _ = write!(self.sql, " {condition} ?{number}");
    }
}

/// The pattern with each run of `%` as one; `None` where it is longer than any
/// text. What is left has at most 511 characters, which bounds the time that a
/// hostile pattern takes per row.
fn shortened(pattern: &str) -> Option<String> {
    let mut short = String::with_capacity(pattern.len());
    let mut characters = 0;
    for sign in pattern.chars() {
        if sign != '%' {
            characters += 1;
        }
        if sign != '%' || !short.ends_with('%') {
            short.push(sign);
        }
    }
    (characters <= Label::CHARS_MAX).then_some(short)
}

fn column_of(key: SecretSortKey) -> Option<&'static str> {
    match key {
        SecretSortKey::Algorithm => Some("algorithm"),
        SecretSortKey::BitLength => Some("bit_length"),
        SecretSortKey::Created => Some("created"),
        SecretSortKey::Expiration => Some("expiration"),
        SecretSortKey::Mode => Some("mode"),
        SecretSortKey::Name => Some("name"),
        SecretSortKey::SecretType => Some("secret_type"),
        // All secrets have the same status.
        SecretSortKey::Status => None,
        SecretSortKey::Updated => Some("updated"),
    }
}

/// The range of a project's places, and the time: what most queries here need.
pub(super) fn range(project: ProjectRow, now: Timestamp) -> (Place, Place, i64) {
    (
        Place::first_of(project),
        Place::end_of(project),
        now.as_micros(),
    )
}

pub(super) fn to_u64(count: impl TryInto<u64>) -> Result<u64, Failure> {
    count
        .try_into()
        .map_err(|_negative| Failure::BadRow("a count is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_no_longer_than_texts() {
        for (pattern, expected) in [
            ("", Some("")),
            ("a%b", Some("a%b")),
            ("%%a%%%_%", Some("%a%_%")),
            ("%_%%_%", Some("%_%_%")),
        ] {
            assert_eq!(shortened(pattern).as_deref(), expected, "{pattern}");
        }
        assert!(shortened(&"ü%%".repeat(255)).is_some_and(|short| short.chars().count() == 510));
        assert_eq!(shortened(&"ü%%".repeat(256)), None);
    }
}
