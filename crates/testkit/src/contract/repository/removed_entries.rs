//! Entries that were taken out of containers, and are remembered.

use std::num::NonZeroU32;

use donjon_domain::ports::{Repository, RepositoryErrorKind};

use super::{add_bare, containers::insert, read, write, write_fails};
use crate::sample;

/// An entry is remembered as it was, whether or not one like it is there, and
/// by its container alone.
pub fn a_removed_entry_is_remembered(repository: &dyn Repository) {
    filled(repository);
    check(repository, 1, "a", &[], &[1, 2]);
    for name in ["a", "", "ü"] {
        remember(repository, 1, 1, name, 9);
        check(repository, 1, name, &[1], &[2, 9]);
    }
    for name in ["A", "b", "u"] {
        check(repository, 1, name, &[], &[1, 2]);
    }
    check(repository, 2, "a", &[], &[1, 2]);
    check(repository, 9, "a", &[], &[1, 2]);
    // Entries themselves are something else.
    write(repository, |tx| {
        let (id, entry) = (sample::container_id(1), sample::entry(Some("a"), 1));
        tx.insert_container_entry(id, &entry)?;
        assert_eq!(tx.container_entries(id)?.len(), 1);
        assert!(tx.is_removed_entry(id, entry.secret, &sample::label("a"))?);
        assert!(tx.delete_container_entry(id, &entry)?);
        let other = sample::entry(Some("b"), 1);
        tx.insert_container_entry(id, &other)?;
        assert!(tx.delete_container_entry(id, &other)?);
        assert!(!tx.is_removed_entry(id, other.secret, &sample::label("b"))?);
        Ok(())
    });
    check(repository, 1, "a", &[1], &[2]);
}

/// The oldest are forgotten first, in each container by itself. What is
/// remembered again is not the oldest any more.
pub fn the_last_removed_entries_are_remembered(repository: &dyn Repository) {
    filled(repository);
    remember(repository, 2, 1, "a", 3);
    for name in ["a", "b", "c"] {
        remember(repository, 1, 1, name, 3);
    }
    for name in ["a", "b", "c"] {
        check(repository, 1, name, &[1], &[]);
    }
    remember(repository, 1, 1, "a", 3);
    for name in ["a", "b", "c"] {
        check(repository, 1, name, &[1], &[2]);
    }
    remember(repository, 1, 2, "a", 3);
    check(repository, 1, "b", &[], &[1]);
    check(repository, 1, "c", &[1], &[]);
    check(repository, 1, "a", &[1, 2], &[]);
    // Whoever keeps less forgets at the next one.
    remember(repository, 1, 2, "d", 1);
    check(repository, 1, "d", &[2], &[1]);
    check(repository, 1, "a", &[], &[1, 2]);
    check(repository, 1, "c", &[], &[1]);
    check(repository, 2, "a", &[1], &[]);
}

/// Nobody remembers for a container or a secret that is gone, whatever comes
/// under its id.
pub fn removed_entries_go_with_container_and_secret(repository: &dyn Repository) {
    filled(repository);
    for (container, secret) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        remember(repository, container, secret, "a", 9);
    }
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    check(repository, 1, "a", &[2], &[1]);
    check(repository, 2, "a", &[2], &[1]);
    write(repository, |tx| {
        tx.insert_secret(&sample::secret(1, "project"), None)
    });
    check(repository, 1, "a", &[2], &[1]);
    write(repository, |tx| {
        tx.delete_container(sample::container_id(1))
    });
    check(repository, 1, "a", &[], &[1, 2]);
    insert(repository, &sample::container(1, "project"), &[]);
    check(repository, 1, "a", &[], &[1, 2]);
    check(repository, 2, "a", &[2], &[1]);
}

/// What is not there cannot be remembered, and a failed job remembers nothing.
pub fn remembering_needs_container_and_secret(repository: &dyn Repository) {
    filled(repository);
    for (container, secret) in [(9, 1), (1, 9)] {
        let kind = write_fails(repository, move |tx| {
            let (id, name) = (sample::container_id(1), sample::label("a"));
            tx.remember_removed_entry(id, sample::secret_id(1), &name, kept(9))?;
            assert!(tx.is_removed_entry(id, sample::secret_id(1), &name)?);
            let id = sample::container_id(container);
            tx.remember_removed_entry(id, sample::secret_id(secret), &name, kept(9))
        });
        assert_eq!(kind, RepositoryErrorKind::Internal);
        check(repository, 1, "a", &[], &[1, 9]);
    }
}

/// Adds containers 1 and 2 without entries, and secrets 1 and 2.
fn filled(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    for number in [1, 2] {
        insert(repository, &sample::container(number, "project"), &[]);
    }
}

fn kept(kept: u32) -> NonZeroU32 {
    NonZeroU32::new(kept).expect("a test keeps something")
}

fn remember(repository: &dyn Repository, container: u64, secret: u64, name: &str, keep: u32) {
    let name = sample::label(name);
    write(repository, move |tx| {
        let (id, secret) = (sample::container_id(container), sample::secret_id(secret));
        tx.remember_removed_entry(id, secret, &name, kept(keep))
    });
}

/// Checks which secrets, by number, are remembered under this name.
fn check(repository: &dyn Repository, container: u64, name: &str, known: &[u64], not: &[u64]) {
    let id = sample::container_id(container);
    let all = known.iter().map(|number| (number, true));
    for (number, expected) in all.chain(not.iter().map(|number| (number, false))) {
        let (secret, name) = (sample::secret_id(*number), sample::label(name));
        let shown = format!("secret {number} as {name} in {container}");
        let found = read(repository, move |tx| tx.is_removed_entry(id, secret, &name));
        assert_eq!(found, expected, "{shown}");
    }
}
