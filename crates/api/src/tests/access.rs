//! Every route and method, for every kind of caller. The table is held against
//! the routes: one that is missing here does not compile or fails.

mod table;

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;

use self::table::{Body, CALLS, Call, TOKENS, consumer, container_consumer, key_order};
use super::{
    Rig,
    route_table::{methods, resources},
    shown,
};
use crate::route::{Form, Resource, Route};

/// The paths of a secret, of a container and of an order.
struct Paths {
    secret: String,
    container: String,
    order: String,
}

impl Paths {
    fn of(&self, call: &Call) -> String {
        match call.path.strip_prefix("{tenant}") {
            Some(path) => self.today(path).replacen("/v1/", "/v1/p/", 1),
            None => self.today(call.path),
        }
    }

    fn today(&self, path: &str) -> String {
        match path {
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

/// Every kind of route is in the table, in both forms.
#[test]
fn the_table_is_complete() {
    let paths = Paths {
        secret: "/v1/secrets/x".to_owned(),
        container: "/v1/containers/x".to_owned(),
        order: "/v1/orders/x".to_owned(),
    };
    let listed = |is_tenant: bool, resource: &Resource<'_>| -> Vec<&str> {
        let same = |call: &&Call| match Route::of(&paths.of(call)) {
            Route::V1(form, found) => {
                matches!(form, Form::Tenant(_)) == is_tenant
                    && std::mem::discriminant(&found) == std::mem::discriminant(resource)
            }
            _ => false,
        };
        let mut methods = Vec::new();
        for call in CALLS.iter().filter(same) {
            if !methods.contains(&call.method) {
                methods.push(call.method);
            }
        }
        methods
    };
    for resource in resources() {
        let expected = methods(&resource);
        assert_eq!(listed(false, &resource), expected, "{resource:?}");
        let of_tenants: &[&str] = match &resource {
            Resource::Secrets
            | Resource::Secret(_)
            | Resource::Containers
            | Resource::Container(_)
            | Resource::ContainerConsumers(_)
            | Resource::Quotas
            | Resource::ProjectQuotas
            | Resource::ProjectQuota(_)
            | Resource::Nothing { .. } => expected,
            Resource::Orders => &["GET", "POST"],
            Resource::Order(_) => &["GET"],
            _ => &[],
        };
        assert_eq!(listed(true, &resource), of_tenants, "oldest {resource:?}");
    }
}

/// Whatever a path of the table answers beside what the table says is refused:
/// a method that a handler takes has to be in the table. Only the health check
/// answers everybody whatever the method.
#[test]
fn what_is_not_in_the_table_is_refused() {
    let paths: BTreeSet<&str> = CALLS.iter().map(|call| call.path).collect();
    for path in paths.into_iter().filter(|path| *path != "/healthcheck") {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let mut of_path = CALLS.iter().filter(|call| call.path == path);
            if of_path.any(|call| call.method == method) {
                continue;
            }
            let rig = Rig::new();
            let call = Call {
                method,
                path,
                body: Body::Json(|| json!({})),
                expected: [0; 6],
            };
            let response = send(&rig, "admin", &call, &prepared(&rig));
            let status = response.status().as_u16();
            assert!(
                matches!(status, 404 | 405),
                "{method} {path}: {}",
                shown(&response)
            );
        }
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
