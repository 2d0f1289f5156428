//! Where a secret, container or order is: its project and its number within it,
//! in one integer that is the key of its row.

use donjon_domain::{ContainerId, OrderId, SecretId, ports::Counted};
use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};

/// What has places. Each kind has a table, ordinals and counts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Secrets,
    Containers,
    Orders,
}

/// The id of something that has a place.
pub(crate) trait Placed: Copy {
    /// Of which kind it is.
    const KIND: Kind;

    /// The 16 bytes of the id.
    fn bytes(&self) -> &[u8; 16];
}

/// The key of a row: `project << 40 | ordinal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(i64);

/// The key of a block of 256 places: `place >> 8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block(i64);

/// The key of a project's row.
pub(crate) type ProjectRow = i64;

const ORDINAL_BITS: u32 = 40;
const BLOCK_BITS: u32 = 8;

// === impl Kind ===

impl Kind {
    /// What of a project these are.
    pub(crate) fn counted(self) -> Counted {
        match self {
            Self::Secrets => Counted::Secrets,
            Self::Containers => Counted::Containers,
            Self::Orders => Counted::Orders,
        }
    }
}

// === impl Placed ===

impl Placed for SecretId {
    const KIND: Kind = Kind::Secrets;

    fn bytes(&self) -> &[u8; 16] {
        self.as_bytes()
    }
}

impl Placed for ContainerId {
    const KIND: Kind = Kind::Containers;

    fn bytes(&self) -> &[u8; 16] {
        self.as_bytes()
    }
}

impl Placed for OrderId {
    const KIND: Kind = Kind::Orders;

    fn bytes(&self) -> &[u8; 16] {
        self.as_bytes()
    }
}

// === impl Place ===

impl Place {
    /// The place of this number in a project; `None` beyond 2^40 of them.
    pub(crate) fn new(project: ProjectRow, ordinal: i64) -> Option<Self> {
        (0..1 << ORDINAL_BITS)
            .contains(&ordinal)
            .then_some(Self((project << ORDINAL_BITS) | ordinal))
    }

    /// The first place of a project.
    pub(crate) fn first_of(project: ProjectRow) -> Self {
        Self(project << ORDINAL_BITS)
    }

    /// The first place behind a project.
    pub(crate) fn end_of(project: ProjectRow) -> Self {
        Self::first_of(project + 1)
    }

    pub(crate) fn project(self) -> ProjectRow {
        self.0 >> ORDINAL_BITS
    }

    pub(crate) fn block(self) -> Block {
        Block(self.0 >> BLOCK_BITS)
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ToSql for Place {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Place {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

// === impl Block ===

impl Block {
    /// Its first place.
    pub(crate) fn start(self) -> Place {
        Place(self.0 << BLOCK_BITS)
    }

    /// The first place behind it.
    pub(crate) fn end(self) -> Place {
        Place((self.0 + 1) << BLOCK_BITS)
    }
}

impl ToSql for Block {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Block {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_blocks_know_their_project() {
        let last = Place::new(3, (1 << 40) - 1).unwrap();
        assert_eq!(Place::new(3, 1 << 40), None);
        assert_eq!(Place::new(3, -1), None);
        assert_eq!(last.project(), 3);
        assert_eq!(last.next(), Place::end_of(3));
        let place = Place::new(3, 256).unwrap();
        assert_eq!(place.block().start(), place);
        assert_eq!(place.block().end(), Place::new(3, 512).unwrap());
        assert_eq!(Place::first_of(3), Place::new(3, 0).unwrap());
    }
}
