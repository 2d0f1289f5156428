//! Lists: whose, in which order, which part, and how many.

use donjon_domain::{
    BitLength, Direction, ListScope, PageRequest, Secret, SecretFilter, SecretQuery, SecretSortKey,
    SecretType, Start, UserId, ports::Repository,
};

use super::{
    add, add_bare, all_of, check_list, check_sort, count, ids, list, list_at, numbered, read, write,
};
use crate::sample;

/// A list has the secrets of one project, oldest first.
pub fn a_list_is_in_order_of_creation(repository: &dyn Repository) {
    for (number, project) in [(9, "project"), (1, "other"), (5, "project"), (7, "project")] {
        add(repository, &sample::secret(number, project));
    }
    check_list(repository, &all_of("project"), &[9, 5, 7]);
    check_list(repository, &all_of("other"), &[1]);
    check_list(repository, &all_of("nobody"), &[]);
    check_list(repository, &all_of(""), &[]);
}

/// A list has the secrets as they are, with every attribute.
pub fn items_are_whole(repository: &dyn Repository) {
    super::add_kek(repository);
    let (full, bare) = (
        sample::full_secret(1, "project"),
        sample::secret(2, "project"),
    );
    add(repository, &full);
    add(repository, &bare);
    let page = list(repository, &all_of("project"));
    assert_eq!(page.items, [full, bare]);
}

/// A page starts after as many items as asked, and says so.
pub fn pages_start_at_an_offset(repository: &dyn Repository) {
    add_bare(repository, "project", 10);
    for offset in [0, 1, 3, 9, 10, 11, u64::MAX] {
        for limit in [1, 4, 100, u32::MAX] {
            let page = list(repository, &page_of(Start::Offset(offset), limit));
            let expected = (1..=10)
                .filter(|number| *number > offset)
                .take(usize::try_from(limit).expect("32 bits fit"));
            assert_eq!(ids(&page), numbered(expected), "{offset} {limit}");
            assert_eq!((page.offset, page.total), (offset, 10));
        }
    }
}

/// A page may start after a secret, or at the start where that is not there.
pub fn pages_start_after_a_secret(repository: &dyn Repository) {
    add_bare(repository, "project", 5);
    add(repository, &sample::secret(77, "other"));
    for (after, offset) in [(1, 1), (2, 2), (5, 5), (6, 0), (77, 0)] {
        let page = list(
            repository,
            &page_of(Start::After(sample::secret_id(after)), 2),
        );
        assert_eq!(
            ids(&page),
            numbered((1..=5).filter(|number| *number > offset).take(2)),
            "after {after}"
        );
        assert_eq!((page.offset, page.total), (offset, 5), "after {after}");
    }
}

/// A marker works in sorted and filtered lists too.
pub fn markers_follow_the_order(repository: &dyn Repository) {
    for (number, name) in [(1, "d"), (2, "a"), (3, "c"), (4, "x"), (5, "b")] {
        let secret = Secret {
            name: Some(sample::label(name)),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let query = SecretQuery {
        filter: SecretFilter {
            created: Vec::new(),
            name: Some("_".to_owned()),
            ..SecretFilter::default()
        },
        sort: vec![(SecretSortKey::Name, Direction::Descending)],
        ..page_of(Start::After(sample::secret_id(1)), 2)
    };
    let page = list(repository, &query);
    assert_eq!(ids(&page), numbered([3, 5]));
    assert_eq!((page.offset, page.total), (2, 5));
}

/// Deleted secrets leave no gap.
pub fn deleted_secrets_leave_no_gap(repository: &dyn Repository) {
    add_bare(repository, "project", 6);
    for (number, expected) in [
        (1, &[2, 3, 4, 5, 6][..]),
        (4, &[2, 3, 5, 6]),
        (6, &[2, 3, 5]),
    ] {
        write(repository, move |tx| {
            tx.delete_secret(sample::secret_id(number))
        });
        check_list(repository, &all_of("project"), expected);
    }
    add(repository, &sample::secret(7, "project"));
    check_list(repository, &all_of("project"), &[2, 3, 5, 7]);
    let page = list(repository, &page_of(Start::Offset(2), 2));
    assert_eq!(ids(&page), numbered([5, 7]));
}

/// Expired secrets are not in any list, and do not count, from the moment of
/// their expiration on.
pub fn expired_secrets_are_hidden(repository: &dyn Repository) {
    for number in 1..=6 {
        let offset = i64::try_from(number).expect("a small number");
        let secret = Secret {
            expiration: (number % 2 == 0).then(|| sample::NOW.plus_seconds(offset)),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
        let id = secret.id;
        write(repository, move |tx| {
            tx.put_secret_acl(id, &sample::acl(&["guest"], true))
        });
    }
    let sorted = SecretQuery {
        sort: vec![(SecretSortKey::Status, Direction::Ascending)],
        ..all_of("project")
    };
    let filtered = SecretQuery {
        filter: SecretFilter {
            secret_type: Some(SecretType::Opaque),
            ..SecretFilter::default()
        },
        ..all_of("project")
    };
    let shared = SecretQuery {
        scope: ListScope::SharedWith(UserId::new("guest")),
        ..all_of("project")
    };
    // The last two go back in time: what is hidden depends on `now` alone.
    for (seconds, expected) in [
        (1, &[1, 2, 3, 4, 5, 6][..]),
        (2, &[1, 3, 4, 5, 6]),
        (5, &[1, 3, 5, 6]),
        (60, &[1, 3, 5]),
        (3, &[1, 3, 4, 5, 6]),
        (0, &[1, 2, 3, 4, 5, 6]),
    ] {
        let now = sample::NOW.plus_seconds(seconds);
        for query in [&all_of("project"), &sorted, &filtered, &shared] {
            let page = list_at(repository, query, now);
            assert_eq!(ids(&page), numbered(expected.iter().copied()), "{seconds}");
            assert_eq!(page.total, count(expected), "{seconds}");
        }
        let number = read(repository, move |tx| {
            tx.count_secrets(&sample::project("project"), now)
        });
        assert_eq!(number, count(expected), "{seconds}");
    }
}

/// Long lists with gaps are cut at every place as short ones are.
pub fn long_lists_are_cut_anywhere(repository: &dyn Repository) {
    const SECRETS: u64 = 1_100;
    write(repository, |tx| {
        for number in 1..=SECRETS {
            let secret = Secret {
                expiration: (number % 7 == 0).then(|| sample::NOW.plus_seconds(-1)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)?;
        }
        // A hole that is longer than any block of rows one might count by.
        for number in (300..=700).chain((1..=SECRETS).filter(|number| number % 5 == 0)) {
            tx.delete_secret(sample::secret_id(number))?;
        }
        Ok(())
    });
    let expected: Vec<u64> = (1..=SECRETS)
        .filter(|number| number % 7 != 0 && number % 5 != 0 && !(300..=700).contains(number))
        .collect();
    let total = count(&expected);
    for offset in (0..total + 50).step_by(37) {
        let skipped = usize::try_from(offset).expect("a small number");
        let page = list(repository, &page_of(Start::Offset(offset), 5));
        let items = expected.iter().copied().skip(skipped).take(5);
        assert_eq!(ids(&page), numbered(items), "{offset}");
        assert_eq!((page.offset, page.total), (offset, total));
        let Some(before) = skipped.checked_sub(1).and_then(|at| expected.get(at)) else {
            continue;
        };
        let after = list(
            repository,
            &page_of(Start::After(sample::secret_id(*before)), 5),
        );
        assert_eq!(after, page, "after {before}");
    }
}

/// The list of what is shared with a user spans projects, oldest first, and
/// follows the ACLs.
pub fn shared_lists_span_projects(repository: &dyn Repository) {
    for (number, project) in [(4, "b"), (2, "a"), (3, "b"), (1, "a"), (5, "b")] {
        add(repository, &sample::secret(number, project));
    }
    let share = |number, names: &'static [&'static str], project_access| {
        write(repository, move |tx| {
            let acl = sample::acl(names, project_access);
            tx.put_secret_acl(sample::secret_id(number), &acl)
        });
    };
    share(5, &["guest"], true);
    share(1, &["guest", "other"], false);
    share(3, &["other"], true);
    share(4, &["guest"], true);
    share(2, &[], true);
    let shared = |user| SecretQuery {
        scope: ListScope::SharedWith(UserId::new(user)),
        ..all_of("")
    };
    check_list(repository, &shared("guest"), &[4, 1, 5]);
    check_list(repository, &shared("other"), &[3, 1]);
    check_list(repository, &shared("nobody"), &[]);

    let mut second = shared("guest");
    second.page = PageRequest {
        start: Start::Offset(1),
        limit: 1,
    };
    let page = list(repository, &second);
    assert_eq!(ids(&page), numbered([1]));
    assert_eq!((page.offset, page.total), (1, 3));
    second.page.start = Start::After(sample::secret_id(4));
    assert_eq!(list(repository, &second), page);

    share(4, &["other"], true);
    write(repository, |tx| tx.delete_secret_acl(sample::secret_id(5)));
    check_list(repository, &shared("guest"), &[1]);
    check_list(repository, &shared("other"), &[4, 3, 1]);
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    check_list(repository, &shared("guest"), &[]);
}

/// Every key sorts both ways; absent values come first, equal ones stay in the
/// order of creation.
pub fn every_key_sorts(repository: &dyn Repository) {
    super::add_kek(repository);
    let secret = |number: u64, text: Option<&str>, bits: Option<i64>, seconds: i64| Secret {
        created: sample::NOW.plus_seconds(seconds),
        updated: sample::NOW.plus_seconds(-seconds),
        expiration: bits.map(|bits| sample::NOW.plus_seconds(bits)),
        name: text.map(sample::label),
        algorithm: text.map(sample::label),
        mode: text.map(sample::label),
        bit_length: bits.and_then(|bits| BitLength::new(bits).ok()),
        ..sample::secret(number, "project")
    };
    // By bytes: capitals, then small letters, then what is not ASCII.
    let secrets = [
        secret(1, Some("b"), Some(256), 3),
        secret(2, None, None, 1),
        secret(3, Some("é"), Some(9), 2),
        secret(4, Some("B"), Some(256), 3),
        secret(5, None, None, 1),
        secret(6, Some("b"), Some(128), 2),
    ];
    secrets.iter().for_each(|secret| add(repository, secret));

    let (up, down) = (Direction::Ascending, Direction::Descending);
    for key in [
        SecretSortKey::Name,
        SecretSortKey::Algorithm,
        SecretSortKey::Mode,
    ] {
        check_sort(repository, &[(key, up)], &[2, 5, 4, 1, 6, 3]);
        check_sort(repository, &[(key, down)], &[3, 1, 6, 4, 2, 5]);
    }
    for key in [SecretSortKey::BitLength, SecretSortKey::Expiration] {
        check_sort(repository, &[(key, up)], &[2, 5, 3, 6, 1, 4]);
        check_sort(repository, &[(key, down)], &[1, 4, 6, 3, 2, 5]);
    }
    check_sort(
        repository,
        &[(SecretSortKey::Created, up)],
        &[2, 5, 3, 6, 1, 4],
    );
    check_sort(
        repository,
        &[(SecretSortKey::Created, down)],
        &[1, 4, 3, 6, 2, 5],
    );
    check_sort(
        repository,
        &[(SecretSortKey::Updated, up)],
        &[1, 4, 3, 6, 2, 5],
    );
    check_sort(
        repository,
        &[(SecretSortKey::Status, up)],
        &[1, 2, 3, 4, 5, 6],
    );
    check_sort(
        repository,
        &[(SecretSortKey::Status, down)],
        &[1, 2, 3, 4, 5, 6],
    );
    check_sort(
        repository,
        &[(SecretSortKey::BitLength, down), (SecretSortKey::Name, up)],
        &[4, 1, 6, 3, 2, 5],
    );
}

/// Types sort by name.
pub fn types_sort_by_name(repository: &dyn Repository) {
    for (number, secret_type) in (1..).zip(SecretType::ALL) {
        let secret = Secret {
            secret_type,
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let key = SecretSortKey::SecretType;
    check_sort(
        repository,
        &[(key, Direction::Ascending)],
        &[5, 6, 2, 3, 4, 1],
    );
    check_sort(
        repository,
        &[(key, Direction::Descending)],
        &[1, 4, 3, 2, 6, 5],
    );
}

/// A sorted list is cut after it was sorted.
pub fn sorted_lists_are_cut(repository: &dyn Repository) {
    for (number, bits) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let secret = Secret {
            bit_length: BitLength::new(bits).ok(),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let query = SecretQuery {
        sort: vec![(SecretSortKey::BitLength, Direction::Ascending)],
        ..page_of(Start::Offset(1), 2)
    };
    let page = list(repository, &query);
    assert_eq!(ids(&page), numbered([3, 1]));
    assert_eq!((page.offset, page.total), (1, 4));
}

fn page_of(start: Start, limit: u32) -> SecretQuery {
    SecretQuery {
        page: PageRequest { start, limit },
        ..all_of("project")
    }
}
