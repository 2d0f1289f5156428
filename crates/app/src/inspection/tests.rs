//! A store that has too much, and too little.

use std::sync::Arc;

use donjon_domain::{
    PutId, SecretBytes,
    ports::{OutsidePayload, PayloadName, PayloadStore as _, StoreErrorKind},
};
use donjon_testkit::{block_on, sample};

use super::*;
use crate::outside::tests::Stores;

fn look(stores: &Stores) -> StoreFindings {
    let mut all = block_on(stores.rig.app.inspection.stores()).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn smuggle(stores: &Stores, name: &PayloadName) {
    let (project, bytes) = (sample::project("p"), SecretBytes::new(b"stray".to_vec()));
    let payload = OutsidePayload {
        project: &project,
        secret_type: donjon_domain::SecretType::Opaque,
        content_type: donjon_domain::ContentType::Text,
        algorithm: None,
        bit_length: None,
        bytes: &bytes,
    };
    block_on(stores.fake.put(name, &payload)).unwrap();
}

/// Of this installation, and of no put that was ever begun.
fn stray(stores: &Stores) -> PayloadName {
    let name = PayloadName {
        put: PutId::from_bytes([0xee; 16]),
        ..stores.fake.names()[0]
    };
    smuggle(stores, &name);
    name
}

#[test]
fn where_all_is_well_nothing_is_found() {
    let stores = Stores::new();
    for number in 0..3 {
        stores.create(&number.to_string()).unwrap();
    }
    let gone = stores.create("gone").unwrap();
    stores.delete(gone);
    // Another installation's are its own matter.
    smuggle(&stores, &sample::payload_name(77, 1, 1));
    let mut found = look(&stores);
    assert_eq!((found.name.as_str(), found.payloads), ("store 2", 4));
    assert_eq!((found.known.secrets, found.known.outbox), (3, 1));
    assert!(found.strays.is_empty() && found.lost.is_empty());
    assert!(found.trouble.is_none());
    assert_eq!(
        block_on(stores.rig.app.inspection.repair(&mut found)).unwrap(),
        0
    );
    assert_eq!(stores.fake.names().len(), 5);
    assert!(
        block_on(stores.rig.app.inspection.unreadable())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_is_nobodys_is_found_and_removed() {
    let stores = Stores::new();
    let id = stores.create("kept").unwrap();
    // A put under way, and one that is doomed.
    stores.fake.fail_after_next(StoreErrorKind::Unavailable);
    stores.create("doomed").unwrap_err();
    let name = stray(&stores);
    let mut found = look(&stores);
    assert_eq!(found.payloads, 3);
    let strays: Vec<_> = found.strays.iter().map(ToString::to_string).collect();
    assert_eq!(strays, [format!("{}.{}", name.secret, name.put)]);
    let inspection = &stores.rig.app.inspection;
    assert_eq!(block_on(inspection.repair(&mut found)).unwrap(), 1);
    assert!(found.strays.is_empty());
    assert_eq!(stores.fake.names().len(), 2);
    assert!(!stores.fake.names().contains(&name));
    assert_eq!(stores.payload(id).unwrap(), b"kept");
    assert!(look(&stores).strays.is_empty());
}

/// Two names of a server, for instance. What is of one is no stray of the other.
#[test]
fn what_is_in_one_place_under_two_names_is_somebodys_under_both() {
    let stores = Stores::twice();
    let id = stores.create("kept").unwrap();
    let inspection = &stores.rig.app.inspection;
    let found = block_on(inspection.stores()).unwrap();
    assert_eq!(found.len(), 2);
    for mut found in found {
        assert_eq!((found.payloads, found.strays.len()), (1, 0));
        let listed = block_on(stores.fake.list(sample::deployment().id, None, 1)).unwrap();
        found.strays = listed.into_iter().map(Stray).collect();
        assert_eq!(block_on(inspection.repair(&mut found)).unwrap(), 0);
    }
    assert_eq!(stores.payload(id).unwrap(), b"kept");
    // Nor what waits to be removed from there.
    stores.delete(id);
    let found = block_on(inspection.stores()).unwrap();
    assert!(found.iter().all(|found| found.strays.is_empty()));
    let name = stray(&stores);
    let found = block_on(inspection.stores()).unwrap();
    assert!(found.iter().all(|found| found.strays.len() == 1));
    for mut found in found {
        block_on(inspection.repair(&mut found)).unwrap();
    }
    assert!(!stores.fake.names().contains(&name));
}

#[test]
fn what_becomes_known_before_it_is_removed_stays() {
    let stores = Stores::new();
    let id = stores.create("kept").unwrap();
    let mut found = look(&stores);
    let listed = block_on(stores.fake.list(sample::deployment().id, None, 1)).unwrap();
    found.strays = listed.into_iter().map(Stray).collect();
    let inspection = &stores.rig.app.inspection;
    assert_eq!(block_on(inspection.repair(&mut found)).unwrap(), 0);
    assert_eq!(stores.payload(id).unwrap(), b"kept");
}

#[test]
fn what_is_put_while_a_store_is_listed_is_neither_stray_nor_lost() {
    let stores = Arc::new(Stores::new());
    stores.create("before").unwrap();
    let again = Arc::clone(&stores);
    // In between the list and the look at its rows comes the end of the list.
    stores.fake.before_next(move || {
        let later = Arc::clone(&again);
        again.fake.before_next(move || {
            later.create("after").unwrap();
        });
    });
    let found = look(&stores);
    assert!(found.strays.is_empty() && found.lost.is_empty());
    assert_eq!(stores.fake.names().len(), 2);
}

#[test]
fn what_is_lost_is_named() {
    let stores = Stores::new();
    let (one, two) = (stores.create("one").unwrap(), stores.create("two").unwrap());
    let name = stores.fake.names();
    let name = name.iter().find(|name| name.secret == two).unwrap();
    assert!(stores.fake.lose(name));
    let found = look(&stores);
    assert_eq!(found.lost, [two]);
    let unreadable = block_on(stores.rig.app.inspection.unreadable()).unwrap();
    let ids: Vec<_> = unreadable.iter().map(|found| found.secret).collect();
    assert_eq!(ids, [two]);
    stores.fake.lie(Some(b"other"));
    let unreadable = block_on(stores.rig.app.inspection.unreadable()).unwrap();
    assert_eq!(unreadable.len(), 2);
    assert!(unreadable.iter().any(|found| found.secret == one));
    // What is deleted is no loss.
    stores.delete(two);
    assert!(look(&stores).lost.is_empty());
}

#[test]
fn a_store_that_is_away_is_a_finding() {
    let stores = Stores::new();
    stores.create("x").unwrap();
    stray(&stores);
    let mut found = look(&stores);
    stores.fake.set_away(true);
    let inspection = &stores.rig.app.inspection;
    assert_eq!(block_on(inspection.repair(&mut found)).unwrap(), 0);
    assert_eq!(found.strays.len(), 1);
    let kind = found.trouble.as_ref().map(StoreError::kind);
    assert_eq!(kind, Some(StoreErrorKind::Unavailable));
    let found = look(&stores);
    assert!(found.trouble.is_some() && found.lost.is_empty());
}
