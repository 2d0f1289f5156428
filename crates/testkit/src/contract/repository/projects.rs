//! Projects as owners, and removing what one leaves behind.

use std::num::NonZeroU32;

use donjon_domain::{
    ConsumerId, KekScope, KekState, Order, ProjectQuotas, RootKeyId, Timestamp,
    ports::{
        Counted, Holdings, Registration, Removal, RemovalCause, Repository, RepositoryErrorKind,
        Standing,
    },
};

use super::{add, add_kek, read, write, write_fails};
use crate::sample;

/// Whoever has anything is an owner: by id, and in pages.
pub fn owners_are_listed(repository: &dyn Repository) {
    assert_eq!(owners(repository), [] as [&str; 0]);
    add(repository, &sample::secret(1, "secrets"));
    let mut expired = sample::secret(2, "expired");
    expired.expiration = Some(sample::NOW.plus_seconds(-1));
    add(repository, &expired);
    write(repository, |tx| {
        tx.insert_container(&sample::container(1, "containers"), &[])?;
        tx.insert_order(&sample::order(1, "orders"))?;
        tx.insert_kek(&sample::kek(1, "keks"))?;
        tx.put_project_quotas(&sample::project("quotas"), &ProjectQuotas::default())?;
        tx.insert_secret_store(&sample::secret_store(1, "plugin"))?;
        let store = sample::secret_store(1, "plugin").id;
        tx.put_preferred_secret_store(&sample::project("stores"), store)?;
        let mut stored = sample::stored_consumer(1, "r");
        stored.project = sample::project("consumers");
        tx.insert_secret_consumer(sample::secret_id(1), &stored)?;
        // Known, and owns nothing.
        tx.confirm_project(&sample::project("known"))
    });
    let all = [
        "consumers",
        "containers",
        "expired",
        "keks",
        "orders",
        "quotas",
        "secrets",
        "stores",
    ];
    assert_eq!(owners(repository), all);
    let page = read(repository, |tx| {
        tx.owning_projects(Some(&sample::project("expired")), 2)
    });
    let page: Vec<_> = page.into_iter().map(|owner| owner.project).collect();
    assert_eq!(page, [sample::project("keks"), sample::project("orders")]);
}

/// A project is the identity service's once that knew it, and missed from the
/// first time on when it did not.
pub fn a_project_is_missed_only_after_it_was_known(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "p"));
    assert_eq!(standing(repository, "p"), Standing::Unconfirmed);
    assert!(!miss(repository, "p", 0));
    assert_eq!(standing(repository, "p"), Standing::Unconfirmed);
    for round in [10, 20] {
        confirm(repository, "p");
        assert_eq!(standing(repository, "p"), Standing::Confirmed);
        assert!(miss(repository, "p", round));
        assert!(!miss(repository, "p", round + 1), "the first time counts");
        assert_eq!(standing(repository, "p"), Standing::Missed(at(round)));
    }
    let listed = read(repository, |tx| tx.owning_projects(None, 10));
    let listed: Vec<_> = listed.into_iter().map(|owner| owner.standing).collect();
    assert_eq!(listed, [Standing::Missed(at(20))]);
    assert_eq!(standing(repository, "P"), Standing::Unconfirmed);
    assert_eq!(standing(repository, "p "), Standing::Unconfirmed);
}

/// What a project owns is counted, and what it does not own is not.
pub fn holdings_are_counted(repository: &dyn Repository) {
    assert_eq!(holdings(repository, "project"), Holdings::default());
    fill(repository);
    let expected = Holdings {
        secrets: 4,
        containers: 2,
        orders: 2,
        consumers: 2,
        keks: 1,
        settings: 2,
        has_token: false,
    };
    assert_eq!(holdings(repository, "project"), expected);
    assert_eq!(expected.rows(), 12);
    let of_other = Holdings {
        secrets: 1,
        containers: 1,
        consumers: 2,
        ..Holdings::default()
    };
    assert_eq!(holdings(repository, "other"), of_other);
}

/// All of it goes, a few rows at a time, with its keys; and nothing of anybody
/// else.
pub fn everything_of_a_project_is_removed(repository: &dyn Repository) {
    fill(repository);
    confirm(repository, "project");
    assert!(miss(repository, "project", 1));
    let mut steps = 0;
    loop {
        match remove(repository, "project", 1, 3) {
            Removal::Removed(rows) => assert!((1..=3).contains(&rows)),
            Removal::Registered => break,
            other => panic!("{other:?}"),
        }
        steps += 1;
        assert!(steps < 50, "it has an end");
    }
    assert!(steps >= 4, "few at a time: {steps}");
    let left = Holdings {
        consumers: 2,
        keks: 1,
        ..Holdings::default()
    };
    assert_eq!(holdings(repository, "project"), left);
    let found = read(repository, |tx| {
        tx.registrations_of(&sample::project("project"), 10)
    });
    let expected = [
        Registration::Secret(sample::secret_id(9), sample::consumer("foreign")),
        Registration::Container(
            sample::container_id(9),
            sample::container_consumer("foreign"),
        ),
    ];
    assert_eq!(found, expected);
    let one = read(repository, |tx| {
        tx.registrations_of(&sample::project("project"), 1)
    });
    assert_eq!(one, &expected[..1]);
    write(repository, |tx| {
        tx.delete_secret_consumer(sample::secret_id(9), &sample::consumer("foreign"))?;
        let consumer = sample::container_consumer("foreign");
        tx.delete_container_consumer(sample::container_id(9), &consumer)
    });
    assert_eq!(remove(repository, "project", 1, 3), Removal::Done);

    assert!(holdings(repository, "project").is_empty());
    assert_eq!(standing(repository, "project"), Standing::Unconfirmed);
    assert_eq!(owners(repository), ["other"]);
    assert_eq!(remove(repository, "project", 1, 3), Removal::Spared);
    for counted in [
        Counted::Secrets,
        Counted::Containers,
        Counted::Orders,
        Counted::SecretConsumers,
        Counted::ContainerConsumers,
    ] {
        let count = read(repository, move |tx| {
            tx.count(&sample::project("project"), counted, sample::NOW)
        });
        assert_eq!(count, 0, "{counted:?}");
    }
    // What the other project registered on it is gone too.
    let count = read(repository, |tx| {
        tx.count(
            &sample::project("other"),
            Counted::SecretConsumers,
            sample::NOW,
        )
    });
    assert_eq!(count, 0);
}

/// Keys of a project that is gone are no keys any more: nothing is stored under
/// them, and the next one has another generation.
pub fn nothing_is_stored_under_the_keys_of_a_removed_project(repository: &dyn Repository) {
    let scope = KekScope::Project(sample::project("project"));
    let generation = |tx: &mut dyn donjon_domain::ports::ReadTx| {
        tx.last_generation(&KekScope::Project(sample::project("project")))
    };
    assert_eq!(read(repository, generation), 0);
    add_kek(repository);
    let mut retired = sample::kek(2, "project");
    (retired.generation, retired.state) = (2, KekState::Retired);
    write(repository, {
        let retired = retired.clone();
        move |tx| tx.insert_kek(&retired)
    });
    add(repository, &sample::full_secret(1, "project"));
    confirm(repository, "project");
    miss(repository, "project", 1);
    assert_eq!(remove(repository, "project", 1, 100), Removal::Removed(1));
    // A late one is removed too.
    add(repository, &sample::full_secret(2, "project"));
    assert_eq!(remove(repository, "project", 1, 100), Removal::Removed(1));
    assert_eq!(remove(repository, "project", 1, 100), Removal::Done);
    for number in [1, 2] {
        let kek = read(repository, move |tx| tx.kek(sample::kek_id(number)));
        let kek = kek.expect("the row stays");
        assert_eq!(kek.state, KekState::Destroyed);
        assert!(kek.wrapped.is_empty());
        assert_eq!(kek.root, RootKeyId::from_bytes([0; 16]));
    }
    let active = read(repository, move |tx| tx.active_kek(&scope));
    assert_eq!(active, None);
    let kind = write_fails(repository, |tx| {
        let secret = sample::full_secret(3, "project");
        tx.insert_secret(&secret, Some(&sample::payload(1, 1)))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    assert!(holdings(repository, "project").is_empty());
    assert_eq!(read(repository, generation), 2);
    let mut next = sample::kek(3, "project");
    next.generation = 3;
    write(repository, move |tx| tx.insert_kek(&next));
}

/// Only who is missed since then is removed, and no project on which a local
/// token acts.
pub fn who_is_not_missed_is_spared(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "p"));
    assert_eq!(remove(repository, "p", 0, 10), Removal::Spared);
    confirm(repository, "p");
    assert_eq!(remove(repository, "p", 0, 10), Removal::Spared);
    miss(repository, "p", 5);
    assert_eq!(remove(repository, "p", 4, 10), Removal::Spared);
    assert_eq!(remove(repository, "P", 5, 10), Removal::Spared);
    confirm(repository, "p");
    assert_eq!(remove(repository, "p", 5, 10), Removal::Spared);
    miss(repository, "p", 6);
    assert_eq!(remove(repository, "p", 5, 10), Removal::Spared);
    assert_eq!(holdings(repository, "p").secrets, 1);
    assert_eq!(remove(repository, "p", 6, 10), Removal::Removed(1));
}

/// A project that is known again stays as it is, in the middle of its removal.
pub fn a_removal_ends_when_the_project_is_back(repository: &dyn Repository) {
    for number in 1..=4 {
        add(repository, &sample::secret(number, "p"));
    }
    confirm(repository, "p");
    miss(repository, "p", 1);
    assert_eq!(remove(repository, "p", 1, 2), Removal::Removed(2));
    confirm(repository, "p");
    assert_eq!(remove(repository, "p", 1, 2), Removal::Spared);
    assert_eq!(holdings(repository, "p").secrets, 2);
}

/// An operator need not wait for the identity service, and what is remembered of
/// the project goes too.
pub fn an_ordered_removal_asks_nobody(repository: &dyn Repository) {
    let ordered = |project, limit| remove_for(repository, project, RemovalCause::Ordered, limit);
    for number in 1..=3 {
        add(repository, &sample::secret(number, "p"));
    }
    add(repository, &sample::secret(4, "q"));
    confirm(repository, "p");
    assert_eq!(ordered("p", 2), Removal::Removed(2));
    assert_eq!(ordered("p", 2), Removal::Removed(1));
    assert_eq!(ordered("p", 2), Removal::Done);
    assert_eq!(standing(repository, "p"), Standing::Unconfirmed);
    assert_eq!(ordered("p", 2), Removal::Done);
    assert_eq!(ordered("nobody", 2), Removal::Done);
    assert_eq!(owners(repository), ["q"]);
}

fn at(seconds: i64) -> Timestamp {
    sample::NOW.plus_seconds(seconds)
}

fn owners(repository: &dyn Repository) -> Vec<String> {
    let owners = read(repository, |tx| tx.owning_projects(None, 100));
    let ids = owners.into_iter().map(|owner| owner.project.to_string());
    ids.collect()
}

fn standing(repository: &dyn Repository, project: &'static str) -> Standing {
    read(repository, |tx| tx.standing(&sample::project(project)))
}

fn confirm(repository: &dyn Repository, project: &'static str) {
    write(repository, |tx| {
        tx.confirm_project(&sample::project(project))
    });
}

fn miss(repository: &dyn Repository, project: &'static str, since: i64) -> bool {
    write(repository, move |tx| {
        tx.miss_project(&sample::project(project), at(since))
    })
}

fn holdings(repository: &dyn Repository, project: &'static str) -> Holdings {
    read(repository, |tx| {
        tx.holdings(&sample::project(project), sample::NOW)
    })
}

fn remove(repository: &dyn Repository, project: &'static str, since: i64, limit: u32) -> Removal {
    remove_for(repository, project, RemovalCause::Missed(at(since)), limit)
}

fn remove_for(
    repository: &dyn Repository,
    project: &'static str,
    cause: RemovalCause,
    limit: u32,
) -> Removal {
    let limit = NonZeroU32::new(limit).expect("at least one");
    write(repository, move |tx| {
        tx.remove_from_project(&sample::project(project), cause, sample::NOW, limit)
    })
}

/// Fills `project` with two of everything, tied to one another and to `other`.
fn fill(repository: &dyn Repository) {
    add_kek(repository);
    for number in 1..=3 {
        add(repository, &sample::full_secret(number, "project"));
    }
    let mut expired = sample::secret(4, "project");
    expired.expiration = Some(sample::NOW.plus_seconds(-1));
    add(repository, &expired);
    add(repository, &sample::secret(9, "other"));
    write(repository, |tx| {
        tx.put_secret_acl(
            sample::secret_id(1),
            &sample::acl(&["a", "b", "c", "d"], true),
        )?;
        for number in 1..=2 {
            let container = sample::container(number, "project");
            let entries = [sample::entry(Some("a"), 1), sample::entry(None, 2)];
            tx.insert_container(&container, &entries)?;
            tx.put_container_acl(
                sample::container_id(number),
                &sample::acl(&["a", "b"], false),
            )?;
            let order = Order {
                passphrase: Some(sample::sealed(1, 2)),
                ..sample::order(number, "project")
            };
            tx.insert_order(&order)?;
        }
        let kept = NonZeroU32::new(10).expect("at least one");
        let name = sample::label("gone");
        tx.remember_removed_entry(sample::container_id(1), sample::secret_id(3), &name, kept)?;
        tx.insert_container(&sample::container(9, "other"), &[])?;
        for (number, secret, project, resource) in [
            (1, 1, "project", "own"),
            (2, 1, "other", "others"),
            (3, 9, "project", "foreign"),
        ] {
            let mut stored = sample::stored_consumer(number, resource);
            stored.project = sample::project(project);
            tx.insert_secret_consumer(sample::secret_id(secret), &stored)?;
        }
        for (number, container, project, name) in [
            (11_u8, 1, "project", "own"),
            (12, 1, "other", "others"),
            (13, 9, "project", "foreign"),
        ] {
            let mut stored = sample::stored_container_consumer(1, name);
            stored.id = ConsumerId::from_bytes([number; 16]);
            stored.project = sample::project(project);
            tx.insert_container_consumer(sample::container_id(container), &stored)?;
        }
        tx.put_project_quotas(&sample::project("project"), &ProjectQuotas::default())?;
        tx.insert_secret_store(&sample::secret_store(1, "plugin"))?;
        let store = sample::secret_store(1, "plugin").id;
        tx.put_preferred_secret_store(&sample::project("project"), store)
    });
}
