//! Transport keys.

use donjon_domain::{
    PageRequest, Start, Timestamp, TransportKey, TransportKeyId,
    ports::{Repository, RepositoryError, RepositoryErrorKind},
};

use super::{count, read, write, write_fails};
use crate::sample;

/// A transport key is read back as it was, odd texts and times too.
pub fn a_transport_key_is_read_back(repository: &dyn Repository) {
    check(repository, 1, None);
    for (number, text) in (1..).zip(["plugin", "", "a\0b", "'; --", "\u{1f511}"]) {
        let key = TransportKey {
            transport_key: text.repeat(3_000),
            created: Timestamp::from_micros(i64::MIN),
            updated: Timestamp::from_micros(i64::MAX),
            ..sample::transport_key(number, text)
        };
        insert(repository, &key);
        check(repository, number, Some(&key));
    }
}

/// An id belongs to one transport key; the first one stays.
pub fn a_taken_transport_key_id_is_a_duplicate(repository: &dyn Repository) {
    let first = sample::transport_key(1, "a");
    insert(repository, &first);
    let kind = write_fails(repository, |tx| {
        tx.insert_transport_key(&sample::transport_key(1, "b"))
    });
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    check(repository, 1, Some(&first));
}

/// A list has all transport keys, or those of one plugin, whose name is
/// compared exactly, in the order in which they were added.
pub fn transport_keys_are_listed_by_plugin(repository: &dyn Repository) {
    for (number, plugin) in [(4, "a"), (2, "b"), (5, "A"), (1, "a"), (3, "a%")] {
        let seconds = i64::try_from(number).expect("a small number");
        let key = TransportKey {
            created: sample::NOW.plus_seconds(-seconds),
            ..sample::transport_key(number, plugin)
        };
        insert(repository, &key);
        let page = read(repository, |tx| tx.list_transport_keys(None, whole()));
        assert_eq!(page.items.last(), Some(&key));
    }
    check_list(repository, None, &[4, 2, 5, 1, 3]);
    check_list(repository, Some("a"), &[4, 1]);
    check_list(repository, Some("A"), &[5]);
    check_list(repository, Some("a%"), &[3]);
    check_list(repository, Some("_"), &[]);
    check_list(repository, Some(""), &[]);
}

/// A part of the list starts where it is asked to; a key that is not in it marks
/// nothing.
pub fn transport_keys_come_in_pages(repository: &dyn Repository) {
    for number in [9, 1, 7, 3] {
        insert(repository, &sample::transport_key(number, "plugin"));
        insert(repository, &sample::transport_key(number + 20, "other"));
    }
    let expected = [9, 1, 7, 3].map(sample::transport_key_id);
    for (start, limit, offset) in [
        (Start::Offset(0), 3, 0),
        (Start::Offset(2), 1, 2),
        (Start::Offset(4), 1, 4),
        (Start::Offset(u64::MAX), 1, u64::MAX),
        (Start::After(sample::transport_key_id(1)), 2, 2),
        (Start::After(sample::transport_key_id(3)), 2, 4),
        (Start::After(sample::transport_key_id(2)), 2, 0),
        (Start::After(sample::transport_key_id(21)), 2, 0),
    ] {
        let page = read(repository, move |tx| {
            tx.list_transport_keys(Some("plugin"), PageRequest { start, limit })
        });
        let found: Vec<_> = page.items.iter().map(|key| key.id).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).expect("32 bits fit"))
            .collect();
        assert_eq!(found, expected, "{start:?}");
        assert_eq!((page.offset, page.total), (offset, 4));
    }
}

/// A removed transport key is gone, and its id is free; one that is added again
/// comes last. Nothing is left of a failed job.
pub fn a_transport_key_can_be_removed(repository: &dyn Repository) {
    for number in 1..=3 {
        insert(repository, &sample::transport_key(number, "plugin"));
    }
    let kind = write_fails(repository, |tx| {
        assert!(tx.delete_transport_key(sample::transport_key_id(2))?);
        tx.insert_transport_key(&sample::transport_key(4, "plugin"))?;
        let page = tx.list_transport_keys(None, whole())?;
        assert_eq!(page.total, 3);
        Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    assert_eq!(kind, RepositoryErrorKind::Corrupt);
    check_list(repository, None, &[1, 2, 3]);
    let remove = |number| {
        let id = sample::transport_key_id(number);
        write(repository, move |tx| tx.delete_transport_key(id))
    };
    assert!(remove(3));
    assert!(!remove(3));
    assert!(remove(1));
    check(repository, 1, None);
    check_list(repository, None, &[2]);
    insert(repository, &sample::transport_key(1, "plugin"));
    check_list(repository, None, &[2, 1]);
}

fn insert(repository: &dyn Repository, key: &TransportKey) {
    let key = key.clone();
    write(repository, move |tx| tx.insert_transport_key(&key));
}

fn whole() -> PageRequest<TransportKeyId> {
    PageRequest {
        start: Start::Offset(0),
        limit: 100,
    }
}

fn check(repository: &dyn Repository, number: u64, expected: Option<&TransportKey>) {
    let id = sample::transport_key_id(number);
    let found = read(repository, move |tx| tx.transport_key(id));
    assert_eq!(found.as_ref(), expected);
}

fn check_list(repository: &dyn Repository, plugin: Option<&'static str>, expected: &[u64]) {
    let page = read(repository, move |tx| {
        tx.list_transport_keys(plugin, whole())
    });
    let found: Vec<_> = page.items.iter().map(|key| key.id).collect();
    let ids: Vec<_> = expected
        .iter()
        .copied()
        .map(sample::transport_key_id)
        .collect();
    assert_eq!(found, ids, "{plugin:?}");
    assert_eq!(page.total, count(expected), "{plugin:?}");
}
