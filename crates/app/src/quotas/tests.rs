//! Quotas on the fakes.

use std::sync::Barrier;

use donjon_domain::Start;
use donjon_testkit::{block_on, sample};

use super::*;
use crate::tests::{Rig, caller, consumer, member, new, stranger};

fn operator() -> Arc<Actor> {
    caller("o", "ops", &["admin"])
}

fn limited(resource: Resource, limit: i64) -> ProjectQuotas {
    ProjectQuotas::default().with(resource, Some(limit))
}

impl Rig {
    fn limit(&self, project: &str, resource: Resource, limit: i64) {
        let (operator, project) = (operator(), ProjectId::new(project));
        let changed = self
            .app
            .quotas
            .change(&operator, project, limited(resource, limit));
        block_on(changed).unwrap();
    }
}

#[test]
fn changes_keep_what_they_leave_open() {
    let rig = Rig::new();
    rig.limit("p", Resource::Secrets, 5);
    rig.limit("p", Resource::Orders, 7);
    let found = block_on(rig.app.quotas.fetch(&operator(), ProjectId::new("p"))).unwrap();
    assert_eq!(
        found,
        limited(Resource::Secrets, 5).with(Resource::Orders, Some(7))
    );
    let reader = caller("r", "p", &["reader"]);
    let effective = block_on(rig.app.quotas.effective(&reader)).unwrap();
    let expected = Quotas::UNLIMITED
        .with(Resource::Secrets, 5)
        .with(Resource::Orders, 7);
    assert_eq!(effective, expected);
    block_on(rig.app.quotas.remove(&operator(), ProjectId::new("p"))).unwrap();
    let again = block_on(rig.app.quotas.remove(&operator(), ProjectId::new("p")));
    assert!(matches!(
        again,
        Err(Error::NotFound(Missing::ProjectQuotas))
    ));
    let effective = block_on(rig.app.quotas.effective(&reader)).unwrap();
    assert_eq!(effective, Quotas::UNLIMITED);
}

#[test]
fn a_project_does_not_configure_itself() {
    let rig = Rig::new();
    let project = || ProjectId::new("p");
    let page = PageRequest {
        start: Start::Offset(0),
        limit: 10,
    };
    rig.limit("p", Resource::Secrets, 5);
    let quotas = &rig.app.quotas;
    let own = member();
    assert!(matches!(
        block_on(quotas.fetch(&own, project())),
        Err(Error::Denied(_))
    ));
    assert!(matches!(
        block_on(quotas.list(&own, page)),
        Err(Error::Denied(_))
    ));
    let more = limited(Resource::Secrets, -1);
    assert!(matches!(
        block_on(quotas.change(&own, project(), more)),
        Err(Error::Denied(_))
    ));
    assert!(matches!(
        block_on(quotas.remove(&own, project())),
        Err(Error::Denied(_))
    ));
    let found = block_on(quotas.fetch(&operator(), project())).unwrap();
    assert_eq!(found, limited(Resource::Secrets, 5));
}

#[test]
fn secrets_up_to_the_limit() {
    let rig = Rig::new();
    rig.limit("p", Resource::Secrets, 2);
    let first = rig.create(&member(), new(None)).unwrap();
    rig.create(&member(), new(Some("x"))).unwrap();
    for payload in [None, Some("x")] {
        let refused = rig.create(&member(), new(payload));
        assert!(matches!(
            refused,
            Err(Error::QuotaReached {
                resource: Resource::Secrets,
                limit: 2
            })
        ));
    }
    rig.create(&stranger(), new(None)).unwrap();
    block_on(
        rig.app
            .secrets
            .delete(&member(), first, crate::Deletion::Always),
    )
    .unwrap();
    rig.create(&member(), new(None)).unwrap();
}

#[test]
fn a_limit_of_nothing_admits_nothing_and_a_negative_one_anything() {
    let rig = Rig::new();
    rig.limit("p", Resource::Secrets, 0);
    let refused = rig.create(&member(), new(None));
    assert!(matches!(
        refused,
        Err(Error::QuotaReached {
            resource: Resource::Secrets,
            limit: 0
        })
    ));
    rig.limit("p", Resource::Secrets, -7);
    rig.create(&member(), new(None)).unwrap();
}

#[test]
fn expired_secrets_do_not_count() {
    let rig = Rig::new();
    rig.limit("p", Resource::Secrets, 1);
    let mut short_lived = new(None);
    short_lived.expiration = Some(sample::NOW.plus_seconds(10));
    rig.create(&member(), short_lived).unwrap();
    assert!(rig.create(&member(), new(None)).is_err());
    rig.clock.advance_seconds(10);
    rig.create(&member(), new(None)).unwrap();
}

/// A registration counts for the project that made it, and at the limit not
/// even a repeated one passes.
#[test]
fn consumers_count_for_their_registrar() {
    let rig = Rig::new();
    rig.limit("p", Resource::Consumers, 1);
    let secret = rig.create(&member(), new(None)).unwrap();
    let member = member();
    let register = |id: &str| {
        let registered = rig.app.consumers.register(&member, secret, consumer(id));
        block_on(registered).map(drop)
    };
    register("1").unwrap();
    for id in ["1", "2"] {
        assert!(matches!(
            register(id),
            Err(Error::QuotaReached {
                resource: Resource::Consumers,
                ..
            })
        ));
    }
}

#[test]
fn parallel_creations_never_pass_the_limit() {
    const LIMIT: usize = 5;
    const THREADS: usize = 8;
    let rig = Rig::new();
    rig.limit("p", Resource::Secrets, 5);
    let barrier = Barrier::new(THREADS);
    let created: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let results = (0..3).map(|_| rig.create(&member(), new(Some("x"))));
                    results.filter(Result::is_ok).count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(created, LIMIT);
}
