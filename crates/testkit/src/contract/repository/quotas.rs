//! Quotas, and the counts that they limit.

use donjon_domain::{
    PageRequest, ProjectQuotas, Resource, Secret, Start, StoredConsumer, StoredContainerConsumer,
    Timestamp,
    ports::{Counted, ReadTx, Repository, RepositoryError, RepositoryErrorKind},
};

use super::{add, add_bare, containers, orders, read, write, write_fails};
use crate::sample;

/// What is configured is read back, negative and huge numbers too; a project
/// without a configuration has none.
pub fn quotas_are_read_back(repository: &dyn Repository) {
    check(repository, "project", None);
    for quotas in [
        ProjectQuotas::default(),
        quotas([Some(1), Some(2), Some(3), Some(4), Some(5)]),
        quotas([Some(-1), Some(0), None, Some(i64::MAX), Some(i64::MIN)]),
        quotas([None, None, Some(7), None, None]),
    ] {
        put(repository, "project", quotas);
        check(repository, "project", Some(quotas));
        check(repository, "other", None);
        check(repository, "Project", None);
    }
    for odd in ["", "a\0b", "\u{1f511}"] {
        put(repository, odd, quotas([Some(1); 5]));
        check(repository, odd, Some(quotas([Some(1); 5])));
    }
}

/// Removed quotas are gone; what the project owns is not.
pub fn quotas_can_be_removed(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    put(repository, "project", quotas([Some(1); 5]));
    let remove = || {
        write(repository, |tx| {
            tx.delete_project_quotas(&sample::project("project"))
        })
    };
    assert!(remove());
    check(repository, "project", None);
    assert!(!remove());
    check_counts(repository, "project", [2, 0, 0, 0, 0]);
}

/// Projects are listed in the order in which they got a configuration; who gets
/// one again comes last, who changes it stays.
pub fn projects_are_listed_as_they_got_quotas(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "without"));
    add(repository, &sample::secret(2, "b"));
    for (limit, project) in (1..).zip(["c", "a", "b", "d"]) {
        put(repository, project, quotas([Some(limit); 5]));
    }
    put(repository, "a", quotas([Some(9); 5]));
    check_list(repository, &[("c", 1), ("a", 9), ("b", 3), ("d", 4)]);
    for (project, rest) in [
        ("c", &[("a", 9), ("b", 3), ("d", 4)][..]),
        ("d", &[("a", 9), ("b", 3)]),
    ] {
        write(repository, move |tx| {
            tx.delete_project_quotas(&sample::project(project))
        });
        check_list(repository, rest);
    }
    put(repository, "c", quotas([Some(5); 5]));
    put(repository, "e", quotas([Some(6); 5]));
    check_list(repository, &[("a", 9), ("b", 3), ("c", 5), ("e", 6)]);
}

/// A part of the list starts where it is asked to; a project that is not in it
/// marks nothing.
pub fn project_quotas_come_in_pages(repository: &dyn Repository) {
    let names = ["d", "a", "c", "b"];
    for project in names {
        put(repository, project, ProjectQuotas::default());
    }
    for (start, limit, offset) in [
        (Start::Offset(0), 3, 0),
        (Start::Offset(2), 1, 2),
        (Start::Offset(4), 1, 4),
        (Start::Offset(u64::MAX), 1, u64::MAX),
        (Start::After(sample::project("a")), 1, 2),
        (Start::After(sample::project("b")), 1, 4),
        (Start::After(sample::project("unknown")), 2, 0),
    ] {
        let page = PageRequest {
            start: start.clone(),
            limit,
        };
        let page = read(repository, move |tx| tx.list_project_quotas(page.clone()));
        let found: Vec<_> = page.items.iter().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<_> = names
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).expect("32 bits fit"))
            .collect();
        assert_eq!(found, expected, "{start:?}");
        assert_eq!((page.offset, page.total), (offset, 4));
    }
}

/// Secrets, orders and containers are counted by project, as they come and go.
pub fn what_a_project_owns_is_counted(repository: &dyn Repository) {
    check_counts(repository, "project", [0; 5]);
    for number in 1..=3 {
        add(repository, &sample::secret(number, "project"));
        containers::insert(repository, &sample::container(number, "project"), &[]);
        orders::insert(repository, &sample::order(number, "project"));
    }
    add(repository, &sample::secret(4, "other"));
    containers::insert(repository, &sample::container(4, "other"), &[]);
    check_counts(repository, "project", [3, 3, 3, 0, 0]);
    check_counts(repository, "other", [1, 0, 1, 0, 0]);
    write(repository, |tx| {
        tx.delete_secret(sample::secret_id(1))?;
        tx.delete_order(sample::order_id(1))?;
        tx.delete_order(sample::order_id(2))?;
        tx.delete_order(sample::order_id(2))?;
        tx.delete_container(sample::container_id(3))?;
        tx.delete_container(sample::container_id(4))
    });
    check_counts(repository, "project", [2, 1, 2, 0, 0]);
    check_counts(repository, "other", [1, 0, 0, 0, 0]);
    let end =
        donjon_domain::OrderState::Active(donjon_domain::OrderResult::Secret(sample::secret_id(2)));
    write(repository, move |tx| {
        tx.end_order(sample::order_id(3), &end, sample::NOW)
    });
    check_counts(repository, "project", [2, 1, 2, 0, 0]);
}

/// Secrets count until the moment of their expiration; nothing else expires.
pub fn expired_secrets_do_not_count(repository: &dyn Repository) {
    for number in 1..=3 {
        let seconds = i64::try_from(number).expect("a small number");
        let secret = Secret {
            expiration: (number < 3).then(|| sample::NOW.plus_seconds(seconds)),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
        register(repository, number, "project");
    }
    containers::insert(
        repository,
        &sample::container(1, "project"),
        &[sample::entry(None, 1)],
    );
    for (seconds, secrets) in [(0, 3), (1, 2), (2, 1), (1_000, 1), (1, 2), (0, 3)] {
        let now = sample::NOW.plus_seconds(seconds);
        let found = read(repository, move |tx| counts(tx, "project", now));
        assert_eq!(found, [secrets, 0, 1, 3, 0], "{seconds}");
        for number in 0..6 {
            let project = sample::project("project");
            let reached = read(repository, move |tx| {
                tx.has_at_least(&project, Counted::Secrets, number, now)
            });
            assert_eq!(reached, secrets >= number, "{number} at {seconds}");
        }
    }
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    let later = sample::NOW.plus_seconds(5);
    let found = read(repository, move |tx| counts(tx, "project", later));
    assert_eq!(found, [1, 0, 1, 2, 0]);
    check_counts(repository, "project", [2, 0, 1, 2, 0]);
}

/// Consumers count for the project that registered them, whoever owns what they
/// are registered on, and each kind by itself.
pub fn consumers_count_for_who_registered_them(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "owner"));
    add(repository, &sample::secret(2, "owner"));
    containers::insert(repository, &sample::container(1, "owner"), &[]);
    containers::insert(repository, &sample::container(2, "owner"), &[]);
    register(repository, 1, "a");
    register(repository, 2, "a");
    register(repository, 1, "b");
    register_on_container(repository, 1, "a");
    register_on_container(repository, 2, "b");
    register_on_container(repository, 1, "b");
    check_counts(repository, "owner", [2, 0, 2, 0, 0]);
    check_counts(repository, "a", [0, 0, 0, 2, 1]);
    check_counts(repository, "b", [0, 0, 0, 1, 2]);

    write(repository, |tx| {
        let secret = sample::secret_id(1);
        assert!(tx.delete_secret_consumer(secret, &sample::consumer("a"))?);
        assert!(!tx.delete_secret_consumer(secret, &sample::consumer("a"))?);
        let container = sample::container_id(1);
        let of_a = sample::container_consumer("a");
        assert!(tx.delete_container_consumer(container, &of_a)?);
        assert!(!tx.delete_container_consumer(container, &of_a)?);
        Ok(())
    });
    check_counts(repository, "a", [0, 0, 0, 1, 0]);
    check_counts(repository, "b", [0, 0, 0, 1, 2]);

    // They leave with what they are registered on.
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    check_counts(repository, "a", [0, 0, 0, 1, 0]);
    check_counts(repository, "b", [0, 0, 0, 0, 2]);
    write(repository, |tx| {
        tx.delete_secret(sample::secret_id(2))?;
        tx.delete_container(sample::container_id(1))
    });
    check_counts(repository, "a", [0; 5]);
    check_counts(repository, "b", [0, 0, 0, 0, 1]);
    check_counts(repository, "owner", [0, 0, 1, 0, 0]);
}

/// A job counts what it wrote itself: a limit that it checks holds for what it
/// adds next.
pub fn a_job_counts_its_own_writes(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    write(repository, |tx| {
        let now = sample::NOW;
        tx.insert_secret(&sample::secret(2, "project"), None)?;
        tx.insert_order(&sample::order(1, "project"))?;
        tx.insert_order(&sample::order(2, "project"))?;
        tx.insert_container(&sample::container(1, "project"), &[])?;
        let on_secret = sample::stored_consumer(1, "r");
        tx.insert_secret_consumer(sample::secret_id(2), &on_secret)?;
        let on_container = sample::stored_container_consumer(1, "n");
        tx.insert_container_consumer(sample::container_id(1), &on_container)?;
        assert_eq!(counts(tx, "project", now)?, [2, 2, 1, 1, 1]);
        tx.delete_secret(sample::secret_id(2))?;
        tx.delete_order(sample::order_id(1))?;
        tx.delete_container(sample::container_id(1))?;
        assert_eq!(counts(tx, "project", now)?, [1, 1, 0, 0, 0]);
        tx.delete_order(sample::order_id(2))?;
        tx.delete_secret(sample::secret_id(1))?;
        assert_eq!(counts(tx, "project", now)?, [0; 5]);
        tx.insert_secret(&sample::secret(3, "project"), None)
    });
    check_counts(repository, "project", [1, 0, 0, 0, 0]);
}

/// What is undone was never counted: a whole job, or one write of it that was
/// refused.
pub fn what_is_undone_does_not_count(repository: &dyn Repository) {
    for number in 1..=2 {
        add(repository, &sample::secret(number, "project"));
        containers::insert(repository, &sample::container(number, "project"), &[]);
        orders::insert(repository, &sample::order(number, "project"));
    }
    register(repository, 1, "project");
    register_on_container(repository, 1, "project");
    put(repository, "project", quotas([Some(1); 5]));
    let before = [2, 2, 2, 1, 1];
    check_counts(repository, "project", before);

    let kind = write_fails(repository, |tx| {
        tx.insert_secret(&sample::secret(3, "project"), None)?;
        tx.insert_secret(&sample::secret(4, "new project"), None)?;
        tx.insert_order(&sample::order(3, "project"))?;
        tx.insert_container(&sample::container(3, "project"), &[])?;
        let on_secret = sample::stored_consumer(9, "r");
        tx.insert_secret_consumer(sample::secret_id(2), &on_secret)?;
        tx.delete_secret(sample::secret_id(1))?;
        tx.delete_order(sample::order_id(1))?;
        tx.delete_container(sample::container_id(1))?;
        tx.put_project_quotas(&sample::project("new project"), &quotas([None; 5]))?;
        tx.delete_project_quotas(&sample::project("project"))?;
        Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    assert_eq!(kind, RepositoryErrorKind::Corrupt);
    check_counts(repository, "project", before);
    check_counts(repository, "new project", [0; 5]);
    check_list(repository, &[("project", 1)]);

    write(repository, move |tx| {
        let refused = [
            tx.insert_secret(&sample::secret(1, "project"), None),
            tx.insert_order(&sample::order(1, "project")),
            tx.insert_container(&sample::container(1, "project"), &[]),
            tx.insert_container(
                &sample::container(5, "project"),
                &[sample::entry(None, 2), sample::entry(None, 99)],
            ),
            tx.insert_container(
                &sample::container(5, "project"),
                &[sample::entry(None, 2), sample::entry(None, 2)],
            ),
            tx.insert_secret_consumer(sample::secret_id(1), &registration("project")),
            tx.insert_container_consumer(
                sample::container_id(1),
                &container_registration("project"),
            ),
        ];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        assert_eq!(counts(tx, "project", sample::NOW)?, before);
        Ok(())
    });
    check_counts(repository, "project", before);
    let half_made = read(repository, |tx| tx.container(sample::container_id(5)));
    assert_eq!(half_made, None);
}

/// Registers `project` on a secret.
fn register(repository: &dyn Repository, number: u64, project: &'static str) {
    write(repository, move |tx| {
        tx.insert_secret_consumer(sample::secret_id(number), &registration(project))
    });
}

/// Registers `project` on a container.
fn register_on_container(repository: &dyn Repository, number: u64, project: &'static str) {
    write(repository, move |tx| {
        let id = sample::container_id(number);
        tx.insert_container_consumer(id, &container_registration(project))
    });
}

fn registration(project: &str) -> StoredConsumer {
    StoredConsumer {
        project: sample::project(project),
        ..sample::stored_consumer(1, project)
    }
}

fn container_registration(project: &str) -> StoredContainerConsumer {
    StoredContainerConsumer {
        project: sample::project(project),
        ..sample::stored_container_consumer(1, project)
    }
}

fn quotas(limits: [Option<i64>; 5]) -> ProjectQuotas {
    Resource::ALL
        .into_iter()
        .zip(limits)
        .fold(ProjectQuotas::default(), |quotas, (resource, limit)| {
            quotas.with(resource, limit)
        })
}

fn put(repository: &dyn Repository, project: &str, quotas: ProjectQuotas) {
    let project = sample::project(project);
    write(repository, move |tx| {
        tx.put_project_quotas(&project, &quotas)
    });
}

/// Counts of everything, in the order of [`Counted`].
fn counts<T: ReadTx + ?Sized>(
    tx: &mut T,
    project: &str,
    now: Timestamp,
) -> Result<[u64; 5], RepositoryError> {
    let project = sample::project(project);
    let mut count = |counted| {
        let count = tx.count(&project, counted, now)?;
        assert!(tx.has_at_least(&project, counted, count, now)?);
        assert!(!tx.has_at_least(&project, counted, count + 1, now)?);
        Ok(count)
    };
    Ok([
        count(Counted::Secrets)?,
        count(Counted::Orders)?,
        count(Counted::Containers)?,
        count(Counted::SecretConsumers)?,
        count(Counted::ContainerConsumers)?,
    ])
}

fn check_counts(repository: &dyn Repository, project: &'static str, expected: [u64; 5]) {
    let found = read(repository, move |tx| counts(tx, project, sample::NOW));
    assert_eq!(found, expected, "{project}");
}

fn check(repository: &dyn Repository, project: &str, expected: Option<ProjectQuotas>) {
    let id = sample::project(project);
    let found = read(repository, move |tx| tx.project_quotas(&id));
    assert_eq!(found, expected, "{project}");
}

/// Checks the whole list, by the limit that each project has on everything.
fn check_list(repository: &dyn Repository, expected: &[(&str, i64)]) {
    let page = read(repository, |tx| {
        tx.list_project_quotas(PageRequest {
            start: Start::Offset(0),
            limit: 100,
        })
    });
    let expected: Vec<_> = expected
        .iter()
        .map(|(project, limit)| (sample::project(project), quotas([Some(*limit); 5])))
        .collect();
    assert_eq!(page.items, expected);
    assert_eq!(page.total, super::count(&expected));
}
