//! Containers, one at a time, with their entries and ACLs.

use donjon_domain::{
    Container, ContainerEntry, ContainerType, Label, PageRequest, Secret, Start, StoredContainer,
    Timestamp, UserId,
    ports::{Repository, RepositoryErrorKind},
};

use super::{add, add_bare, read, write, write_fails};
use crate::sample;

/// A container is read back as it was, whatever its type.
pub fn a_container_is_read_back(repository: &dyn Repository) {
    for (number, container_type) in (1..).zip(ContainerType::ALL) {
        let container = Container {
            creator: Some(UserId::new("creator")),
            updated: sample::NOW.plus_seconds(1),
            name: Some(sample::label("tls")),
            container_type,
            ..sample::container(number, "project")
        };
        insert(repository, &container, &[]);
        check(repository, &container, &[]);
    }
    let bare = sample::container(9, "other");
    insert(repository, &bare, &[]);
    check(repository, &bare, &[]);
}

/// The ends of every range, and texts that are hard on databases.
pub fn odd_containers_are_read_back(repository: &dyn Repository) {
    add_bare(repository, "project", 1);
    let long = "ü".repeat(Label::CHARS_MAX);
    let texts = ["", "a\0b", "'; --", "\u{1f511}\u{fffd}", "100%_", &long];
    let times = [i64::MIN, -1, 0, i64::MAX];
    let mut number = 0;
    for text in texts {
        for micros in times {
            number += 1;
            let at = Timestamp::from_micros(micros);
            let container = Container {
                creator: Some(UserId::new(text)),
                created: at,
                updated: at,
                name: Some(sample::label(text)),
                ..sample::container(number, text)
            };
            let entries = [sample::entry(Some(text), 1)];
            insert(repository, &container, &entries);
            check(repository, &container, &entries);
        }
    }
}

/// What is not there is `None` or empty, not an error.
pub fn an_unknown_container_has_nothing(repository: &dyn Repository) {
    let id = sample::container_id(1);
    read(repository, move |tx| {
        assert_eq!(tx.container(id)?, None);
        assert_eq!(tx.container_entries(id)?, []);
        assert_eq!(tx.container_consumers(id)?, []);
        let whole = PageRequest {
            start: Start::Offset(0),
            limit: 5,
        };
        let page = tx.list_container_consumers(id, whole)?;
        assert_eq!((page.items, page.offset, page.total), (Vec::new(), 0, 0));
        let consumer = sample::container_consumer("n");
        assert_eq!(tx.find_container_consumer(id, &consumer)?, None);
        Ok(())
    });
}

/// An id belongs to one container, whatever the project; the first one stays. A
/// secret may have the same id.
pub fn a_taken_container_id_is_a_duplicate(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let first = sample::container(1, "project");
    let entries = [sample::entry(Some("a"), 1)];
    insert(repository, &first, &entries);
    for project in ["project", "other"] {
        let second = Container {
            name: Some(sample::label("second")),
            ..sample::container(1, project)
        };
        let kind = write_fails(repository, move |tx| {
            tx.insert_container(&second, &[sample::entry(Some("b"), 2)])
        });
        assert_eq!(kind, RepositoryErrorKind::Duplicate);
    }
    check(repository, &first, &entries);
}

/// Entries come sorted by the bytes of their names, those without one first,
/// and otherwise in the order in which they were added.
pub fn entries_are_sorted_by_name(repository: &dyn Repository) {
    add_bare(repository, "project", 8);
    let container = sample::container(1, "project");
    let given = [
        sample::entry(Some("b"), 4),
        sample::entry(Some("é"), 1),
        sample::entry(None, 7),
        sample::entry(Some("B"), 2),
        sample::entry(Some("b"), 3),
        sample::entry(Some(""), 6),
    ];
    insert(repository, &container, &given);
    add_entry(repository, sample::entry(None, 5));
    add_entry(repository, sample::entry(Some("b"), 1));
    let expected = [
        sample::entry(None, 7),
        sample::entry(None, 5),
        sample::entry(Some(""), 6),
        sample::entry(Some("B"), 2),
        sample::entry(Some("b"), 4),
        sample::entry(Some("b"), 3),
        sample::entry(Some("b"), 1),
        sample::entry(Some("é"), 1),
    ];
    check(repository, &container, &expected);
}

/// An entry is there once; another name, or none, makes another entry.
pub fn equal_entries_are_duplicates(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let container = sample::container(1, "project");
    let all = [
        sample::entry(None, 1),
        sample::entry(Some(""), 1),
        sample::entry(Some("A"), 1),
        sample::entry(Some("a"), 1),
    ];
    insert(repository, &container, &all);
    for entry in all.clone() {
        let again = entry.clone();
        let kind = write_fails(repository, move |tx| {
            tx.insert_container_entry(sample::container_id(1), &again)
        });
        assert_eq!(kind, RepositoryErrorKind::Duplicate, "{entry:?}");
        let kind = write_fails(repository, move |tx| {
            let twice = [sample::entry(None, 2), entry.clone(), entry.clone()];
            tx.insert_container(&sample::container(2, "project"), &twice)
        });
        assert_eq!(kind, RepositoryErrorKind::Duplicate);
    }
    check(repository, &container, &all);
    let second = read(repository, |tx| tx.container(sample::container_id(2)));
    assert_eq!(second, None);
    // Entries of two containers have nothing to do with each other.
    insert(repository, &sample::container(3, "other"), &all);
}

/// An entry needs its secret, which may be expired or of another project.
pub fn an_entry_needs_its_secret(repository: &dyn Repository) {
    let expired = Secret {
        expiration: Some(sample::NOW.plus_seconds(-1)),
        ..sample::secret(1, "project")
    };
    add(repository, &expired);
    add(repository, &sample::secret(2, "other"));
    let container = sample::container(1, "project");
    let entries = [sample::entry(Some("a"), 1), sample::entry(Some("b"), 2)];
    insert(repository, &container, &entries);
    let kind = write_fails(repository, |tx| {
        let missing = [sample::entry(Some("a"), 1), sample::entry(Some("b"), 3)];
        tx.insert_container(&sample::container(2, "project"), &missing)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let kind = write_fails(repository, |tx| {
        tx.insert_container_entry(sample::container_id(1), &sample::entry(None, 3))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    check(repository, &container, &entries);
}

/// Exactly the entry that is named goes, and may come back, as the last one.
pub fn an_entry_can_be_removed(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let container = sample::container(1, "project");
    let all = [
        sample::entry(None, 1),
        sample::entry(None, 2),
        sample::entry(Some("a"), 1),
    ];
    insert(repository, &container, &all);
    let remove = |entry: ContainerEntry| {
        write(repository, move |tx| {
            tx.delete_container_entry(sample::container_id(1), &entry)
        })
    };
    for absent in [
        sample::entry(Some(""), 1),
        sample::entry(Some("A"), 1),
        sample::entry(Some("a"), 2),
        sample::entry(None, 9),
    ] {
        assert!(!remove(absent));
    }
    check(repository, &container, &all);
    assert!(remove(sample::entry(None, 1)));
    assert!(!remove(sample::entry(None, 1)));
    let [_, second, third] = all.clone();
    check(repository, &container, &[second.clone(), third.clone()]);
    add_entry(repository, sample::entry(None, 1));
    check(
        repository,
        &container,
        &[second, sample::entry(None, 1), third],
    );
}

/// Whoever deletes a secret takes it out of every container; containers stay
/// as they are otherwise, empty ones too.
pub fn entries_leave_with_their_secret(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let (first, second) = (
        sample::container(1, "project"),
        sample::container(2, "other"),
    );
    let both = [
        sample::entry(Some("a"), 1),
        sample::entry(Some("b"), 1),
        sample::entry(Some("c"), 2),
    ];
    insert(repository, &first, &both);
    insert(repository, &second, &[sample::entry(None, 1)]);
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    check(repository, &first, &[sample::entry(Some("c"), 2)]);
    check(repository, &second, &[]);
    // A new secret under the old id is not in them.
    add(repository, &sample::secret(1, "project"));
    check(repository, &first, &[sample::entry(Some("c"), 2)]);
    add_entry(repository, sample::entry(Some("a"), 1));
    check(
        repository,
        &first,
        &[sample::entry(Some("a"), 1), sample::entry(Some("c"), 2)],
    );
}

/// Touching sets the time of the last change; entries, ACLs and consumers do
/// not by themselves.
pub fn touching_sets_the_time_of_a_container(repository: &dyn Repository) {
    add_bare(repository, "project", 1);
    let container = sample::container(1, "project");
    insert(repository, &container, &[]);
    write(repository, |tx| {
        let id = sample::container_id(1);
        tx.insert_container_entry(id, &sample::entry(None, 1))?;
        tx.delete_container_entry(id, &sample::entry(None, 1))?;
        tx.put_container_acl(id, &sample::acl(&["a"], true))?;
        tx.delete_container_acl(id)?;
        tx.insert_container_consumer(id, &sample::stored_container_consumer(1, "n"))?;
        tx.delete_container_consumer(id, &sample::container_consumer("n"))
    });
    check(repository, &container, &[]);
    let later = sample::NOW.plus_seconds(5);
    write(repository, move |tx| {
        tx.touch_container(sample::container_id(1), later)
    });
    let touched = Container {
        updated: later,
        ..container
    };
    check(repository, &touched, &[]);
}

/// Deleting removes entries, ACL and consumers, and leaves the secrets.
pub fn deleting_a_container_leaves_its_secrets(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let other = sample::container(2, "project");
    insert(repository, &other, &[sample::entry(None, 1)]);
    let container = sample::container(1, "project");
    let entries = [sample::entry(None, 1), sample::entry(Some("b"), 2)];
    insert(repository, &container, &entries);
    let id = container.id;
    write(repository, move |tx| {
        tx.put_container_acl(id, &sample::acl(&["guest"], false))?;
        tx.insert_container_consumer(id, &sample::stored_container_consumer(1, "n"))
    });
    assert!(write(repository, move |tx| tx.delete_container(id)));
    assert!(!write(repository, move |tx| tx.delete_container(id)));
    an_unknown_container_has_nothing(repository);
    check(repository, &other, &[sample::entry(None, 1)]);
    for number in [1, 2] {
        let secret = read(repository, move |tx| tx.secret(sample::secret_id(number)));
        assert!(secret.is_some(), "secret {number}");
    }

    // The id is free again, and nothing of the first container comes back.
    insert(repository, &container, &[]);
    check(repository, &container, &[]);
    let consumers = read(repository, move |tx| tx.container_consumers(id));
    assert_eq!(consumers, []);
}

/// An ACL is read back with its container, replaced as a whole, and removed;
/// that of a secret with the same id is another one.
pub fn a_container_has_an_acl(repository: &dyn Repository) {
    add_bare(repository, "project", 1);
    let container = sample::container(1, "project");
    insert(repository, &container, &[]);
    insert(repository, &sample::container(2, "project"), &[]);
    write(repository, |tx| {
        tx.put_secret_acl(sample::secret_id(1), &sample::acl(&["of secret"], false))?;
        tx.put_container_acl(sample::container_id(2), &sample::acl(&["other"], true))
    });
    let acl_of = |number| {
        let id = sample::container_id(number);
        let stored = read(repository, move |tx| tx.container(id));
        stored.expect("the container is there").acl
    };
    assert_eq!(acl_of(1), None);
    for acl in [
        sample::acl(&[], true),
        sample::acl(&["a", "b", "", "ü"], false),
        sample::acl(&["b"], true),
        sample::acl(&[], false),
    ] {
        let put = acl.clone();
        write(repository, move |tx| {
            tx.put_container_acl(sample::container_id(1), &put)
        });
        assert_eq!(acl_of(1), Some(acl));
    }
    for _ in 0..2 {
        write(repository, |tx| {
            tx.delete_container_acl(sample::container_id(1))
        });
        assert_eq!(acl_of(1), None);
    }
    assert_eq!(acl_of(2), Some(sample::acl(&["other"], true)));
    let of_secret = read(repository, |tx| tx.secret_acl(sample::secret_id(1)));
    assert_eq!(of_secret, Some(sample::acl(&["of secret"], false)));
}

/// Adding to a container that is not there fails; removing from it does not.
pub fn writes_need_their_container(repository: &dyn Repository) {
    add_bare(repository, "project", 1);
    let id = sample::container_id(1);
    let fails = |kind| assert_eq!(kind, RepositoryErrorKind::Internal);
    fails(write_fails(repository, move |tx| {
        tx.touch_container(id, sample::NOW)
    }));
    fails(write_fails(repository, move |tx| {
        tx.insert_container_entry(id, &sample::entry(None, 1))
    }));
    fails(write_fails(repository, move |tx| {
        tx.put_container_acl(id, &sample::acl(&[], true))
    }));
    fails(write_fails(repository, move |tx| {
        tx.insert_container_consumer(id, &sample::stored_container_consumer(1, "n"))
    }));
    write(repository, move |tx| {
        assert!(!tx.delete_container_entry(id, &sample::entry(None, 1))?);
        tx.delete_container_acl(id)?;
        let consumer = sample::container_consumer("n");
        assert!(!tx.delete_container_consumer(id, &consumer)?);
        assert!(!tx.delete_container(id)?);
        Ok(())
    });
}

/// Nothing is left of a failed job; inside of it everything is seen.
pub fn a_failed_job_leaves_no_container(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let kept = sample::container(1, "project");
    let entries = [sample::entry(None, 1)];
    insert(repository, &kept, &entries);
    let kind = write_fails(repository, |tx| {
        let (old, new) = (sample::container_id(1), sample::container_id(2));
        tx.insert_container(
            &sample::container(2, "new project"),
            &[sample::entry(None, 2)],
        )?;
        assert_eq!(tx.container_entries(new)?, [sample::entry(None, 2)]);
        tx.put_container_acl(new, &sample::acl(&["a"], true))?;
        assert!(tx.container(new)?.is_some_and(|found| found.acl.is_some()));
        tx.insert_container_consumer(new, &sample::stored_container_consumer(1, "n"))?;
        assert_eq!(tx.container_consumers(new)?.len(), 1);
        tx.insert_container_entry(old, &sample::entry(None, 2))?;
        tx.delete_secret(sample::secret_id(1))?;
        assert_eq!(tx.container_entries(old)?, [sample::entry(None, 2)]);
        tx.delete_container(old)?;
        assert_eq!(tx.container(old)?, None);
        tx.touch_container(old, sample::NOW)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    check(repository, &kept, &entries);
    let second = read(repository, |tx| tx.container(sample::container_id(2)));
    assert_eq!(second, None);
}

/// Adds a container.
pub(crate) fn insert(
    repository: &dyn Repository,
    container: &Container,
    entries: &[ContainerEntry],
) {
    let (container, entries) = (container.clone(), entries.to_vec());
    write(repository, move |tx| {
        tx.insert_container(&container, &entries)
    });
}

/// Adds an entry to container 1.
fn add_entry(repository: &dyn Repository, entry: ContainerEntry) {
    write(repository, move |tx| {
        tx.insert_container_entry(sample::container_id(1), &entry)
    });
}

/// Checks a container without an ACL, and its entries.
fn check(repository: &dyn Repository, container: &Container, entries: &[ContainerEntry]) {
    let id = container.id;
    let found = read(repository, move |tx| {
        Ok((tx.container(id)?, tx.container_entries(id)?))
    });
    let stored = StoredContainer {
        container: container.clone(),
        acl: None,
    };
    assert_eq!(found.0, Some(stored));
    assert_eq!(found.1, entries);
}
