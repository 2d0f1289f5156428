//! All or nothing, in order, and one snapshot per read.

use std::{
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use donjon_domain::{
    ContentType, Secret, Timestamp, UserMetadata,
    ports::{Health, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt, TxError},
};

use super::{add, add_bare, add_kek, all_of, check_list, list, read, write, write_fails};
use crate::{block_on, sample};

/// The result of a job comes out as it is.
pub fn results_come_out(repository: &dyn Repository) {
    assert_eq!(write(repository, |_| Ok(7)), 7);
    assert_eq!(read(repository, |_| Ok("x")), "x");
}

/// The error of a job comes out as it is.
pub fn errors_come_out(repository: &dyn Repository) {
    #[derive(Debug, PartialEq)]
    struct OfTheRule(Option<RepositoryErrorKind>);
    impl From<RepositoryError> for OfTheRule {
        fn from(error: RepositoryError) -> Self {
            Self(Some(error.kind()))
        }
    }
    let written = block_on(repository.write_with(|_| Err::<(), _>(OfTheRule(None))));
    assert_eq!(written, Err(OfTheRule(None)));
    let reading = donjon_domain::ports::Reading::Point;
    let was_read = block_on(repository.read_with(reading, |_| Err::<(), _>(OfTheRule(None))));
    assert_eq!(was_read, Err(OfTheRule(None)));
}

/// Giving up is reported as such.
pub fn giving_up_is_reported(repository: &dyn Repository) {
    let done = block_on(repository.write(Box::new(|_| Err(TxError::Abandoned))));
    assert!(matches!(done, Err(TxError::Abandoned)), "{done:?}");
}

/// Nothing that a failed job wrote is left, whatever it wrote.
pub fn a_failed_job_leaves_nothing(repository: &dyn Repository) {
    add_kek(repository);
    let kept = sample::full_secret(1, "project");
    add(repository, &kept);
    add(repository, &sample::secret(2, "project"));
    let (kept_id, bare_id) = (kept.id, sample::secret_id(2));
    write(repository, move |tx| {
        tx.put_secret_acl(kept_id, &sample::acl(&["guest"], true))?;
        tx.insert_secret_consumer(kept_id, &sample::stored_consumer(1, "r"))?;
        tx.put_user_metadatum(kept_id, &super::user_metadata::key("k"), "v")
    });

    let kind = write_fails(repository, move |tx| {
        tx.insert_secret(
            &sample::full_secret(3, "project"),
            Some(&sample::payload(1, 3)),
        )?;
        tx.insert_secret(&sample::secret(4, "new project"), None)?;
        tx.set_payload(
            bare_id,
            ContentType::Text,
            &sample::payload(1, 3),
            sample::NOW,
        )?;
        tx.put_secret_acl(bare_id, &sample::acl(&["guest"], false))?;
        tx.insert_secret_consumer(bare_id, &sample::stored_consumer(2, "r"))?;
        tx.put_user_metadatum(bare_id, &super::user_metadata::key("k"), "w")?;
        tx.insert_kek(&sample::kek(2, "new project"))?;
        tx.insert_deployment(&sample::deployment())?;
        tx.delete_secret(kept_id)?;
        Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    assert_eq!(kind, RepositoryErrorKind::Corrupt);

    let mut project = all_of("project");
    project.page.limit = 10;
    let future = sample::NOW;
    check_list(repository, &project, &[1, 2]);
    check_list(repository, &all_of("new project"), &[]);
    read(repository, move |tx| {
        let stored = tx.secret(kept_id)?.expect("the secret is still there");
        assert_eq!(stored.acl, Some(sample::acl(&["guest"], true)));
        assert_eq!(tx.payload(kept_id)?, Some(sample::payload(1, 1)));
        assert_eq!(
            tx.secret_consumers(kept_id)?,
            [sample::stored_consumer(1, "r")]
        );
        assert_eq!(tx.user_metadata(kept_id)?.len(), 1);
        let bare = tx.secret(bare_id)?.expect("the secret is still there");
        assert_eq!(bare.secret, sample::secret(2, "project"));
        assert_eq!(bare.acl, None);
        assert_eq!(tx.payload(bare_id)?, None);
        assert_eq!(tx.secret_consumers(bare_id)?, []);
        assert_eq!(tx.user_metadata(bare_id)?, UserMetadata::new());
        assert_eq!(tx.secret(sample::secret_id(3))?, None);
        assert_eq!(tx.kek(sample::kek_id(2))?, None);
        assert_eq!(tx.deployment()?, None);
        assert_eq!(tx.count_secrets(&sample::project("project"), future)?, 2);
        Ok(())
    });

    // The places of what was undone are free.
    add(repository, &sample::full_secret(3, "project"));
    check_list(repository, &project, &[1, 2, 3]);
}

/// A job may go on after a write that was refused; nothing is left of the
/// refused write alone.
pub fn a_refusal_can_be_handled_inside_the_job(repository: &dyn Repository) {
    add_kek(repository);
    add(repository, &sample::secret(1, "project"));
    write(repository, |tx| {
        let taken = sample::full_secret(1, "project");
        let refused = tx.insert_secret(&taken, Some(&sample::payload(1, 2)));
        let kind = refused.map_err(|error| error.kind());
        assert_eq!(kind, Err(RepositoryErrorKind::Duplicate));
        tx.insert_secret(&sample::secret(2, "project"), None)
    });
    check_list(repository, &all_of("project"), &[1, 2]);
    let payload = read(repository, |tx| tx.payload(sample::secret_id(1)));
    assert_eq!(payload, None);
}

/// The reads of a job see its own writes.
pub fn a_job_sees_its_own_writes(repository: &dyn Repository) {
    write(repository, |tx| {
        let (id, gone) = (sample::secret_id(2), sample::secret_id(3));
        tx.insert_kek(&sample::kek(1, "project"))?;
        assert_eq!(tx.kek(sample::kek_id(1))?, Some(sample::kek(1, "project")));
        tx.insert_secret(
            &sample::full_secret(1, "project"),
            Some(&sample::payload(1, 1)),
        )?;
        tx.insert_secret(&sample::secret(2, "project"), None)?;
        tx.insert_secret(&sample::secret(3, "project"), None)?;
        assert!(tx.delete_secret(gone)?);
        assert_eq!(tx.secret(gone)?, None);
        assert_eq!(
            tx.payload(sample::secret_id(1))?,
            Some(sample::payload(1, 1))
        );
        tx.put_secret_acl(id, &sample::acl(&["guest"], true))?;
        assert!(tx.secret(id)?.is_some_and(|stored| stored.acl.is_some()));
        tx.insert_secret_consumer(id, &sample::stored_consumer(1, "r"))?;
        assert_eq!(tx.secret_consumers(id)?.len(), 1);
        let key = super::user_metadata::key("k");
        tx.put_user_metadatum(id, &key, "v")?;
        assert_eq!(tx.user_metadatum(id, &key)?.as_deref(), Some("v"));
        assert_eq!(
            tx.count_secrets(&sample::project("project"), sample::NOW)?,
            2
        );
        let page = tx.list_secrets(&all_of("project"), sample::NOW)?;
        assert_eq!(super::ids(&page), super::numbered([1, 2]));
        assert_eq!(page.total, 2);
        Ok(())
    });
}

/// A job that removes a secret and adds another one under its id sees the new
/// one, with what belongs to it.
pub fn a_job_sees_the_latest_of_its_writes(repository: &dyn Repository) {
    add_kek(repository);
    add(repository, &sample::full_secret(1, "project"));
    write(repository, |tx| {
        let id = sample::secret_id(1);
        assert!(tx.secret(id)?.is_some());
        assert_eq!(tx.payload(id)?, Some(sample::payload(1, 1)));
        assert!(tx.secret(id)?.is_some());
        tx.delete_secret(id)?;
        assert_eq!(tx.payload(id)?, None);
        let again = sample::secret(1, "elsewhere");
        tx.insert_secret(&again, None)?;
        assert_eq!(tx.secret(id)?.map(|stored| stored.secret), Some(again));
        assert_eq!(tx.payload(id)?, None);
        tx.set_payload(id, ContentType::Text, &sample::payload(1, 2), sample::NOW)?;
        assert_eq!(tx.payload(id)?, Some(sample::payload(1, 2)));
        assert!(
            tx.secret(id)?
                .is_some_and(|stored| stored.secret.has_payload())
        );
        assert_eq!(tx.payload(id)?, Some(sample::payload(1, 2)));
        Ok(())
    });
    check_list(repository, &all_of("project"), &[]);
    check_list(repository, &all_of("elsewhere"), &[1]);
}

/// A read sees one state from its beginning to its end, whatever is written
/// meanwhile.
pub fn a_read_sees_one_snapshot(repository: &dyn Repository) {
    add_bare(repository, "project", 1);
    let (reached, at_half) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let patience = Duration::from_secs(20);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            read(repository, move |tx| {
                let before = tx.list_secrets(&all_of("project"), sample::NOW)?;
                // Whoever waits for it may have gone, where a job runs again.
                let _ = reached.send(()).is_ok();
                let _ = wait.recv_timeout(patience).is_ok();
                let after = tx.list_secrets(&all_of("project"), sample::NOW)?;
                assert_eq!(before, after);
                assert_eq!(tx.secret(sample::secret_id(2))?.is_some(), after.total == 2);
                Ok(())
            });
        });
        at_half.recv_timeout(patience).expect("the read begins");
        add(repository, &sample::secret(2, "project"));
        drop(go);
        reader.join().expect("the read sees one snapshot");
    });
    check_list(repository, &all_of("project"), &[1, 2]);
}

/// Writes of many threads all happen, each once.
pub fn writes_of_many_threads_all_happen(repository: &dyn Repository) {
    const THREADS: u64 = 4;
    const EACH: u64 = 50;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in 0..EACH {
                    let secret = sample::secret(thread * EACH + number, "project");
                    add(repository, &secret);
                    let id = secret.id;
                    assert!(read(repository, move |tx| tx.secret(id)).is_some());
                }
            });
        }
    });
    let page = list(repository, &all_of("project"));
    assert_eq!(page.total, THREADS * EACH);
    let mut found = super::ids(&page);
    found.sort_unstable();
    assert_eq!(found, super::numbered(0..THREADS * EACH));
}

/// A write that was begun happens although nobody waits for it.
pub fn a_write_survives_its_caller(repository: &dyn Repository) {
    let secret = sample::secret(1, "project");
    {
        let mut write = Box::pin(repository.write_with(move |tx| tx.insert_secret(&secret, None)));
        let mut context = Context::from_waker(Waker::noop());
        match write.as_mut().poll(&mut context) {
            Poll::Pending => {}
            Poll::Ready(done) => done.expect("the write succeeds"),
        }
    }
    let found = (0..1_000).any(|_| {
        write(repository, |_| Ok(()));
        thread::yield_now();
        read(repository, |tx| tx.secret(sample::secret_id(1))).is_some()
    });
    assert!(found, "the write never happened");
}

/// A new repository is well.
pub fn health_is_good(repository: &dyn Repository) {
    assert_eq!(repository.health(), Health::Good);
    add_bare(repository, "project", 1);
    assert_eq!(repository.health(), Health::Good);
}

/// A secret that came and went in one job leaves no count behind.
pub fn coming_and_going_in_one_job_counts_nothing(repository: &dyn Repository) {
    write(repository, |tx| {
        let secret = Secret {
            expiration: Some(Timestamp::from_micros(0)),
            ..sample::secret(1, "project")
        };
        tx.insert_secret(&secret, None)?;
        tx.insert_secret(&sample::secret(2, "project"), None)?;
        tx.delete_secret(secret.id)?;
        tx.delete_secret(sample::secret_id(2)).map(|_| ())
    });
    check_list(repository, &all_of("project"), &[]);
}
