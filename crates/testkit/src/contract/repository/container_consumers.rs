//! Consumers of containers.

use std::num::NonZeroU32;

use donjon_domain::{
    ContainerConsumer, PageRequest, Start, StoredContainerConsumer,
    ports::{Repository, RepositoryErrorKind},
};

use super::{containers::insert, read, write, write_fails};
use crate::sample;

/// Consumers come sorted by the bytes of their names, and otherwise in the
/// order of registration.
pub fn container_consumers_are_sorted_by_name(repository: &dyn Repository) {
    let registered = register(repository, &["b", "é", "a", "B", "b", "a"]);
    let expected: Vec<_> = [3, 2, 5, 0, 4, 1]
        .iter()
        .filter_map(|at: &usize| registered.get(*at).cloned())
        .collect();
    let found = read(repository, |tx| {
        tx.container_consumers(sample::container_id(1))
    });
    assert_eq!(found, expected);
    let other = read(repository, |tx| {
        tx.container_consumers(sample::container_id(2))
    });
    assert_eq!(other, []);
}

/// An equal registration is a duplicate, whoever makes it; one that differs in
/// name or address is not.
pub fn equal_container_consumers_are_duplicates(repository: &dyn Repository) {
    let first = register(repository, &["n"]);
    let again = StoredContainerConsumer {
        project: sample::project("other"),
        consumer: first.first().expect("one is registered").consumer.clone(),
        ..sample::stored_container_consumer(50, "")
    };
    let kind = write_fails(repository, move |tx| {
        tx.insert_container_consumer(sample::container_id(1), &again)
    });
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    write(repository, |tx| {
        let capital = sample::stored_container_consumer(51, "N");
        tx.insert_container_consumer(sample::container_id(1), &capital)?;
        let elsewhere = sample::stored_container_consumer(52, "n");
        tx.insert_container_consumer(sample::container_id(2), &elsewhere)
    });
    let found = read(repository, |tx| {
        tx.container_consumers(sample::container_id(1))
    });
    assert_eq!(found.len(), 2);
}

/// A consumer is found by what it is, not by its id.
pub fn a_container_consumer_is_found_by_its_parts(repository: &dyn Repository) {
    let registered = register(repository, &["a", "b"]);
    let find = |number, consumer: ContainerConsumer| {
        read(repository, move |tx| {
            tx.find_container_consumer(sample::container_id(number), &consumer)
        })
    };
    let last = registered.last().expect("two are registered");
    assert_eq!(find(1, last.consumer.clone()).as_ref(), Some(last));
    assert_eq!(find(2, last.consumer.clone()), None);
    for (name, url) in [("B", "1"), ("b", "0"), ("a", "1")] {
        assert_eq!(find(1, consumer(name, url)), None, "{name} {url}");
    }
}

/// A removed consumer is gone, and may register again, as the last of its name.
pub fn a_container_consumer_can_be_removed(repository: &dyn Repository) {
    let registered = register(repository, &["n", "n", "a"]);
    let [first, second, other] = registered.as_slice() else {
        panic!("three are registered");
    };
    let remove = || {
        let consumer = first.consumer.clone();
        write(repository, move |tx| {
            tx.delete_container_consumer(sample::container_id(1), &consumer)
        })
    };
    assert!(remove());
    assert!(!remove());
    let again = first.clone();
    write(repository, move |tx| {
        tx.insert_container_consumer(sample::container_id(1), &again)
    });
    let found = read(repository, |tx| {
        tx.container_consumers(sample::container_id(1))
    });
    assert_eq!(found, [other.clone(), second.clone(), first.clone()]);
}

/// It is known whether there are so many, whatever their names.
pub fn container_consumers_are_counted_up_to_a_number(repository: &dyn Repository) {
    register(repository, &["a", "b", "a"]);
    for (number, at_least, expected) in [
        (1, NonZeroU32::MIN, true),
        (1, NonZeroU32::MIN.saturating_add(2), true),
        (1, NonZeroU32::MIN.saturating_add(3), false),
        (2, NonZeroU32::MIN, false),
        (3, NonZeroU32::MIN, false),
    ] {
        let has = read(repository, move |tx| {
            tx.has_container_consumers(sample::container_id(number), at_least)
        });
        assert_eq!(has, expected, "container {number}, {at_least}");
    }
}

/// A part of the consumers starts where it is asked to; a secret's id marks
/// nothing among them.
pub fn container_consumers_come_in_pages(repository: &dyn Repository) {
    let mut sorted = register(repository, &["d", "a", "c", "b"]);
    sorted.sort_by(|left, right| left.consumer.cmp(&right.consumer));
    for (start, limit, offset) in [
        (Start::Offset(0), 2, 0),
        (Start::Offset(3), 2, 3),
        (Start::Offset(4), 1, 4),
        (Start::Offset(u64::MAX), 1, u64::MAX),
        (Start::After(sample::secret_id(1)), 3, 0),
    ] {
        let found = read(repository, move |tx| {
            tx.list_container_consumers(sample::container_id(1), page(start, limit))
        });
        let expected: Vec<_> = sorted
            .iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).expect("32 bits fit"))
            .cloned()
            .collect();
        assert_eq!(found.items, expected, "{start:?}");
        assert_eq!((found.offset, found.total), (offset, 4));
    }
}

/// Adds containers 1 and 2, and registers consumers of these names, each with
/// an address of its own, on the first.
fn register(repository: &dyn Repository, names: &[&str]) -> Vec<StoredContainerConsumer> {
    insert(repository, &sample::container(1, "project"), &[]);
    insert(repository, &sample::container(2, "project"), &[]);
    // Addresses fall, so that they are not the order by accident.
    let all: Vec<_> = (1..)
        .zip(names)
        .map(|(number, name)| StoredContainerConsumer {
            consumer: consumer(name, &(100 - number).to_string()),
            ..sample::stored_container_consumer(number, name)
        })
        .collect();
    for stored in all.clone() {
        write(repository, move |tx| {
            tx.insert_container_consumer(sample::container_id(1), &stored)
        });
    }
    all
}

fn consumer(name: &str, url: &str) -> ContainerConsumer {
    ContainerConsumer {
        name: sample::label(name),
        url: sample::label(url),
    }
}

fn page(start: Start, limit: u32) -> PageRequest {
    PageRequest { start, limit }
}
