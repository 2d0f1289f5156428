use std::sync::Arc;

use donjon_domain::{Quotas, Timestamp, ports::RepositoryError};
use donjon_oslo_policy::{Decision, Denial};
use donjon_testkit::{
    FakeCrypto, FakeKeyGenerator, FakeWorkers, FixedClock, MemoryRepository, SeededEntropy,
    block_on, sample,
};

use super::*;
use crate::{App, Bounds, OutsideStores, Policy, Ports};

/// An app over a secret, an expired secret, a container and an order of
/// project `p`.
fn app() -> App {
    let repository = Arc::new(MemoryRepository::new());
    let written: Result<(), RepositoryError> = block_on(repository.write_with(|tx| {
        tx.insert_secret(&sample::secret(1, "p"), None)?;
        tx.put_secret_acl(sample::secret_id(1), &sample::acl(&["friend"], false))?;
        let mut expired = sample::secret(2, "p");
        expired.expiration = Some(Timestamp::from_micros(1));
        tx.insert_secret(&expired, None)?;
        tx.insert_container(&sample::container(3, "p"), &[])?;
        tx.insert_order(&sample::order(4, "p"))
    }));
    written.unwrap();
    App::new(Ports {
        repository,
        crypto: Arc::new(FakeCrypto::new(1)),
        clock: Arc::new(FixedClock::new(sample::NOW)),
        entropy: Arc::new(SeededEntropy::new(1)),
        generator: Arc::new(FakeKeyGenerator::new()),
        workers: Arc::new(FakeWorkers::new()),
        policy: Policy::secure_rbac(),
        quotas: Quotas::UNLIMITED,
        bounds: Bounds::default(),
        secret_stores: Vec::new(),
        outside: OutsideStores::none(),
    })
}

fn explain(actor: &Actor, rule: &str, id: Option<[u8; 16]>) -> Option<Explained> {
    block_on(app().access.explain(actor, rule, id)).unwrap()
}

#[test]
fn each_kind_of_entity_is_found_by_its_id() {
    let ids = [
        ("secret:get", *sample::secret_id(1).as_bytes()),
        ("container:get", *sample::container_id(3).as_bytes()),
        ("order:get", *sample::order_id(4).as_bytes()),
    ];
    for (rule, id) in ids {
        let found = explain(&sample::actor("q", "stranger"), rule, Some(id)).unwrap();
        assert_eq!(
            found.explanation.decision,
            Decision::Denied(Denial::Rule),
            "{rule}"
        );
        let kind = rule.split(':').next().unwrap();
        let start = format!("{kind} of project p, created by ");
        assert!(found.target.starts_with(&start), "{}", found.target);
        assert_eq!(found.rule.unwrap().name, rule);
    }
}

#[test]
fn acls_count() {
    let id = Some(*sample::secret_id(1).as_bytes());
    let found = explain(&sample::actor("q", "friend"), "secret:decrypt", id).unwrap();
    assert_eq!(found.explanation.decision, Decision::Allowed);
    assert!(
        found
            .target
            .ends_with(", private, its ACL names the caller"),
        "{}",
        found.target
    );
    let decided = found.explanation.decided_by();
    assert!(
        decided
            .iter()
            .any(|part| part.check == "'read':%(target.secret.read)s")
    );
}

#[test]
fn without_an_id_it_is_about_the_project() {
    let mut actor = sample::actor("p", "u");
    actor.roles = vec!["reader".to_owned()];
    let found = explain(&actor, "secrets:post", None).unwrap();
    assert_eq!(found.explanation.missing_roles, ["member"]);
    assert!(found.target.starts_with("no entity"), "{}", found.target);
}

#[test]
fn what_is_not_there_is_none() {
    let actor = sample::actor("p", "u");
    for id in [sample::secret_id(2), sample::secret_id(77)] {
        assert!(explain(&actor, "secret:get", Some(*id.as_bytes())).is_none());
    }
    let found = explain(&actor, "secret:eat", None).unwrap();
    assert_eq!(found.rule, None);
    assert_eq!(
        found.explanation.decision,
        Decision::Denied(Denial::UnknownRule)
    );
}
