//! Orders on the fakes. Where jobs are held back, whoever gives an order is
//! answered before it is carried out.

use donjon_domain::{
    ContainerEntry, ContainerType, ContentType, Label, ListScope, OrderResult, PageRequest,
    ProjectQuotas, Resource, Secret, SecretFilter, SecretId, SecretQuery, SecretType, Start,
    StoredContainer, UserId,
    ports::{GenerationErrorKind, Health, RepositoryErrorKind},
};
use donjon_testkit::{block_on, sample};

use super::*;
use crate::tests::{Rig, caller, member, stranger};

fn key(algorithm: &str, bits: i64) -> NewOrder {
    NewOrder {
        order_type: OrderType::Key,
        meta: "{}".to_owned(),
        spec: KeySpec {
            name: Some(sample::label("n")),
            mode: Some(sample::label("cbc")),
            expiration: Some(sample::NOW.plus_seconds(100)),
            ..sample::key_spec(algorithm, bits)
        },
        passphrase: None,
    }
}

fn pair(passphrase: Option<&str>) -> NewOrder {
    NewOrder {
        order_type: OrderType::Asymmetric,
        passphrase: passphrase.map(|text| text.to_owned().into()),
        ..key("rsa", 2_048)
    }
}

impl Rig {
    fn give(&self, new: NewOrder) -> Result<OrderId, Error> {
        block_on(self.app.orders.create(&member(), new))
    }

    fn order(&self, id: OrderId) -> Order {
        block_on(self.app.orders.fetch(&member(), id)).unwrap()
    }

    fn container(&self, id: OrderId) -> (StoredContainer, Vec<ContainerEntry>) {
        let OrderState::Active(OrderResult::Container(id)) = self.order(id).state else {
            panic!("{:?}", self.order(id));
        };
        self.read(move |tx| Ok((tx.container(id)?.unwrap(), tx.container_entries(id)?)))
    }

    fn secrets(&self) -> Vec<Secret> {
        let query = SecretQuery {
            scope: ListScope::Project(member().project.clone()),
            filter: SecretFilter::default(),
            sort: Vec::new(),
            page: first_page(),
        };
        self.read(move |tx| Ok(tx.list_secrets(&query, sample::NOW)?.items))
    }

    fn read<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&mut dyn ReadTx) -> Result<T, RepositoryError> + Send + 'static,
    ) -> T {
        block_on(self.repository.read_with(Reading::Point, move |tx| job(tx))).unwrap()
    }

    fn limit_orders_to(&self, limit: i64) {
        let quotas = ProjectQuotas::default()
            .with(Resource::Orders, Some(limit))
            .with(Resource::Secrets, Some(0));
        let project = member().project.clone();
        let written: Result<(), RepositoryError> = block_on(
            self.repository
                .write_with(move |tx| tx.put_project_quotas(&project, &quotas)),
        );
        written.unwrap();
    }

    fn resume(&self) -> usize {
        block_on(self.app.orders.resume()).unwrap()
    }
}

fn first_page<I>() -> PageRequest<I> {
    PageRequest {
        start: Start::Offset(0),
        limit: 100,
    }
}

fn is_pending(order: &Order) -> bool {
    order.state == OrderState::Pending
}

#[test]
fn a_key_is_there_when_its_order_is() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(key("aes", 256)).unwrap();
    let order = rig.order(id);
    let OrderState::Active(OrderResult::Secret(secret)) = order.state else {
        panic!("{order:?}");
    };
    assert_eq!(rig.workers.waiting(), 0);
    assert_eq!(rig.payload(&member(), secret).unwrap().len(), 32);
    let made = block_on(rig.app.secrets.fetch(&member(), secret, false)).unwrap();
    let expected = Secret {
        id: secret,
        project: member().project.clone(),
        creator: Some(UserId::new("u")),
        created: sample::NOW,
        updated: sample::NOW,
        name: Some(sample::label("n")),
        secret_type: SecretType::Symmetric,
        algorithm: Some(sample::label("aes")),
        mode: Some(sample::label("cbc")),
        bit_length: Some(sample::key_spec("aes", 256).bit_length),
        expiration: Some(sample::NOW.plus_seconds(100)),
        content_type: Some(ContentType::OctetStream),
    };
    assert_eq!(made.secret, expected);
}

#[test]
fn a_pair_is_two_secrets_in_a_container() {
    let rig = Rig::new();
    let id = rig.give(pair(None)).unwrap();
    let (stored, entries) = rig.container(id);
    assert_eq!(stored.container.container_type, ContainerType::Rsa);
    assert_eq!(stored.container.name, Some(sample::label("n")));
    assert_eq!(stored.container.creator, Some(UserId::new("u")));
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_ref()).collect();
    assert_eq!(
        names
            .into_iter()
            .map(|name| name.map(Label::as_str))
            .collect::<Vec<_>>(),
        [Some("private_key"), Some("public_key")]
    );
    let types = |entry: &ContainerEntry| secret_type(&rig, entry.secret);
    assert_eq!(
        entries.iter().map(types).collect::<Vec<_>>(),
        [SecretType::Private, SecretType::Public]
    );
    assert!(payload_text(&rig, entries[0].secret).starts_with("-----BEGIN PRIVATE KEY"));
    assert!(payload_text(&rig, entries[1].secret).starts_with("-----BEGIN PUBLIC KEY"));
}

fn secret_type(rig: &Rig, id: SecretId) -> SecretType {
    let view = block_on(rig.app.secrets.fetch(&member(), id, false)).unwrap();
    view.secret.secret_type
}

fn payload_text(rig: &Rig, id: SecretId) -> String {
    String::from_utf8(rig.payload(&member(), id).unwrap()).unwrap()
}

#[test]
fn a_passphrase_waits_sealed_and_becomes_a_secret() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(Some("correct horse"))).unwrap();
    let waiting = rig.order(id);
    assert!(is_pending(&waiting));
    let opened = block_on(rig.app.orders.core.sealing.open_passphrase(
        &waiting.project,
        id,
        waiting.passphrase.as_ref().unwrap(),
    ));
    assert_eq!(opened.unwrap().expose(), b"correct horse");
    rig.workers.run_all();
    assert_eq!(rig.order(id).passphrase, None);
    let (_, entries) = rig.container(id);
    assert_eq!(entries.len(), 3);
    assert!(payload_text(&rig, entries[0].secret).contains("ENCRYPTED PRIVATE KEY"));
    assert_eq!(secret_type(&rig, entries[1].secret), SecretType::Passphrase);
    assert_eq!(payload_text(&rig, entries[1].secret), "correct horse");
}

#[test]
fn a_passphrase_of_another_order_fails_the_order() {
    let rig = Rig::new();
    rig.workers.hold();
    let (one, two) = (rig.give(pair(Some("one"))), rig.give(pair(Some("two"))));
    let (one, two) = (rig.order(one.unwrap()), rig.order(two.unwrap()));
    rig.workers.drop_all();
    let swapped = Order {
        passphrase: two.passphrase,
        ..one.clone()
    };
    let written: Result<(), RepositoryError> = block_on(rig.repository.write_with(move |tx| {
        tx.delete_order(swapped.id)?;
        tx.insert_order(&swapped)
    }));
    written.unwrap();
    rig.resume();
    rig.workers.run_all();
    let OrderState::Error(failure) = rig.order(one.id).state else {
        panic!("{:?}", rig.order(one.id));
    };
    assert_eq!(failure.status_code, "500");
    assert_eq!(rig.secrets().len(), 3, "of the other order");
}

/// A crash between accept and finish: the job is gone, the row is there.
#[test]
fn a_crash_loses_no_order_and_makes_no_second_key() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(None)).unwrap();
    rig.workers.drop_all();
    assert!(is_pending(&rig.order(id)));
    assert_eq!(rig.secrets(), []);
    assert_eq!(rig.resume(), 1);
    assert_eq!(rig.resume(), 0, "it has a job");
    rig.workers.run_all();
    let done = rig.order(id);
    assert_eq!(done.state.as_str(), "ACTIVE");
    assert_eq!(rig.resume(), 0);
    rig.workers.run_all();
    assert_eq!(rig.order(id), done);
    assert_eq!((rig.secrets().len(), rig.generator.made()), (2, 1));
}

#[test]
fn carried_out_twice_at_once_leaves_one_pair() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(None)).unwrap();
    // As two processes would: neither knows of the other's job.
    let other = Arc::new(Jobs::new(Arc::clone(&rig.app.orders.core)));
    assert_eq!(block_on(other.resume()).unwrap(), 1);
    assert_eq!(rig.workers.waiting(), 2);
    rig.workers.run_all();
    assert_eq!(rig.secrets().len(), 2);
    assert_eq!(rig.container(id).1.len(), 2);
}

/// The check stands in the last transaction, not before the work alone.
#[test]
fn the_slower_of_two_jobs_writes_nothing() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(None)).unwrap();
    let core = Arc::clone(&rig.app.orders.core);
    let slow = block_on(made::make(&core, &rig.order(id), None)).unwrap();
    rig.workers.run_all();
    let done = rig.order(id);
    let ended = block_on(job::end(&core, id, slow)).unwrap();
    assert!(!ended);
    assert_eq!((rig.order(id), rig.secrets().len()), (done, 2));
}

#[test]
fn a_deleted_order_makes_nothing() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(None)).unwrap();
    block_on(rig.app.orders.delete(&member(), id)).unwrap();
    rig.workers.run_all();
    assert_eq!(rig.secrets(), []);
    assert!(matches!(
        block_on(rig.app.orders.fetch(&member(), id)),
        Err(Error::NotFound(Missing::Order))
    ));
}

#[test]
fn deleting_an_order_leaves_what_it_made() {
    let rig = Rig::new();
    let id = rig.give(pair(None)).unwrap();
    block_on(rig.app.orders.delete(&member(), id)).unwrap();
    assert_eq!(rig.secrets().len(), 2);
    assert!(matches!(
        block_on(rig.app.orders.delete(&member(), id)),
        Err(Error::NotFound(Missing::Order))
    ));
}

/// The queue of the fake has room for four.
#[test]
fn orders_without_room_follow_when_a_job_ends() {
    let rig = Rig::new();
    rig.workers.hold();
    let ids: Vec<_> = (0..11).map(|_| rig.give(pair(None)).unwrap()).collect();
    assert_eq!(rig.workers.waiting(), 4);
    assert!(ids.iter().all(|id| is_pending(&rig.order(*id))));
    rig.workers.run_all();
    assert!(!ids.iter().any(|id| is_pending(&rig.order(*id))));
    assert_eq!((rig.secrets().len(), rig.generator.made()), (22, 11));
}

/// However many of one project wait: of every other there is room for some.
#[test]
fn waiting_orders_are_resumed_of_every_project() {
    let rig = Rig::new();
    rig.workers.hold();
    for _ in 0..300 {
        rig.give(pair(None)).unwrap();
    }
    let other = caller("somebody", "other", &["member"]);
    let order = block_on(rig.app.orders.create(&other, pair(None))).unwrap();
    rig.workers.drop_all();
    assert_eq!(rig.resume(), 5);
    assert_eq!(rig.resume(), 0, "the others have no room");
    let state = || block_on(rig.app.orders.fetch(&other, order)).unwrap().state;
    assert_eq!(state(), OrderState::Pending);
    // The second that runs.
    assert!(rig.workers.run_one() && rig.workers.run_one());
    assert_ne!(state(), OrderState::Pending);
    assert_eq!(rig.generator.made(), 2);
}

#[test]
fn whoever_waited_too_long_finds_the_order_pending() {
    let rig = Rig::new();
    rig.workers.hold();
    let id = rig.give(pair(None)).unwrap();
    assert!(is_pending(&rig.order(id)));
    rig.clock.advance_seconds(7);
    rig.workers.run_all();
    assert_eq!(rig.order(id).updated, sample::NOW.plus_seconds(7));
    assert_eq!(rig.order(id).created, sample::NOW);
}

#[test]
fn what_nothing_makes_ends_in_error() {
    let rig = Rig::new();
    for (new, code) in [
        (key("made-up", 128), "400"),
        (key("rsa", 2_048), "400"),
        (
            NewOrder {
                spec: sample::key_spec("made-up", 8),
                ..pair(Some("p"))
            },
            "400",
        ),
        (
            NewOrder {
                spec: sample::key_spec("ec", 256),
                ..pair(None)
            },
            "500",
        ),
    ] {
        let id = rig.give(new).unwrap();
        let OrderState::Error(failure) = rig.order(id).state else {
            panic!("{:?}", rig.order(id));
        };
        assert_eq!(failure.status_code, code, "{failure:?}");
        assert_eq!(rig.order(id).passphrase, None);
    }
    assert_eq!(rig.secrets(), []);
}

#[test]
fn a_generator_that_does_not_answer_is_asked_again() {
    let rig = Rig::new();
    rig.generator.fail_next(GenerationErrorKind::Unavailable);
    let id = rig.give(pair(None)).unwrap();
    assert!(is_pending(&rig.order(id)));
    assert_eq!(rig.resume(), 1);
    rig.workers.run_all();
    assert_eq!(rig.order(id).state.as_str(), "ACTIVE");
    rig.generator.fail_next(GenerationErrorKind::Unavailable);
    let refused = rig.give(key("aes", 128));
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[test]
fn a_generator_that_fails_fails_the_order() {
    let rig = Rig::new();
    for new in [pair(None), key("aes", 128)] {
        rig.generator.fail_next(GenerationErrorKind::Internal);
        let id = rig.give(new).unwrap();
        assert_eq!(rig.order(id).state, OrderState::Error(failure::internal()));
    }
}

#[test]
fn a_write_that_fails_leaves_the_order_waiting() {
    let rig = Rig::new();
    rig.workers.hold();
    // The key of the project is there already.
    rig.give(key("aes", 128)).unwrap();
    for kind in [
        RepositoryErrorKind::Overloaded,
        RepositoryErrorKind::OutcomeUnknown,
    ] {
        let id = rig.give(pair(None)).unwrap();
        rig.repository.fail_next_write(kind);
        rig.workers.run_all();
        assert!(is_pending(&rig.order(id)), "{kind:?}");
        assert_eq!(rig.resume(), 1);
        rig.workers.run_all();
        assert_eq!(rig.order(id).state.as_str(), "ACTIVE");
    }
    assert_eq!(rig.secrets().len(), 5);
}

#[test]
fn a_failed_accept_leaves_nothing() {
    let rig = Rig::new();
    rig.give(key("aes", 128)).unwrap();
    for new in [key("aes", 128), pair(None)] {
        rig.repository.fail_next_write(RepositoryErrorKind::Full);
        assert!(matches!(rig.give(new), Err(Error::StorageFull)));
    }
    assert_eq!((rig.secrets().len(), rig.resume()), (1, 0));
}

#[test]
fn nothing_is_resumed_while_the_disk_is_full() {
    let rig = Rig::new();
    rig.workers.hold();
    rig.give(pair(None)).unwrap();
    rig.workers.drop_all();
    rig.repository.set_health(Health::Full);
    assert_eq!(rig.resume(), 0);
    rig.repository.set_health(Health::Good);
    assert_eq!(rig.resume(), 1);
}

/// As recorded: what an order makes counts as secrets, and is not refused.
#[test]
fn the_quota_of_orders_counts_and_no_other() {
    let rig = Rig::new();
    rig.limit_orders_to(2);
    rig.give(key("aes", 128)).unwrap();
    rig.give(pair(None)).unwrap();
    for new in [key("aes", 128), pair(None)] {
        let refused = rig.give(new);
        let of_orders = matches!(
            refused,
            Err(Error::QuotaReached {
                resource: Resource::Orders,
                limit: 2
            })
        );
        assert!(of_orders, "{refused:?}");
    }
    assert_eq!((rig.secrets().len(), rig.resume()), (3, 0));
}

#[test]
fn orders_are_the_projects_own() {
    let rig = Rig::new();
    let id = rig.give(key("aes", 128)).unwrap();
    let query = |project: &str| OrderQuery {
        project: sample::project(project),
        meta: None,
        page: first_page(),
    };
    let list = |actor: &Actor, project: &str| {
        block_on(rig.app.orders.list(actor, query(project))).map(|page| page.total)
    };
    assert_eq!(list(&member(), "p").unwrap(), 1);
    assert_eq!(list(&stranger(), "q").unwrap(), 0);
    assert!(matches!(list(&stranger(), "p"), Err(Error::Denied(_))));
    for result in [
        block_on(rig.app.orders.exists(&stranger(), id)),
        block_on(rig.app.orders.fetch(&stranger(), id)).map(drop),
        block_on(rig.app.orders.delete(&stranger(), id)),
    ] {
        assert!(
            matches!(result, Err(Error::NotFound(Missing::Order))),
            "{result:?}"
        );
    }
    let reader = caller("r", "p", &["reader"]);
    for result in [
        block_on(rig.app.orders.create(&reader, key("aes", 128))).map(drop),
        block_on(rig.app.orders.fetch(&reader, id)).map(drop),
        block_on(rig.app.orders.delete(&reader, id)),
        list(&reader, "p").map(drop),
    ] {
        assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
    }
    assert_eq!(rig.order(id).id, id);
}
