//! Counts that limit: exact inside the transaction that adds, whatever its
//! neighbours in the batch do.

use donjon_domain::{
    ConsumerId, OrderFailure, OrderState, StoredConsumer, StoredContainerConsumer,
    ports::{BoxFuture, Counted, RepositoryErrorKind, TxError, WriteTx},
};

use super::{seek::plan, *};
use crate::tx::count_of;

const ALL: [Counted; 5] = [
    Counted::Secrets,
    Counted::Orders,
    Counted::Containers,
    Counted::SecretConsumers,
    Counted::ContainerConsumers,
];

/// Adds one of what is counted, all for the project `project`.
fn add(tx: &mut dyn WriteTx, counted: Counted, number: u64) -> Result<(), RepositoryError> {
    match counted {
        Counted::Secrets => tx.insert_secret(&sample::secret(number, "project"), None),
        Counted::Orders => tx.insert_order(&sample::order(number, "project")),
        Counted::Containers => tx.insert_container(&sample::container(number, "project"), &[]),
        Counted::SecretConsumers => {
            let consumer = sample::stored_consumer(number, &number.to_string());
            tx.insert_secret_consumer(sample::secret_id(0), &consumer)
        }
        Counted::ContainerConsumers => {
            let consumer = sample::stored_container_consumer(number, &number.to_string());
            tx.insert_container_consumer(sample::container_id(0), &consumer)
        }
    }
}

/// A database with what consumers are registered on, of another project.
fn prepared() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        tx.insert_secret(&sample::secret(0, "owner"), None)?;
        tx.insert_container(&sample::container(0, "owner"), &[sample::entry(None, 0)])
    });
    fixture
}

/// Queues a job that adds one if there are less than `limit`.
fn create(
    repository: &SqliteRepository,
    counted: Counted,
    limit: u64,
    number: u64,
) -> BoxFuture<'_, Result<(), TxError>> {
    repository.write(Box::new(move |tx| {
        let project = ProjectId::new("project");
        let count = tx
            .count(&project, counted, sample::NOW)
            .map_err(TxError::Storage)?;
        if count >= limit {
            return Err(TxError::Abandoned);
        }
        add(tx, counted, number).map_err(TxError::Storage)
    }))
}

#[test]
fn parallel_creates_do_not_pass_a_limit() {
    for what in ALL {
        let fixture = prepared();
        let repository = fixture.repository();
        // More than one batch, queued before the first begins.
        let waiting: Vec<_> = (1..=150)
            .map(|number| create(repository, what, 100, number))
            .collect();
        let done: Vec<_> = waiting.into_iter().map(block_on).collect();
        let added = done.iter().filter(|done| done.is_ok()).count();
        assert_eq!(added, 100, "{what:?}");
        assert_eq!(counted(repository, "project", what), 100, "{what:?}");
        fixture.assert_sound();
    }
}

#[test]
fn a_job_sees_the_jobs_before_it_and_not_those_that_failed() {
    for what in ALL {
        let fixture = prepared();
        fixture.write(move |tx| {
            let project = ProjectId::new("project");
            assert_eq!(tx.count(&project, what, sample::NOW)?, 0);
            add(tx, what, 1)?;
            assert_eq!(tx.count(&project, what, sample::NOW)?, 1);
            add(tx, what, 2)?;
            assert_eq!(tx.count(&project, what, sample::NOW)?, 2);
            Ok(())
        });
        let failed = block_on(fixture.repository().write_with(move |tx| {
            add(tx, what, 3)?;
            add(tx, what, 4)?;
            // A taken id or an equal registration fails the job.
            add(tx, what, 4)
        }));
        let error: RepositoryError = failed.unwrap_err();
        assert_eq!(error.kind(), RepositoryErrorKind::Duplicate, "{what:?}");
        assert_eq!(counted(fixture.repository(), "project", what), 2);
        fixture.assert_sound();
    }
}

#[test]
fn counts_of_a_project_that_a_failed_job_made_go_with_it() {
    for what in ALL {
        let fixture = prepared();
        let repository = fixture.repository();
        let fails = repository.write(Box::new(move |tx| {
            add(tx, what, 1).map_err(TxError::Storage)?;
            Err(TxError::Abandoned)
        }));
        // Takes the row that the project above had.
        let other = repository.write(Box::new(|tx| {
            tx.insert_order(&sample::order(9, "other"))
                .map_err(TxError::Storage)
        }));
        let again = create(repository, what, 1, 2);
        assert!(matches!(block_on(fails), Err(TxError::Abandoned)));
        block_on(other).unwrap();
        block_on(again).unwrap();
        assert_eq!(counted(repository, "project", what), 1);
        assert_eq!(counted(repository, "other", Counted::Orders), 1);
        fixture.assert_sound();
    }
}

#[test]
fn deleting_takes_registrations_out_of_the_counts_of_all_projects() {
    let fixture = prepared();
    fixture.write(|tx| {
        for (number, project) in (1..).zip(["a", "b", "a"]) {
            let of_secret = StoredConsumer {
                project: ProjectId::new(project),
                ..sample::stored_consumer(number, &number.to_string())
            };
            tx.insert_secret_consumer(sample::secret_id(0), &of_secret)?;
            let of_container = StoredContainerConsumer {
                project: ProjectId::new(project),
                id: ConsumerId::from_bytes([9; 16]),
                ..sample::stored_container_consumer(number, &number.to_string())
            };
            tx.insert_container_consumer(sample::container_id(0), &of_container)?;
        }
        Ok(())
    });
    let both = |project: &'static str| {
        [Counted::SecretConsumers, Counted::ContainerConsumers]
            .map(|what| counted(fixture.repository(), project, what))
    };
    assert_eq!((both("a"), both("b")), ([2, 2], [1, 1]));
    fixture.write(|tx| {
        assert!(tx.delete_secret(sample::secret_id(0))?);
        assert_eq!(tx.container_entries(sample::container_id(0))?, []);
        Ok(())
    });
    assert_eq!((both("a"), both("b")), ([0, 2], [0, 1]));
    fixture.write(|tx| tx.delete_container(sample::container_id(0)).map(|_| ()));
    assert_eq!((both("a"), both("b")), ([0, 0], [0, 0]));
    fixture.assert_sound();
}

#[test]
fn counts_survive_a_restart() {
    let mut fixture = prepared();
    fixture.write(|tx| {
        ALL.iter()
            .try_for_each(|what| (1..=3).try_for_each(|number| add(tx, *what, number)))
    });
    fixture.reopen();
    for what in ALL {
        assert_eq!(counted(fixture.repository(), "project", what), 3);
    }
    // Places and numbers go on where they were.
    fixture.write(|tx| ALL.iter().try_for_each(|what| add(tx, *what, 4)));
    fixture.assert_sound();
}

#[test]
fn counts_are_read_and_not_counted() {
    for what in ALL {
        assert_eq!(
            plan(count_of(what)),
            ["SEARCH projects USING INDEX sqlite_autoindex_projects_1 (name=?)"]
        );
    }
}

#[test]
fn an_order_that_ended_has_no_passphrase_left() {
    let fixture = Fixture::new();
    let order = donjon_domain::Order {
        passphrase: Some(sample::sealed(1, 9)),
        ..sample::order(1, "project")
    };
    let id = order.id;
    fixture.write(move |tx| {
        tx.insert_kek(&sample::kek(1, "project"))?;
        tx.insert_order(&order)
    });
    let end = |state: OrderState| {
        block_on(
            fixture
                .repository()
                .write_with(move |tx| tx.end_order(id, &state, at(1))),
        )
    };
    let failed = OrderState::Error(OrderFailure {
        status_code: "400".to_owned(),
        reason: "no".to_owned(),
    });
    let error: RepositoryError = end(OrderState::Pending).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Internal);
    let sql = "SELECT count(*) FROM orders WHERE passphrase IS NOT NULL";
    let sealed = || -> i64 { fixture.raw().query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(sealed(), 1);
    end(failed.clone()).unwrap();
    assert_eq!(sealed(), 0);
    let error = end(failed).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Internal);
}
