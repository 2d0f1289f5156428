//! Searches: the statements that find the places of what a list shows.

use std::fmt::Write as _;

use donjon_domain::{
    Comparison, ContainerQuery, Direction, Label, OrderQuery, SecretQuery, SecretSortKey,
    TimeBound, Timestamp, UserId,
};
use rusqlite::ToSql;

use super::{columns::stored_secret_type, containers::stored_container_type};
use crate::place::{Place, ProjectRow};

/// A query made to measure. Its text comes from this file alone; whatever a
/// client sent is a parameter.
pub(super) struct Search {
    /// The places and, behind them, what they are sorted by.
    sql: String,
    /// Whether each of those descends.
    descending: Vec<bool>,
    parameters: Vec<Box<dyn ToSql>>,
}

impl Search {
    /// Secrets of a project.
    pub(super) fn secrets(query: &SecretQuery, project: ProjectRow, now: Timestamp) -> Self {
        // Within a project the order of places is that of creation.
        let mut search = Self::sorted("secrets", &secret_order(query));
        search.within(project);
        search.secrets_not_expired(now);
        search.secret_filter(query);
        search
    }

    /// Secrets of any project whose ACL lists the user.
    pub(super) fn shared_secrets(query: &SecretQuery, user: &UserId, now: Timestamp) -> Self {
        let mut order = secret_order(query);
        order.push(("creation", Direction::Ascending));
        let mut search = Self::sorted("secrets JOIN acl_users USING (place)", &order);
        search.and("acl_users.user =", user.as_str().to_owned());
        search.secrets_not_expired(now);
        search.secret_filter(query);
        search
    }

    /// Containers of a project.
    pub(super) fn containers(query: &ContainerQuery, project: ProjectRow) -> Self {
        let mut search = Self::sorted("containers", &[]);
        search.within(project);
        search.like("name", query.name.as_deref());
        if let Some(container_type) = query.container_type {
            search.and("container_type =", stored_container_type(container_type));
        }
        search
    }

    /// Orders of a project.
    pub(super) fn orders(query: &OrderQuery, project: ProjectRow) -> Self {
        let mut search = Self::sorted("orders", &[]);
        search.within(project);
        if let Some(part) = &query.meta {
            // Both sides in lower case, as far as ASCII goes.
            search.and("0 < instr(lower(meta), ", part.to_ascii_lowercase());
            search.sql.push(')');
        }
        search
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    pub(super) fn parameters(&self) -> Vec<&dyn ToSql> {
        self.parameters.iter().map(AsRef::as_ref).collect()
    }

    /// Whether what stands behind the place descends, each in its turn.
    pub(super) fn descending(&self) -> &[bool] {
        &self.descending
    }

    /// Everything in `tables`, sorted by these columns and then by place. The
    /// statement itself does not sort: see [`super::window`].
    fn sorted(tables: &str, order: &[(&str, Direction)]) -> Self {
        let columns: String = order.iter().map(|(name, _)| format!(", {name}")).collect();
        let descends = |(_, direction): &(_, _)| matches!(direction, Direction::Descending);
        Self {
            sql: format!("SELECT place{columns} FROM {tables} WHERE 1"),
            descending: order.iter().map(descends).collect(),
            parameters: Vec::new(),
        }
    }

    fn within(&mut self, project: ProjectRow) {
        self.and("place >=", Place::first_of(project));
        self.and("place <", Place::end_of(project));
    }

    fn secrets_not_expired(&mut self, now: Timestamp) {
        self.and("(expiration IS NULL OR expiration >", now.as_micros());
        self.sql.push(')');
    }

    fn secret_filter(&mut self, query: &SecretQuery) {
        let filter = &query.filter;
        self.like("name", filter.name.as_deref());
        self.like("algorithm", filter.algorithm.as_deref());
        self.like("mode", filter.mode.as_deref());
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

    fn like(&mut self, column: &str, pattern: Option<&str>) {
        match pattern.map(shortened) {
            Some(Some(pattern)) => self.and(&format!("{column} LIKE"), pattern),
            Some(None) => self.sql.push_str(" AND 0"),
            None => {}
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

    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.parameters.push(Box::new(value));
        let number = self.parameters.len();
        // Writing into a string does not fail.
        let _ = write!(self.sql, " AND {condition} ?{number}");
    }
}

/// The columns that a list is sorted by. One that comes again decides nothing.
fn secret_order(query: &SecretQuery) -> Vec<(&'static str, Direction)> {
    let mut order: Vec<(&str, Direction)> = Vec::new();
    for (key, direction) in &query.sort {
        if let Some(column) = column_of(*key)
            && order.iter().all(|(known, _)| *known != column)
        {
            order.push((column, *direction));
        }
    }
    order
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
