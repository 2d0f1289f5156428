//! A part of a sorted list in bounded memory.
//!
//! A client chooses what is sorted by, and names may be long: what sorts all
//! rows at once takes as much memory as it is asked to. Here every pass over the
//! rows keeps only those that come next, as many as fit, and a page that lies
//! deep in a long list takes several.

use std::{cmp::Reverse, collections::BinaryHeap};

use rusqlite::types::ValueRef;

use crate::{failure::Failure, place::Place};

/// Memory for the entries of a pass.
pub(super) const BYTES_MAX: usize = 8 << 20;

/// A row as the list has it: by what it is sorted, and where it is. Entries
/// with the same key are in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    key: Vec<Part>,
    pub(super) place: Place,
}

/// A part of a key; in one list, the same part of all keys has one direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Ascending(Value),
    Descending(Reverse<Value>),
}

/// Absent values come first and texts compare by bytes, as SQLite has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Absent,
    Number(i64),
    Text(Box<str>),
}

/// What a list is cut from: every pass shows all rows, in any order.
pub(super) trait Rows {
    /// Shows each row once.
    fn each(&mut self, show: &mut dyn FnMut(Entry)) -> Result<(), Failure>;
}

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) places: Vec<Place>,
    /// How many rows come before.
    pub(super) offset: u64,
    /// How many rows there are.
    pub(super) total: u64,
}

/// What one pass keeps: the first entries behind a bound.
struct Pass {
    total: usize,
    /// How many entries are not behind the bound.
    before: usize,
    /// In order.
    kept: Vec<Entry>,
}

/// Where a pass begins, and how much it keeps: no more entries than wanted, no
/// more bytes than allowed, but so many entries anyhow.
struct Wanted<'a> {
    after: Option<&'a Entry>,
    entries_max: usize,
    entries_min: usize,
    bytes_max: usize,
}

/// At most `limit` rows behind the first `offset`. `bytes_max` bounds the memory
/// of a pass, save for one page.
pub(super) fn from_offset(
    rows: &mut dyn Rows,
    offset: u64,
    limit: usize,
    bytes_max: usize,
) -> Result<Window, Failure> {
    let mut skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut bound: Option<Entry> = None;
    loop {
        let mut pass = pass(
            rows,
            &Wanted {
                after: bound.as_ref(),
                entries_max: skipped.saturating_add(limit),
                entries_min: limit.max(1),
                bytes_max,
            },
        )?;
        let left = pass.total.saturating_sub(pass.before);
        let needed = skipped.saturating_add(limit).min(left);
        if skipped >= left || pass.kept.len() >= needed {
            let places = pass.kept.iter().skip(skipped).take(limit);
            return Ok(Window {
                places: places.map(|entry| entry.place).collect(),
                offset,
                total: to_u64(pass.total),
            });
        }
        pass.kept.truncate(skipped);
        skipped -= pass.kept.len();
        bound = pass.kept.pop();
    }
}

/// At most `limit` rows behind the one at `marker`, or from the first on where
/// that is not in the list.
pub(super) fn from_marker(
    rows: &mut dyn Rows,
    marker: Option<Place>,
    limit: usize,
) -> Result<Window, Failure> {
    let mut found = None;
    if marker.is_some() {
        rows.each(&mut |entry| {
            if Some(entry.place) == marker {
                found = Some(entry);
            }
        })?;
    }
    let pass = pass(
        rows,
        &Wanted {
            after: found.as_ref(),
            entries_max: limit,
            entries_min: limit,
            bytes_max: 0,
        },
    )?;
    Ok(Window {
        places: pass.kept.iter().map(|entry| entry.place).collect(),
        offset: to_u64(pass.before),
        total: to_u64(pass.total),
    })
}

fn pass(rows: &mut dyn Rows, wanted: &Wanted<'_>) -> Result<Pass, Failure> {
    let (mut total, mut before, mut bytes) = (0, 0, 0);
    let mut kept: BinaryHeap<Entry> = BinaryHeap::new();
    // The first of those that did not fit: nothing behind it is of use.
    let mut end: Option<Entry> = None;
    rows.each(&mut |entry| {
        total += 1;
        if wanted.after.is_some_and(|after| entry <= *after) {
            before += 1;
            return;
        }
        if end.as_ref().is_some_and(|end| entry >= *end) {
            return;
        }
        bytes += entry.bytes();
        kept.push(entry);
        while kept.len() > wanted.entries_max
            || (bytes > wanted.bytes_max && kept.len() > wanted.entries_min)
        {
            end = kept.pop();
            bytes -= end.as_ref().map_or(0, Entry::bytes);
        }
    })?;
    Ok(Pass {
        total,
        before,
        kept: kept.into_sorted_vec(),
    })
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(key: Vec<Part>, place: Place) -> Self {
        Self { key, place }
    }

    fn bytes(&self) -> usize {
        let parts = self.key.iter().map(Part::bytes).sum::<usize>();
        size_of::<Self>() + parts
    }
}

// === impl Part ===

impl Part {
    pub(super) fn new(value: ValueRef<'_>, is_descending: bool) -> Result<Self, Failure> {
        let value = match value {
            ValueRef::Null => Value::Absent,
            ValueRef::Integer(number) => Value::Number(number),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text)
                    .map_err(|_not_utf8| Failure::BadRow("a text is not UTF-8"))?;
                Value::Text(text.into())
            }
            _ => return Err(Failure::BadRow("a column has a value of another type")),
        };
        Ok(if is_descending {
            Self::Descending(Reverse(value))
        } else {
            Self::Ascending(value)
        })
    }

    fn bytes(&self) -> usize {
        let (Self::Ascending(value) | Self::Descending(Reverse(value))) = self;
        let text = match value {
            Value::Text(text) => text.len(),
            Value::Absent | Value::Number(_) => 0,
        };
        size_of::<Self>() + text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows with a text and a number to sort by, and how often all were shown.
    struct Shown {
        rows: Vec<Entry>,
        passes: usize,
    }

    impl Rows for Shown {
        fn each(&mut self, show: &mut dyn FnMut(Entry)) -> Result<(), Failure> {
            self.passes += 1;
            self.rows.iter().cloned().for_each(show);
            Ok(())
        }
    }

    fn entry(text: Option<&str>, number: i64, ordinal: i64) -> Entry {
        let text = text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()));
        Entry::new(
            vec![
                Part::new(text, false).unwrap(),
                Part::new(ValueRef::Integer(number), true).unwrap(),
            ],
            Place::new(1, ordinal).unwrap(),
        )
    }

    fn shown(count: i64, text: impl Fn(i64) -> String) -> Shown {
        let rows = (0..count).map(|at| entry(Some(&text(at)), at % 3, at));
        Shown {
            rows: rows.collect(),
            passes: 0,
        }
    }

    #[test]
    fn keys_are_in_the_order_of_sqlite() {
        let in_order = [
            entry(None, 1, 9),
            entry(None, 1, 10),
            entry(None, 0, 1),
            entry(Some(""), 0, 0),
            entry(Some("Z"), 0, 0),
            entry(Some("a"), 5, 0),
            entry(Some("a"), -5, 0),
            entry(Some("aa"), 9, 0),
            entry(Some("ü"), 0, 0),
        ];
        assert!(in_order.is_sorted());
    }

    #[test]
    fn a_page_deep_in_a_long_list_takes_more_passes_and_no_more_memory() {
        let mut rows = shown(2_000, |at| format!("{:->500}", (at * 7_919) % 2_000));
        let mut sorted = rows.rows.clone();
        sorted.sort();
        let bytes_max = 100 * sorted[0].bytes();
        for (offset, passes) in [(0_u32, 1), (90, 1), (91, 2), (1_000, 11), (1_995, 20)] {
            rows.passes = 0;
            let window = from_offset(&mut rows, offset.into(), 10, bytes_max).unwrap();
            let expected = sorted.iter().skip(offset.try_into().unwrap()).take(10);
            let expected: Vec<_> = expected.map(|entry| entry.place).collect();
            assert_eq!(window.places, expected, "{offset}");
            assert_eq!(rows.passes, passes, "{offset}");
        }
    }

    proptest! {
        #[test]
        fn windows_are_those_of_the_sorted_list(
            texts in prop::collection::vec(prop::option::of("[ab]{0,4}"), 0..60),
            offset in 0_usize..70,
            limit in 1_usize..8,
            bytes_max in 0_usize..4_000,
            marker in 0_i64..70,
        ) {
            let rows = texts.iter().zip(0..).map(|(text, at)| entry(text.as_deref(), at % 3, at));
            let mut rows = Shown { rows: rows.collect(), passes: 0 };
            let mut sorted = rows.rows.clone();
            sorted.sort();
            let places = |from: usize| -> Vec<Place> {
                sorted.iter().skip(from).take(limit).map(|entry| entry.place).collect()
            };
            let total = sorted.len() as u64;
            let window = from_offset(&mut rows, offset as u64, limit, bytes_max).unwrap();
            let expected = Window { places: places(offset), offset: offset as u64, total };
            prop_assert_eq!(window, expected);

            let marker = Place::new(1, marker);
            let at = sorted.iter().position(|entry| Some(entry.place) == marker);
            let offset = at.map_or(0, |at| at + 1);
            let window = from_marker(&mut rows, marker, limit).unwrap();
            let expected = Window { places: places(offset), offset: offset as u64, total };
            prop_assert_eq!(window, expected);
        }
    }
}
