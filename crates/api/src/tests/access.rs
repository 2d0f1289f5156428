//! Every route and method, for every kind of caller. The table is held against
//! the routes: one that is missing here does not compile or fails.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Rig, shown};
use crate::route::{Resource, Route};

/// A call, and what each caller gets: without a token, as reader, as member,
/// as admin, as member of another project, as admin of another project.
struct Call {
    method: &'static str,
    /// Below the secret, or from the root where it starts with a slash.
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
    // Ids of consumers are shown nowhere, so nobody finds one.
    call(
        "GET",
        "consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 404, 404, 404, 404, 404],
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

fn send(rig: &Rig, token: &str, call: &Call, secret: &str) -> http::Response<bytes::Bytes> {
    let path = match call.path {
        "" => secret.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        below => format!("{secret}/{below}"),
    };
    let line = format!("{} {path}", call.method);
    match call.body {
        Body::None => rig.send(token, &line, &[], b""),
        Body::Json(body) => rig.json(token, &line, &body()),
        Body::Text => rig.send(token, &line, &[("content-type", "text/plain")], b"text"),
    }
}

/// A secret with everything that the calls want to find.
fn prepared(rig: &Rig) -> String {
    let path = rig.stored("hush");
    rig.json(
        "member",
        &format!("PUT {path}/metadata"),
        &json!({"metadata": {"k": "v"}}),
    );
    rig.json("member", &format!("POST {path}/consumers"), &consumer());
    path
}

#[test]
fn every_route_for_every_caller() {
    for call in CALLS {
        for (token, expected) in TOKENS.iter().zip(call.expected) {
            let rig = Rig::new();
            let secret = prepared(&rig);
            let response = send(&rig, token, call, &secret);
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
            let secret = prepared(&rig);
            let before = state(&rig, &secret);
            send(&rig, token, call, &secret);
            assert_eq!(
                state(&rig, &secret),
                before,
                "{} {} as {token:?}",
                call.method,
                call.path
            );
        }
    }
}

fn state(rig: &Rig, secret: &str) -> Vec<String> {
    ["", "/payload", "/metadata", "/acl", "/consumers"]
        .map(|below| shown(&rig.get("member", &format!("{secret}{below}"))))
        .into_iter()
        .chain([shown(&rig.get("stranger", "/v1/secrets"))])
        .collect()
}

/// Every kind of route is in the table. A new kind does not compile here until
/// it says which calls it has.
#[test]
fn the_table_is_complete() {
    let listed = |resource: &Resource<'_>| -> Vec<&str> {
        let same = |call: &&Call| {
            let path = match call.path {
                "" => "/v1/secrets/x".to_owned(),
                absolute if absolute.starts_with('/') => absolute.to_owned(),
                below => format!("/v1/secrets/x/{below}"),
            };
            match Route::of(&path) {
                Route::V1(_, found) => {
                    std::mem::discriminant(&found) == std::mem::discriminant(resource)
                }
                _ => false,
            }
        };
        CALLS.iter().filter(same).map(|call| call.method).collect()
    };
    let x = || "x".into();
    for resource in [
        Resource::Version,
        Resource::Secrets,
        Resource::Secret(x()),
        Resource::Payload(x()),
        Resource::Metadata(x()),
        Resource::Metadatum(x(), x()),
        Resource::Acl(x()),
        Resource::Consumers(x()),
        Resource::Consumer(x(), x()),
        Resource::BelowSecret(x()),
        Resource::Nothing { reserved: false },
    ] {
        let expected: &[&str] = match &resource {
            Resource::Version
            | Resource::Payload(_)
            | Resource::Consumer(..)
            | Resource::BelowSecret(_)
            | Resource::Nothing { .. } => &["GET"],
            Resource::Secrets => &["GET", "POST"],
            Resource::Secret(_) | Resource::Metadatum(..) => &["GET", "PUT", "DELETE"],
            Resource::Metadata(_) => &["GET", "PUT", "POST"],
            Resource::Acl(_) => &["GET", "PUT", "PATCH", "DELETE"],
            Resource::Consumers(_) => &["GET", "POST", "DELETE"],
        };
        assert_eq!(listed(&resource), expected, "{resource:?}");
    }
}

/// Methods that a resource does not have are refused after the identity, and
/// after an unknown secret.
#[test]
fn methods_that_are_not_there() {
    let rig = Rig::new();
    let secret = prepared(&rig);
    let unknown = "/v1/secrets/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    for (below, allow) in [
        ("", "DELETE, GET, PUT"),
        ("/payload", ""),
        ("/metadata", "GET, POST, PUT"),
        ("/metadata/k", ""),
        ("/acl", "DELETE, GET, PATCH, PUT"),
        ("/consumers", "DELETE, GET, POST"),
    ] {
        let line = format!("TRACE {secret}{below}");
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
        assert_eq!(
            rig.send("member", &format!("TRACE {unknown}{below}"), &[], b"")
                .status(),
            404,
            "{below}"
        );
    }
}
