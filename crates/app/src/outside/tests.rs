//! Use cases on two stores: the database, and one outside that misbehaves.

use std::{sync::Arc, task::Poll};

use donjon_domain::{
    Actor, ProjectId, SecretId, SecretStore, SecretStoreId, StoredPayload,
    ports::{
        PayloadStore, Reading, RepositoryError, RepositoryErrorKind, RepositoryExt as _,
        StoreErrorKind,
    },
};
use donjon_testkit::{FakePayloadStore, block_on, sample};

use crate::{
    ActiveStore, Bounds, Deletion, Error, Missing, NewPayload, Policy, Swept,
    outside::OutsideStores,
    tests::{Rig, caller, member, new},
};

pub(crate) struct Stores {
    pub(crate) rig: Rig,
    pub(crate) fake: Arc<FakePayloadStore>,
}

const DATABASE: u64 = 1;
const OUTSIDE: u64 = 2;
const TWIN: u64 = 3;

impl Stores {
    /// New payloads go outside, unless a project wants otherwise.
    pub(crate) fn new() -> Self {
        Self::on(FakePayloadStore::new())
    }

    /// One place that is configured under two names.
    pub(crate) fn twice() -> Self {
        Self::named(FakePayloadStore::new(), &[OUTSIDE, TWIN])
    }

    fn on(fake: FakePayloadStore) -> Self {
        Self::named(fake, &[OUTSIDE])
    }

    fn named(fake: FakePayloadStore, numbers: &[u64]) -> Self {
        let fake = Arc::new(fake);
        let active = |number, is_global_default| ActiveStore {
            store: row(number),
            name: format!("store {number}"),
            is_global_default,
        };
        let mut outside = OutsideStores::new(sample::deployment().id);
        for number in numbers {
            let payloads: Arc<dyn PayloadStore> = fake.clone();
            outside.add(id(*number), format!("store {number}"), payloads);
        }
        let rig = Rig::with_stores(
            Policy::secure_rbac(),
            Bounds::default(),
            vec![active(DATABASE, false), active(OUTSIDE, true)],
            outside,
        );
        let done: Result<(), RepositoryError> = block_on(rig.repository.write_with(|tx| {
            tx.insert_secret_store(&row(DATABASE))?;
            tx.insert_secret_store(&row(OUTSIDE))?;
            tx.insert_secret_store(&row(TWIN))
        }));
        done.unwrap();
        Self { rig, fake }
    }

    pub(crate) fn create(&self, payload: &str) -> Result<SecretId, Error> {
        self.rig.create(&member(), new(Some(payload)))
    }

    pub(crate) fn payload(&self, id: SecretId) -> Result<Vec<u8>, Error> {
        self.rig.payload(&member(), id)
    }

    pub(crate) fn delete(&self, id: SecretId) {
        let actor = member();
        let deletion = self.rig.app.secrets.delete(&actor, id, Deletion::Always);
        block_on(deletion).unwrap();
    }

    pub(crate) fn step(&self) -> Swept {
        block_on(self.rig.app.outbox.step()).unwrap()
    }

    pub(crate) fn stored(&self, id: SecretId) -> StoredPayload {
        let found: Result<_, RepositoryError> = block_on(
            self.rig
                .repository
                .read_with(Reading::Point, move |tx| tx.payload(id)),
        );
        found.unwrap().unwrap()
    }

    /// Puts under way and what is doomed.
    pub(crate) fn outbox(&self) -> u64 {
        let counted: Result<_, RepositoryError> = block_on(
            self.rig
                .repository
                .read_with(Reading::Point, |tx| tx.count_outside(id(OUTSIDE))),
        );
        counted.unwrap().outbox
    }

    fn prefer_database(&self) {
        let written: Result<_, RepositoryError> =
            block_on(self.rig.repository.write_with(|tx| {
                tx.put_preferred_secret_store(&ProjectId::new("p"), id(DATABASE))
            }));
        written.unwrap();
    }

    pub(crate) fn wait_s(&self, seconds: i64) {
        self.rig.clock.advance_seconds(seconds);
    }
}

fn row(number: u64) -> SecretStore {
    sample::secret_store(number, "plugin")
}

fn id(number: u64) -> SecretStoreId {
    row(number).id
}

const NOTHING: Swept = Swept {
    removed: 0,
    failed: 0,
    awaited: 0,
};

#[test]
fn a_payload_goes_to_its_store_and_comes_back() {
    let stores = Stores::new();
    let at_once = stores.create("hush").unwrap();
    let later = stores.rig.create(&member(), new(None)).unwrap();
    let payload = NewPayload {
        bytes: donjon_domain::SecretBytes::new(b"later".to_vec()),
        content_type: donjon_domain::ContentType::Text,
    };
    block_on(
        stores
            .rig
            .app
            .secrets
            .put_payload(&member(), later, payload),
    )
    .unwrap();
    let names = stores.fake.names();
    let secrets: Vec<_> = names.iter().map(|name| name.secret).collect();
    assert_eq!(names.len(), 2);
    assert!(secrets.contains(&at_once) && secrets.contains(&later));
    assert!(
        names
            .iter()
            .all(|name| name.deployment == sample::deployment().id)
    );
    assert_eq!(stores.payload(at_once).unwrap(), b"hush");
    assert_eq!(stores.payload(later).unwrap(), b"later");
    assert_eq!(stores.outbox(), 0);
    // What the database has of it is not the payload.
    assert!(
        !stores
            .stored(at_once)
            .sealed
            .envelope
            .windows(4)
            .any(|four| four == b"hush")
    );
}

#[test]
fn a_project_decides_where_its_payloads_go() {
    let stores = Stores::new();
    let before = stores.create("outside").unwrap();
    stores.prefer_database();
    let after = stores.create("inside").unwrap();
    assert_eq!(stores.stored(after).outside, None);
    let other = stores
        .rig
        .create(&caller("u", "q", &["member"]), new(Some("outside")))
        .unwrap();
    assert!(stores.stored(other).outside.is_some());
    // What is where it was stays readable.
    assert_eq!(stores.payload(before).unwrap(), b"outside");
    assert_eq!(stores.payload(after).unwrap(), b"inside");
}

#[test]
fn a_store_that_is_away_takes_nothing_else_with_it() {
    let stores = Stores::new();
    let outside = stores.create("outside").unwrap();
    stores.fake.set_away(true);
    assert!(matches!(
        stores.payload(outside),
        Err(Error::Unavailable(_))
    ));
    assert!(matches!(stores.create("x"), Err(Error::Unavailable(_))));
    let view = block_on(stores.rig.app.secrets.fetch(&member(), outside, false));
    assert!(view.is_ok());
    stores.prefer_database();
    let inside = stores.create("inside").unwrap();
    assert_eq!(stores.payload(inside).unwrap(), b"inside");
    // It goes here, and there when that is back.
    stores.delete(outside);
    assert!(matches!(
        stores.payload(outside),
        Err(Error::NotFound(Missing::Secret))
    ));
    assert_eq!(stores.fake.names().len(), 1);
    // One after the other: each step asks the store once.
    assert_eq!(stores.step().failed, 1);
    assert_eq!(stores.step().failed, 1);
    assert_eq!(stores.step(), NOTHING);
    stores.fake.set_away(false);
    stores.wait_s(5);
    assert!(stores.step().removed >= 1);
    assert_eq!(stores.fake.names(), []);
    // That of the failed put may still arrive.
    stores.wait_s(2_000);
    stores.step();
    assert_eq!(stores.outbox(), 0);
}

#[test]
fn wrong_bytes_are_never_given() {
    let stores = Stores::new();
    let (one, two) = (stores.create("one").unwrap(), stores.create("two").unwrap());
    for lie in [&b"onf"[..], b"", b"one\0", b"two"] {
        stores.fake.lie(Some(lie));
        assert!(matches!(stores.payload(one), Err(Error::Astray(_))));
    }
    stores.fake.lie(Some(b"one"));
    assert!(matches!(stores.payload(two), Err(Error::Astray(_))));
    stores.fake.lie(None);
    assert_eq!(stores.payload(one).unwrap(), b"one");
}

#[test]
fn locators_cannot_be_swapped() {
    let stores = Stores::new();
    let (one, two) = (stores.create("one").unwrap(), stores.create("two").unwrap());
    let (old, other) = (stores.stored(one), stores.stored(two));
    stores.delete(two);
    let moved: Result<bool, RepositoryError> = block_on(
        stores
            .rig
            .repository
            .write_with(move |tx| tx.move_payload(one, &old, &other)),
    );
    assert!(moved.unwrap());
    assert!(matches!(stores.payload(one), Err(Error::Integrity(_))));
    // Nor is a locator taken for a payload.
    let here = StoredPayload::from(stores.stored(one).sealed);
    let old = stores.stored(one);
    let moved: Result<bool, RepositoryError> = block_on(
        stores
            .rig
            .repository
            .write_with(move |tx| tx.move_payload(one, &old, &here)),
    );
    assert!(moved.unwrap());
    assert!(matches!(stores.payload(one), Err(Error::Integrity(_))));
}

#[test]
fn a_lost_payload_is_the_matter_of_its_store() {
    let stores = Stores::new();
    let id = stores.create("x").unwrap();
    assert!(stores.fake.lose(&stores.fake.names()[0]));
    assert!(matches!(stores.payload(id), Err(Error::Astray(_))));
}

#[test]
fn a_put_that_fails_leaves_nothing() {
    let stores = Stores::new();
    stores.fake.fail_next(StoreErrorKind::Unavailable);
    assert!(matches!(stores.create("x"), Err(Error::Unavailable(_))));
    // It arrived, and the answer was lost.
    stores.fake.fail_after_next(StoreErrorKind::Unavailable);
    assert!(matches!(stores.create("x"), Err(Error::Unavailable(_))));
    assert_eq!(stores.fake.names().len(), 1);
    assert_eq!(stores.outbox(), 2);
    let swept = stores.step();
    assert_eq!((swept.removed, swept.awaited), (1, 1));
    assert_eq!(stores.fake.names(), []);
    assert_eq!(stores.outbox(), 1);
    stores.wait_s(1_000);
    assert_eq!(stores.step().removed, 1);
    assert_eq!(stores.outbox(), 0);
}

/// A put that arrived twice.
#[test]
fn all_payloads_of_one_name_go() {
    let stores = Stores::new();
    for (doubles, steps) in [(1, 1), (3, 1), (6, 2)] {
        let id = stores.create("x").unwrap();
        stores.fake.double(&stores.fake.names()[0], doubles);
        stores.delete(id);
        for step in 1..=steps {
            let swept = stores.step();
            let is_last = step == steps;
            assert_eq!(swept.removed, u64::from(is_last), "{doubles} {step}");
            assert_eq!(swept.awaited, u64::from(!is_last), "{doubles} {step}");
            assert_eq!(stores.fake.names().is_empty(), is_last);
            stores.wait_s(60);
        }
        assert_eq!(stores.outbox(), 0);
    }
}

#[test]
fn a_secret_that_is_not_stored_leaves_nothing_outside() {
    let stores = Stores::new();
    stores.create("the key of the project is there").unwrap();
    // The second write from here is that of the secret.
    stores
        .rig
        .repository
        .fail_later_write(1, RepositoryErrorKind::Overloaded);
    assert!(matches!(stores.create("x"), Err(Error::Overloaded)));
    assert_eq!(stores.fake.names().len(), 2);
    assert_eq!(stores.step().removed, 1);
    assert_eq!((stores.fake.names().len(), stores.outbox()), (1, 0));
}

#[test]
fn a_request_that_was_cut_off_leaves_nothing() {
    let stores = Stores::new();
    stores.create("the key of the project is there").unwrap();
    stores.fake.set_hanging(true);
    let actor = member();
    let mut cut = Box::pin(stores.rig.app.secrets.create(&actor, new(Some("x"))));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    assert!(matches!(cut.as_mut().poll(&mut context), Poll::Pending));
    drop(cut);
    stores.fake.set_hanging(false);
    assert_eq!(stores.outbox(), 1);
    assert_eq!(stores.step(), NOTHING);
    // After a restart, or a time that no request takes.
    stores.wait_s(1);
    assert_eq!(block_on(stores.rig.app.outbox.begin()).unwrap(), 1);
    assert_eq!(stores.step().awaited, 1);
    stores.wait_s(1_000);
    assert_eq!(stores.step().removed, 1);
    assert_eq!(stores.outbox(), 0);
    assert_eq!(stores.fake.names().len(), 1);
}

#[test]
fn a_put_that_was_given_up_is_not_stored() {
    let stores = Stores::new();
    let placed = {
        let secret = sample::full_secret(1, "p");
        let bytes = donjon_domain::SecretBytes::new(b"x".to_vec());
        let core = stores.rig.app.secrets.core();
        let content_type = donjon_domain::ContentType::Text;
        block_on(core.put_outside(id(OUTSIDE), &secret, content_type, &bytes)).unwrap()
    };
    stores.wait_s(1_000);
    stores.step();
    assert_eq!(stores.fake.names(), []);
    let written: Result<(), Error> = block_on(
        stores
            .rig
            .repository
            .write_with(move |tx| placed.settle(tx)),
    );
    assert!(matches!(written, Err(Error::Unavailable(_))));
}

#[test]
fn failed_removals_are_tried_less_and_less_often() {
    let stores = Stores::new();
    let id = stores.create("x").unwrap();
    stores.delete(id);
    stores.fake.set_away(true);
    for rest_s in [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600] {
        assert_eq!(stores.step().failed, 1, "{rest_s}");
        stores.wait_s(rest_s - 1);
        assert_eq!(stores.step(), NOTHING, "{rest_s}");
        stores.wait_s(1);
    }
    stores.fake.set_away(false);
    assert_eq!(stores.step().removed, 1);
}

#[test]
fn orders_use_the_store() {
    let stores = Stores::on(FakePayloadStore::new());
    let (symmetric, pair) = order_both(&stores);
    assert_eq!(stores.payload(symmetric[0]).unwrap().len(), 32);
    assert_eq!(pair.len(), 2);
    assert_eq!(stores.fake.names().len(), 3);
    assert_eq!(stores.rig.generator.made(), 2);
    assert_eq!(stores.outbox(), 0);
}

#[test]
fn what_a_store_makes_is_not_made_here() {
    let stores = Stores::on(FakePayloadStore::new().making_keys());
    let (symmetric, pair) = order_both(&stores);
    assert_eq!(stores.payload(symmetric[0]).unwrap().len(), 32);
    for half in &pair {
        assert_eq!(stores.payload(*half).unwrap().len(), 256);
    }
    assert_eq!(stores.rig.generator.made(), 0);
    assert_eq!(stores.fake.names().len(), 3);
    assert_eq!(stores.outbox(), 0);
}

#[test]
fn an_order_for_a_store_that_is_away_waits() {
    let stores = Stores::on(FakePayloadStore::new().making_keys());
    stores.fake.set_away(true);
    let actor = member();
    let id = block_on(stores.rig.app.orders.create(&actor, pair_order())).unwrap();
    let state = || {
        block_on(stores.rig.app.orders.fetch(&actor, id))
            .unwrap()
            .state
    };
    assert_eq!(state(), donjon_domain::OrderState::Pending);
    stores.fake.set_away(false);
    assert_eq!(block_on(stores.rig.app.orders.resume()).unwrap(), 1);
    stores.rig.workers.run_all();
    assert!(matches!(state(), donjon_domain::OrderState::Active(_)));
    stores.wait_s(2_000);
    stores.step();
    assert_eq!((stores.fake.names().len(), stores.outbox()), (2, 0));
}

fn pair_order() -> crate::NewOrder {
    crate::NewOrder {
        order_type: donjon_domain::OrderType::Asymmetric,
        meta: "{}".to_owned(),
        spec: sample::key_spec("rsa", 2_048),
        passphrase: None,
    }
}

/// The secrets that an order for a key and one for a pair made.
fn order_both(stores: &Stores) -> (Vec<SecretId>, Vec<SecretId>) {
    let actor: Arc<Actor> = member();
    let order = crate::NewOrder {
        order_type: donjon_domain::OrderType::Key,
        spec: sample::key_spec("aes", 256),
        ..pair_order()
    };
    let made = |order| {
        let id = block_on(stores.rig.app.orders.create(&actor, order)).unwrap();
        match block_on(stores.rig.app.orders.fetch(&actor, id))
            .unwrap()
            .state
        {
            donjon_domain::OrderState::Active(donjon_domain::OrderResult::Secret(id)) => vec![id],
            donjon_domain::OrderState::Active(donjon_domain::OrderResult::Container(id)) => {
                let view = block_on(stores.rig.app.containers.fetch(&actor, id)).unwrap();
                view.entries.iter().map(|entry| entry.secret).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    (made(order), made(pair_order()))
}
