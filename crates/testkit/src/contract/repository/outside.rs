//! Payloads in stores outside of the database.

use std::num::NonZeroU32;

use donjon_domain::{
    ContentType, Outside, SealedKind, Secret, SecretStoreId, StoredPayload, Timestamp,
    ports::{
        Doomed, OutsideCount, PutIntent, RemovalCause, Repository, RepositoryError,
        RepositoryErrorKind, SealedObject,
    },
};

use super::{read, write, write_fails};
use crate::sample;

/// Whether it came with its secret or later, and whatever its size.
pub fn a_payload_may_be_outside(repository: &dyn Repository) {
    prepare(repository);
    let mut large = sample::payload_outside(1, 3, 2, 3);
    large.sealed.envelope = vec![3; 5_000];
    let payloads = [
        sample::payload_outside(1, 1, 1, 1),
        sample::payload_outside(1, 2, 2, 2),
        large,
        sample::payload(1, 4),
    ];
    for (number, payload) in (1..).zip(&payloads) {
        insert(repository, number, Some(payload.clone()));
    }
    insert(repository, 5, None);
    let late = sample::payload_outside(1, 5, 1, 5);
    let stored = late.clone();
    write(repository, move |tx| {
        tx.set_payload(
            sample::secret_id(5),
            ContentType::Text,
            &stored,
            sample::NOW,
        )
    });
    for (number, expected) in (1..).zip(payloads.into_iter().chain([late])) {
        let id = sample::secret_id(number);
        // With and without a look at the secret before.
        let found = read(repository, move |tx| {
            let first = tx.payload(id)?;
            tx.secret(id)?;
            Ok((first, tx.payload(id)?))
        });
        assert_eq!(found, (Some(expected.clone()), Some(expected)));
    }
}

/// And so is one whose put another secret has.
pub fn a_payload_in_an_unknown_store_is_refused(repository: &dyn Repository) {
    prepare(repository);
    let unknown = sample::payload_outside(1, 1, 9, 1);
    let with = unknown.clone();
    let kind = write_fails(repository, move |tx| {
        tx.insert_secret(&with_payload(1), Some(&with))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    insert(repository, 1, None);
    let kind = write_fails(repository, move |tx| {
        let id = sample::secret_id(1);
        tx.set_payload(id, ContentType::Text, &unknown, sample::NOW)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let kind = write_fails(repository, |tx| tx.begin_put(&intent(1, 9, 1, 0)));
    assert_eq!(kind, RepositoryErrorKind::Internal);
}

/// In the transaction that stores its secret.
pub fn a_put_is_settled_once(repository: &dyn Repository) {
    prepare(repository);
    begin(repository, 1, 1, 1, 0);
    let taken = write_fails(repository, |tx| tx.begin_put(&intent(1, 1, 2, 0)));
    assert_eq!(taken, RepositoryErrorKind::Duplicate);
    assert!(known(repository, 1, 1));
    assert!(!known(repository, 1, 2));
    assert_eq!(doomed(repository, 1, i64::MAX), []);
    let settled = write(repository, |tx| {
        tx.insert_secret(&with_payload(1), Some(&sample::payload_outside(1, 1, 1, 1)))?;
        let put = sample::put_id(1);
        Ok((tx.settle_put(put)?, tx.settle_put(put)?, tx.doom_put(put)?))
    });
    assert_eq!(settled, (true, false, false));
    assert!(known(repository, 1, 1));
    assert!(!known(repository, 1, 2));
    // Whoever asks about another secret is told of the put.
    assert!(known(repository, 2, 1));
    assert_eq!(doomed(repository, 1, i64::MAX), []);
}

/// It must not become a secret's.
pub fn a_doomed_put_is_never_settled(repository: &dyn Repository) {
    prepare(repository);
    begin(repository, 1, 1, 1, 7);
    let put = sample::put_id(1);
    assert!(write(repository, move |tx| tx.doom_put(put)));
    assert!(!write(repository, move |tx| tx.doom_put(put)));
    assert!(!write(repository, move |tx| tx.settle_put(put)));
    assert_eq!(doomed(repository, 1, 7), [doom(1, 1, 1, Some(7), 0)]);
    assert!(write(repository, move |tx| tx.forget_doomed(put)));
    assert!(!write(repository, move |tx| tx.forget_doomed(put)));
    assert!(!known(repository, 1, 1));
}

/// Those that were begun up to a moment.
pub fn old_puts_are_doomed(repository: &dyn Repository) {
    prepare(repository);
    for number in 1..=3 {
        begin(repository, number, 1, number, 10 * number.cast_signed());
    }
    let until = |repository, seconds| write(repository, move |tx| tx.doom_puts(at(seconds)));
    assert_eq!(until(repository, 9), 0);
    assert_eq!(until(repository, 20), 2);
    assert_eq!(until(repository, 20), 0);
    let expected = [doom(1, 1, 1, Some(10), 0), doom(2, 1, 2, Some(20), 0)];
    assert_eq!(doomed(repository, 1, 1_000), expected);
    assert!(write(repository, |tx| tx.settle_put(sample::put_id(3))));
}

/// In the same transaction; a payload in the database leaves nothing.
pub fn a_deleted_secret_dooms_its_payload(repository: &dyn Repository) {
    prepare(repository);
    insert(repository, 1, Some(sample::payload_outside(1, 1, 1, 1)));
    insert(repository, 2, Some(sample::payload(1, 2)));
    insert(repository, 3, None);
    for number in 1..=3 {
        assert!(write(repository, move |tx| tx
            .delete_secret(sample::secret_id(number))));
    }
    assert_eq!(doomed(repository, 1, i64::MAX), [doom(1, 1, 1, None, 0)]);
    assert_eq!(doomed(repository, 2, i64::MAX), []);
    assert!(known(repository, 1, 1));
}

/// All that it had in stores.
pub fn a_departed_project_dooms_its_payloads(repository: &dyn Repository) {
    prepare(repository);
    insert(repository, 1, Some(sample::payload_outside(1, 1, 1, 1)));
    insert(repository, 2, Some(sample::payload(1, 2)));
    insert(repository, 3, Some(sample::payload_outside(1, 1, 1, 3)));
    write(repository, |tx| {
        let project = sample::project("project");
        tx.confirm_project(&project)?;
        tx.miss_project(&project, at(1))?;
        tx.remove_from_project(
            &project,
            RemovalCause::Missed(at(1)),
            at(2),
            NonZeroU32::MAX,
        )
    });
    let expected = [doom(1, 1, 1, None, 0), doom(3, 1, 3, None, 0)];
    assert_eq!(doomed(repository, 1, i64::MAX), expected);
}

/// A job that fails leaves every put as it was.
pub fn what_did_not_happen_dooms_nothing(repository: &dyn Repository) {
    prepare(repository);
    insert(repository, 1, Some(sample::payload_outside(1, 1, 1, 1)));
    begin(repository, 2, 1, 2, 0);
    let kind = write_fails(repository, |tx| {
        tx.delete_secret(sample::secret_id(1))?;
        tx.settle_put(sample::put_id(2))?;
        tx.begin_put(&intent(3, 1, 3, 0))?;
        Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    assert_eq!(kind, RepositoryErrorKind::Corrupt);
    assert_eq!(doomed(repository, 1, i64::MAX), []);
    assert!(!known(repository, 3, 3));
    assert!(write(repository, |tx| tx.settle_put(sample::put_id(2))));
}

/// Those that were due first before the others, and not too many.
pub fn the_doomed_come_when_they_are_due(repository: &dyn Repository) {
    prepare(repository);
    for number in 1..=3 {
        begin(repository, number, 1, number, 10 * number.cast_signed());
    }
    begin(repository, 4, 2, 4, 0);
    write(repository, |tx| tx.doom_puts(at(1_000)));
    let put = |number| sample::put_id(number);
    assert!(write(repository, move |tx| tx.postpone_doomed(put(1), at(25))));
    assert!(write(repository, move |tx| tx.postpone_doomed(put(1), at(26))));
    assert!(!write(repository, move |tx| tx.postpone_doomed(put(9), at(0))));
    let (first, second, third) = (
        doom(2, 1, 2, Some(20), 0),
        doom(1, 1, 1, Some(10), 2),
        doom(3, 1, 3, Some(30), 0),
    );
    assert_eq!(doomed(repository, 1, 19), []);
    assert_eq!(doomed(repository, 1, 20), [first]);
    assert_eq!(doomed(repository, 1, 26), [first, second]);
    assert_eq!(doomed(repository, 1, 100), [first, second, third]);
    let two = read(repository, move |tx| tx.doomed(store(1), at(100), 2));
    assert_eq!(two, [first, second]);
    assert_eq!(doomed(repository, 9, 100), []);
}

/// Whatever came of a restored backup or an edited file.
pub fn nothing_is_doomed_that_a_secret_names(repository: &dyn Repository) {
    prepare(repository);
    begin(repository, 1, 1, 1, 0);
    write(repository, |tx| tx.doom_put(sample::put_id(1)));
    insert(repository, 1, Some(sample::payload_outside(1, 1, 1, 1)));
    assert_eq!(doomed(repository, 1, i64::MAX), []);
    // The same put in another store is another one.
    insert(repository, 2, Some(sample::payload_outside(1, 1, 2, 2)));
    begin(repository, 2, 1, 2, 0);
    write(repository, |tx| tx.doom_put(sample::put_id(2)));
    assert_eq!(doomed(repository, 1, i64::MAX), [doom(2, 1, 2, Some(0), 0)]);
}

/// A payload moves if it is still what was looked at, to the last byte.
pub fn payloads_move_by_comparison(repository: &dyn Repository) {
    prepare(repository);
    let id = sample::secret_id(1);
    let (here, there, elsewhere) = (
        sample::payload(1, 1),
        sample::payload_outside(1, 2, 1, 1),
        sample::payload_outside(1, 3, 2, 2),
    );
    insert(repository, 1, Some(here.clone()));
    let moves = |old: &StoredPayload, new: &StoredPayload| {
        let (old, new) = (old.clone(), new.clone());
        write(repository, move |tx| tx.move_payload(id, &old, &new))
    };
    assert!(!moves(&sample::payload(1, 9), &there));
    assert!(!moves(&there, &elsewhere));
    assert!(moves(&here, &there));
    assert!(!moves(&here, &there));
    assert_eq!(doomed(repository, 1, i64::MAX), []);
    for other in [
        sample::payload_outside(1, 9, 1, 1),
        sample::payload_outside(1, 2, 2, 1),
        sample::payload_outside(1, 2, 1, 9),
        sample::payload_outside(1, 2, 9, 1),
    ] {
        assert!(!moves(&other, &elsewhere), "{other:?}");
    }
    assert!(moves(&there, &elsewhere));
    assert_eq!(doomed(repository, 1, i64::MAX), [doom(1, 1, 1, None, 0)]);
    let kind = {
        let (old, new) = (elsewhere.clone(), sample::payload_outside(1, 4, 9, 3));
        write_fails(repository, move |tx| tx.move_payload(id, &old, &new))
    };
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let before = read(repository, move |tx| tx.secret(id));
    assert!(moves(&elsewhere, &here));
    assert_eq!(doomed(repository, 2, i64::MAX), [doom(2, 2, 1, None, 0)]);
    assert_eq!(
        read(repository, move |tx| tx.payload(id)),
        Some(here.clone())
    );
    assert_eq!(read(repository, move |tx| tx.secret(id)), before);
    write(repository, move |tx| tx.delete_secret(id));
    assert!(!moves(&here, &there));
}

/// In parts, while some of them move away.
pub fn payloads_of_a_store_are_walked(repository: &dyn Repository) {
    prepare(repository);
    for number in 1..=3 {
        insert(
            repository,
            number,
            Some(sample::payload_outside(1, 1, 1, number)),
        );
    }
    insert(repository, 4, Some(sample::payload_outside(1, 1, 2, 4)));
    insert(repository, 5, Some(sample::payload(1, 1)));
    insert(repository, 6, None);
    let ids = |store: Option<u64>, after: Option<u64>, limit| {
        let (store, after) = (store.map(self::store), after.map(sample::secret_id));
        read(repository, move |tx| tx.payloads_in(store, after, limit))
    };
    let secrets = |numbers: &[u64]| -> Vec<_> {
        numbers
            .iter()
            .map(|number| sample::secret_id(*number))
            .collect()
    };
    assert_eq!(ids(Some(1), None, 10), secrets(&[1, 2, 3]));
    assert_eq!(ids(Some(1), None, 2), secrets(&[1, 2]));
    assert_eq!(ids(Some(1), Some(2), 2), secrets(&[3]));
    assert_eq!(ids(Some(1), Some(3), 2), []);
    assert_eq!(ids(Some(1), Some(77), 1), secrets(&[1]));
    assert_eq!(ids(Some(2), None, 10), secrets(&[4]));
    assert_eq!(ids(Some(3), None, 10), []);
    assert_eq!(ids(None, None, 10), secrets(&[5]));
    write(repository, |tx| {
        let (old, new) = (sample::payload_outside(1, 1, 1, 2), sample::payload(1, 1));
        tx.move_payload(sample::secret_id(2), &old, &new)
    });
    assert_eq!(ids(Some(1), Some(2), 10), secrets(&[3]));
    assert_eq!(ids(None, None, 10), secrets(&[2, 5]));
    let counts = [Some(1), Some(2), Some(3), None].map(|store| {
        let store = store.map(self::store);
        read(repository, move |tx| tx.count_payloads_in(store))
    });
    assert_eq!(counts, [2, 1, 0, 2]);
}

/// Secrets, and what is under way or doomed.
pub fn what_is_outside_is_counted(repository: &dyn Repository) {
    prepare(repository);
    for number in 1..=3 {
        insert(
            repository,
            number,
            Some(sample::payload_outside(1, 1, 1, number)),
        );
    }
    begin(repository, 4, 1, 4, 0);
    write(repository, |tx| tx.delete_secret(sample::secret_id(1)));
    let count = |number| read(repository, move |tx| tx.count_outside(store(number)));
    let expected = OutsideCount {
        secrets: 2,
        outbox: 2,
    };
    assert_eq!(count(1), expected);
    assert_eq!(count(2), OutsideCount::default());
    assert_eq!(count(9), OutsideCount::default());
}

/// When the key of a project changes; and only if nothing moved meanwhile.
pub fn locators_are_sealed_anew_as_locators(repository: &dyn Repository) {
    prepare(repository);
    let (here, there) = (sample::payload(1, 1), sample::payload_outside(1, 2, 1, 1));
    insert(repository, 1, Some(here.clone()));
    insert(repository, 2, Some(there.clone()));
    let found = read(repository, |tx| {
        tx.sealed_by(&sample::kek(1, "project"), None, 10)
    });
    let kinds: Vec<_> = found.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [SealedKind::Payload, SealedKind::Locator]);
    let object = SealedObject::Secret(sample::secret_id(2));
    let (old, new) = (there.sealed.clone(), sample::sealed(1, 3));
    let stale = here.sealed.clone();
    let resealed = write(repository, move |tx| {
        Ok((
            tx.reseal(object, &stale, &new)?,
            tx.reseal(object, &old, &new)?,
        ))
    });
    assert_eq!(resealed, (false, true));
    let found = read(repository, |tx| tx.payload(sample::secret_id(2)));
    let expected = StoredPayload {
        sealed: sample::sealed(1, 3),
        outside: there.outside,
    };
    assert_eq!(found, Some(expected));
}

/// A KEK and two stores.
fn prepare(repository: &dyn Repository) {
    write(repository, |tx| {
        tx.insert_kek(&sample::kek(1, "project"))?;
        tx.insert_secret_store(&sample::secret_store(1, "one"))?;
        tx.insert_secret_store(&sample::secret_store(2, "two"))
    });
}

fn with_payload(number: u64) -> Secret {
    Secret {
        content_type: Some(ContentType::Text),
        ..sample::secret(number, "project")
    }
}

fn insert(repository: &dyn Repository, number: u64, payload: Option<StoredPayload>) {
    let secret = match payload {
        Some(_) => with_payload(number),
        None => sample::secret(number, "project"),
    };
    write(repository, move |tx| {
        tx.insert_secret(&secret, payload.as_ref())
    });
}

fn begin(repository: &dyn Repository, put: u64, store: u64, secret: u64, seconds: i64) {
    let intent = intent(put, store, secret, seconds);
    write(repository, move |tx| tx.begin_put(&intent));
}

fn intent(put: u64, store: u64, secret: u64, seconds: i64) -> PutIntent {
    PutIntent {
        outside: outside(store, put),
        secret: sample::secret_id(secret),
        begun: at(seconds),
    }
}

fn doom(put: u64, store: u64, secret: u64, begun: Option<i64>, attempts: u32) -> Doomed {
    Doomed {
        outside: outside(store, put),
        secret: sample::secret_id(secret),
        begun: begun.map(at),
        attempts,
    }
}

fn doomed(repository: &dyn Repository, number: u64, seconds: i64) -> Vec<Doomed> {
    read(repository, move |tx| {
        tx.doomed(store(number), at(seconds), 100)
    })
}

fn known(repository: &dyn Repository, secret: u64, put: u64) -> bool {
    read(repository, move |tx| {
        tx.is_known_outside(sample::secret_id(secret), sample::put_id(put))
    })
}

fn outside(number: u64, put: u64) -> Outside {
    Outside {
        store: store(number),
        put: sample::put_id(put),
    }
}

fn store(number: u64) -> SecretStoreId {
    sample::secret_store(number, "").id
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}
