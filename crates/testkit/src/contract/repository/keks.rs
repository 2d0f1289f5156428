//! Keys and the installation.

use donjon_domain::{
    KekScope, KekState, RootKeyId, ServerKey, WrappedKek,
    ports::{Repository, RepositoryErrorKind},
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

fn insert(repository: &dyn Repository, kek: &WrappedKek) {
    let kek = kek.clone();
    write(repository, move |tx| tx.insert_kek(&kek));
}

fn refuse(repository: &dyn Repository, kek: &WrappedKek) {
    let kek = kek.clone();
    let kind = write_fails(repository, move |tx| tx.insert_kek(&kek));
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
}
