//! Moves between the database and a store outside that misbehaves.

use std::{sync::Arc, task::Poll};

use donjon_domain::{ProjectId, SecretId, ports::StoreErrorKind};
use donjon_testkit::block_on;

use super::*;
use crate::{
    NewSecret, Step,
    outside::tests::Stores,
    tests::{member, new},
};

/// The two ends.
struct Ends {
    stores: Arc<Stores>,
    database: StoreEnd,
    outside: StoreEnd,
}

impl Ends {
    fn new() -> Self {
        let stores = Stores::new();
        let ends: Vec<_> = stores.rig.app.moves.stores().collect();
        let [database, outside] = <[_; 2]>::try_from(ends).unwrap();
        assert_eq!(database.outside, None);
        assert!(outside.is_global_default && outside.outside.is_some());
        Self {
            stores: Arc::new(stores),
            database,
            outside,
        }
    }

    fn bring_in(&self, id: SecretId) -> Result<Moved, Error> {
        let moves = &self.stores.rig.app.moves;
        block_on(moves.move_one(id, &self.outside, &self.database))
    }

    fn take_out(&self, id: SecretId) -> Result<Moved, Error> {
        let moves = &self.stores.rig.app.moves;
        block_on(moves.move_one(id, &self.database, &self.outside))
    }

    /// A secret in the database.
    fn inside(&self, payload: &str) -> SecretId {
        let id = self.stores.create(payload).unwrap();
        assert!(matches!(self.bring_in(id), Ok(Moved::Moved)));
        self.settle();
        id
    }

    /// Waits longer than any put may take, and empties the outbox.
    fn settle(&self) {
        self.stores.wait_s(2_000);
        self.stores.step();
        assert_eq!(self.stores.outbox(), 0);
    }

    fn count(&self, end: &StoreEnd) -> u64 {
        block_on(self.stores.rig.app.moves.count(end)).unwrap()
    }
}

#[test]
fn a_payload_moves_there_and_back() {
    let ends = Ends::new();
    let (id, other) = (
        ends.stores.create("hush").unwrap(),
        ends.stores.create("other").unwrap(),
    );
    assert!(matches!(ends.bring_in(id), Ok(Moved::Moved)));
    assert_eq!(ends.stores.stored(id).outside, None);
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
    assert_eq!(
        (ends.count(&ends.database), ends.count(&ends.outside)),
        (1, 1)
    );
    ends.settle();
    assert_eq!(ends.stores.fake.names().len(), 1);
    // It is not where it was.
    assert!(matches!(ends.bring_in(id), Ok(Moved::Elsewhere)));
    assert!(matches!(ends.take_out(other), Ok(Moved::Elsewhere)));
    assert!(matches!(ends.take_out(id), Ok(Moved::Moved)));
    assert_eq!(ends.stores.outbox(), 0);
    assert_eq!(ends.stores.fake.names().len(), 2);
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
    assert_eq!(ends.stores.payload(other).unwrap(), b"other");
}

#[test]
fn a_walk_finds_what_is_there_and_has_a_payload() {
    let ends = Ends::new();
    let all: Vec<_> = (0..5)
        .map(|number| ends.stores.create(&number.to_string()).unwrap())
        .collect();
    ends.stores.rig.create(&member(), new(None)).unwrap();
    let moves = &ends.stores.rig.app.moves;
    let mut found = Vec::new();
    while let Some(last) = {
        let page = moves.page(&ends.outside, found.last().copied(), 2);
        let page = block_on(page).unwrap();
        found.extend(&page);
        page.last().copied()
    } {
        assert_eq!(found.last(), Some(&last));
    }
    assert_eq!(found.len(), all.len());
    assert!(all.iter().all(|id| found.contains(id)));
    assert_eq!(block_on(moves.page(&ends.database, None, 10)).unwrap(), []);
}

#[test]
fn what_expired_moves_too() {
    let ends = Ends::new();
    let secret = NewSecret {
        expiration: Some(donjon_testkit::sample::NOW.plus_seconds(10)),
        ..new(Some("old"))
    };
    let id = ends.stores.rig.create(&member(), secret).unwrap();
    ends.stores.wait_s(20);
    assert!(matches!(ends.bring_in(id), Ok(Moved::Moved)));
    ends.settle();
    assert_eq!(ends.stores.fake.names(), []);
}

#[test]
fn a_secret_that_is_deleted_meanwhile_leaves_nothing() {
    let ends = Ends::new();
    let id = ends.inside("hush");
    let stores = Arc::clone(&ends.stores);
    ends.stores.fake.before_next(move || stores.delete(id));
    assert!(matches!(ends.take_out(id), Ok(Moved::Elsewhere)));
    // The put was made after the secret was gone.
    assert_eq!(ends.stores.fake.names().len(), 1);
    ends.settle();
    assert_eq!(ends.stores.fake.names(), []);
    // And the other way round, while the payload is read.
    let id = ends.stores.create("hush").unwrap();
    let stores = Arc::clone(&ends.stores);
    ends.stores.fake.before_next(move || stores.delete(id));
    assert!(matches!(ends.bring_in(id), Ok(Moved::Elsewhere)));
    ends.settle();
    assert_eq!(ends.stores.fake.names(), []);
    assert!(matches!(ends.bring_in(id), Ok(Moved::Elsewhere)));
}

#[test]
fn a_project_that_gets_another_key_meanwhile_costs_another_try() {
    let ends = Ends::new();
    let id = ends.inside("hush");
    let stores = Arc::clone(&ends.stores);
    ends.stores.fake.before_next(move || {
        let rotation = &stores.rig.app.rotation;
        block_on(rotation.begin_project(&ProjectId::new("p"))).unwrap();
        while block_on(rotation.step(10, 0)).unwrap() != Step::Done {}
    });
    assert!(matches!(ends.take_out(id), Ok(Moved::Moved)));
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
    ends.settle();
    assert_eq!(ends.stores.fake.names().len(), 1);
}

#[test]
fn somebody_reads_what_moves() {
    let ends = Ends::new();
    let id = ends.stores.create("hush").unwrap();
    // It is gone from the store when the reader asks there.
    let stores = Arc::clone(&ends.stores);
    let (outside, database) = (ends.outside.clone(), ends.database.clone());
    ends.stores.fake.before_next(move || {
        let moved = stores.rig.app.moves.move_one(id, &outside, &database);
        assert!(matches!(block_on(moved), Ok(Moved::Moved)));
        stores.wait_s(2_000);
        stores.step();
        assert_eq!(stores.fake.names(), []);
    });
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
}

#[test]
fn what_is_lost_or_wrong_is_stuck_and_stays_so() {
    let ends = Ends::new();
    let id = ends.stores.create("hush").unwrap();
    let before = ends.stores.stored(id);
    ends.stores.fake.lie(Some(b"husk"));
    assert!(matches!(
        ends.bring_in(id),
        Ok(Moved::Stuck(Error::Astray(_)))
    ));
    ends.stores.fake.lie(None);
    assert!(ends.stores.fake.lose(&ends.stores.fake.names()[0]));
    assert!(matches!(
        ends.bring_in(id),
        Ok(Moved::Stuck(Error::Astray(_)))
    ));
    assert_eq!(ends.stores.stored(id), before);
    // What a store does not take.
    let id = ends.inside("big");
    ends.stores.fake.fail_next(StoreErrorKind::Refused);
    assert!(matches!(
        ends.take_out(id),
        Ok(Moved::Refused(Error::Unavailable(_)))
    ));
    assert_eq!(ends.stores.payload(id).unwrap(), b"big");
    ends.settle();
}

#[test]
fn a_store_that_does_not_keep_what_it_took_gets_nothing() {
    let ends = Ends::new();
    let id = ends.inside("hush");
    ends.stores.fake.lie(Some(b"hus"));
    assert!(matches!(
        ends.take_out(id),
        Ok(Moved::Stuck(Error::Astray(_)))
    ));
    ends.stores.fake.lie(None);
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
    assert_eq!(ends.count(&ends.database), 1);
    ends.settle();
    assert_eq!(ends.stores.fake.names(), []);
}

#[test]
fn a_store_that_is_away_changes_nothing() {
    let ends = Ends::new();
    let (inside, outside) = (ends.inside("in"), ends.stores.create("out").unwrap());
    ends.stores.fake.set_away(true);
    assert!(matches!(ends.take_out(inside), Err(Error::Unavailable(_))));
    assert!(matches!(ends.bring_in(outside), Err(Error::Unavailable(_))));
    assert_eq!(ends.stores.payload(inside).unwrap(), b"in");
    ends.stores.fake.set_away(false);
    // The put arrives, its answer does not.
    ends.stores
        .fake
        .fail_after_next(StoreErrorKind::Unavailable);
    assert!(matches!(ends.take_out(inside), Err(Error::Unavailable(_))));
    ends.settle();
    assert_eq!(ends.stores.fake.names().len(), 1);
    assert!(matches!(ends.take_out(inside), Ok(Moved::Moved)));
    assert_eq!(ends.stores.payload(inside).unwrap(), b"in");
    assert_eq!(ends.stores.payload(outside).unwrap(), b"out");
}

#[test]
fn a_move_that_was_cut_off_leaves_nothing_and_is_made_again() {
    let ends = Ends::new();
    let id = ends.inside("hush");
    ends.stores.fake.set_hanging(true);
    let moves = &ends.stores.rig.app.moves;
    let mut cut = Box::pin(moves.move_one(id, &ends.database, &ends.outside));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(cut.as_mut().poll(&mut context), Poll::Pending));
    drop(cut);
    ends.stores.fake.set_hanging(false);
    assert_eq!(ends.stores.outbox(), 1);
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
    assert!(matches!(ends.take_out(id), Ok(Moved::Moved)));
    ends.settle();
    assert_eq!(ends.stores.fake.names().len(), 1);
    assert_eq!(ends.stores.payload(id).unwrap(), b"hush");
}
