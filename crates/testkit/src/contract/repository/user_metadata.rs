//! User metadata.

use donjon_domain::{MetadataKey, UserMetadata, ports::Repository};

use super::{add, read, write};
use crate::sample;

/// Replacing sets exactly what was given.
pub fn metadata_is_replaced_as_a_whole(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    for pairs in [&[("a", "1"), ("b", "")][..], &[("b", "2"), ("c", "ü")], &[]] {
        let metadata = metadata(pairs);
        let stored = metadata.clone();
        write(repository, move |tx| {
            tx.replace_user_metadata(sample::secret_id(1), &stored)
        });
        check(repository, &metadata);
    }
}

/// One value is added or overwritten, the others stay.
pub fn one_value_is_set(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    for (name, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("", "empty")] {
        write(repository, move |tx| {
            tx.put_user_metadatum(sample::secret_id(1), &key(name), value)
        });
    }
    check(
        repository,
        &metadata(&[("a", "3"), ("b", "2"), ("", "empty")]),
    );
}

/// One key is removed; removing it again is no error.
pub fn one_key_is_removed(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    write(repository, |tx| {
        let all = metadata(&[("a", "1"), ("b", "2")]);
        tx.replace_user_metadata(sample::secret_id(1), &all)
    });
    for _ in 0..2 {
        write(repository, |tx| {
            tx.delete_user_metadatum(sample::secret_id(1), &key("a"))
        });
        check(repository, &metadata(&[("b", "2")]));
    }
}

/// A key is looked up with regard to case, and per secret.
pub fn a_key_is_looked_up_exactly(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    add(repository, &sample::secret(2, "project"));
    write(repository, |tx| {
        tx.put_user_metadatum(sample::secret_id(1), &key("key"), "value")
    });
    let find = |number, name: &'static str| {
        read(repository, move |tx| {
            tx.user_metadatum(sample::secret_id(number), &MetadataKey::for_lookup(name))
        })
    };
    assert_eq!(find(1, "key").as_deref(), Some("value"));
    assert_eq!(find(1, "KEY"), None);
    assert_eq!(find(1, "other"), None);
    assert_eq!(find(2, "key"), None);
}

/// A key of metadata.
pub(crate) fn key(text: &str) -> MetadataKey {
    MetadataKey::new(text).expect("the key of a test is URL safe")
}

fn metadata(pairs: &[(&str, &str)]) -> UserMetadata {
    pairs
        .iter()
        .map(|(name, value)| (key(name), (*value).to_owned()))
        .collect()
}

fn check(repository: &dyn Repository, expected: &UserMetadata) {
    let found = read(repository, |tx| tx.user_metadata(sample::secret_id(1)));
    assert_eq!(found, *expected);
}
