//! Every route and method, for every kind of caller. The table is held against
//! the routes: one that is missing here does not compile or fails.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Rig,
    route_table::{methods, resources},
    shown,
};
use crate::route::{Resource, Route};

/// A call, and what each caller gets: without a token, as reader, as member,
/// as admin, as member of another project, as admin of another project.
struct Call {
    method: &'static str,
    /// Below the secret; below the container or the order where it starts with
    /// `{container}` or `{order}`; from the root where it starts with a slash.
    path: &'static str,
    body: Body,
    expected: [u16; 6],
}

enum Body {
    None,
    Json(fn() -> Value),
    Text,
}

const TOKENS: [&str; 6] = ["", "reader", "member", "admin", "stranger", "foreign-admin"];

const CALLS: &[Call] = &[
    call("GET", "/", Body::None, [300, 300, 300, 300, 300, 300]),
    call(
        "GET",
        "/healthcheck",
        Body::None,
        [200, 200, 200, 200, 200, 200],
    ),
    call("GET", "/v2", Body::None, [404, 404, 404, 404, 404, 404]),
    call("GET", "/v1", Body::None, [401, 200, 200, 200, 200, 200]),
    call(
        "GET",
        "/v1/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secrets",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/secrets",
        Body::Json(|| json!({})),
        [401, 403, 201, 201, 201, 201],
    ),
    call("GET", "", Body::None, [401, 403, 200, 200, 403, 200]),
    call("PUT", "", Body::Text, [401, 403, 409, 409, 403, 403]),
    call("DELETE", "", Body::None, [401, 403, 204, 204, 403, 204]),
    call("GET", "nothing", Body::None, [401, 404, 404, 404, 404, 404]),
    call("GET", "payload", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "GET",
        "metadata",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "metadata",
        Body::Json(|| json!({"metadata": {"a": "b"}})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "POST",
        "metadata",
        Body::Json(|| json!({"key": "x", "value": "y"})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "GET",
        "metadata/k",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "metadata/k",
        Body::Json(|| json!({"key": "k", "value": "y"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "metadata/k",
        Body::Json(|| json!({"key": "k", "value": "y"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "metadata/k",
        Body::None,
        [401, 403, 204, 204, 403, 403],
    ),
    call("GET", "acl", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "PUT",
        "acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PATCH",
        "acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call("DELETE", "acl", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "GET",
        "consumers",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "consumers",
        Body::Json(consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "consumers",
        Body::Json(consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "/v1/orders",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/orders",
        Body::Json(key_order),
        [401, 403, 202, 202, 202, 202],
    ),
    call(
        "PUT",
        "/v1/orders",
        Body::Json(key_order),
        [401, 403, 405, 405, 405, 405],
    ),
    call("GET", "{order}", Body::None, [401, 403, 200, 200, 404, 404]),
    call(
        "DELETE",
        "{order}",
        Body::None,
        [401, 403, 204, 204, 404, 404],
    ),
    call(
        "GET",
        "{order}/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    // Ids of consumers are shown nowhere, so nobody finds one. The rule speaks
    // of containers, so of those who ask about a secret it knows admins only.
    call(
        "GET",
        "consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 403, 404, 403, 404],
    ),
    call(
        "GET",
        "/v1/containers",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/containers",
        Body::Json(|| json!({"type": "generic"})),
        [401, 403, 201, 201, 201, 201],
    ),
    call(
        "GET",
        "{container}",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}",
        Body::None,
        [401, 403, 204, 204, 403, 403],
    ),
    call(
        "GET",
        "{container}/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "POST",
        "{container}/secrets",
        Body::Json(|| json!({"name": "other", "secret_ref": "{secret}"})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/secrets",
        Body::Json(|| json!({"name": "e", "secret_ref": "{secret}"})),
        [401, 403, 204, 204, 403, 403],
    ),
    call(
        "GET",
        "{container}/acl",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "{container}/acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PATCH",
        "{container}/acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/acl",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "{container}/consumers",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "{container}/consumers",
        Body::Json(|| json!({"name": "other", "URL": "u"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/consumers",
        Body::Json(container_consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "{container}/consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 404, 404, 403, 404],
    ),
    // Where there is no choice; with one they are in `secret_stores`.
    call(
        "GET",
        "/v1/secret-stores",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/global-default",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/x",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "POST",
        "/v1/secret-stores/x/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "DELETE",
        "/v1/secret-stores/x/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/x/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/transport_keys",
        Body::None,
        [401, 200, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/transport_keys",
        Body::Json(|| json!({"plugin_name": "p", "transport_key": "k"})),
        [401, 403, 403, 201, 403, 201],
    ),
    // The one that is not there: ids are chosen by the server.
    call(
        "GET",
        "/v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "DELETE",
        "/v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 403, 404, 403, 404],
    ),
    call(
        "GET",
        "/v1/quotas",
        Body::None,
        [401, 200, 200, 200, 200, 200],
    ),
    call(
        "GET",
        "/v1/project-quotas",
        Body::None,
        [401, 403, 403, 200, 403, 200],
    ),
    call(
        "GET",
        "/v1/project-quotas/p",
        Body::None,
        [401, 403, 403, 200, 403, 200],
    ),
    call(
        "PUT",
        "/v1/project-quotas/p",
        Body::Json(|| json!({"project_quotas": {"secrets": -1}})),
        [401, 403, 403, 204, 403, 204],
    ),
    call(
        "DELETE",
        "/v1/project-quotas/p",
        Body::None,
        [401, 403, 403, 204, 403, 204],
    ),
];

const fn call(method: &'static str, path: &'static str, body: Body, expected: [u16; 6]) -> Call {
    Call {
        method,
        path,
        body,
        expected,
    }
}

fn consumer() -> Value {
    json!({"service": "s", "resource_type": "t", "resource_id": "r"})
}

fn container_consumer() -> Value {
    json!({"name": "n", "URL": "u"})
}

fn key_order() -> Value {
    json!({"type": "key", "meta": {"algorithm": "aes", "bit_length": 128}})
}

/// The paths of a secret, of a container and of an order.
struct Paths {
    secret: String,
    container: String,
    order: String,
}

impl Paths {
    fn of(&self, call: &Call) -> String {
        match call.path {
            "" => self.secret.clone(),
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            path if path.starts_with("{order}") => path.replace("{order}", &self.order),
            path => match path.strip_prefix("{container}") {
                Some(below) => format!("{}{below}", self.container),
                None => format!("{}/{path}", self.secret),
            },
        }
    }
}

fn send(rig: &Rig, token: &str, call: &Call, paths: &Paths) -> http::Response<bytes::Bytes> {
    let line = format!("{} {}", call.method, paths.of(call));
    match call.body {
        Body::None => rig.send(token, &line, &[], b""),
        Body::Json(body) => {
            let secret_ref = format!("http://h{}", paths.secret);
            let body = body().to_string().replace("{secret}", &secret_ref);
            let headers = [("content-type", "application/json")];
            rig.send(token, &line, &headers, body.as_bytes())
        }
        Body::Text => rig.send(token, &line, &[("content-type", "text/plain")], b"text"),
    }
}

/// A secret, a container and an order, with everything that the calls want to find.
fn prepared(rig: &Rig) -> Paths {
    let secret = rig.stored("hush");
    let container = rig.contained(&[("e", &secret)]);
    for (line, body) in [
        (
            format!("PUT {secret}/metadata"),
            json!({"metadata": {"k": "v"}}),
        ),
        (format!("POST {secret}/consumers"), consumer()),
        (format!("POST {container}/consumers"), container_consumer()),
    ] {
        assert!(rig.json("member", &line, &body).status().is_success());
    }
    rig.json(
        "admin",
        "PUT /v1/project-quotas/p",
        &json!({"project_quotas": {"secrets": 9}}),
    );
    let order = rig.ordered(&key_order());
    Paths {
        secret,
        container,
        order,
    }
}

#[test]
fn every_route_for_every_caller() {
    for call in CALLS {
        for (token, expected) in TOKENS.iter().zip(call.expected) {
            let rig = Rig::new();
            let paths = prepared(&rig);
            let response = send(&rig, token, call, &paths);
            let what = format!(
                "{} {} as {token:?}: {}",
                call.method,
                call.path,
                shown(&response)
            );
            assert_eq!(response.status().as_u16(), expected, "{what}");
            assert!(
                expected < 400 || !shown(&response).contains("hush"),
                "{what}"
            );
        }
    }
}

#[test]
fn a_refused_call_changes_nothing() {
    for call in CALLS.iter().filter(|call| call.method != "GET") {
        for (token, _) in TOKENS
            .iter()
            .zip(call.expected)
            .filter(|(_, status)| matches!(status, 401 | 403))
        {
            let rig = Rig::new();
            let paths = prepared(&rig);
            let before = state(&rig, &paths);
            send(&rig, token, call, &paths);
            assert_eq!(
                state(&rig, &paths),
                before,
                "{} {} as {token:?}",
                call.method,
                call.path
            );
        }
    }
}

fn state(rig: &Rig, paths: &Paths) -> Vec<String> {
    let Paths {
        secret,
        container,
        order: _,
    } = paths;
    let of_secret = ["", "/payload", "/metadata", "/acl", "/consumers"]
        .map(|below| shown(&rig.get("member", &format!("{secret}{below}"))));
    let of_container = ["", "/acl", "/consumers"]
        .map(|below| shown(&rig.get("member", &format!("{container}{below}"))));
    let lists = ["/v1/secrets", "/v1/containers"].map(|path| shown(&rig.get("stranger", path)));
    let quotas =
        ["/v1/project-quotas", "/v1/transport_keys"].map(|path| shown(&rig.get("admin", path)));
    let orders = ["member", "stranger"].map(|token| shown(&rig.get(token, "/v1/orders")));
    [&of_secret[..], &of_container, &lists, &quotas, &orders].concat()
}

/// Every kind of route is in the table.
#[test]
fn the_table_is_complete() {
    let paths = Paths {
        secret: "/v1/secrets/x".to_owned(),
        container: "/v1/containers/x".to_owned(),
        order: "/v1/orders/x".to_owned(),
    };
    let listed = |resource: &Resource<'_>| -> Vec<&str> {
        let same = |call: &&Call| match Route::of(&paths.of(call)) {
            Route::V1(_, found) => {
                std::mem::discriminant(&found) == std::mem::discriminant(resource)
            }
            _ => false,
        };
        CALLS.iter().filter(same).map(|call| call.method).collect()
    };
    for resource in resources() {
        let expected = methods(&resource);
        assert_eq!(listed(&resource), expected, "{resource:?}");
    }
}

/// Methods that a resource does not have are refused after the identity, and
/// after an unknown secret.
#[test]
fn methods_that_are_not_there() {
    let rig = Rig::new();
    let Paths {
        secret,
        container,
        order,
    } = prepared(&rig);
    let of = |path: String, below: &[(&'static str, &'static str)]| {
        let below = below.iter().map(|(below, allow)| (*below, *allow));
        below
            .map(|(below, allow)| (path.clone(), below, allow))
            .collect::<Vec<_>>()
    };
    let of_secret = of(
        secret,
        &[
            ("", "DELETE, GET, PUT"),
            ("/payload", ""),
            ("/metadata", "GET, POST, PUT"),
            ("/metadata/k", ""),
            ("/acl", "DELETE, GET, PATCH, PUT"),
            ("/consumers", "DELETE, GET, POST"),
        ],
    );
    let of_container = of(
        container,
        &[
            ("", "DELETE, GET"),
            ("/secrets", "DELETE, POST"),
            ("/acl", "DELETE, GET, PATCH, PUT"),
            ("/consumers", "DELETE, GET, POST"),
        ],
    );
    let of_order = of(order, &[("", "DELETE, GET")]);
    let all = of_secret.into_iter().chain(of_container).chain(of_order);
    for (path, below, allow) in all {
        let line = format!("TRACE {path}{below}");
        let response = rig.send("member", &line, &[], b"");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{line}");
        assert_eq!(
            response
                .headers()
                .get("allow")
                .map_or("", |value| value.to_str().unwrap()),
            allow,
            "{line}"
        );
        assert_eq!(rig.send("", &line, &[], b"").status(), 401, "{line}");
        let (kind, _id) = path.rsplit_once('/').unwrap();
        let unknown = format!("TRACE {kind}/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11{below}");
        assert_eq!(rig.send("member", &unknown, &[], b"").status(), 404);
    }
}

/// Taken as missing, such a header would give what callers without it get.
#[test]
fn an_identity_that_cannot_be_read_is_refused() {
    let rig = Rig::new();
    for name in [
        "x-auth-token",
        "x-project-id",
        "x-tenant",
        "x-user-id",
        "x-roles",
        "x-role",
        "x-domain-id",
    ] {
        let token = if name == "x-auth-token" { "" } else { "member" };
        let response = rig.send(token, "GET /v1/secrets", &[(name, "geprüft")], b"");
        assert_eq!(
            response.status(),
            StatusCode::BAD_REQUEST,
            "{name}: {}",
            shown(&response)
        );
    }
}
