//! Consumers.

use std::num::NonZeroU32;

use donjon_domain::{
    PageRequest, SecretConsumer, Start, StoredConsumer,
    ports::{Repository, RepositoryErrorKind},
};

use super::{add, read, write, write_fails};
use crate::sample;

/// Consumers are listed in the order in which they registered.
pub fn consumers_are_in_order_of_registration(repository: &dyn Repository) {
    let registered = register(repository, &["z", "a", "m"]);
    let found = read(repository, |tx| tx.secret_consumers(sample::secret_id(1)));
    assert_eq!(found, registered);
    let other = read(repository, |tx| tx.secret_consumers(sample::secret_id(2)));
    assert_eq!(other, []);
}

/// An equal registration is a duplicate; one that differs in any part is not.
pub fn equal_consumers_are_duplicates(repository: &dyn Repository) {
    register(repository, &["r"]);
    let kind = write_fails(repository, |tx| {
        let again = sample::stored_consumer(50, "r");
        tx.insert_secret_consumer(sample::secret_id(1), &again)
    });
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    let others = [
        sample::consumer("R"),
        SecretConsumer {
            service: sample::label("volume"),
            ..sample::consumer("r")
        },
        SecretConsumer {
            resource_type: sample::label("volumes"),
            ..sample::consumer("r")
        },
    ];
    for (number, consumer) in (51..).zip(others) {
        let stored = StoredConsumer {
            consumer,
            ..sample::stored_consumer(number, "")
        };
        write(repository, move |tx| {
            tx.insert_secret_consumer(sample::secret_id(1), &stored)
        });
    }
    write(repository, |tx| {
        let elsewhere = sample::stored_consumer(60, "r");
        tx.insert_secret_consumer(sample::secret_id(2), &elsewhere)
    });
    let found = read(repository, |tx| tx.secret_consumers(sample::secret_id(1)));
    assert_eq!(found.len(), 4);
}

/// A consumer is found by what it is, not by its id.
pub fn a_consumer_is_found_by_its_parts(repository: &dyn Repository) {
    let registered = register(repository, &["a", "b"]);
    let find = |number, resource: &'static str| {
        read(repository, move |tx| {
            tx.find_secret_consumer(sample::secret_id(number), &sample::consumer(resource))
        })
    };
    assert_eq!(find(1, "b").as_ref(), registered.last());
    assert_eq!(find(1, "c"), None);
    assert_eq!(find(2, "b"), None);
}

/// A removed consumer is gone, and may register again, as the last one.
pub fn a_consumer_can_be_removed(repository: &dyn Repository) {
    register(repository, &["a", "b"]);
    let remove = |resource: &'static str| {
        write(repository, move |tx| {
            tx.delete_secret_consumer(sample::secret_id(1), &sample::consumer(resource))
        })
    };
    assert!(remove("a"));
    assert!(!remove("a"));
    write(repository, |tx| {
        let again = sample::stored_consumer(9, "a");
        tx.insert_secret_consumer(sample::secret_id(1), &again)
    });
    let found = read(repository, |tx| tx.secret_consumers(sample::secret_id(1)));
    let resources: Vec<_> = found
        .iter()
        .map(|stored| stored.consumer.resource_id.as_str())
        .collect();
    assert_eq!(resources, ["b", "a"]);
}

/// It is known whether there are so many, those that left not counted.
pub fn consumers_are_counted_up_to_a_number(repository: &dyn Repository) {
    register(repository, &["a", "b", "c"]);
    write(repository, |tx| {
        tx.delete_secret_consumer(sample::secret_id(1), &sample::consumer("b"))
    });
    for (number, at_least, expected) in [
        (1, NonZeroU32::MIN, true),
        (1, NonZeroU32::MIN.saturating_add(1), true),
        (1, NonZeroU32::MIN.saturating_add(2), false),
        (1, NonZeroU32::MAX, false),
        (2, NonZeroU32::MIN, false),
        (3, NonZeroU32::MIN, false),
    ] {
        let has = read(repository, move |tx| {
            tx.has_secret_consumers(sample::secret_id(number), at_least)
        });
        assert_eq!(has, expected, "secret {number}, {at_least}");
    }
}

/// A part of the consumers starts where it is asked to; a secret's id marks
/// nothing among them.
pub fn consumers_come_in_pages(repository: &dyn Repository) {
    let registered = register(repository, &["a", "b", "c", "d"]);
    for (start, limit, offset) in [
        (Start::Offset(0), 2, 0),
        (Start::Offset(3), 2, 3),
        (Start::Offset(4), 1, 4),
        (Start::Offset(u64::MAX), 1, u64::MAX),
        (Start::After(sample::secret_id(1)), 3, 0),
    ] {
        let page = read(repository, move |tx| {
            tx.list_secret_consumers(sample::secret_id(1), PageRequest { start, limit })
        });
        let expected: Vec<_> = registered
            .iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).expect("32 bits fit"))
            .cloned()
            .collect();
        assert_eq!(page.items, expected, "{start:?}");
        assert_eq!((page.offset, page.total), (offset, 4));
    }
}

/// Adds secrets 1 and 2, and registers consumers on the first.
fn register(repository: &dyn Repository, resources: &[&str]) -> Vec<StoredConsumer> {
    add(repository, &sample::secret(1, "project"));
    add(repository, &sample::secret(2, "project"));
    let all: Vec<_> = (1..)
        .zip(resources)
        .map(|(number, resource)| sample::stored_consumer(number, resource))
        .collect();
    for stored in all.clone() {
        write(repository, move |tx| {
            tx.insert_secret_consumer(sample::secret_id(1), &stored)
        });
    }
    all
}
