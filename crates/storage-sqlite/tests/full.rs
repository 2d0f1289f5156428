//! A full disk: creating fails, reads and deletes go on, and room brings
//! everything back.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::fs;

use donjon_domain::{
    ContentType, MetadataKey, UserMetadata,
    ports::{Health, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt, TokenStore},
};
use donjon_storage_sqlite::{Ballast, OpenOptions, SqliteRepository};
use donjon_testkit::{block_on, sample};

use fixture::{
    Fixture, Held, add_kek, assert_sound, delete, eventually, has, insert, insert_sealed, kind,
    queue,
};

/// 3 MiB: three times what has to be free before anything may be added.
const PAGES_MAX: u32 = 768;

fn small(fixture: &Fixture) -> SqliteRepository {
    let options = OpenOptions {
        pages_max: Some(PAGES_MAX),
        ..fixture.options()
    };
    let opened = if fixture.path().exists() {
        SqliteRepository::open(options)
    } else {
        SqliteRepository::create(options)
    };
    opened.expect("the database opens").0
}

/// Adds secrets until there is no room; says how many there are.
fn fill(repository: &SqliteRepository) -> u64 {
    add_kek(repository);
    for number in 0.. {
        if let Err(error) = insert_sealed(repository, number, vec![7; 20_000]) {
            assert_eq!(error.kind(), RepositoryErrorKind::Full);
            return number;
        }
    }
    unreachable!("the disk has an end")
}

#[test]
fn a_full_disk_refuses_what_adds_and_nothing_else() {
    let fixture = Fixture::new();
    let repository = small(&fixture);
    block_on(repository.insert_token(sample::token(1))).unwrap();
    let there = fill(&repository);
    assert!(there > 50, "{there}");
    assert_eq!(repository.health(), Health::Full);
    assert!(!fixture.folder().join("ballast").exists());

    let id = sample::secret_id(1);
    let full = |done: Result<(), RepositoryError>| {
        assert_eq!(kind(done), RepositoryErrorKind::Full);
    };
    full(block_on(insert(&repository, 9_000)));
    full(block_on(queue(&repository, move |tx| {
        tx.put_secret_acl(id, &sample::acl(&["guest"], true))
    })));
    full(block_on(queue(&repository, move |tx| {
        tx.insert_secret_consumer(id, &sample::stored_consumer(1, "r"))
    })));
    full(block_on(queue(&repository, move |tx| {
        tx.put_user_metadatum(id, &MetadataKey::for_lookup("k"), "v")
    })));
    full(block_on(queue(&repository, |tx| {
        tx.insert_kek(&sample::kek(2, "other"))
    })));
    full(block_on(queue(&repository, |tx| {
        tx.insert_deployment(&sample::deployment())
    })));
    full(block_on(queue(&repository, move |tx| {
        tx.set_payload(id, ContentType::Text, &sample::payload(1, 1), sample::NOW)
    })));
    full(block_on(repository.insert_token(sample::token(2))));

    assert!((0..there).all(|number| has(&repository, number)));
    block_on(repository.write_with(move |tx| {
        tx.delete_secret_acl(id)?;
        tx.delete_secret_consumer(id, &sample::consumer("r"))?;
        tx.replace_user_metadata(id, &UserMetadata::new())?;
        tx.touch_secret(id, sample::NOW.plus_seconds(1))
    }))
    .unwrap();
    assert!(block_on(repository.remove_token(sample::token(1).id)).unwrap());
    assert!(delete(&repository, 2).unwrap());
    assert_sound(&repository);
}

#[test]
fn deletes_in_the_batch_that_meets_the_end_succeed() {
    let fixture = Fixture::new();
    let repository = small(&fixture);
    add_kek(&repository);
    for number in 0..80 {
        insert_sealed(&repository, number, vec![7; 20_000]).unwrap();
    }
    assert_eq!(repository.health(), Health::Good);
    let held = Held::new(&repository);
    let gone = queue(&repository, |tx| {
        assert!(tx.delete_secret(sample::secret_id(1))?);
        Ok(())
    });
    let adding: Vec<_> = (100..160)
        .map(|number| {
            queue(&repository, move |tx| {
                let mut payload = sample::payload(1, 7);
                payload.sealed.envelope = vec![7; 60_000];
                tx.insert_secret(&sample::full_secret(number, "project"), Some(&payload))
            })
        })
        .collect();
    held.release();
    block_on(gone).unwrap();
    let kinds: Vec<_> = adding
        .into_iter()
        .map(|done| kind(block_on(done)))
        .collect();
    assert_eq!(kinds, [RepositoryErrorKind::Full; 60]);
    assert!(!has(&repository, 1));
    assert_sound(&repository);
}

/// A job may make nothing of the failure; what it does then is still part of a
/// transaction, and counted once.
#[test]
fn a_job_that_swallows_the_failure_stays_in_its_transaction() {
    let fixture = Fixture::new();
    let repository = small(&fixture);
    add_kek(&repository);
    for number in 0..10 {
        block_on(insert(&repository, number)).unwrap();
    }
    let before = fixture.commit_seq();
    block_on(queue(&repository, |tx| {
        let mut payload = sample::payload(1, 7);
        payload.sealed.envelope = vec![7; 8 << 20];
        let refused = tx.insert_secret(&sample::full_secret(100, "project"), Some(&payload));
        assert!(refused.is_err());
        // Refused the first time, because the transaction has failed.
        let _ = tx.delete_secret(sample::secret_id(3)).is_ok();
        Ok(())
    }))
    .unwrap();
    assert!(!has(&repository, 3));
    assert_eq!(fixture.commit_seq(), before + 1);
    assert_sound(&repository);
}

#[test]
fn room_that_deletes_make_is_used_again() {
    let fixture = Fixture::new();
    let repository = small(&fixture);
    for round in 0..3 {
        let there = if round == 0 {
            fill(&repository)
        } else {
            let mut number = 0;
            while insert_sealed(&repository, number, vec![7; 20_000]).is_ok() {
                number += 1;
            }
            number
        };
        assert!(there > 50, "round {round}: {there}");
        assert_eq!(repository.health(), Health::Full);
        for number in 0..there {
            assert!(delete(&repository, number).unwrap());
        }
        eventually("there is room again", || {
            repository.health() == Health::Good
        });
        assert!(fixture.folder().join("ballast").exists());
        assert_sound(&repository);
    }
    // The file was cut, not only emptied: by as much at least as has to be free.
    drop(repository);
    let bytes = fs::metadata(fixture.path()).unwrap().len();
    assert!(bytes < 2_200_000, "{bytes}");
}

#[test]
fn a_full_disk_is_full_after_a_restart() {
    let fixture = Fixture::new();
    let repository = small(&fixture);
    let there = fill(&repository);
    drop(repository);
    let repository = small(&fixture);
    let error = insert_sealed(&repository, 9_000, vec![7; 20_000]).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Full);
    assert!((0..there).all(|number| has(&repository, number)));
    assert!(delete(&repository, 0).unwrap());
}

#[test]
fn a_ballast_that_does_not_fit_means_full() {
    let fixture = Fixture::new();
    drop(fixture.create());
    let options = OpenOptions {
        // More than any disk has.
        ballast: Ballast {
            bytes: 1 << 50,
            ..fixture.options().ballast
        },
        ..fixture.options()
    };
    match SqliteRepository::open(options) {
        Ok((repository, _)) => {
            assert_eq!(repository.health(), Health::Full);
            assert_eq!(
                kind(block_on(insert(&repository, 1))),
                RepositoryErrorKind::Full
            );
            assert!(!fixture.folder().join("ballast").exists());
        }
        // Beyond the size of a file, which is another matter.
        Err(error) => assert_eq!(
            error.kind(),
            donjon_storage_sqlite::OpenErrorKind::Io,
            "{error}"
        ),
    }
}
