//! A row that makes no sense fails its read, and harms nothing else.

use donjon_domain::{
    ContentType, UserId,
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
            tx.insert_secret(&secret, Some(&sample::sealed(1, 7)))?;
            tx.put_secret_acl(secret.id, &sample::acl(&["guest"], true))?;
            tx.insert_secret_consumer(secret.id, &sample::stored_consumer(number, "r"))?;
        }
        Ok(())
    });
    block_on(fixture.repository().insert_token(sample::token(1))).unwrap();
    fixture
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
    let reads: [Read; 8] = [
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
    ];
    let done = reads.map(|read| block_on(repository.read_with(Reading::Point, read)));
    let tokens = block_on(repository.list_tokens()).map(|_| ());
    done.into_iter()
        .chain([tokens])
        .filter_map(|done| done.err().map(|error| error.kind()))
        .collect()
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
        ("UPDATE blocks SET live = live + 1", "blocks.live"),
        ("DELETE FROM blocks", "a block with secrets"),
        ("UPDATE secrets SET counted = 0", "swept too early"),
        ("UPDATE state SET next_creation = 0", "state.next_creation"),
        ("DELETE FROM acls", "an ACL"),
        ("UPDATE keks SET scope = 9", "a key has no project"),
        ("DELETE FROM projects", "a secret has no project"),
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
