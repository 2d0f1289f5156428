//! What a list of secrets may be asked for.

use crate::{
    ContainerId, ContainerType, OrderId, ProjectId, SecretId, SecretType, Timestamp, UserId,
};

/// A list of secrets: whose, which, in which order, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretQuery {
    /// Whose secrets.
    pub scope: ListScope,
    /// Which of them; expired ones never.
    pub filter: SecretFilter,
    /// Sort keys, the most important first. Ties, and lists without a key, are
    /// in the order of creation.
    pub sort: Vec<(SecretSortKey, Direction)>,
    /// Which part.
    pub page: PageRequest,
}

/// Whose secrets a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListScope {
    /// Those of one project.
    Project(ProjectId),
    /// Those of any project whose ACL lists the user.
    SharedWith(UserId),
}

/// Conditions, all of which have to hold. The default holds for every secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretFilter {
    /// SQL `LIKE` pattern on the name, without regard to ASCII letter case and
    /// without an escape character.
    pub name: Option<String>,
    /// The same on the algorithm.
    pub algorithm: Option<String>,
    /// The same on the mode.
    pub mode: Option<String>,
    /// Exact number of bits; values beyond [`crate::BitLength`] match nothing.
    pub bit_length: Option<i64>,
    /// Exact type.
    pub secret_type: Option<SecretType>,
    /// Bounds on the time of creation.
    pub created: Vec<TimeBound>,
    /// Bounds on the time of the last change.
    pub updated: Vec<TimeBound>,
    /// Bounds on the expiration; secrets without one match no bound.
    pub expiration: Vec<TimeBound>,
}

/// One bound on a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBound {
    /// How the time has to compare.
    pub comparison: Comparison,
    /// With what.
    pub at: Timestamp,
}

/// How two times compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Strictly later.
    Greater,
    /// Later or equal.
    GreaterOrEqual,
    /// Strictly earlier.
    Less,
    /// Earlier or equal.
    LessOrEqual,
}

/// By what a list of secrets can be sorted. Absent values come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretSortKey {
    /// Algorithm, by bytes.
    Algorithm,
    /// Number of bits.
    BitLength,
    /// Time of creation.
    Created,
    /// Expiration.
    Expiration,
    /// Mode, by bytes.
    Mode,
    /// Name, by bytes.
    Name,
    /// Name of the type, by bytes.
    SecretType,
    /// Status; the same for all secrets.
    Status,
    /// Time of the last change.
    Updated,
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// A list of containers of a project, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerQuery {
    /// Whose containers.
    pub project: ProjectId,
    /// Pattern on the name, as in [`SecretFilter::name`].
    pub name: Option<String>,
    /// Exact type.
    pub container_type: Option<ContainerType>,
    /// Which part.
    pub page: PageRequest<ContainerId>,
}

/// A list of orders of a project, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Whose orders.
    pub project: ProjectId,
    /// A part of the text of [`crate::Order::meta`], without regard to ASCII
    /// letter case and without wild characters.
    pub meta: Option<String>,
    /// Which part.
    pub page: PageRequest<OrderId>,
}

/// Which part of a list of what has ids of the type `I`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<I = SecretId> {
    /// Where the part starts.
    pub start: Start<I>,
    /// The most items it has; at least 1.
    pub limit: u32,
}

/// Where a part of a list starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<I = SecretId> {
    /// After this many items.
    Offset(u64),
    /// After this one; from the start where it is not in the list.
    After(I),
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the part begins in the whole list (counted from 0).
    pub offset: u64,
    /// How many items the whole list has.
    pub total: u64,
}

impl<T> Page<T> {
    /// A part of a list in which there is nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            offset: 0,
            total: 0,
        }
    }

    /// The same part, with each item as it is shown.
    pub fn shown<'a, U>(&'a self, show: impl FnMut(&'a T) -> U) -> Page<U> {
        Page {
            items: self.items.iter().map(show).collect(),
            offset: self.offset,
            total: self.total,
        }
    }

    /// The same part, with each item turned into another.
    ///
    /// # Errors
    /// The first that `turn` returns.
    pub fn try_map<U, E>(self, turn: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page {
            items: self.items.into_iter().map(turn).collect::<Result<_, E>>()?,
            offset: self.offset,
            total: self.total,
        })
    }
}

impl SecretFilter {
    /// Whether the filter holds for every secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Comparison {
    /// Whether `left` compares with `right` in this way.
    #[must_use]
    pub fn holds(self, left: Timestamp, right: Timestamp) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_place_whatever_becomes_of_its_items() {
        let page = Page {
            items: vec!["1", "x"],
            offset: 4,
            total: 9,
        };
        let lengths = page.shown(|text| text.len());
        assert_eq!(
            (lengths.items, lengths.offset, lengths.total),
            (vec![1, 1], 4, 9)
        );
        assert!(page.clone().try_map(str::parse::<u8>).is_err());
        let turned = page.clone().try_map(Ok::<_, ()>);
        assert_eq!(turned, Ok(page));
        assert_eq!(
            Page::<u8>::empty().shown(|item| *item),
            Page {
                items: Vec::new(),
                offset: 0,
                total: 0
            }
        );
    }
}
