//! A row that makes no sense fails its read, and harms nothing else.

use std::num::NonZeroU32;

use donjon_domain::{
    ContainerQuery, ContentType, Order, OrderFailure, OrderQuery, OrderResult, OrderState,
    ProjectQuotas, UserId,
    ports::{Health, ReadTx, RepositoryErrorKind, TokenStore},
};

use super::*;

fn filled() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        tx.insert_kek(&sample::kek(1, "project"))?;
        tx.insert_deployment(&sample::deployment())?;
        for number in 1..=2 {
            let secret = Secret {
                content_type: Some(ContentType::Text),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, Some(&sample::payload(1, 7)))?;
            tx.put_secret_acl(secret.id, &sample::acl(&["guest"], true))?;
            tx.insert_secret_consumer(secret.id, &sample::stored_consumer(number, "r"))?;
            let container = sample::container(number, "project");
            tx.insert_container(&container, &[sample::entry(Some("a"), number)])?;
            let (name, kept) = (sample::label("b"), NonZeroU32::MIN);
            tx.remember_removed_entry(container.id, secret.id, &name, kept)?;
            tx.put_container_acl(container.id, &sample::acl(&["guest"], false))?;
            let consumer = sample::stored_container_consumer(number, "c");
            tx.insert_container_consumer(container.id, &consumer)?;
        }
        let sealed = Order {
            passphrase: Some(sample::sealed(1, 9)),
            ..sample::order(1, "project")
        };
        tx.insert_order(&sealed)?;
        for (number, state) in (2..).zip(ended()) {
            tx.insert_order(&Order {
                state,
                ..sample::order(number, "project")
            })?;
        }
        tx.put_project_quotas(&ProjectId::new("project"), &ProjectQuotas::default())?;
        tx.insert_transport_key(&sample::transport_key(1, "plugin"))?;
        tx.insert_secret_store(&sample::secret_store(1, "plugin"))?;
        Ok(())
    });
    block_on(fixture.repository().insert_token(sample::token(1))).unwrap();
    fixture
}

/// Ways in which an order ends.
fn ended() -> [OrderState; 2] {
    [
        OrderState::Active(OrderResult::Secret(sample::secret_id(1))),
        OrderState::Error(OrderFailure {
            status_code: "500".to_owned(),
            reason: "a reason".to_owned(),
        }),
    ]
}

/// Changes rows behind the repository's back, with every check off.
fn tamper(fixture: &Fixture, sql: &str) {
    let raw = fixture.raw();
    raw.pragma_update(None, "ignore_check_constraints", true)
        .unwrap();
    raw.pragma_update(None, "foreign_keys", false).unwrap();
    raw.execute_batch(sql).unwrap();
}

type Read = fn(&mut dyn ReadTx) -> Result<(), RepositoryError>;

/// Reads all there is, and says how it fails.
fn failures(fixture: &Fixture) -> Vec<RepositoryErrorKind> {
    let repository = fixture.repository();
    let reads: [Read; 18] = [
        |tx| tx.secret(sample::secret_id(1)).map(|_| ()),
        |tx| tx.payload(sample::secret_id(1)).map(|_| ()),
        |tx| tx.secret_acl(sample::secret_id(1)).map(|_| ()),
        |tx| tx.secret_consumers(sample::secret_id(1)).map(|_| ()),
        |tx| tx.kek(sample::kek_id(1)).map(|_| ()),
        |tx| tx.deployment().map(|_| ()),
        |tx| {
            let query = page_of("project", Start::Offset(0), 10);
            tx.list_secrets(&query, sample::NOW).map(|_| ())
        },
        |tx| {
            let shared = SecretQuery {
                scope: ListScope::SharedWith(UserId::new("guest")),
                ..page_of("project", Start::Offset(0), 10)
            };
            tx.list_secrets(&shared, sample::NOW).map(|_| ())
        },
        |tx| tx.container(sample::container_id(1)).map(|_| ()),
        |tx| tx.container_entries(sample::container_id(1)).map(|_| ()),
        |tx| tx.container_consumers(sample::container_id(1)).map(|_| ()),
        |tx| tx.list_containers(&containers()).map(|_| ()),
        |tx| tx.order(sample::order_id(1)).map(|_| ()),
        |tx| tx.list_orders(&orders()).map(|_| ()),
        |tx| tx.pending_orders(10, 10).map(|_| ()),
        |tx| tx.project_quotas(&ProjectId::new("project")).map(|_| ()),
        |tx| tx.list_transport_keys(None, first_ten()).map(|_| ()),
        |tx| tx.secret_stores().map(|_| ()),
    ];
    let done = reads.map(|read| block_on(repository.read_with(Reading::Point, read)));
    let tokens = block_on(repository.list_tokens()).map(|_| ());
    done.into_iter()
        .chain([tokens])
        .filter_map(|done| done.err().map(|error| error.kind()))
        .collect()
}

fn containers() -> ContainerQuery {
    ContainerQuery {
        project: ProjectId::new("project"),
        name: None,
        container_type: None,
        page: first_ten(),
    }
}

fn orders() -> OrderQuery {
    OrderQuery {
        project: ProjectId::new("project"),
        meta: None,
        page: first_ten(),
    }
}

fn first_ten<I>() -> PageRequest<I> {
    PageRequest {
        start: Start::Offset(0),
        limit: 10,
    }
}

#[test]
fn a_whole_database_is_read() {
    let fixture = filled();
    assert_eq!(failures(&fixture), []);
    fixture.assert_sound();
}

#[test]
fn bad_rows_are_corrupt_and_nothing_worse() {
    for sql in [
        "UPDATE secrets SET secret_type = 9 WHERE place = (SELECT min(place) FROM secrets)",
        "UPDATE secrets SET content_type = 9",
        "UPDATE secrets SET bit_length = 70000",
        "UPDATE secrets SET acl = 3",
        "UPDATE secrets SET acl = -1",
        "UPDATE secrets SET envelope = NULL",
        "UPDATE secrets SET kek = x'00'",
        "UPDATE secrets SET kek = NULL",
        "UPDATE secrets SET name = hex(zeroblob(200))",
        "UPDATE secrets SET name = CAST(x'ff' AS TEXT)",
        "UPDATE secrets SET creator = CAST(x'c3' AS TEXT)",
        "DELETE FROM acls",
        "UPDATE secret_consumers SET service = hex(zeroblob(200))",
        "UPDATE secret_consumers SET uuid = x'0102'",
        "UPDATE keks SET state = 7",
        "UPDATE keks SET root = x''",
        "UPDATE keks SET scope = 77",
        "UPDATE keks SET generation = -1",
        "UPDATE deployment SET uuid = zeroblob(17)",
        "UPDATE containers SET container_type = 4",
        "UPDATE containers SET acl = 3",
        "DELETE FROM container_acls",
        "UPDATE container_entries SET name = hex(zeroblob(200))",
        "UPDATE container_consumers SET url = hex(zeroblob(200))",
        "UPDATE orders SET order_type = 2",
        "UPDATE orders SET state = 3",
        "UPDATE orders SET state = 0",
        "UPDATE orders SET made_container = zeroblob(16)",
        "UPDATE orders SET reason = NULL",
        "UPDATE orders SET bit_length = 0",
        "UPDATE orders SET kek = NULL",
        "UPDATE orders SET algorithm = hex(zeroblob(200))",
        "UPDATE transport_keys SET uuid = x''",
        "UPDATE secret_stores SET uuid = x''",
        "UPDATE secrets SET put = zeroblob(16) WHERE envelope IS NOT NULL",
        "UPDATE secrets SET store = 77, put = randomblob(16) WHERE envelope IS NOT NULL",
        "UPDATE secret_stores SET crypto_plugin = hex(zeroblob(200))",
        "UPDATE tokens SET roles = '9:x'",
        "UPDATE tokens SET hash = zeroblob(31)",
    ] {
        let fixture = filled();
        tamper(&fixture, sql);
        let failures = failures(&fixture);
        let corrupt = |kind: &RepositoryErrorKind| *kind == RepositoryErrorKind::Corrupt;
        assert!(!failures.is_empty(), "{sql} is not noticed");
        assert!(failures.iter().all(corrupt), "{sql}: {failures:?}");
        // Writes go on.
        assert_eq!(fixture.repository().health(), Health::Good);
        fixture.write(|tx| tx.insert_secret(&sample::secret(3, "elsewhere"), None));
    }
}

#[test]
fn a_check_names_what_is_wrong() {
    for (sql, rule) in [
        ("UPDATE projects SET live = live + 1", "projects.live"),
        (
            "UPDATE projects SET next_ordinal = 1",
            "projects.next_ordinal",
        ),
        (
            "UPDATE projects SET container_count = 0",
            "projects.container_count",
        ),
        (
            "UPDATE projects SET order_count = 9",
            "projects.order_count",
        ),
        (
            "UPDATE projects SET next_container = 1",
            "projects.next_container",
        ),
        ("UPDATE projects SET next_order = 0", "projects.next_order"),
        (
            "UPDATE projects SET secret_consumer_count = 1",
            "projects.secret_consumer_count",
        ),
        (
            "UPDATE projects SET container_consumer_count = 3",
            "projects.container_consumer_count",
        ),
        (
            "UPDATE container_consumers SET project = 'nobody'",
            "projects.container_consumer_count differs from the container_consumers: nobody",
        ),
        ("UPDATE blocks SET live = live + 1", "blocks.live"),
        (
            "UPDATE container_blocks SET live = live + 1",
            "container_blocks.live",
        ),
        ("UPDATE order_blocks SET live = 9", "order_blocks.live"),
        ("DELETE FROM blocks", "a block with secrets"),
        ("DELETE FROM container_blocks", "a block with containers"),
        ("DELETE FROM order_blocks", "a block with orders"),
        ("UPDATE secrets SET counted = 0", "swept too early"),
        ("UPDATE state SET next_creation = 0", "state.next_creation"),
        ("DELETE FROM acls", "secrets: an ACL"),
        ("UPDATE containers SET acl = 0", "containers: an ACL"),
        ("UPDATE keks SET scope = 9", "a key has no project"),
        ("DELETE FROM projects", "one of the secrets has no project"),
        (
            "DELETE FROM projects",
            "one of the containers has no project",
        ),
        ("DELETE FROM projects", "one of the orders has no project"),
        (
            "UPDATE container_entries SET secret = 7",
            "refers to one that is not there: container_entries",
        ),
        (
            "UPDATE removed_container_entries SET secret = 7",
            "refers to one that is not there: removed_container_entries",
        ),
        ("DELETE FROM keks", "refers to one that is not there"),
        (
            // The pages of an index that nobody knows any more.
            "PRAGMA writable_schema = ON;
             DELETE FROM sqlite_schema WHERE name = 'acl_users_by_user';
             PRAGMA schema_version = 1000;",
            "SQLite finds damage",
        ),
    ] {
        let fixture = filled();
        tamper(&fixture, sql);
        let wrong = block_on(fixture.repository().check()).unwrap();
        let named = wrong.iter().any(|line| line.contains(rule));
        assert!(named, "{rule}: {wrong:?}");
    }
}

#[test]
fn a_count_without_its_row_stops_writes() {
    let fixture = filled();
    tamper(&fixture, "DELETE FROM blocks");
    let repository = fixture.repository();
    let gone = block_on(repository.write_with(|tx| tx.delete_secret(sample::secret_id(1))));
    assert_eq!(gone.unwrap_err().kind(), RepositoryErrorKind::Corrupt);
    assert_eq!(repository.health(), Health::Stopped);
    let there =
        block_on(repository.read_with(Reading::Point, |tx| tx.secret(sample::secret_id(1))));
    assert!(there.unwrap().is_some(), "the delete was undone");
}

/// Its entries are gone, and SQLite does not notice by itself.
#[test]
fn a_payload_outside_is_known_where_the_index_over_puts_lacks_it() {
    let mut fixture = filled();
    fixture.write(|tx| {
        let secret = Secret {
            content_type: Some(ContentType::Text),
            ..sample::secret(9, "project")
        };
        tx.insert_secret(&secret, Some(&sample::payload_outside(1, 7, 1, 9)))
    });
    let repository = fixture.repository.take().unwrap();
    block_on(repository.close()).unwrap();
    drop(repository);
    let raw = fixture.raw();
    let sql: String = raw
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE name = 'secrets_outside'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    raw.execute_batch(
        "DROP INDEX secrets_outside; \
         CREATE UNIQUE INDEX secrets_outside ON secrets (store, put) WHERE place < 0; \
         PRAGMA writable_schema = ON;",
    )
    .unwrap();
    let changed = raw
        .execute(
            "UPDATE sqlite_schema SET sql = ?1 WHERE name = 'secrets_outside'",
            [&sql],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(raw);
    fixture.repository = Some(SqliteRepository::open(options(&fixture.folder)).unwrap().0);
    let known = |secret, put| {
        let found: Result<_, RepositoryError> =
            block_on(fixture.repository().read_with(Reading::Point, move |tx| {
                tx.is_known_outside(sample::secret_id(secret), sample::put_id(put))
            }));
        found.unwrap()
    };
    assert!(known(9, 9));
    assert!(!known(9, 8));
    // By its put alone it is not found, so the index is damaged indeed.
    assert!(!known(8, 9));
    let wrong = block_on(fixture.repository().check()).unwrap();
    assert!(!wrong.is_empty());
}
