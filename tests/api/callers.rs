//! Who may do what, in `tokens` mode: every route for callers of every kind.
//!
//! The expectations are the columns R, M, PA, FA of Barbican's default rules, and what a request without a valid
//! token gets.

use serde_json::{Value, json};

use crate::support::{Caller, Response, Server, path_of};

/// A call, and what each of [`Cast::all`] gets.
struct Call {
    line: &'static str,
    body: Body,
    expected: [u16; 7],
}

enum Body {
    None,
    Text,
    Json(&'static str),
}

const CONSUMER: &str = r#"{"service": "s", "resource_type": "t", "resource_id": "r"}"#;

const USER: &str = r#"{"name": "n", "URL": "u"}"#;

const ORDER: &str = r#"{"type": "key", "meta": {"algorithm": "aes", "bit_length": 128}}"#;

const OLDEST_ORDER: &str = r#"{"secret": {"algorithm": "aes", "bit_length": 128}}"#;

const QUOTAS: &str = r#"{"project_quotas": {"secrets": -1}}"#;

/// `{s}` is the path of the secret, `{c}` that of the container, `{o}` that of the order; `{t}`, `{u}` and `{p}` are the
/// same in the oldest form. In bodies `{s}` is the reference of the secret.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    // no token, unknown token, reader, member, admin, member elsewhere, admin elsewhere
    call("GET /", Body::None, [300, 300, 300, 300, 300, 300, 300]),
    call("GET /healthcheck", Body::None, [200, 200, 200, 200, 200, 200, 200]),
    call("GET /v2", Body::None, [404, 404, 404, 404, 404, 404, 404]),
    call("GET /v1", Body::None, [401, 401, 200, 200, 200, 200, 200]),
    call("GET /v1/", Body::None, [401, 401, 200, 200, 200, 200, 200]),
    call("GET /v1/nothing", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET /v1/secrets", Body::None, [401, 401, 403, 200, 403, 200, 403]),
    call("POST /v1/secrets", Body::Json("{}"), [401, 401, 403, 201, 403, 201, 403]),
    call("PUT /v1/secrets", Body::Text, [401, 401, 405, 405, 405, 405, 405]),
    call("GET {s}", Body::None, [401, 401, 403, 200, 200, 403, 200]),
    call("PUT {s}", Body::Text, [401, 401, 403, 409, 409, 403, 403]),
    call("POST {s}", Body::Json("{}"), [401, 401, 405, 405, 405, 405, 405]),
    call("DELETE {s}", Body::None, [401, 401, 403, 204, 204, 403, 204]),
    call("GET {s}/payload", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("GET {s}/nothing", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET {s}/metadata", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("PUT {s}/metadata", Body::Json(r#"{"metadata": {"a": "b"}}"#), [401, 401, 403, 201, 201, 403, 403]),
    call("POST {s}/metadata", Body::Json(r#"{"key": "a", "value": "b"}"#), [401, 401, 403, 201, 201, 403, 403]),
    call("GET {s}/metadata/k", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("PUT {s}/metadata/k", Body::Json(r#"{"key": "k", "value": "b"}"#), [401, 401, 403, 200, 200, 403, 403]),
    call("DELETE {s}/metadata/k", Body::None, [401, 401, 403, 204, 204, 403, 403]),
    call("GET {s}/acl", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("PUT {s}/acl", Body::Json(r#"{"read": {"users": ["u"]}}"#), [401, 401, 403, 200, 200, 403, 403]),
    call("PATCH {s}/acl", Body::Json(r#"{"read": {"users": ["u"]}}"#), [401, 401, 403, 200, 200, 403, 403]),
    call("DELETE {s}/acl", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("GET {s}/consumers", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("POST {s}/consumers", Body::Json(CONSUMER), [401, 401, 403, 200, 200, 403, 403]),
    call("DELETE {s}/consumers", Body::Json(CONSUMER), [401, 401, 403, 200, 200, 403, 403]),
    // Ids of consumers are shown nowhere, so nobody finds one. The rule knows containers only, and admins.
    call("GET {s}/consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11", Body::None, [401, 401, 403, 403, 404, 403, 404]),
    call("GET /v1/containers", Body::None, [401, 401, 403, 200, 403, 200, 403]),
    call("POST /v1/containers", Body::Json(r#"{"type": "rsa"}"#), [401, 401, 403, 201, 403, 201, 403]),
    call("PUT /v1/containers", Body::Text, [401, 401, 405, 405, 405, 405, 405]),
    call("GET {c}", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("PUT {c}", Body::Text, [401, 401, 405, 405, 405, 405, 405]),
    call("DELETE {c}", Body::None, [401, 401, 403, 204, 204, 403, 403]),
    call("GET {c}/nothing", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET {c}/secrets", Body::None, [401, 401, 405, 405, 405, 405, 405]),
    call("POST {c}/secrets", Body::Json(r#"{"name": "x", "secret_ref": "{s}"}"#), [401, 401, 403, 201, 201, 403, 403]),
    call("DELETE {c}/secrets", Body::Json(r#"{"name": "e", "secret_ref": "{s}"}"#), [401, 401, 403, 204, 204, 403, 403]),
    call("GET {c}/acl", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("PUT {c}/acl", Body::Json(r#"{"read": {"users": ["u"]}}"#), [401, 401, 403, 200, 200, 403, 403]),
    call("PATCH {c}/acl", Body::Json(r#"{"read": {"users": ["u"]}}"#), [401, 401, 403, 200, 200, 403, 403]),
    call("DELETE {c}/acl", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("GET {c}/consumers", Body::None, [401, 401, 403, 200, 200, 403, 403]),
    call("POST {c}/consumers", Body::Json(USER), [401, 401, 403, 200, 200, 403, 403]),
    call("DELETE {c}/consumers", Body::Json(USER), [401, 401, 403, 200, 200, 403, 403]),
    call("GET {c}/consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11", Body::None, [401, 401, 403, 404, 404, 403, 404]),
    call("GET /v1/orders", Body::None, [401, 401, 403, 200, 403, 200, 403]),
    call("POST /v1/orders", Body::Json(ORDER), [401, 401, 403, 202, 403, 202, 403]),
    call("PUT /v1/orders", Body::Json(ORDER), [401, 401, 403, 405, 403, 405, 403]),
    call("GET {o}", Body::None, [401, 401, 403, 200, 403, 404, 404]),
    call("PUT {o}", Body::Text, [401, 401, 405, 405, 405, 404, 404]),
    call("DELETE {o}", Body::None, [401, 401, 403, 204, 403, 404, 404]),
    call("GET {o}/nothing", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET /v1/quotas", Body::None, [401, 401, 200, 403, 403, 403, 403]),
    call("GET /v1/project-quotas", Body::None, [401, 401, 403, 403, 200, 403, 200]),
    call("GET /v1/project-quotas/home", Body::None, [401, 401, 403, 403, 404, 403, 404]),
    call("PUT /v1/project-quotas/none", Body::Json(QUOTAS), [401, 401, 403, 403, 204, 403, 204]),
    call("DELETE /v1/project-quotas/home", Body::None, [401, 401, 403, 403, 404, 403, 404]),
    // There is no choice of stores unless one is configured.
    call("GET /v1/secret-stores", Body::None, [401, 401, 404, 403, 403, 403, 403]),
    call("GET /v1/secret-stores/global-default", Body::None, [401, 401, 404, 403, 403, 403, 403]),
    call("GET /v1/secret-stores/preferred", Body::None, [401, 401, 404, 403, 403, 403, 403]),
    call("GET /v1/secret-stores/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("POST /v1/secret-stores/x/preferred", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("DELETE /v1/secret-stores/x/preferred", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET /v1/transport_keys", Body::None, [401, 401, 200, 403, 403, 403, 403]),
    call("POST /v1/transport_keys", Body::Json(r#"{"plugin_name": "p", "transport_key": "k"}"#), [401, 401, 403, 403, 201, 403, 201]),
    call("GET /v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11", Body::None, [401, 401, 404, 403, 403, 403, 403]),
    call("DELETE /v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11", Body::None, [401, 401, 403, 403, 404, 403, 404]),
    call("GET /v1/cas", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET /v1/consumers/x/consumers", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    // The oldest form. What belongs to another tenant is not found at all.
    call("GET /v1/home/secrets", Body::None, [401, 401, 403, 200, 403, 404, 404]),
    call("POST /v1/home/secrets", Body::Json("{}"), [401, 401, 403, 201, 403, 404, 404]),
    call("GET {t}", Body::None, [401, 401, 403, 200, 200, 404, 404]),
    call("PUT {t}", Body::Text, [401, 401, 403, 409, 409, 404, 404]),
    call("DELETE {t}", Body::None, [401, 401, 403, 204, 204, 404, 404]),
    call("GET /v1/home/containers", Body::None, [401, 401, 403, 200, 403, 404, 404]),
    call("POST /v1/home/containers", Body::Json(r#"{"type": "rsa"}"#), [401, 401, 403, 201, 403, 404, 404]),
    call("GET {u}", Body::None, [401, 401, 403, 200, 200, 404, 404]),
    call("DELETE {u}", Body::None, [401, 401, 403, 204, 204, 404, 404]),
    call("GET {u}/consumers", Body::None, [401, 401, 403, 200, 200, 404, 404]),
    call("POST {u}/consumers", Body::Json(USER), [401, 401, 403, 200, 200, 404, 404]),
    call("DELETE {u}/consumers", Body::Json(USER), [401, 401, 403, 200, 200, 404, 404]),
    call("GET {u}/secrets", Body::None, [401, 401, 404, 404, 404, 404, 404]),
    call("GET /v1/home/orders", Body::None, [401, 401, 403, 200, 403, 404, 404]),
    call("POST /v1/home/orders", Body::Json(OLDEST_ORDER), [401, 401, 403, 201, 403, 404, 404]),
    call("GET {p}", Body::None, [401, 401, 403, 200, 403, 404, 404]),
    call("DELETE {p}", Body::None, [401, 401, 405, 405, 405, 404, 404]),
    call("GET /v1/home/quotas", Body::None, [401, 401, 200, 403, 403, 404, 404]),
    call("GET /v1/home/project-quotas", Body::None, [401, 401, 403, 403, 200, 404, 404]),
    call("GET /v1/home/project-quotas/home", Body::None, [401, 401, 403, 403, 404, 404, 404]),
    call("PUT /v1/home/project-quotas/none", Body::Json(QUOTAS), [401, 401, 403, 403, 204, 404, 404]),
    call("DELETE /v1/home/project-quotas/home", Body::None, [401, 401, 403, 403, 404, 404, 404]),
];

const fn call(line: &'static str, body: Body, expected: [u16; 7]) -> Call {
    Call {
        line,
        body,
        expected,
    }
}

/// Callers of every kind, of the project `home` but for the last two.
struct Cast {
    server: Server,
    owner: Caller,
    all: [(&'static str, Caller); 7],
}

impl Cast {
    fn new() -> Self {
        let server = Server::new("tokens");
        let holder = |project, user, role| server.caller(project, user, &[role]);
        let all = [
            ("no token", server.nobody()),
            ("an unknown token", server.holder("djn_7f3c1f6e")),
            ("a reader", holder("home", "reader", "reader")),
            ("a member", holder("home", "member", "member")),
            ("an admin", holder("home", "admin", "admin")),
            ("a member elsewhere", holder("away", "stranger", "member")),
            ("an admin elsewhere", holder("away", "boss", "admin")),
        ];
        let owner = holder("home", "owner", "member");
        Self { server, owner, all }
    }

    /// A secret and a container with everything that the calls want to find.
    fn things(&self) -> Things {
        let secret = self.secret();
        let reference = format!("{}{secret}", self.server.base());
        let entry = json!({"name": "e", "secret_ref": reference});
        let body = json!({"type": "generic", "secret_refs": [entry]});
        let created = self.owner.json("POST /v1/containers", &body).ok(201);
        let container = path_of(created["container_ref"].as_str().unwrap()).to_owned();
        let consumer: Value = serde_json::from_str(USER).unwrap();
        let line = format!("POST {container}/consumers");
        self.owner.json(&line, &consumer).ok(200);
        let body: Value = serde_json::from_str(ORDER).unwrap();
        let ordered = self.owner.json("POST /v1/orders", &body).ok(202);
        Things {
            secret,
            container,
            order: path_of(ordered["order_ref"].as_str().unwrap()).to_owned(),
            reference,
        }
    }

    /// A secret with everything that the calls want to find.
    fn secret(&self) -> String {
        let path = self.owner.store(HUSH);
        let metadata = json!({"metadata": {"k": HUSH}});
        self.owner
            .json(&format!("PUT {path}/metadata"), &metadata)
            .ok(201);
        let consumer: Value = serde_json::from_str(CONSUMER).unwrap();
        self.owner
            .json(&format!("POST {path}/consumers"), &consumer)
            .ok(200);
        path
    }

    /// All that a secret and a container show to their owner.
    fn seen(&self, things: &Things) -> Vec<String> {
        let Things {
            secret, container, ..
        } = things;
        let of_secret = ["", "/payload", "/metadata", "/acl", "/consumers"]
            .map(|below| format!("GET {secret}{below}"));
        let of_container =
            ["", "/acl", "/consumers"].map(|below| format!("GET {container}{below}"));
        let lines = of_secret.iter().chain(&of_container);
        lines.map(|line| self.owner.call(line).text()).collect()
    }
}

/// Paths of a secret, of a container that it is in and of an order, and the reference of the secret.
struct Things {
    secret: String,
    container: String,
    order: String,
    reference: String,
}

const HUSH: &str = "hush, nobody may see this";

impl Call {
    fn send(&self, caller: &Caller, things: &Things) -> Response {
        let Things {
            secret,
            container,
            order,
            ..
        } = things;
        let today = [("{s}", secret), ("{c}", container), ("{o}", order)];
        let oldest = [("{t}", secret), ("{u}", container), ("{p}", order)]
            .map(|(name, path)| (name, path.replace("/v1/", "/v1/home/")));
        let today = today.map(|(name, path)| (name, path.clone()));
        let line = today
            .iter()
            .chain(&oldest)
            .fold(self.line.to_owned(), |line, (name, path)| {
                line.replace(name, path)
            });
        match self.body {
            Body::None => caller.call(&line),
            Body::Text => caller.send(&line, &[("Content-Type", "text/plain")], b"text"),
            Body::Json(body) => {
                let body = body.replace("{s}", &things.reference);
                caller.json(&line, &serde_json::from_str(&body).unwrap())
            }
        }
    }
}

#[test]
fn every_route_for_every_caller() {
    let cast = Cast::new();
    for call in CALLS {
        for ((who, caller), expected) in cast.all.iter().zip(call.expected) {
            let things = cast.things();
            let before = cast.seen(&things);
            let response = call.send(caller, &things);
            let what = format!(
                "{} as {who}: {}{}",
                call.line,
                response.head,
                response.text()
            );
            assert_eq!(response.status, expected, "{what}");
            if expected >= 400 {
                assert!(!response.text().contains(HUSH), "{what}");
                assert_eq!(cast.seen(&things), before, "{what}");
            }
            if expected == 401 {
                response.is(401, "The request you have made requires authentication.");
            }
        }
    }
}

#[test]
fn refusals_say_which_operation() {
    let cast = Cast::new();
    let things = cast.things();
    let (_, reader) = &cast.all[2];
    for (line, body, operation) in [
        ("GET /v1/secrets", None, "Secret(s) retrieval"),
        ("POST /v1/secrets", Some(json!({})), "Secret creation"),
        ("GET {s}", None, "Secret retrieval"),
        ("DELETE {s}", None, "Secret deletion"),
        ("GET {s}/payload", None, "Secret payload retrieval"),
        ("GET {s}/metadata", None, "Secret metadata retrieval"),
        ("GET {s}/acl", None, "SecretACL(s) retrieval"),
        ("GET {s}/consumers", None, "SecretConsumers(s) retrieval"),
        ("GET /v1/containers", None, "Containers(s) retrieval"),
        ("POST /v1/containers", Some(json!({})), "Container creation"),
        ("GET {c}", None, "Container retrieval"),
        ("DELETE {c}", None, "Container deletion"),
        (
            "POST {c}/secrets",
            Some(json!({})),
            "Container Secret creation",
        ),
        ("DELETE {c}/secrets", None, "Container Secret deletion"),
        ("GET {c}/acl", None, "ContainerACL(s) retrieval"),
        ("PUT {c}/acl", Some(json!({})), "ContainerACL(s) Update"),
        ("DELETE {c}/acl", None, "ContainerACL(s) deletion"),
        ("GET {c}/consumers", None, "ContainerConsumers(s) retrieval"),
        (
            "POST {c}/consumers",
            Some(json!({})),
            "ContainerConsumer creation",
        ),
        (
            "DELETE {c}/consumers",
            Some(json!({})),
            "ContainerConsumer deletion",
        ),
    ] {
        let line = line
            .replace("{s}", &things.secret)
            .replace("{c}", &things.container);
        let response = match body {
            Some(body) => reader.json(&line, &body),
            None => reader.call(&line),
        };
        let text =
            format!("{operation} attempt not allowed - please review your user/project privileges");
        response.is(403, &text);
    }
}

// === tokens ===

#[test]
fn a_401_has_the_keys_that_all_clients_read() {
    let server = Server::new("tokens");
    let base = server.base();
    let tokens = [
        "",
        "djn_",
        "x",
        &"x".repeat(3000),
        "djn_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ];
    for token in tokens {
        let response = server.holder(token).call("GET /v1/secrets");
        let body = response.ok(401);
        let text = "The request you have made requires authentication.";
        assert_eq!(
            body,
            json!({"code": 401, "title": "Unauthorized", "description": text,
                "error": {"code": 401, "title": "Unauthorized", "message": text}}),
            "{token}"
        );
        assert_eq!(
            response.header("www-authenticate"),
            Some(format!("Keystone uri=\"{base}\""))
        );
        assert!(response.header("x-openstack-request-id").is_some());
    }
}

// === what others got wrong ===

/// Identity headers as clients may send them: in `tokens` mode they say nothing.
#[test]
fn cve_2026_22797_identity_headers_are_ignored_in_tokens_mode() {
    let cast = Cast::new();
    let secret = cast.secret();
    let forged: &[(&str, &str)] = &[
        ("X-Project-Id", "home"),
        ("X-Tenant-Id", "home"),
        ("X-Tenant", "home"),
        ("X-User-Id", "owner"),
        ("X-User", "owner"),
        ("X-Roles", "admin,member,reader"),
        ("X-Role", "admin"),
        ("X-Domain-Id", ""),
        ("X-Identity-Status", "Confirmed"),
        ("X-Is-Admin-Project", "True"),
        ("OpenStack-System-Scope", "all"),
        ("X-Service-Token", "x"),
        ("X-Service-Roles", "admin"),
    ];
    for (who, caller) in &cast.all {
        for call in CALLS {
            let before = call.send(caller, &cast.things()).status;
            let with_all = forged
                .iter()
                .fold(caller.with("X-Forged", "1"), |caller, (name, value)| {
                    caller.with(name, value)
                });
            let after = call.send(&with_all, &cast.things()).status;
            assert_eq!(after, before, "{} as {who}", call.line);
        }
    }
    // Each of them alone, at what a stranger must not see.
    let (_, stranger) = &cast.all[5];
    for (name, value) in forged {
        let forger = stranger.with(name, value);
        assert_eq!(
            forger.call(&format!("GET {secret}/payload")).status,
            403,
            "{name}"
        );
        assert_eq!(
            forger.call("GET /v1/secrets").ok(200)["total"],
            forger_total(stranger),
            "{name}"
        );
    }
    // A domain says nothing either: the token alone decides.
    let (_, member) = &cast.all[3];
    member
        .with("X-Domain-Id", "d")
        .call(&format!("GET {secret}"))
        .ok(200);
}

fn forger_total(caller: &Caller) -> Value {
    caller.call("GET /v1/secrets").ok(200)["total"].clone()
}

#[test]
fn cve_2022_3100_a_query_does_not_change_the_policy_target() {
    let cast = Cast::new();
    let Things {
        secret, container, ..
    } = cast.things();
    let (_, stranger) = &cast.all[5];
    for query in [
        "target.secret.read=read",
        "target.secret.project_id=away",
        "target.secret.creator_id=stranger",
        "target.secret.read_project_access=True",
        "project_id=away",
        "creator_id=stranger",
        "enforce_new_defaults=False",
        "read=read&target.secret.project_id=away&target.secret.read=read",
    ] {
        for below in ["/payload", "/metadata", "/acl", "/consumers", ""] {
            let response = stranger.call(&format!("GET {secret}{below}?{query}"));
            assert_eq!(response.status, 403, "{below}?{query}");
        }
        let query = query.replace(".secret.", ".container.");
        for below in ["", "/acl", "/consumers"] {
            let response = stranger.call(&format!("GET {container}{below}?{query}"));
            assert_eq!(response.status, 403, "{below}?{query}");
        }
    }
}

#[test]
fn cve_2022_23451_user_metadata_of_another_project_is_out_of_reach() {
    let cast = Cast::new();
    let things = cast.things();
    let (_, admin_elsewhere) = &cast.all[6];
    let before = cast.seen(&things);
    for (line, body) in [
        ("GET {s}/metadata", None),
        ("GET {s}/metadata/k", None),
        ("PUT {s}/metadata", Some(json!({"metadata": {}}))),
        ("POST {s}/metadata", Some(json!({"key": "n", "value": "v"}))),
        (
            "PUT {s}/metadata/k",
            Some(json!({"key": "k", "value": "v"})),
        ),
        ("DELETE {s}/metadata/k", None),
    ] {
        let line = line.replace("{s}", &things.secret);
        let response = match body {
            Some(body) => admin_elsewhere.json(&line, &body),
            None => admin_elsewhere.call(&line),
        };
        assert_eq!(response.status, 403, "{line}");
    }
    assert_eq!(cast.seen(&things), before);
}

#[test]
fn cve_2022_23452_containers_of_another_project_are_left_alone() {
    let cast = Cast::new();
    let things = cast.things();
    let (_, admin_elsewhere) = &cast.all[6];
    // One who may make secrets where the attack comes from.
    let intruder = cast.server.caller("away", "boss", &["admin", "member"]);
    let evil = format!("{}{}", cast.server.base(), intruder.store("evil"));
    let before = cast.seen(&things);
    for caller in [admin_elsewhere, &intruder] {
        for (method, name, reference) in [
            ("POST", "evil", &evil),
            ("POST", "again", &things.reference),
            ("DELETE", "e", &things.reference),
        ] {
            let line = format!("{method} {}/secrets", things.container);
            let body = json!({"name": name, "secret_ref": reference});
            assert_eq!(caller.json(&line, &body).status, 403, "{line} {body}");
        }
        let line = format!("DELETE {}", things.container);
        assert_eq!(caller.call(&line).status, 403);
    }
    assert_eq!(cast.seen(&things), before);
}

// === ACLs ===

#[test]
fn a_private_secret_is_closed_to_its_project_and_open_to_those_it_names() {
    let cast = Cast::new();
    let secret = cast.secret();
    let acl = json!({"read": {"project-access": false, "users": ["friend"]}});
    cast.owner.json(&format!("PUT {secret}/acl"), &acl).ok(200);
    let friend = cast.server.caller("away", "friend", &["nothing"]);
    let namesake = cast.server.caller("home", "friend2", &["member"]);
    // The secret, its payload, its user metadata, its consumers, its ACL.
    let reach = |caller: &Caller| {
        ["", "/payload", "/metadata", "/consumers", "/acl"]
            .map(|below| caller.call(&format!("GET {secret}{below}")).status)
    };
    assert_eq!(reach(&cast.owner), [200; 5]);
    assert_eq!(reach(&cast.all[3].1), [403; 5], "another member");
    assert_eq!(reach(&cast.all[4].1), [200; 5], "an admin of the project");
    assert_eq!(reach(&friend), [200, 200, 200, 200, 403], "who is named");
    assert_eq!(reach(&namesake), [403; 5]);
    assert_eq!(
        reach(&cast.all[6].1),
        [200, 403, 403, 403, 403],
        "an admin elsewhere sees metadata, as in Barbican"
    );
    for line in ["PUT {s}", "DELETE {s}"] {
        let line = line.replace("{s}", &secret);
        let response = friend.send(&line, &[("Content-Type", "text/plain")], b"x");
        assert_eq!(response.status, 403, "{line}");
    }
    // The one that is named finds it, across projects.
    let friend = cast.server.caller("away", "friend", &["member"]);
    let list = friend.call("GET /v1/secrets?acl_only=true").ok(200);
    assert_eq!(
        (
            list["total"].clone(),
            list["secrets"][0]["creator_id"].clone()
        ),
        (json!(1), json!("owner"))
    );
    assert_eq!(friend.call("GET /v1/secrets").ok(200)["total"], 0);
    // Members still see it in lists, as in Barbican.
    assert_eq!(cast.all[3].1.call("GET /v1/secrets").ok(200)["total"], 1);
    cast.owner.call(&format!("DELETE {secret}/acl")).ok(200);
    assert_eq!(reach(&friend), [403; 5]);
    assert_eq!(reach(&cast.all[3].1), [200; 5]);
}
