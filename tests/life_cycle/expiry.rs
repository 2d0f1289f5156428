//! Secrets that expire while somebody looks.

use serde_json::{Value, json};

use crate::support::{Caller, PATIENCE, Server, until};

/// Creates a secret that expires two seconds after its creation; gives its path.
///
/// The time comes from the server. Near the end of a minute it waits, for then a sum of seconds is no time.
fn short_lived(member: &Caller) -> (String, Value) {
    let soon = until("a minute that goes on", PATIENCE, || {
        let now = member.create(&json!({}));
        let now = member.call(&format!("GET {now}")).ok(200)["created"].clone();
        let now = now.as_str().unwrap().to_owned();
        let seconds: u8 = now[17..19].parse().unwrap();
        (seconds < 58).then(|| format!("{}{:02}{}", &now[..17], seconds + 2, &now[19..]))
    });
    let path = member.create(&json!({"name": "short-lived", "expiration": soon,
        "payload": "x", "payload_content_type": "text/plain"}));
    let secret = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(secret["expiration"], soon);
    (path, secret)
}

#[test]
fn an_expired_secret_is_gone_for_everybody() {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    let admin = member.with("X-Unused", "1");
    let kept = member.create(&json!({"name": "kept"}));
    let (path, _) = short_lived(&member);
    let total = |caller: &Caller| caller.call("GET /v1/secrets?limit=100").ok(200)["total"].clone();
    let before = total(&member).as_u64().unwrap();
    assert_eq!(member.call(&format!("GET {path}/payload")).text(), "x");
    member
        .json(
            &format!("PUT {path}/metadata"),
            &json!({"metadata": {"k": "v"}}),
        )
        .ok(201);
    until("it expires", PATIENCE, || {
        let status = member.call(&format!("GET {path}")).status;
        (status == 404).then_some(())
    });
    let consumer = json!({"service": "s", "resource_type": "t", "resource_id": "r"});
    for caller in [&member, &admin] {
        for below in [
            "",
            "/payload",
            "/metadata",
            "/metadata/k",
            "/acl",
            "/consumers",
        ] {
            caller
                .call(&format!("GET {path}{below}"))
                .is(404, "Secret not found.");
        }
        caller
            .put(&path, "text/plain", b"x")
            .is(404, "Secret not found.");
        caller
            .json(&format!("POST {path}/consumers"), &consumer)
            .is(404, "Secret not found.");
        caller
            .json(&format!("PUT {path}/acl"), &json!({"read": {}}))
            .is(404, "Secret not found.");
        caller
            .call(&format!("DELETE {path}"))
            .is(404, "Secret not found.");
    }
    let list = member.call("GET /v1/secrets?limit=100").ok(200);
    assert_eq!(list["total"], before - 1);
    assert_eq!(list["secrets"].as_array().unwrap().len() as u64, before - 1);
    for filter in ["name=short-lived", "expiration=gt:2000-01-01"] {
        let list = member.call(&format!("GET /v1/secrets?{filter}")).ok(200);
        assert_eq!(list, json!({"secrets": [], "total": 0}), "{filter}");
    }
    // A restart does not bring it back.
    let server = server.restart();
    let member = server.member_of("p");
    member
        .call(&format!("GET {path}"))
        .is(404, "Secret not found.");
    assert_eq!(total(&member), before - 1);
    member.call(&format!("GET {kept}")).ok(200);
}
