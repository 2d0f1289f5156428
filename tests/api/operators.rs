//! What operators decide: quotas of projects, secret stores, pages of other servers, transport keys.

use std::{sync::Barrier, thread};

use serde_json::{Value, json};

use crate::support::{Caller, Launch, Server, path_of};

/// Somebody who configures projects. In `noauth` it takes headers alone.
fn operator(server: &Server) -> Caller {
    server
        .nobody()
        .with("X-Project-Id", "ops")
        .with("X-User-Id", "operator")
        .with("X-Roles", "admin,reader")
}

fn limit(operator: &Caller, project: &str, quotas: &Value) {
    let line = format!("PUT /v1/project-quotas/{project}");
    let body = json!({ "project_quotas": quotas });
    operator.json(&line, &body).is_empty(204);
}

/// Calls from `threads` connections at the same time; gives how many were answered with each status.
fn at_once(threads: usize, times: usize, call: impl Fn(usize) -> u16 + Sync) -> Vec<(u16, usize)> {
    let barrier = Barrier::new(threads);
    let (call, barrier) = (&call, &barrier);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    barrier.wait();
                    let calls = (0..times).map(|time| call(thread * times + time));
                    calls.collect::<Vec<_>>()
                })
            })
            .collect();
        let done = running.into_iter().map(|thread| thread.join().unwrap());
        done.flatten().collect()
    });
    let mut counts = std::collections::BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_default() += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn parallel_creations_never_pass_the_quota() {
    let server = Server::new("noauth");
    let operator = operator(&server);
    limit(&operator, "p", &json!({"secrets": 7}));
    let counts = at_once(8, 5, |_| {
        let body = json!({"payload": "x", "payload_content_type": "text/plain"});
        let member = server.member_of("p");
        member.json("POST /v1/secrets", &body).status
    });
    assert_eq!(counts, [(201, 7), (403, 33)]);
    let member = server.member_of("p");
    assert_eq!(member.call("GET /v1/secrets").ok(200)["total"], 7);
    // Others are not concerned, and a deletion makes room for one.
    server.member_of("q").store("x");
    let first = member.call("GET /v1/secrets?limit=1").ok(200)["secrets"][0]["secret_ref"].clone();
    let first = path_of(first.as_str().unwrap()).to_owned();
    member.call(&format!("DELETE {first}")).is_empty(204);
    member.store("x");
    let text =
        "Secret creation issue seen - Creation not allowed because a quota has been reached.";
    member.json("POST /v1/secrets", &json!({})).is(403, text);
}

#[test]
fn parallel_registrations_never_pass_the_quota() {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    let path = member.store("x");
    limit(&operator(&server), "p", &json!({"consumers": 3}));
    let counts = at_once(6, 3, |number| {
        let body = json!({"service": "s", "resource_type": "t", "resource_id": number.to_string()});
        let line = format!("POST {path}/consumers");
        server.member_of("p").json(&line, &body).status
    });
    assert_eq!(counts, [(200, 3), (403, 15)]);
    let listed = member.call(&format!("GET {path}/consumers")).ok(200);
    assert_eq!(listed["total"], 3);
}

#[test]
fn quotas_outlive_a_restart() {
    let server = Server::new("noauth");
    limit(&operator(&server), "p", &json!({"secrets": 1}));
    server.member_of("p").store("x");
    let server = server.stop().start();
    let member = server.member_of("p");
    assert_eq!(member.json("POST /v1/secrets", &json!({})).status, 403);
    let listed = operator(&server).call("GET /v1/project-quotas").ok(200);
    assert_eq!(listed["total"], 1);
}

#[test]
fn configured_quotas_hold_for_projects_without_their_own() {
    let launch = Launch::new("noauth").env("DONJON_QUOTAS__SECRETS", "1");
    let server = launch.start();
    let member = server.member_of("p");
    member.store("x");
    assert_eq!(member.json("POST /v1/secrets", &json!({})).status, 403);
    let reader = operator(&server);
    let quotas = reader.call("GET /v1/quotas").ok(200);
    let expected =
        json!({"secrets": 1, "orders": -1, "containers": -1, "consumers": -1, "cas": -1});
    assert_eq!(quotas, json!({ "quotas": expected }));
    limit(&reader, "p", &json!({"secrets": -1}));
    member.store("x");
}

#[test]
fn a_preferred_store_outlives_a_restart() {
    let launch = Launch::new("noauth").env("DONJON_SECRET_STORES__MULTIPLE", "true");
    let server = launch.start();
    let get = |server: &Server, below: &str| {
        operator(server).call(&format!("GET /v1/secret-stores/{below}"))
    };
    let store = get(&server, "global-default").ok(200);
    let path = path_of(store["secret_store_ref"].as_str().unwrap()).to_owned();
    let preference = format!("{path}/preferred");
    operator(&server)
        .call(&format!("POST {preference}"))
        .is_empty(204);
    let server = server.stop().start();
    // The store is the same one, whatever the port.
    let again = get(&server, "preferred").ok(200);
    assert_eq!(path_of(again["secret_store_ref"].as_str().unwrap()), path);
    assert_eq!(again["created"], store["created"]);
    server.member_of("ops").store("kept there");
}

#[test]
fn pages_of_other_servers_are_answered_where_that_is_configured() {
    let origin = ("Origin", "https://ui.example.org");
    let plain = Server::new("noauth");
    let response = plain.member_of("p").send("GET /v1/secrets", &[origin], b"");
    assert_eq!(response.header("access-control-allow-origin"), None);
    let server = Launch::new("noauth")
        .env("DONJON_CORS__ALLOWED_ORIGIN", origin.1)
        .start();
    let member = server.member_of("p");
    let response = member.send("GET /v1/secrets", &[origin], b"");
    assert_eq!(
        response.header("access-control-allow-origin").as_deref(),
        Some(origin.1)
    );
    let ask = [
        origin,
        ("Access-Control-Request-Method", "DELETE"),
        ("Access-Control-Request-Headers", "x-auth-token"),
    ];
    let preflight = server.nobody().send("OPTIONS /v1/secrets/x", &ask, b"");
    preflight.is_empty(200);
    assert_eq!(
        preflight.header("access-control-allow-methods").as_deref(),
        Some("DELETE")
    );
}

/// One array in each list, absolute links that are left out where there is nothing (3), statuses (9), slashes (6).
#[test]
fn clients_03_06_09_quotas_and_transport_keys() {
    let server = Server::new("noauth");
    let operator = operator(&server);
    for project in ["a", "b"] {
        limit(&operator, project, &json!({"secrets": 1}));
        let body = json!({"plugin_name": "p", "transport_key": project});
        let created = operator.json("POST /v1/transport_keys/", &body).ok(201);
        let path = path_of(created["transport_key_ref"].as_str().unwrap());
        operator.call(&format!("GET {path}")).ok(200);
    }
    for (path, plural) in [
        ("/v1/project-quotas", "project_quotas"),
        ("/v1/transport_keys", "transport_keys"),
    ] {
        let first = operator.call(&format!("GET {path}/?limit=1")).ok(200);
        let fields = first.as_object().unwrap();
        assert_eq!(fields.values().filter(|value| value.is_array()).count(), 1);
        assert_eq!(first[plural].as_array().unwrap().len(), 1);
        let next = first["next"].as_str().unwrap();
        assert_eq!(next, format!("{}{path}?limit=1&offset=1", server.base()));
        let last = operator.call(&format!("GET {}", path_of(next))).ok(200);
        assert!(last.get("next").is_none(), "{last}");
        assert_eq!(
            (&last["total"], first["total"].as_u64()),
            (&json!(2), Some(2))
        );
    }
    operator.call("DELETE /v1/project-quotas/a").is_empty(204);
    for path in [
        "/v1/cas",
        "/v1/verifications",
        "/v1/consumers",
        "/v1/transport-keys",
    ] {
        operator.call(&format!("GET {path}")).is(404, "");
    }
}

/// What python-barbicanclient sends and Barbican refuses.
#[test]
fn clients_09_one_metadatum_is_set_by_post() {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    let path = member.store("x");
    let line = format!("POST {path}/metadata/color");
    for (value, status) in [("blue", 201), ("red", 200)] {
        let body = json!({"key": "color", "value": value});
        assert_eq!(member.json(&line, &body).ok(status), body);
        let shown = member.call(&format!("GET {path}/metadata/color")).ok(200);
        assert_eq!(shown, body);
    }
}
