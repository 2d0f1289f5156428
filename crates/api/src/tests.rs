//! Requests through [`crate::Api::handle`] on fakes, without a connection.
//! Bodies are written by hand: a renamed field has to break a test.

mod access;
mod bounds;
mod compat;
mod containers;
mod document;
mod orders;
mod quotas;
mod route_table;
mod secret_stores;
mod tenant;
mod transport_keys;

use std::{num::NonZeroU32, sync::Arc};

use bytes::Bytes;
use donjon_app::{App, Bounds, OutsideStores, Policy, Ports, Startup};
use donjon_domain::{
    Actor, ProjectId, Quotas, Scope, UserId,
    ports::{BoxError, Health, RepositoryErrorKind},
};
use donjon_testkit::{
    FakeAuthenticator, FakeCrypto, FakeKeyGenerator, FakeWorkers, FixedClock, MemoryRepository,
    SeededEntropy, block_on, sample,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::{AccessRecord, Api, ApiConfig, ApiParts, CorsConfig, Limits, Peer, Refusal};

/// Small enough to be reached.
const BOUNDS: Bounds = Bounds {
    consumers: NonZeroU32::MIN.saturating_add(11),
    container_secrets: NonZeroU32::MIN.saturating_add(3),
    metadata_bytes: 2_000,
};

pub(crate) struct Rig {
    api: Api,
    repository: Arc<MemoryRepository>,
    clock: Arc<FixedClock>,
    workers: Arc<FakeWorkers>,
}

/// A runtime with several threads takes no other futures.
fn movable<F: Future + Send>(future: F) -> F {
    future
}

/// Tokens: `member`, `colleague`, `admin`, `admin-only`, `reader` of project `p`; `stranger`
/// and `foreign-admin` of project `q`.
fn callers() -> FakeAuthenticator {
    let actor = |user: &str, project: &str, roles: &[&str]| Actor {
        user: Some(UserId::new(user)),
        project: ProjectId::new(project),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        scope: Scope::Project,
        identity: None,
    };
    FakeAuthenticator::new()
        .with_token("member", actor("u", "p", &["member", "reader"]))
        .with_token("admin", actor("a", "p", &["admin", "member", "reader"]))
        .with_token("colleague", actor("c", "p", &["member", "reader"]))
        .with_token("reader", actor("r", "p", &["reader"]))
        .with_token("stranger", actor("s", "q", &["member", "reader"]))
        .with_token(
            "foreign-admin",
            actor("f", "q", &["admin", "member", "reader"]),
        )
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(callers())
    }

    /// One whose secret stores can be chosen from.
    pub(crate) fn with_stores() -> Self {
        Self::built(callers(), &[], true)
    }

    fn with(authenticator: FakeAuthenticator) -> Self {
        Self::built(authenticator, &[], false)
    }

    /// With configured addresses.
    fn reached_by(host_href: &[&str]) -> Self {
        Self::built(callers(), host_href, false)
    }

    fn built(authenticator: FakeAuthenticator, host_href: &[&str], multiple_stores: bool) -> Self {
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
        let secret_stores = match multiple_stores {
            true => vec![block_on(startup.secret_store()).unwrap()],
            false => Vec::new(),
        };
        let workers = Arc::new(FakeWorkers::new());
        let app = Arc::new(App::new(Ports {
            repository: repository.clone(),
            crypto,
            clock: clock.clone(),
            entropy: entropy.clone(),
            generator: Arc::new(FakeKeyGenerator::new()),
            workers: workers.clone(),
            policy: Policy::secure_rbac(),
            quotas: Quotas::UNLIMITED,
            bounds: BOUNDS,
            secret_stores,
            outside: OutsideStores::none(),
        }));
        let health = {
            let repository = Arc::clone(&repository);
            Arc::new(move || donjon_domain::ports::Repository::health(&*repository)) as _
        };
        let parts = ApiParts {
            app,
            authenticator: Arc::new(authenticator),
            clock: clock.clone(),
            entropy,
            health,
        };
        let api = Api::new(
            ApiConfig {
                host_href: host_href.iter().map(|url| (*url).to_owned()).collect(),
                www_authenticate_uri: None,
                limits: Limits::default(),
                cors: CorsConfig {
                    allowed_origin: vec!["https://ui.example.org".to_owned()],
                    ..CorsConfig::default()
                },
            },
            parts,
        );
        Self {
            api,
            repository,
            clock,
            workers,
        }
    }

    /// Sends `METHOD PATH` with the caller's token, headers and body.
    pub(crate) fn send(
        &self,
        token: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response<Bytes> {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "h");
        if !token.is_empty() {
            request = request.header("x-auth-token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body =
            Full::new(Bytes::copy_from_slice(body)).map_err(|never| -> BoxError { match never {} });
        let mut body = std::pin::pin!(body);
        let peer = Peer {
            is_loopback: true,
            is_trusted_proxy: false,
            is_tls: false,
        };
        block_on(movable(self.api.handle(&head, body.as_mut(), peer)))
    }

    pub(crate) fn json(&self, token: &str, line: &str, body: &Value) -> Response<Bytes> {
        self.send(
            token,
            line,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Response<Bytes> {
        self.send(token, &format!("GET {path}"), &[], b"")
    }

    /// Stores a text as `member` and returns the path of the secret.
    pub(crate) fn stored(&self, payload: &str) -> String {
        let body = json!({"name": "n", "payload": payload, "payload_content_type": "text/plain"});
        self.created(&body)
    }

    /// The same, and returns its id.
    fn stored_id(&self, payload: &str) -> String {
        let body = json!({"payload": payload, "payload_content_type": "text/plain"});
        let response = self.json("member", "POST /v1/secrets", &body);
        let reference = parsed(&response)["secret_ref"].as_str().unwrap().to_owned();
        reference.rsplit('/').next().unwrap().to_owned()
    }

    pub(crate) fn created(&self, body: &Value) -> String {
        let response = self.json("member", "POST /v1/secrets", body);
        assert_eq!(response.status(), 201, "{}", shown(&response));
        path_of(&response)
    }

    /// Makes a generic container as `member`, of names and paths of secrets, and
    /// returns its path.
    pub(crate) fn contained(&self, entries: &[(&str, &str)]) -> String {
        let refs = entries
            .iter()
            .map(|(name, path)| json!({"name": name, "secret_ref": format!("http://h{path}")}));
        let body = json!({"type": "generic", "secret_refs": refs.collect::<Vec<_>>()});
        let response = self.json("member", "POST /v1/containers", &body);
        assert_eq!(response.status(), 201, "{}", shown(&response));
        path_of(&response)
    }
}

/// The path of what a creation answered.
pub(crate) fn path_of(response: &Response<Bytes>) -> String {
    let body = parsed(response);
    let reference = body.get("secret_ref").or(body.get("container_ref"));
    reference
        .and_then(Value::as_str)
        .unwrap()
        .strip_prefix("http://h")
        .unwrap()
        .to_owned()
}

pub(crate) fn parsed(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

pub(crate) fn shown(response: &Response<Bytes>) -> String {
    format!(
        "{} {}",
        response.status(),
        String::from_utf8_lossy(response.body())
    )
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_secret_goes_round() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    let response = rig.send(
        "member",
        &format!("GET {path}/payload"),
        &[("accept", "text/plain")],
        b"",
    );
    assert_eq!(response.body(), &Bytes::from_static(b"hush"));
    let metadata = parsed(&rig.get("member", &path));
    let expected = json!({
        "created": "2026-01-02T03:04:05", "updated": "2026-01-02T03:04:05", "status": "ACTIVE", "name": "n",
        "secret_type": "opaque", "expiration": null, "algorithm": null, "bit_length": null, "mode": null,
        "creator_id": "u", "content_types": {"default": "text/plain"}, "secret_ref": format!("http://h{path}"),
    });
    assert_eq!(metadata["status"], expected["status"]);
    assert_eq!(
        metadata.as_object().unwrap().len(),
        expected.as_object().unwrap().len()
    );
    for key in [
        "name",
        "creator_id",
        "content_types",
        "secret_ref",
        "expiration",
    ] {
        assert_eq!(metadata[key], expected[key], "{key}");
    }
    assert_eq!(
        rig.send("member", &format!("DELETE {path}"), &[], b"")
            .status(),
        204
    );
    assert_eq!(rig.get("member", &path).status(), 404);
}

#[test]
fn every_answer_has_a_fresh_request_id_but_health_and_options() {
    let rig = Rig::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in [
        "/",
        "/v1",
        "/v1/secrets",
        "/v1/nothing",
        "/v2",
        "/v1/secrets/bad",
    ] {
        let response = rig.send(
            "member",
            &format!("GET {path}"),
            &[("x-openstack-request-id", "req-mine")],
            b"",
        );
        let id = header(&response, "x-openstack-request-id").to_owned();
        assert!(id.starts_with("req-") && id.len() == 40, "{path}: {id}");
        assert_eq!(
            response
                .extensions()
                .get::<AccessRecord>()
                .unwrap()
                .request_id
                .as_deref(),
            Some(id.as_str())
        );
        assert!(seen.insert(id));
    }
    for line in ["GET /healthcheck", "OPTIONS /v1/secrets"] {
        assert_eq!(
            header(&rig.send("", line, &[], b""), "x-openstack-request-id"),
            ""
        );
    }
}

#[test]
fn the_access_record_names_the_caller() {
    let rig = Rig::new();
    let response = rig.get("reader", "/v1/secrets");
    let record = response.extensions().get::<AccessRecord>().unwrap();
    assert_eq!(record.actor.as_ref().unwrap().user, Some(UserId::new("r")));
    assert!(
        rig.get("", "/v1/secrets")
            .extensions()
            .get::<AccessRecord>()
            .unwrap()
            .actor
            .is_none()
    );
}

#[test]
fn the_access_record_names_the_rule_that_refused() {
    let rig = Rig::new();
    let refused_by = |token: &str, path: &str| {
        let response = rig.get(token, path);
        let record = response.extensions().get::<AccessRecord>().unwrap();
        record.refused_by.clone()
    };
    let refused = refused_by("reader", "/v1/secrets").unwrap();
    assert_eq!(refused.rule, "secrets:get");
    assert_eq!(refused.missing_roles, ["member"]);
    assert_eq!(refused_by("member", "/v1/secrets"), None);
    assert_eq!(refused_by("", "/v1/secrets"), None);
}

/// clients.md 3.0 point 5: three kinds of clients read the body of a 401.
#[test]
fn unauthorized_has_the_keys_of_all_clients() {
    let rig = Rig::new();
    for token in ["", "wrong"] {
        let response = rig.get(token, "/v1/secrets");
        assert_eq!(response.status(), 401);
        assert_eq!(
            header(&response, "www-authenticate"),
            "Keystone uri=\"http://h\""
        );
        let body = parsed(&response);
        assert_eq!(
            (&body["code"], &body["title"]),
            (&json!(401), &json!("Unauthorized"))
        );
        assert!(body["description"].is_string() && body["error"]["message"].is_string());
        assert_eq!(
            (&body["error"]["code"], &body["error"]["title"]),
            (&json!(401), &json!("Unauthorized"))
        );
    }
}

#[test]
fn an_outage_of_the_authenticator_is_503_not_401() {
    let rig = Rig::with(callers().unavailable());
    let response = rig.get("member", "/v1/secrets");
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "1");
}

#[test]
fn failures_of_storage_have_the_shape_of_errors() {
    let rig = Rig::new();
    rig.stored("first, so that there is a key");
    for (kind, status) in [
        (RepositoryErrorKind::Full, 503),
        (RepositoryErrorKind::Overloaded, 503),
        (RepositoryErrorKind::Unavailable, 503),
        (RepositoryErrorKind::OutcomeUnknown, 500),
        (RepositoryErrorKind::Corrupt, 500),
    ] {
        rig.repository.fail_next_write(kind);
        let response = rig.json("member", "POST /v1/secrets", &json!({}));
        assert_eq!(response.status(), status, "{kind:?}");
        assert_eq!(header(&response, "retry-after").is_empty(), status == 500);
        let body = parsed(&response);
        assert_eq!(body["code"], json!(status));
        assert!(body["title"].is_string() && body["description"].is_string());
    }
}

#[test]
fn health_is_told_without_identity() {
    let rig = Rig::new();
    let check = |health, status: u16, word: &str| {
        rig.repository.set_health(health);
        let response = rig.get("", "/healthcheck");
        assert_eq!(
            (response.status().as_u16(), &response.body()[..]),
            (status, word.as_bytes())
        );
    };
    check(Health::Good, 200, "OK");
    check(Health::Full, 200, "degraded");
    check(Health::Stopped, 503, "writes have stopped");
}

#[test]
fn a_full_disk_refuses_to_create_and_still_reads_and_deletes() {
    let rig = Rig::new();
    let path = rig.stored("kept");
    let entries = format!("{}/secrets", rig.contained(&[("e", &path)]));
    let entry = json!({"name": "e", "secret_ref": format!("http://h{path}")});
    rig.repository.set_health(Health::Full);
    assert_eq!(
        rig.json("member", "POST /v1/secrets", &json!({})).status(),
        503
    );
    assert_eq!(
        rig.get("member", &format!("{path}/payload")).body(),
        &Bytes::from_static(b"kept")
    );
    let removed = rig.json("member", &format!("DELETE {entries}"), &entry);
    assert_eq!(removed.status(), 204);
    let added = rig.json("member", &format!("POST {entries}"), &entry);
    assert_eq!(added.status(), 409, "the removal was noted all the same");
    assert_eq!(
        rig.send("member", &format!("DELETE {path}"), &[], b"")
            .status(),
        204
    );
}

#[test]
fn expired_secrets_are_not_found() {
    let rig = Rig::new();
    let path = rig.created(&json!({"expiration": sample::NOW.plus_seconds(60).to_string()}));
    assert_eq!(rig.get("member", &path).status(), 200);
    rig.clock.advance_seconds(60);
    assert_eq!(rig.get("member", &path).status(), 404);
    assert_eq!(
        parsed(&rig.get("member", "/v1/secrets")),
        json!({"secrets": [], "total": 0})
    );
}

/// As Barbican takes it: many say by this date that it never ends.
#[test]
fn an_expiration_at_the_end_of_time_is_taken() {
    let rig = Rig::new();
    for (sent, shown) in [
        ("9999-12-31T23:59:59", "9999-12-31T23:59:59"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
        ("9999-12-31T23:59:59+12:00", "9999-12-31T11:59:59"),
    ] {
        let path = rig.created(&json!({"expiration": sent}));
        assert_eq!(parsed(&rig.get("member", &path))["expiration"], shown);
        let line = format!("/v1/secrets?expiration={sent}").replace('+', "%2B");
        assert_eq!(parsed(&rig.get("member", &line))["total"], 1, "{line}");
    }
    let beyond = json!({"expiration": "9999-12-31T23:59:59-00:01"});
    let refused = rig.json("member", "POST /v1/secrets", &beyond);
    assert_eq!(refused.status(), 400, "{}", shown(&refused));
}

#[test]
fn undecodable_base64_in_a_put_is_the_clients_error() {
    let rig = Rig::new();
    let path = rig.created(&json!({}));
    let headers = [
        ("content-type", "application/octet-stream"),
        ("content-encoding", "base64"),
    ];
    let response = rig.send("member", &format!("PUT {path}"), &headers, b"abc");
    assert_eq!(response.status(), 400);
    assert_eq!(
        parsed(&response)["description"],
        "Secret update issue seen - Problem decoding payload."
    );
    assert_eq!(rig.get("member", &format!("{path}/payload")).status(), 404);
}

#[test]
fn refusals_of_the_transport_have_the_shape_of_errors() {
    let rig = Rig::new();
    for (why, status) in [
        (Refusal::Malformed, 400),
        (Refusal::Overloaded, 503),
        (Refusal::TimedOut, 503),
        (Refusal::Panicked, 500),
    ] {
        let response = rig.api.refuse(why);
        assert_eq!(response.status(), status);
        assert_eq!(parsed(&response)["code"], json!(status));
        assert!(header(&response, "x-openstack-request-id").starts_with("req-"));
    }
}

/// CVE-2022-3100: nothing in a query reaches a rule.
#[test]
fn cve_2022_3100_a_query_does_not_reach_the_policy() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    for query in [
        "target.secret.read=read",
        "target.secret.read_project_access=True",
        "target.secret.project_id=q",
    ] {
        let response = rig.get("stranger", &format!("{path}/payload?{query}"));
        assert_eq!(response.status(), 403, "{query}");
    }
}

/// CVE-2022-23451: metadata is guarded like its secret.
#[test]
fn cve_2022_23451_metadata_of_another_project_is_refused() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    assert_eq!(
        rig.json(
            "member",
            &format!("PUT {path}/metadata"),
            &json!({"metadata": {"k": "v"}})
        )
        .status(),
        201
    );
    for token in ["stranger", "foreign-admin"] {
        assert_eq!(rig.get(token, &format!("{path}/metadata")).status(), 403);
        assert_eq!(
            rig.json(
                token,
                &format!("PUT {path}/metadata"),
                &json!({"metadata": {}})
            )
            .status(),
            403
        );
        assert_eq!(
            rig.send(token, &format!("DELETE {path}/metadata/k"), &[], b"")
                .status(),
            403
        );
    }
    assert_eq!(
        parsed(&rig.get("member", &format!("{path}/metadata"))),
        json!({"metadata": {"k": "v"}})
    );
}

#[test]
fn pages_of_allowed_origins_read_every_answer() {
    let rig = Rig::new();
    let origin = ("origin", "https://ui.example.org");
    for (token, line) in [
        ("member", "GET /v1/secrets"),
        ("", "GET /v1/secrets"),
        ("reader", "GET /v1/secrets"),
        ("member", "GET /v1/nothing"),
        ("", "GET /"),
    ] {
        let response = rig.send(token, line, &[origin], b"");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            origin.1,
            "{line} as {token:?}"
        );
    }
    let headers = [
        origin,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-auth-token"),
    ];
    let preflight = rig.send("", "OPTIONS /v1/secrets", &headers, b"");
    assert_eq!(preflight.status(), 200);
    assert_eq!(header(&preflight, "access-control-allow-methods"), "PUT");
    let stranger = [("origin", "https://evil.example.org")];
    let response = rig.send("member", "GET /v1/secrets", &stranger, b"");
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), "");
}
