//! Use cases on the fakes. Every transaction runs twice, as an engine that
//! retries would have it.

mod containers;

use std::sync::Arc;

use donjon_domain::{
    AclChange, Actor, ContentType, MetadataKey, PageRequest, ProjectId, Quotas, Scope, SecretBytes,
    SecretConsumer, SecretFilter, SecretId, SecretQuery, SecretType, Start, Timestamp, UserId,
    ports::{CryptoPlugin as _, RepositoryErrorKind, RepositoryExt as _},
};
use donjon_testkit::{
    FakeCrypto, FakeKeyGenerator, FakeWorkers, FixedClock, MemoryRepository, SeededEntropy,
    block_on, sample,
};

use crate::{
    ActiveStore, App, Bounds, Conflict, Deletion, Error, Missing, NewPayload, NewSecret,
    OutsideStores, Policy, Ports, Startup,
};

pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) repository: Arc<MemoryRepository>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) generator: Arc<FakeKeyGenerator>,
    pub(crate) workers: Arc<FakeWorkers>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_policy(Policy::secure_rbac())
    }

    fn with_policy(policy: Policy) -> Self {
        Self::with(policy, Bounds::default())
    }

    fn with(policy: Policy, bounds: Bounds) -> Self {
        Self::with_stores(policy, bounds, Vec::new(), OutsideStores::none())
    }

    pub(crate) fn with_stores(
        policy: Policy,
        bounds: Bounds,
        secret_stores: Vec<ActiveStore>,
        outside: OutsideStores,
    ) -> Self {
        let repository = Arc::new(MemoryRepository::new().running_jobs_twice());
        let (clock, entropy) = (
            Arc::new(FixedClock::new(sample::NOW)),
            Arc::new(SeededEntropy::new(1)),
        );
        let crypto = Arc::new(FakeCrypto::new(1));
        let startup = Startup {
            repository: &*repository,
            crypto: &*crypto,
            clock: &*clock,
            entropy: &*entropy,
        };
        block_on(startup.adopt_or_create()).unwrap();
        let (generator, workers) = (
            Arc::new(FakeKeyGenerator::new()),
            Arc::new(FakeWorkers::new()),
        );
        let app = App::new(Ports {
            repository: repository.clone(),
            crypto,
            clock: clock.clone(),
            entropy,
            generator: generator.clone(),
            workers: workers.clone(),
            policy,
            quotas: Quotas::UNLIMITED,
            bounds,
            secret_stores,
            outside,
        });
        Self {
            app,
            repository,
            clock,
            generator,
            workers,
        }
    }

    pub(crate) fn create(&self, actor: &Actor, new: NewSecret) -> Result<SecretId, Error> {
        block_on(self.app.secrets.create(actor, new))
    }

    pub(crate) fn payload(&self, actor: &Actor, id: SecretId) -> Result<Vec<u8>, Error> {
        block_on(self.app.secrets.fetch_payload(actor, id))
            .map(|fetched| fetched.bytes.expose().to_vec())
    }
}

pub(crate) fn caller(user: &str, project: &str, roles: &[&str]) -> Arc<Actor> {
    Arc::new(Actor {
        user: Some(UserId::new(user)),
        project: ProjectId::new(project),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        scope: Scope::Project,
        identity: None,
    })
}

pub(crate) fn member() -> Arc<Actor> {
    caller("u", "p", &["member"])
}

pub(crate) fn stranger() -> Arc<Actor> {
    caller("s", "q", &["member"])
}

fn text(payload: &str) -> NewPayload {
    NewPayload {
        bytes: SecretBytes::new(payload.into()),
        content_type: ContentType::Text,
    }
}

pub(crate) fn new(payload: Option<&str>) -> NewSecret {
    NewSecret {
        name: None,
        secret_type: SecretType::Opaque,
        algorithm: None,
        mode: None,
        bit_length: None,
        expiration: None,
        payload: payload.map(text),
    }
}

pub(crate) fn consumer(id: &str) -> SecretConsumer {
    SecretConsumer {
        service: sample::label("svc"),
        resource_type: sample::label("rt"),
        resource_id: id.to_owned(),
    }
}

#[test]
fn a_payload_comes_back() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(Some("hush"))).unwrap();
    assert_eq!(rig.payload(&member(), id).unwrap(), b"hush");
    let view = block_on(rig.app.secrets.fetch(&member(), id, false)).unwrap();
    assert_eq!(view.secret.creator, Some(UserId::new("u")));
    assert_eq!(view.secret.content_type, Some(ContentType::Text));
}

#[test]
fn a_payload_is_added_once() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(None)).unwrap();
    assert!(matches!(
        rig.payload(&member(), id),
        Err(Error::NotFound(Missing::Payload))
    ));
    rig.clock.advance_seconds(5);
    block_on(rig.app.secrets.put_payload(&member(), id, text("one"))).unwrap();
    let again = block_on(rig.app.secrets.put_payload(&member(), id, text("two")));
    assert!(matches!(
        again,
        Err(Error::Conflict(Conflict::PayloadExists))
    ));
    assert_eq!(rig.payload(&member(), id).unwrap(), b"one");
    let view = block_on(rig.app.secrets.fetch(&member(), id, false)).unwrap();
    assert_eq!(view.secret.updated, sample::NOW.plus_seconds(5));
}

#[test]
fn one_key_per_project_made_on_first_use() {
    let rig = Rig::new();
    let ids: Vec<_> = (0..3)
        .map(|_| rig.create(&member(), new(Some("x"))).unwrap())
        .collect();
    let other = rig.create(&stranger(), new(Some("x"))).unwrap();
    let keks: Vec<_> = ids
        .into_iter()
        .chain([other])
        .map(|id| {
            let sealed: Result<_, Error> = block_on(
                rig.repository
                    .read_with(donjon_domain::ports::Reading::Point, move |tx| {
                        Ok(tx.payload(id)?)
                    }),
            );
            sealed.unwrap().unwrap().sealed.kek
        })
        .collect();
    assert_eq!(keks[0], keks[1]);
    assert_eq!(keks[0], keks[2]);
    assert_ne!(keks[0], keks[3]);
}

#[test]
fn a_failed_write_leaves_nothing() {
    let rig = Rig::new();
    rig.create(&member(), new(Some("first"))).unwrap();
    for (kind, expected) in [
        (RepositoryErrorKind::Overloaded, "overloaded"),
        (RepositoryErrorKind::Full, "storage is full"),
        (RepositoryErrorKind::OutcomeUnknown, "outcome unknown"),
        (RepositoryErrorKind::Unavailable, "unavailable"),
    ] {
        rig.repository.fail_next_write(kind);
        assert_eq!(
            rig.create(&member(), new(Some("second")))
                .unwrap_err()
                .to_string(),
            expected
        );
    }
    let page = PageRequest {
        start: Start::Offset(0),
        limit: 10,
    };
    let scope = donjon_domain::ListScope::Project(ProjectId::new("p"));
    let query = SecretQuery {
        scope,
        filter: SecretFilter::default(),
        sort: Vec::new(),
        page,
    };
    assert_eq!(
        block_on(rig.app.secrets.list(&member(), query, false))
            .unwrap()
            .total,
        1
    );
}

#[test]
fn strangers_are_refused_everywhere() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(Some("x"))).unwrap();
    let who = stranger();
    let key = || MetadataKey::new("k").unwrap();
    let denied =
        |result: Result<(), Error>| assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
    denied(block_on(rig.app.secrets.fetch(&who, id, true)).map(drop));
    denied(block_on(rig.app.secrets.fetch_payload(&who, id)).map(drop));
    denied(block_on(rig.app.secrets.put_payload(&who, id, text("y"))));
    denied(block_on(rig.app.secrets.delete(&who, id, Deletion::Always)));
    denied(block_on(rig.app.user_metadata.fetch_all(&who, id)).map(drop));
    denied(block_on(rig.app.user_metadata.fetch(&who, id, key())).map(drop));
    denied(block_on(rig.app.user_metadata.replace(&who, id, [].into())));
    denied(block_on(rig.app.user_metadata.add(
        &who,
        id,
        key(),
        "v".into(),
    )));
    denied(block_on(rig.app.user_metadata.change(
        &who,
        id,
        key(),
        (key(), "v".into()),
    )));
    denied(block_on(rig.app.user_metadata.remove(&who, id, key())));
    denied(block_on(rig.app.consumers.register(&who, id, consumer("1"))).map(drop));
    denied(block_on(rig.app.consumers.remove(&who, id, consumer("1"))).map(drop));
    let page = PageRequest {
        start: Start::Offset(0),
        limit: 10,
    };
    denied(block_on(rig.app.consumers.list(&who, id, page)).map(drop));
    denied(block_on(rig.app.acls.fetch(&who, id)).map(drop));
    denied(block_on(rig.app.acls.replace(
        &who,
        id,
        Some(AclChange::default()),
    )));
    denied(block_on(rig.app.acls.patch(
        &who,
        id,
        Some(AclChange::default()),
    )));
    denied(block_on(rig.app.acls.remove(&who, id)));
    let foreign = donjon_domain::ListScope::Project(ProjectId::new("p"));
    let query = SecretQuery {
        scope: foreign,
        filter: SecretFilter::default(),
        sort: Vec::new(),
        page,
    };
    denied(block_on(rig.app.secrets.list(&who, query, false)).map(drop));
    assert_eq!(rig.payload(&member(), id).unwrap(), b"x");
}

#[test]
fn an_acl_lets_a_stranger_read_and_nothing_else() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(Some("x"))).unwrap();
    let change = AclChange {
        users: Some(sample::users(&["s"])),
        project_access: Some(false),
    };
    block_on(rig.app.acls.replace(&member(), id, Some(change))).unwrap();
    assert_eq!(rig.payload(&stranger(), id).unwrap(), b"x");
    assert_eq!(rig.payload(&member(), id).unwrap(), b"x");
    let colleague = caller("c", "p", &["member"]);
    assert!(matches!(rig.payload(&colleague, id), Err(Error::Denied(_))));
    assert!(matches!(
        block_on(rig.app.secrets.delete(&stranger(), id, Deletion::Always)),
        Err(Error::Denied(_))
    ));
    block_on(rig.app.acls.remove(&member(), id)).unwrap();
    assert!(matches!(
        rig.payload(&stranger(), id),
        Err(Error::Denied(_))
    ));
    assert_eq!(rig.payload(&colleague, id).unwrap(), b"x");
}

#[test]
fn consumers_keep_a_secret_unless_forced() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(None)).unwrap();
    let view = block_on(rig.app.consumers.register(&member(), id, consumer("1"))).unwrap();
    assert_eq!(view.consumers, [consumer("1")]);
    let again = block_on(rig.app.consumers.register(&member(), id, consumer("1"))).unwrap();
    assert_eq!(again.consumers.len(), 1);
    let refused = block_on(
        rig.app
            .secrets
            .delete(&member(), id, Deletion::UnlessConsumed),
    );
    assert!(matches!(refused, Err(Error::HasConsumers)));
    block_on(rig.app.secrets.delete(&member(), id, Deletion::Always)).unwrap();
    assert!(matches!(
        block_on(rig.app.entities.exists(id)),
        Err(Error::NotFound(Missing::Secret))
    ));
}

#[test]
fn registrations_belong_to_the_project_that_made_them() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(None)).unwrap();
    let change = AclChange {
        users: Some(sample::users(&["s"])),
        project_access: None,
    };
    block_on(rig.app.acls.replace(&member(), id, Some(change))).unwrap();
    block_on(rig.app.consumers.register(&member(), id, consumer("mine"))).unwrap();
    block_on(
        rig.app
            .consumers
            .register(&stranger(), id, consumer("theirs")),
    )
    .unwrap();
    let refused = block_on(rig.app.consumers.remove(&stranger(), id, consumer("mine")));
    assert!(matches!(refused, Err(Error::NotTheRegistrar)));
    let view = block_on(
        rig.app
            .consumers
            .remove(&stranger(), id, consumer("theirs")),
    )
    .unwrap();
    assert_eq!(view.consumers, [consumer("mine")]);
    let unknown = block_on(rig.app.consumers.remove(&member(), id, consumer("other")));
    assert!(matches!(unknown, Err(Error::NotFound(Missing::Consumer))));
}

#[test]
fn expired_secrets_are_gone() {
    let rig = Rig::new();
    let expiring = NewSecret {
        expiration: Some(sample::NOW.plus_seconds(10)),
        ..new(Some("x"))
    };
    let id = rig.create(&member(), expiring).unwrap();
    rig.clock.advance_seconds(9);
    assert!(rig.payload(&member(), id).is_ok());
    rig.clock.advance_seconds(1);
    assert!(matches!(
        rig.payload(&member(), id),
        Err(Error::NotFound(Missing::Secret))
    ));
    let deleted = block_on(rig.app.secrets.delete(&member(), id, Deletion::Always));
    assert!(matches!(deleted, Err(Error::NotFound(Missing::Secret))));
}

#[test]
fn metadata_changes_tell_what_is_wrong() {
    let rig = Rig::new();
    let id = rig.create(&member(), new(None)).unwrap();
    let key = |text: &str| MetadataKey::new(text).unwrap();
    let change = |path: &str, body: &str| {
        block_on(
            rig.app
                .user_metadata
                .change(&member(), id, key(path), (key(body), "w".into())),
        )
    };
    assert!(matches!(
        change("k", "other"),
        Err(Error::NotFound(Missing::Metadatum))
    ));
    block_on(
        rig.app
            .user_metadata
            .add(&member(), id, key("k"), "v".into()),
    )
    .unwrap();
    let again = block_on(
        rig.app
            .user_metadata
            .add(&member(), id, key("k"), "v".into()),
    );
    assert!(matches!(
        again,
        Err(Error::Conflict(Conflict::MetadatumExists))
    ));
    assert!(matches!(
        change("k", "other"),
        Err(Error::Conflict(Conflict::MetadatumKeyDiffers))
    ));
    change("k", "k").unwrap();
    assert_eq!(
        block_on(rig.app.user_metadata.fetch(&member(), id, key("k"))).unwrap(),
        "w"
    );
}

#[test]
fn another_root_key_is_found_out_at_start() {
    let rig = Rig::new();
    let (clock, entropy) = (
        FixedClock::new(Timestamp::from_micros(0)),
        SeededEntropy::new(2),
    );
    let (right, wrong) = (FakeCrypto::new(1), FakeCrypto::new(2));
    let start = |crypto: &FakeCrypto| {
        let startup = Startup {
            repository: &*rig.repository,
            crypto,
            clock: &clock,
            entropy: &entropy,
        };
        block_on(startup.adopt_or_create())
    };
    start(&right).unwrap();
    let error = start(&wrong).unwrap_err();
    let shown = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        shown.contains(&right.root().to_string()) && shown.contains(&wrong.root().to_string()),
        "{shown}"
    );
}
