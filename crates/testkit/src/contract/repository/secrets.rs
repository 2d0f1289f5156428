//! Secrets and payloads, one at a time.

use donjon_domain::{
    BitLength, ContentType, Label, Sealed, Secret, SecretType, StoredPayload, StoredSecret,
    Timestamp, UserId, UserMetadata,
    ports::{Repository, RepositoryErrorKind},
};

use super::{add, add_kek, read, write, write_fails};
use crate::sample;

/// A secret with every attribute and a payload is read back as it was.
pub fn a_full_secret_is_read_back(repository: &dyn Repository) {
    add_kek(repository);
    let secret = sample::full_secret(1, "project");
    add(repository, &secret);
    check(repository, &secret, Some(sample::payload(1, 1)));
}

/// A secret without any attribute is read back as it was.
pub fn a_bare_secret_is_read_back(repository: &dyn Repository) {
    let secret = sample::secret(1, "project");
    add(repository, &secret);
    check(repository, &secret, None);
}

/// Every type of secret and of payload is kept apart.
pub fn every_type_is_read_back(repository: &dyn Repository) {
    add_kek(repository);
    let mut number = 0;
    for secret_type in SecretType::ALL {
        for content_type in ContentType::ALL {
            number += 1;
            let secret = Secret {
                secret_type,
                content_type: Some(content_type),
                ..sample::secret(number, "project")
            };
            add(repository, &secret);
            check(repository, &secret, Some(sample::payload(1, 1)));
        }
    }
}

/// The ends of every range, and texts that are hard on databases.
pub fn odd_values_are_read_back(repository: &dyn Repository) {
    let texts = ["", "a\0b", "'; --", "\u{1f511}\u{fffd}", "100%_", " "];
    let times = [i64::MIN, -1, 0, 1, i64::MAX];
    let mut number = 0;
    for text in texts {
        for micros in times {
            number += 1;
            let at = Timestamp::from_micros(micros);
            let secret = Secret {
                creator: Some(UserId::new(text)),
                created: at,
                updated: at,
                name: Some(sample::label(text)),
                algorithm: Some(sample::label(text)),
                mode: Some(sample::label(text)),
                bit_length: BitLength::new(BitLength::MIN).ok(),
                expiration: Some(at),
                ..sample::secret(number, text)
            };
            add(repository, &secret);
            check(repository, &secret, None);
        }
    }
    let long = Label::new("ü".repeat(Label::CHARS_MAX)).ok();
    let secret = Secret {
        name: long,
        bit_length: BitLength::new(BitLength::MAX).ok(),
        ..sample::secret(number + 1, "project")
    };
    add(repository, &secret);
    check(repository, &secret, None);
}

/// Envelopes of every size are read back, from nothing to a megabyte.
pub fn envelopes_of_every_size_are_read_back(repository: &dyn Repository) {
    add_kek(repository);
    for (number, bytes) in [(1, 0), (2, 1), (3, 4_096), (4, 20_480), (5, 1 << 20)] {
        let secret = Secret {
            content_type: Some(ContentType::Text),
            ..sample::secret(number, "project")
        };
        let sealed = Sealed {
            envelope: (0..=255).cycle().take(bytes).collect(),
            ..sample::sealed(1, 0)
        };
        let sealed = StoredPayload::from(sealed);
        let (secret_in, sealed_in) = (secret.clone(), sealed.clone());
        write(repository, move |tx| {
            tx.insert_secret(&secret_in, Some(&sealed_in))
        });
        check(repository, &secret, Some(sealed));
    }
}

/// What is not there is `None` or empty, not an error.
pub fn an_unknown_secret_has_nothing(repository: &dyn Repository) {
    let id = sample::secret_id(1);
    read(repository, move |tx| {
        assert_eq!(tx.secret(id)?, None);
        assert_eq!(tx.payload(id)?, None);
        assert_eq!(tx.secret_acl(id)?, None);
        assert_eq!(tx.secret_consumers(id)?, Vec::new());
        assert_eq!(tx.user_metadata(id)?, UserMetadata::new());
        Ok(())
    });
}

/// An id belongs to one secret, whatever the project; the first one stays.
pub fn a_taken_id_is_a_duplicate(repository: &dyn Repository) {
    let first = sample::secret(1, "project");
    add(repository, &first);
    for project in ["project", "other"] {
        let second = Secret {
            name: Some(sample::label("second")),
            ..sample::secret(1, project)
        };
        let kind = write_fails(repository, move |tx| tx.insert_secret(&second, None));
        assert_eq!(kind, RepositoryErrorKind::Duplicate);
    }
    check(repository, &first, None);
}

/// A payload and a content type come together or not at all.
pub fn a_payload_needs_a_type(repository: &dyn Repository) {
    add_kek(repository);
    let bare = sample::secret(1, "project");
    let kind = write_fails(repository, move |tx| {
        tx.insert_secret(&bare, Some(&sample::payload(1, 1)))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let typed = sample::full_secret(1, "project");
    let kind = write_fails(repository, move |tx| tx.insert_secret(&typed, None));
    assert_eq!(kind, RepositoryErrorKind::Internal);
    assert!(read(repository, |tx| tx.secret(sample::secret_id(1))).is_none());
}

/// A payload is stored only beside the KEK that opens it.
pub fn a_payload_needs_its_kek(repository: &dyn Repository) {
    let secret = sample::full_secret(1, "project");
    let kind = write_fails(repository, move |tx| {
        tx.insert_secret(&secret, Some(&sample::payload(1, 1)))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    add(repository, &sample::secret(2, "project"));
    let kind = write_fails(repository, |tx| {
        let (id, sealed) = (sample::secret_id(2), sample::payload(1, 1));
        tx.set_payload(id, ContentType::Text, &sealed, sample::NOW)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
}

/// The second step of a two-step creation adds payload, type and time.
pub fn a_payload_can_be_added_later(repository: &dyn Repository) {
    add_kek(repository);
    let mut secret = sample::secret(1, "project");
    add(repository, &secret);
    let later = sample::NOW.plus_seconds(9);
    let id = secret.id;
    write(repository, move |tx| {
        tx.set_payload(id, ContentType::Pkcs8, &sample::payload(1, 4), later)
    });
    secret.content_type = Some(ContentType::Pkcs8);
    secret.updated = later;
    check(repository, &secret, Some(sample::payload(1, 4)));
}

/// A payload is written once.
pub fn a_second_payload_is_a_duplicate(repository: &dyn Repository) {
    add_kek(repository);
    let secret = sample::full_secret(1, "project");
    add(repository, &secret);
    let id = secret.id;
    let kind = write_fails(repository, move |tx| {
        tx.set_payload(id, ContentType::Text, &sample::payload(1, 2), sample::NOW)
    });
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    check(repository, &secret, Some(sample::payload(1, 1)));
}

/// Touching sets the time of the last change and nothing else.
pub fn touching_sets_the_time(repository: &dyn Repository) {
    let mut secret = sample::secret(1, "project");
    add(repository, &secret);
    let later = sample::NOW.plus_seconds(5);
    let id = secret.id;
    write(repository, move |tx| tx.touch_secret(id, later));
    secret.updated = later;
    check(repository, &secret, None);
}

/// Deleting a secret removes all that belongs to it, and tells whether there
/// was one.
pub fn deleting_removes_all_that_belongs(repository: &dyn Repository) {
    add_kek(repository);
    let secret = sample::full_secret(1, "project");
    add(repository, &secret);
    let id = secret.id;
    write(repository, move |tx| {
        tx.put_secret_acl(id, &sample::acl(&["guest"], false))?;
        tx.insert_secret_consumer(id, &sample::stored_consumer(1, "r"))?;
        tx.put_user_metadatum(id, &super::user_metadata::key("k"), "v")
    });
    assert!(write(repository, move |tx| tx.delete_secret(id)));
    an_unknown_secret_has_nothing(repository);
    assert!(!write(repository, move |tx| tx.delete_secret(id)));

    // The id is free again, and nothing of the first secret comes back.
    let again = sample::secret(1, "project");
    add(repository, &again);
    check(repository, &again, None);
    read(repository, move |tx| {
        assert_eq!(tx.secret_consumers(id)?, Vec::new());
        assert_eq!(tx.user_metadata(id)?, UserMetadata::new());
        Ok(())
    });
}

/// Expiration hides a secret from lists, not from those who ask by id.
pub fn an_expired_secret_is_read_by_id(repository: &dyn Repository) {
    let secret = Secret {
        expiration: Some(sample::NOW.plus_seconds(-3_600)),
        ..sample::secret(1, "project")
    };
    add(repository, &secret);
    check(repository, &secret, None);
}

/// Adding to a secret that is not there fails; removing from it does not.
pub fn writes_need_their_secret(repository: &dyn Repository) {
    add_kek(repository);
    let id = sample::secret_id(1);
    let fails = |kind| assert_eq!(kind, RepositoryErrorKind::Internal);
    fails(write_fails(repository, move |tx| {
        tx.set_payload(id, ContentType::Text, &sample::payload(1, 1), sample::NOW)
    }));
    fails(write_fails(repository, move |tx| {
        tx.touch_secret(id, sample::NOW)
    }));
    fails(write_fails(repository, move |tx| {
        tx.put_secret_acl(id, &sample::acl(&[], true))
    }));
    fails(write_fails(repository, move |tx| {
        tx.insert_secret_consumer(id, &sample::stored_consumer(1, "r"))
    }));
    fails(write_fails(repository, move |tx| {
        tx.put_user_metadatum(id, &super::user_metadata::key("k"), "v")
    }));
    fails(write_fails(repository, move |tx| {
        tx.replace_user_metadata(id, &UserMetadata::new())
    }));
    write(repository, move |tx| {
        tx.delete_secret_acl(id)?;
        assert!(!tx.delete_secret_consumer(id, &sample::consumer("r"))?);
        tx.delete_user_metadatum(id, &super::user_metadata::key("k"))?;
        assert!(!tx.delete_secret(id)?);
        Ok(())
    });
}

fn check(repository: &dyn Repository, secret: &Secret, payload: Option<StoredPayload>) {
    let id = secret.id;
    let found = read(repository, move |tx| Ok((tx.secret(id)?, tx.payload(id)?)));
    let stored = StoredSecret {
        secret: secret.clone(),
        acl: None,
    };
    assert_eq!(found.0, Some(stored));
    assert!(found.1 == payload, "payload of {id}");
}
