//! The authenticator against a fake Keystone.

mod directory;
mod fake;
mod outage;
mod rules;
mod tls;

use std::{sync::Arc, time::Duration};

use donjon_domain::{
    Actor, Identity, ProjectId, Scope, SecretBytes, ServiceCaller, Timestamp, UserId,
    ports::{AuthError, AuthErrorKind, Authenticator, BoxFuture, Credential},
};
use donjon_testkit::{
    FixedClock, SeededEntropy, authenticator_contract, contract::authenticator::AuthenticatorCase,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinSet};

use self::fake::{At, Fake, Fault};
use crate::{Keystone, KeystoneConfig, ServiceCredential};

/// What a test needs.
struct Rig {
    fake: Fake,
    clock: Arc<FixedClock>,
    keystone: Keystone,
}

fn password(password: &str) -> ServiceCredential {
    ServiceCredential::Password {
        username: "barbican".to_owned(),
        user_domain_name: "Default".to_owned(),
        password: SecretBytes::from(password.to_owned()),
        project_name: "service".to_owned(),
        project_domain_name: "Default".to_owned(),
    }
}

fn config(fake: &Fake) -> KeystoneConfig {
    let mut config = KeystoneConfig::new(fake.url(), password("pass\"word"));
    config.service_type = Some("key-manager".to_owned());
    config.patience.rest = Duration::from_millis(200);
    config
}

impl Rig {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut KeystoneConfig)) -> Self {
        let fake = Fake::start().await;
        let mut config = config(&fake);
        change(&mut config);
        Self::on(fake, config)
    }

    fn on(fake: Fake, config: KeystoneConfig) -> Self {
        let now = Timestamp::parse_iso8601("2026-01-01").unwrap();
        let clock = Arc::new(FixedClock::new(now));
        let entropy = Arc::new(SeededEntropy::new(1));
        Self {
            keystone: Keystone::new(config, clock.clone(), entropy).unwrap(),
            clock,
            fake,
        }
    }

    async fn ask(&self, credential: Credential<'_>) -> Result<Actor, AuthErrorKind> {
        let asked = self.keystone.authenticate(credential).await;
        asked.map_err(|error| error.kind())
    }

    async fn show(&self, token: &str) -> Result<Actor, AuthErrorKind> {
        self.ask(shown(token)).await
    }
}

fn shown(token: &str) -> Credential<'_> {
    Credential {
        token: Some(token),
        ..Credential::default()
    }
}

fn served<'a>(token: &'a str, service_token: &'a str) -> Credential<'a> {
    Credential {
        service_token: Some(service_token),
        ..shown(token)
    }
}

/// A member of project `p`, until ten past midnight.
fn member() -> Value {
    json!({
        "user": {"id": "u", "name": "User", "domain": {"id": "ud", "name": "D"}},
        "project": {"id": "p", "name": "Project", "domain": {"id": "pd", "name": "D"}},
        "roles": [{"id": "1", "name": "Member"}, {"id": "2", "name": "reader"}],
        "expires_at": "2026-01-01T00:10:00.000000Z",
        "issued_at": "2025-12-31T23:10:00.000000Z",
        "methods": ["password"],
        "audit_ids": ["x"],
        "is_domain": false,
        "catalog": [],
    })
}

fn service(role: &str) -> Value {
    let mut token = member();
    token["user"] = json!({"id": "su", "domain": {"id": "sud"}});
    token["project"] = json!({"id": "sp", "domain": {"id": "spd"}});
    token["roles"] = json!([{"name": role}]);
    token
}

fn member_actor() -> Actor {
    Actor {
        user: Some(UserId::new("u")),
        project: ProjectId::new("p"),
        roles: vec!["member".to_owned(), "reader".to_owned()],
        scope: Scope::Project,
        identity: Some(Arc::new(Identity {
            user_domain: Some("ud".to_owned()),
            project_domain: Some("pd".to_owned()),
            is_admin_project: true,
            service: None,
        })),
    }
}

const REFUSED: Result<Actor, AuthErrorKind> = Err(AuthErrorKind::Unauthenticated);
const UNAVAILABLE: Result<Actor, AuthErrorKind> = Err(AuthErrorKind::Unavailable);

// === contract ===

struct Case {
    runtime: Runtime,
    rig: Rig,
}

impl Authenticator for Case {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        let asked = self.rig.keystone.authenticate(credential);
        Box::pin(std::future::ready(self.runtime.block_on(asked)))
    }
}

impl AuthenticatorCase for Case {
    fn authenticator(&self) -> &dyn Authenticator {
        self
    }

    fn token(&self) -> &str {
        "gAAAAABtoken"
    }

    fn actor(&self) -> Actor {
        member_actor()
    }
}

authenticator_contract!({
    let runtime = Runtime::new().unwrap();
    let rig = runtime.block_on(Rig::new());
    rig.fake.knows("gAAAAABtoken", member());
    Box::new(Case { runtime, rig })
});

// === tokens ===

#[tokio::test]
async fn only_a_project_lets_in() {
    let rig = Rig::new().await;
    let scopes = [
        json!({"domain": {"id": "d", "name": "D"}}),
        json!({"system": {"all": true}}),
        json!({}),
    ];
    for (number, scope) in scopes.into_iter().enumerate() {
        let mut token = member();
        token.as_object_mut().unwrap().remove("project");
        let scope = scope.as_object().unwrap().clone();
        token.as_object_mut().unwrap().extend(scope);
        let text = format!("t{number}");
        rig.fake.knows(&text, token);
        assert_eq!(rig.show(&text).await, REFUSED, "{number}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_lets_nobody_in() {
    let cases: [(&str, Value); 9] = [
        ("/domain", json!({"id": "d"})),
        ("/system", json!({"all": false})),
        ("/user", json!(null)),
        ("/user/id", json!("")),
        ("/user/id", json!(7)),
        ("/project/id", json!("x".repeat(256))),
        ("/roles", json!("admin")),
        ("/roles", json!([{"name": ""}])),
        ("/expires_at", json!("tomorrow")),
    ];
    for (place, value) in cases {
        let rig = Rig::new().await;
        let mut token = member();
        match token.pointer_mut(place) {
            Some(old) => *old = value.clone(),
            None => token[&place[1..]] = value.clone(),
        }
        rig.fake.knows("t", token);
        assert_eq!(rig.show("t").await, UNAVAILABLE, "{place} {value}");
    }
}

#[tokio::test]
async fn the_admin_project_is_told() {
    let rig = Rig::new().await;
    let mut token = member();
    token["is_admin_project"] = json!(false);
    rig.fake.knows("t", token);
    let identity = rig.show("t").await.unwrap().identity.unwrap();
    assert!(!identity.is_admin_project);
}

#[tokio::test]
async fn odd_tokens_are_not_asked_about() {
    let rig = Rig::new().await;
    for token in ["", " ", "a b", "a\u{e9}", "a\tb", &"x".repeat(8_001)] {
        assert_eq!(rig.show(token).await, REFUSED);
    }
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (0, 0));
}

// === memory ===

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_with_a_new_token_make_one_call() {
    let rig = Arc::new(Rig::new().await);
    rig.fake.knows("t", member());
    rig.fake.delay(Duration::from_millis(100));
    let mut asking = JoinSet::new();
    for _ in 0..1_000 {
        let rig = Arc::clone(&rig);
        asking.spawn(async move { rig.show("t").await });
    }
    let found = asking.join_all().await;
    assert_eq!(found.len(), 1_000);
    assert!(found.iter().all(|found| *found == Ok(member_actor())));
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (1, 1));
}

#[tokio::test]
async fn who_leaves_takes_nobody_along() {
    let rig = Arc::new(Rig::new().await);
    rig.fake.knows("t", member());
    rig.fake.delay(Duration::from_millis(200));
    let leaving = {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move { rig.show("t").await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let staying = rig.show("t");
    leaving.abort();
    assert_eq!(staying.await, Ok(member_actor()));
    assert_eq!(rig.fake.validations(), 1);
}

#[tokio::test]
async fn answers_are_kept_for_their_time() {
    let rig = Rig::with(|config| {
        config.token_cache_time = Duration::from_millis(300);
        config.patience.refusal = Duration::from_millis(300);
    })
    .await;
    rig.fake.knows("t", member());
    for _ in 0..3 {
        assert!(rig.show("t").await.is_ok());
        assert_eq!(rig.show("no").await, REFUSED);
    }
    assert_eq!(rig.fake.validations(), 2);
    // What Keystone forgets and what it learns is noticed afterwards.
    rig.fake.forgets("t");
    rig.fake.knows("no", member());
    assert!(rig.show("t").await.is_ok());
    assert_eq!(rig.show("no").await, REFUSED);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(rig.show("t").await, REFUSED);
    assert!(rig.show("no").await.is_ok());
}

#[tokio::test]
async fn without_cache_time_every_request_asks() {
    let rig = Rig::with(|config| config.token_cache_time = Duration::ZERO).await;
    rig.fake.knows("t", member());
    for _ in 0..3 {
        assert!(rig.show("t").await.is_ok());
    }
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (1, 3));
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    assert!(rig.show("t").await.is_ok());
    let end = Timestamp::parse_iso8601("2026-01-01T00:10").unwrap();
    rig.clock.set(Timestamp::from_micros(end.as_micros() - 1));
    assert!(rig.show("t").await.is_ok());
    rig.clock.set(end);
    assert_eq!(rig.show("t").await, REFUSED);
    assert_eq!(rig.fake.validations(), 1);
    // Keystone's clock may be behind.
    rig.fake.knows("late", member());
    assert_eq!(rig.show("late").await, REFUSED);
}

// === service tokens ===

#[tokio::test]
async fn a_service_shows_who_it_is() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    rig.fake.knows("s", service("Service"));
    let found = rig.ask(served("t", "s")).await.unwrap();
    let identity = found.identity.as_ref().unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = ServiceCaller {
        user: text("su"),
        user_domain: text("sud"),
        project: text("sp"),
        project_domain: text("spd"),
        roles: vec!["service".to_owned()],
    };
    assert_eq!(identity.service, Some(expected));
    assert_eq!(found.roles, member_actor().roles);
    // It is nobody by itself, and its user is not kept for the next request.
    let alone = Credential {
        service_token: Some("s"),
        ..Credential::default()
    };
    assert_eq!(rig.ask(alone).await, REFUSED);
    assert_eq!(rig.show("t").await, Ok(member_actor()));
}

#[tokio::test]
async fn an_invalid_service_token_refuses_the_request() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    assert!(rig.show("t").await.is_ok());
    assert_eq!(rig.ask(served("t", "no")).await, REFUSED);
    assert!(rig.ask(served("t", "")).await.is_ok());
}

#[tokio::test]
async fn an_expired_token_needs_a_service_with_the_role() {
    for is_required in [false, true] {
        let change = |config: &mut KeystoneConfig| {
            config.service_token_roles_required = is_required;
        };
        let rig = Rig::with(change).await;
        let mut expired = member();
        expired["expires_at"] = json!("2025-12-31T23:59:59.000000Z");
        rig.fake.knows("expired", expired);
        rig.fake.knows("t", member());
        rig.fake.knows("s", service("service"));
        rig.fake.knows("other", service("member"));
        assert_eq!(rig.show("expired").await, REFUSED);
        assert!(rig.ask(served("expired", "s")).await.is_ok());
        assert_eq!(rig.ask(served("expired", "other")).await, REFUSED);
        assert_eq!(rig.show("expired").await, REFUSED, "nothing of it is kept");
        let valid = rig.ask(served("t", "other")).await;
        assert_eq!(valid.is_ok(), !is_required);
    }
}

// === the own token ===

#[tokio::test]
async fn the_own_token_is_renewed_before_it_ends() {
    let rig = Rig::with(|config| config.token_cache_time = Duration::ZERO).await;
    rig.fake.own_seconds(1);
    rig.fake.knows("t", member());
    assert!(rig.show("t").await.is_ok());
    assert!(rig.show("t").await.is_ok());
    assert_eq!(rig.fake.logins(), 1);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(rig.show("t").await.is_ok());
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (2, 3));
}

#[tokio::test]
async fn a_rejected_own_token_is_replaced_and_the_memory_wiped() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    rig.fake.knows("u", member());
    assert!(rig.show("t").await.is_ok());
    rig.fake.forgets_own();
    assert!(rig.show("u").await.is_ok());
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (2, 3));
    assert!(rig.show("t").await.is_ok());
    assert_eq!(rig.fake.validations(), 4);
}

#[tokio::test]
async fn an_application_credential_logs_in() {
    let rig = Rig::with(|config| {
        config.credential = ServiceCredential::ApplicationCredential {
            id: "ac".to_owned(),
            secret: SecretBytes::from("pass\"word".to_owned()),
        };
    })
    .await;
    rig.fake.knows("t", member());
    assert!(rig.show("t").await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_an_outage_and_not_hammered() {
    let rig = Rig::with(|config| config.credential = password("wrong")).await;
    for number in 0..10 {
        assert_eq!(rig.show(&format!("t{number}")).await, UNAVAILABLE);
    }
    assert_eq!(rig.fake.logins(), 3);
}

#[tokio::test]
async fn the_catalog_names_the_endpoint() {
    let inner = Fake::start().await;
    let outer = Fake::start().await;
    let entry = |interface: &str, region: &str, url: String| json!({"interface": interface, "region": region, "region_id": region, "url": url});
    outer.catalog(json!([
        {"type": "compute", "endpoints": [entry("internal", "r", "http://no".to_owned())]},
        {"type": "identity", "endpoints": [
            entry("public", "r", outer.url()),
            entry("internal", "other", outer.url()),
            entry("internal", "r", inner.url() + "/v3"),
        ]},
    ]));
    let mut config = config(&outer);
    config.interface = Some("internal".to_owned());
    config.region_name = Some("r".to_owned());
    let rig = Rig::on(outer, config);
    // The inner one does not know the own token: that it is asked is enough.
    assert_eq!(rig.show("t").await, UNAVAILABLE);
    assert_eq!((rig.fake.validations(), inner.validations()), (0, 2));

    let rig = Rig::with(|config| config.interface = Some("admin".to_owned())).await;
    rig.fake.catalog(json!([]));
    assert_eq!(rig.show("t").await, UNAVAILABLE);
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (1, 0));
}
