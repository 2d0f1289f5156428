//! The removal of what expired long ago.

use std::num::NonZeroU32;

use donjon_domain::{
    ContentType, MetadataKey, StoredConsumer, TokenHash, TokenId, TokenRow, UserId,
    ports::TokenStore,
};

use super::{seek::plan, *};
use crate::tx::{LONG_EXPIRED, LONG_EXPIRED_TOKENS};

const BOUND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// All rows of these tables.
const ROWS: &str = "SELECT (SELECT count(*) FROM secrets) + (SELECT count(*) FROM tokens)
     + (SELECT count(*) FROM secret_consumers) + (SELECT count(*) FROM user_metadata)
     + (SELECT count(*) FROM acl_users) + (SELECT count(*) FROM container_entries)
     + (SELECT count(*) FROM removed_container_entries)";

/// Ten secrets, of which number 1 to 9 expire after as many seconds.
fn expiring() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        (0..10_i64).zip(0..).try_for_each(|(seconds, number)| {
            let secret = Secret {
                expiration: (seconds > 0).then(|| at(seconds)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)
        })
    });
    fixture
}

fn secrets(fixture: &Fixture) -> Vec<i64> {
    let connection = fixture.raw();
    let sql = "SELECT coalesce((expiration - ?1) / 1000000, 0) FROM secrets ORDER BY place";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([sample::NOW.as_micros()], |row| row.get(0));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_expired_long_ago_goes_and_the_rest_stays() {
    let fixture = expiring();
    fixture.sweep(at(6), 256);
    assert_eq!(fixture.clean_up(at(4), 100), 4);
    assert_eq!(secrets(&fixture), [0, 5, 6, 7, 8, 9]);
    assert_eq!(count(fixture.repository(), "project", at(6)), 4);
    fixture.assert_sound();
    assert_eq!(fixture.clean_up(at(4), 100), 0);
}

#[test]
fn the_payload_of_what_expired_long_ago_is_doomed_in_its_store() {
    let fixture = Fixture::new();
    let store = sample::secret_store(1, "elsewhere");
    let id = store.id;
    fixture.write(move |tx| {
        tx.insert_kek(&sample::kek(1, "project"))?;
        tx.insert_secret_store(&store)?;
        let secret = Secret {
            expiration: Some(at(1)),
            content_type: Some(ContentType::Text),
            ..sample::secret(1, "project")
        };
        tx.insert_secret(&secret, Some(&sample::payload_outside(1, 1, 1, 1)))
    });
    fixture.sweep(at(2), 256);
    assert_eq!(fixture.clean_up(at(2), 100), 1);
    fixture.write(move |tx| {
        assert_eq!(tx.doomed(id, at(2), 10)?.len(), 1);
        Ok(())
    });
    fixture.assert_sound();
}

#[test]
fn what_still_counts_is_not_removed() {
    let fixture = expiring();
    // The sweep did not come by yet.
    assert_eq!(fixture.clean_up(at(9), 100), 0);
    fixture.sweep(at(2), 256);
    assert_eq!(fixture.clean_up(at(9), 100), 2);
    assert_eq!(secrets(&fixture), [0, 3, 4, 5, 6, 7, 8, 9]);
    fixture.assert_sound();
}

#[test]
fn all_that_hangs_on_a_secret_goes_with_it_in_bounded_steps() {
    let fixture = expiring();
    let guests: Vec<String> = (0..50).map(|number| format!("guest {number}")).collect();
    fixture.write(move |tx| {
        let id = sample::secret_id(1);
        for number in 0..100_u64 {
            let consumer = StoredConsumer {
                project: ProjectId::new(["a", "b"][usize::from(number < 30)]),
                ..sample::stored_consumer(number, &number.to_string())
            };
            tx.insert_secret_consumer(id, &consumer)?;
            let key = MetadataKey::for_lookup(number.to_string());
            tx.put_user_metadatum(id, &key, "value")?;
        }
        let mut acl = sample::acl(&[], false);
        acl.users = guests.iter().map(UserId::new).collect();
        tx.put_secret_acl(id, &acl)?;
        for number in 0..70 {
            let entries = [sample::entry(Some("a"), 1), sample::entry(Some("b"), 0)];
            let container = sample::container(number, "project");
            tx.insert_container(&container, &entries)?;
            for secret in [id, sample::secret_id(0)] {
                let name = sample::label("gone");
                tx.remember_removed_entry(container.id, secret, &name, BOUND)?;
            }
        }
        // Stays, although it has the same.
        let other = StoredConsumer {
            project: ProjectId::new("a"),
            ..sample::stored_consumer(1, "x")
        };
        tx.insert_secret_consumer(sample::secret_id(0), &other)
    });
    fixture.sweep(at(1), 256);
    let mut rows = fixture.column(ROWS);
    let mut steps = 0;
    loop {
        let removed = fixture.clean_up(at(1), 64);
        let now = fixture.column(ROWS);
        assert_eq!(rows - now, i64::try_from(removed).unwrap());
        assert!(removed <= 64);
        fixture.assert_sound();
        (rows, steps) = (now, steps + 1);
        if removed < 64 {
            break;
        }
    }
    // 100 consumers, 100 pairs, 50 users, 70 entries, 70 that were, and the secret.
    assert_eq!(steps, 7);
    assert_eq!(secrets(&fixture), [0, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(
        counted(fixture.repository(), "a", Counted::SecretConsumers),
        1
    );
    assert_eq!(
        counted(fixture.repository(), "b", Counted::SecretConsumers),
        0
    );
    assert_eq!(fixture.column("SELECT count(*) FROM container_entries"), 70);
    let removed = fixture.column("SELECT count(*) FROM removed_container_entries");
    assert_eq!(removed, 70);
    assert_eq!(fixture.column("SELECT count(*) FROM containers"), 70);
    assert_eq!(fixture.column("SELECT count(*) FROM acls"), 0);
}

#[test]
fn tokens_that_expired_long_ago_go_too() {
    let fixture = Fixture::new();
    for (number, expires) in [(1, Some(at(1))), (2, Some(at(2))), (3, None)] {
        let token = TokenRow {
            id: TokenId::from_bytes([number; 16]),
            hash: TokenHash::from_bytes([number; 32]),
            expires,
            ..sample::token(number)
        };
        block_on(fixture.repository().insert_token(token)).unwrap();
    }
    assert_eq!(fixture.clean_up(at(1), 100), 1);
    assert_eq!(fixture.clean_up(at(1_000_000), 100), 1);
    let left = block_on(fixture.repository().list_tokens()).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].expires, None);
}

#[test]
fn nothing_to_remove_commits_nothing() {
    let fixture = expiring();
    fixture.sweep(at(9), 256);
    let seq = || fixture.column("SELECT commit_seq FROM state");
    let before = seq();
    assert_eq!(fixture.clean_up(at(0), 64), 0);
    assert_eq!(seq(), before);
}

#[test]
fn looking_for_what_expired_does_not_visit_the_rest() {
    for (sql, index) in [
        (LONG_EXPIRED, "secrets_swept (expiration<?)"),
        (
            LONG_EXPIRED_TOKENS,
            "tokens_expiring (expires>? AND expires<?)",
        ),
    ] {
        let plan = plan(sql);
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        let scans = plan.iter().any(|step| step.starts_with("SCAN"));
        assert!(!scans, "{plan:?}");
    }
}
