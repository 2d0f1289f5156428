//! Keys and the installation.

use donjon_domain::{
    ContentType, Deployment, KekScope, KekState, RootKeyId, Secret, ServerKey, WrappedKek,
    ports::{Repository, RepositoryErrorKind, SealedObject, SealedRow},
};

use super::{read, write, write_fails};
use crate::sample;

/// A KEK is found by id and, where it is active, by its scope.
pub fn a_kek_is_read_back(repository: &dyn Repository) {
    let project = sample::kek(1, "project");
    let server = WrappedKek {
        scope: KekScope::Server(ServerKey::TokenHash),
        generation: 3,
        ..sample::kek(2, "")
    };
    for kek in [&project, &server] {
        insert(repository, kek);
        let (id, scope) = (kek.id, kek.scope.clone());
        let found = read(repository, move |tx| {
            Ok((tx.kek(id)?, tx.active_kek(&scope)?))
        });
        assert_eq!(found, (Some(kek.clone()), Some(kek.clone())));
    }
    let missing = read(repository, |tx| {
        let nobody = KekScope::Project(sample::project("nobody"));
        Ok((tx.kek(sample::kek_id(3))?, tx.active_kek(&nobody)?))
    });
    assert_eq!(missing, (None, None));
}

/// Of every scope and state.
pub fn keks_are_counted_by_root_key(repository: &dyn Repository) {
    let root = |byte| RootKeyId::from_bytes([byte; 16]);
    let retired = WrappedKek {
        state: KekState::Retired,
        root: root(7),
        ..sample::kek(1, "project")
    };
    let active = WrappedKek {
        generation: 2,
        root: root(8),
        ..sample::kek(2, "project")
    };
    let server = WrappedKek {
        scope: KekScope::Server(ServerKey::TokenHash),
        root: root(7),
        ..sample::kek(3, "")
    };
    for kek in [&retired, &active, &server] {
        insert(repository, kek);
    }
    let counts = read(repository, move |tx| {
        let mut count = |byte| tx.keks_wrapped_by(root(byte));
        Ok([count(7)?, count(8)?, count(9)?])
    });
    assert_eq!(counts, [2, 1, 0]);
}

/// Losing the race for the first KEK of a project shows, and changes nothing.
pub fn a_scope_has_one_active_kek(repository: &dyn Repository) {
    let first = sample::kek(1, "project");
    insert(repository, &first);
    let second = WrappedKek {
        generation: 2,
        ..sample::kek(2, "project")
    };
    refuse(repository, &second);
    let active = read(repository, |tx| {
        tx.active_kek(&KekScope::Project(sample::project("project")))
    });
    assert_eq!(active, Some(first));
    // Of other scopes, each may have its own.
    insert(repository, &sample::kek(2, "other"));
    let server = WrappedKek {
        scope: KekScope::Server(ServerKey::TokenHash),
        ..sample::kek(3, "")
    };
    insert(repository, &server);
    let rival = WrappedKek {
        generation: 2,
        id: sample::kek_id(4),
        ..server
    };
    refuse(repository, &rival);
}

/// A retired KEK opens by id, and is not in the way of an active one.
pub fn retired_keks_are_found_by_id_alone(repository: &dyn Repository) {
    let retired = WrappedKek {
        state: KekState::Retired,
        ..sample::kek(1, "project")
    };
    insert(repository, &retired);
    let scope = retired.scope.clone();
    let active = read(repository, move |tx| tx.active_kek(&scope));
    assert_eq!(active, None);
    let active = WrappedKek {
        generation: 2,
        ..sample::kek(2, "project")
    };
    insert(repository, &active);
    let found = read(repository, |tx| tx.kek(sample::kek_id(1)));
    assert_eq!(found, Some(retired));
}

/// Retired KEKs come by id, page by page.
pub fn retired_keks_come_in_pages(repository: &dyn Repository) {
    for (number, project) in [(3, "a"), (1, "b"), (2, "c"), (4, "d")] {
        let state = if number == 4 {
            KekState::Active
        } else {
            KekState::Retired
        };
        insert(
            repository,
            &WrappedKek {
                state,
                ..sample::kek(number, project)
            },
        );
    }
    let ids = |after, limit| {
        let keks = read(repository, move |tx| tx.retired_keks(after, limit));
        keks.into_iter().map(|kek| kek.id).collect::<Vec<_>>()
    };
    let id = sample::kek_id;
    assert_eq!(ids(None, 2), [id(1), id(2)]);
    assert_eq!(ids(Some(id(2)), 2), [id(3)]);
    assert_eq!(ids(Some(id(3)), 2), []);
}

/// Active KEKs that are old, or seal many rows.
pub fn worn_keks_are_found(repository: &dyn Repository) {
    let old = WrappedKek {
        created: sample::NOW.plus_seconds(-1),
        ..sample::kek(3, "old")
    };
    let retired = WrappedKek {
        state: KekState::Retired,
        ..old.clone()
    };
    let retired = WrappedKek {
        id: sample::kek_id(4),
        scope: sample::kek(4, "retired").scope,
        ..retired
    };
    let server = WrappedKek {
        scope: KekScope::Server(ServerKey::TokenHash),
        created: old.created,
        ..sample::kek(2, "x")
    };
    let full = sample::kek(1, "project");
    for kek in [&old, &retired, &server, &full] {
        insert(repository, kek);
    }
    for number in 1..=2 {
        let secret = with_payload(number);
        let payload = sample::payload(1, 0x11);
        write(repository, move |tx| {
            tx.insert_secret(&secret, Some(&payload))
        });
    }
    let found = |made_before, rows_above, limit| {
        let keks = read(repository, move |tx| {
            tx.worn_keks(made_before, rows_above, limit)
        });
        keks.into_iter()
            .map(|(kek, rows)| (kek.id, rows))
            .collect::<Vec<_>>()
    };
    let (now, ever) = (sample::NOW, sample::NOW.plus_seconds(-100));
    assert_eq!(found(ever, 2, 9), []);
    assert_eq!(found(ever, u64::MAX, 9), []);
    assert_eq!(found(ever, 1, 9), [(full.id, 2)]);
    assert_eq!(found(now, 2, 9), [(old.id, 0)]);
    assert_eq!(found(now, 1, 9), [(full.id, 2), (old.id, 0)]);
    assert_eq!(found(now, 1, 1), [(full.id, 2)]);
}

/// A generation is there once per scope.
pub fn a_generation_is_there_once(repository: &dyn Repository) {
    let retired = WrappedKek {
        state: KekState::Retired,
        ..sample::kek(1, "project")
    };
    insert(repository, &retired);
    refuse(repository, &sample::kek(2, "project"));
    refuse(
        repository,
        &WrappedKek {
            id: sample::kek_id(3),
            ..retired
        },
    );
}

/// An id is there once, whatever the scope.
pub fn a_kek_id_is_there_once(repository: &dyn Repository) {
    insert(repository, &sample::kek(1, "project"));
    refuse(repository, &sample::kek(1, "other"));
}

/// The installation is written once.
pub fn the_deployment_is_written_once(repository: &dyn Repository) {
    assert_eq!(read(repository, |tx| tx.deployment()), None);
    write(repository, |tx| tx.insert_deployment(&sample::deployment()));
    let kind = write_fails(repository, |tx| tx.insert_deployment(&sample::deployment()));
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    let found = read(repository, |tx| tx.deployment());
    assert_eq!(found, Some(sample::deployment()));
}

/// A KEK is exchanged where it is still what the caller read, and nowhere else.
pub fn keks_are_wrapped_anew_by_compare_and_set(repository: &dyn Repository) {
    let root = RootKeyId::from_bytes([7; 16]);
    let old = sample::kek(1, "project");
    let other = sample::kek(2, "other");
    insert(repository, &old);
    insert(repository, &other);
    let new = WrappedKek {
        root,
        wrapped: vec![9; 40],
        ..old.clone()
    };
    let (first, second) = (old.clone(), new.clone());
    let changed = write(repository, move |tx| {
        let first_time = tx.rewrap_kek(&first, &second)?;
        Ok((first_time, tx.rewrap_kek(&first, &second)?))
    });
    assert_eq!(changed, (true, false));
    let (kek, left) = read(repository, move |tx| {
        Ok((
            tx.kek(sample::kek_id(1))?,
            tx.keks_not_wrapped_by(root, 10)?,
        ))
    });
    assert_eq!((kek, left), (Some(new), vec![other.clone()]));
    let counts = read(repository, |tx| tx.root_keys());
    assert_eq!(counts.len(), 2);
    assert!(counts.contains(&(root, 1)) && counts.contains(&(other.root, 1)));
    assert_eq!(
        read(repository, move |tx| tx.keks_not_wrapped_by(root, 0)),
        []
    );
}

/// The installation moves to another root key once.
pub fn the_deployment_moves_by_compare_and_set(repository: &dyn Repository) {
    write(repository, |tx| tx.insert_deployment(&sample::deployment()));
    let old = sample::deployment();
    let new = Deployment {
        root: RootKeyId::from_bytes([7; 16]),
        canary: vec![9; 40],
        created: sample::NOW.plus_seconds(1),
        ..old.clone()
    };
    let moved = new.clone();
    let changed = write(repository, move |tx| {
        let first_time = tx.rewrap_deployment(old.root, &moved)?;
        Ok((first_time, tx.rewrap_deployment(old.root, &moved)?))
    });
    assert_eq!(changed, (true, false));
    assert_eq!(read(repository, |tx| tx.deployment()), Some(new));
}

/// A KEK is retired, emptied row by row, and destroyed; under a destroyed one
/// nothing is stored.
pub fn a_kek_is_emptied_and_destroyed(repository: &dyn Repository) {
    let old = sample::kek(1, "project");
    let next = WrappedKek {
        generation: 2,
        ..sample::kek(2, "project")
    };
    insert(repository, &old);
    for number in 1..=3 {
        let secret = with_payload(number);
        let payload = sample::payload(1, 0x11);
        write(repository, move |tx| {
            tx.insert_secret(&secret, Some(&payload))
        });
    }
    let replaced = next.clone();
    let retired = write(repository, move |tx| {
        let is_retired = tx.retire_kek(sample::kek_id(1))?;
        tx.insert_kek(&replaced)?;
        Ok((is_retired, tx.retire_kek(sample::kek_id(1))?))
    });
    assert_eq!(retired, (true, false));
    let retired = WrappedKek {
        state: KekState::Retired,
        ..old.clone()
    };
    let kek = retired.clone();
    let found = read(repository, move |tx| {
        let first = tx.sealed_by(&kek, None, 2)?;
        let last = first.last().map(|row| row.object);
        let rest = tx.sealed_by(&kek, last, 2)?;
        Ok((
            tx.retired_keks(None, 10)?,
            first,
            rest,
            tx.count_sealed_by(&kek)?,
        ))
    });
    let row = |number| SealedRow {
        object: SealedObject::Secret(sample::secret_id(number)),
        kind: donjon_domain::SealedKind::Payload,
        sealed: sample::sealed(1, 0x11),
    };
    let expected = (vec![retired.clone()], vec![row(1), row(2)], vec![row(3)], 3);
    assert_eq!(found, expected);
    assert!(!write(repository, |tx| tx.destroy_kek(sample::kek_id(1))));
    let changed = write(repository, |tx| {
        let mut changed = Vec::new();
        for number in [1, 1, 2, 3, 4] {
            let object = SealedObject::Secret(sample::secret_id(number));
            changed.push(tx.reseal(object, &sample::sealed(1, 0x11), &sample::sealed(2, 0x22))?);
        }
        Ok(changed)
    });
    assert_eq!(changed, [true, false, true, true, false]);
    let destroyed = write(repository, |tx| {
        // The active one is not.
        Ok((
            tx.destroy_kek(sample::kek_id(2))?,
            tx.destroy_kek(sample::kek_id(1))?,
            tx.destroy_kek(sample::kek_id(1))?,
        ))
    });
    assert_eq!(destroyed, (false, true, false));
    let kek = read(repository, |tx| tx.kek(sample::kek_id(1))).expect("its row stays");
    assert_eq!((kek.state, kek.wrapped.len()), (KekState::Destroyed, 0));
    assert!(read(repository, |tx| tx.retired_keks(None, 10)).is_empty());
    assert_eq!(read(repository, |tx| tx.root_keys()), [(next.root, 1)]);
    let late = with_payload(9);
    let kind = write_fails(repository, move |tx| {
        tx.insert_secret(&late, Some(&sample::payload(1, 0x11)))
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let payload = read(repository, |tx| tx.payload(sample::secret_id(3)));
    assert_eq!(payload, Some(sample::payload(2, 0x22)));
}

/// By name, and only those that have one.
pub fn projects_with_keys_are_listed(repository: &dyn Repository) {
    for (number, project) in [(1, "b"), (2, "a"), (3, "c")] {
        insert(repository, &sample::kek(number, project));
    }
    insert(
        repository,
        &WrappedKek {
            state: KekState::Retired,
            ..sample::kek(4, "d")
        },
    );
    let found = read(repository, |tx| {
        let first = tx.projects_with_keks(None, 2)?;
        let rest = tx.projects_with_keks(first.last(), 2)?;
        Ok((first, rest))
    });
    let project = sample::project;
    assert_eq!(
        found,
        (vec![project("a"), project("b")], vec![project("c")])
    );
}

fn with_payload(number: u64) -> Secret {
    Secret {
        content_type: Some(ContentType::Text),
        ..sample::secret(number, "project")
    }
}

fn insert(repository: &dyn Repository, kek: &WrappedKek) {
    let kek = kek.clone();
    write(repository, move |tx| tx.insert_kek(&kek));
}

fn refuse(repository: &dyn Repository, kek: &WrappedKek) {
    let kek = kek.clone();
    let kind = write_fails(repository, move |tx| tx.insert_kek(&kek));
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
}
