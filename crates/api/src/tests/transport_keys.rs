//! Transport keys, and secrets that name one; and the call of a client that
//! Barbican does not have.

use serde_json::{Value, json};

use super::{Rig, parsed, shown};

const UNKNOWN: &str = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

/// Adds a key as admin; gives its path.
fn added(rig: &Rig, plugin_name: &str) -> String {
    let body = json!({"plugin_name": plugin_name, "transport_key": "material"});
    let response = rig.json("admin", "POST /v1/transport_keys", &body);
    assert_eq!(response.status(), 201, "{}", shown(&response));
    let reference = parsed(&response)["transport_key_ref"].clone();
    assert_eq!(
        response.headers()["location"].to_str().unwrap(),
        reference.as_str().unwrap()
    );
    let reference = reference.as_str().unwrap();
    reference.strip_prefix("http://h").unwrap().to_owned()
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[test]
fn a_key_is_listed_shown_and_removed() {
    let rig = Rig::new();
    let path = added(&rig, "dogtag");
    added(&rig, "other");
    let reference = format!("http://h{path}");
    let listed = parsed(&rig.get("reader", "/v1/transport_keys?plugin_name=dogtag"));
    assert_eq!(listed, json!({"transport_keys": [reference], "total": 1}));
    let first = parsed(&rig.get("reader", "/v1/transport_keys?limit=1"));
    assert_eq!(first["next"], "http://h/v1/transport_keys?limit=1&offset=1");
    let rest = parsed(&rig.get("reader", &format!("/v1/transport_keys?marker={reference}")));
    assert_eq!(rest["transport_keys"].as_array().unwrap().len(), 1);
    assert_ne!(rest["transport_keys"][0], json!(reference));
    let expected = json!({
        "plugin_name": "dogtag", "transport_key": "material", "id": id_of(&path),
        "status": "ACTIVE", "deleted": false, "deleted_at": null,
        "created_at": "2026-01-02 03:04:05", "updated_at": "2026-01-02 03:04:05",
    });
    let shown_key = parsed(&rig.get("reader", &path));
    for key in [
        "plugin_name",
        "transport_key",
        "id",
        "status",
        "deleted",
        "deleted_at",
    ] {
        assert_eq!(shown_key[key], expected[key], "{key}");
    }
    assert!(!shown_key["created_at"].as_str().unwrap().contains('T'));
    assert_eq!(
        shown_key.as_object().unwrap().len(),
        expected.as_object().unwrap().len()
    );
    for accept in ["text/html", "application/json", "*/*"] {
        let line = format!("GET {path}");
        let response = rig.send("reader", &line, &[("accept", accept)], b"");
        assert_eq!(response.status(), 200, "{accept}");
    }
    let line = format!("DELETE {path}");
    assert_eq!(rig.send("reader", &line, &[], b"").status(), 403);
    assert_eq!(rig.send("admin", &line, &[], b"").status(), 204);
    for line in [line, format!("GET {path}")] {
        let gone = rig.send("admin", &line, &[], b"");
        assert_eq!(gone.status(), 404);
        assert_eq!(
            parsed(&gone)["description"],
            "Not Found. Transport Key not found."
        );
    }
    let odd = rig.get("admin", "/v1/transport_keys/x");
    assert_eq!(
        parsed(&odd)["description"],
        "Not Found. Provided transport key id is invalid."
    );
}

#[test]
fn what_a_post_refuses() {
    let rig = Rig::new();
    let check = |body: &Value, reason: &str, property: &str| {
        let response = rig.json("admin", "POST /v1/transport_keys", body);
        assert_eq!(response.status(), 400, "{body}");
        let expected = format!(
            "Provided object does not match schema 'Transport Key': {reason}. Invalid property: '{property}'"
        );
        assert_eq!(parsed(&response)["description"], expected);
    };
    let (plugin, key) = ("plugin_name", "transport_key");
    check(&json!({}), "plugin_name must be provided", plugin);
    check(&json!({plugin: "p"}), "transport_key must be provided", key);
    check(
        &json!({plugin: "", key: "k"}),
        "plugin_name must be provided",
        plugin,
    );
    check(
        &json!({plugin: "p", key: " "}),
        "transport_key must be provided",
        key,
    );
    check(
        &json!({plugin: 1, key: "k"}),
        "1 is not of type 'string'",
        plugin,
    );
    check(
        &json!({plugin: "p", key: []}),
        "[] is not of type 'string'",
        key,
    );
    let long = "x".repeat(256);
    check(
        &json!({plugin: long, key: "k"}),
        &format!("'{long}' is too long"),
        plugin,
    );
    let line = "POST /v1/transport_keys";
    let plain = rig.send("admin", line, &[("content-type", "text/plain")], b"{}");
    assert_eq!(plain.status(), 415);
    assert_eq!(
        parsed(&rig.get("admin", "/v1/transport_keys")),
        json!({"transport_keys": [], "total": 0})
    );
}

#[test]
fn no_store_works_with_a_transport_key() {
    let rig = Rig::new();
    let key = added(&rig, "dogtag");
    let stored = rig.stored("hush");
    for (id, text) in [
        (UNKNOWN, "Provided transport key was not found.."),
        ("x", "Provided transport key was not found.."),
        (
            id_of(&key),
            "No plugin was found that could support your request.",
        ),
    ] {
        let body = json!({
            "payload": "v", "payload_content_type": "text/plain", "transport_key_id": id,
        });
        let response = rig.json("member", "POST /v1/secrets", &body);
        assert_eq!(response.status(), 400, "{id}");
        assert_eq!(
            parsed(&response)["description"],
            format!("Secret creation issue seen - {text}")
        );
        let query = format!("trans_wrapped_session_key=s&transport_key_id={id}");
        let response = rig.get("member", &format!("{stored}/payload?{query}"));
        assert_eq!(response.status(), 400, "{id}");
        assert_eq!(
            parsed(&response)["description"],
            format!("Secret payload retrieval issue seen - {text}")
        );
        // Without a payload there is nothing to wrap.
        let body = json!({"transport_key_id": id});
        assert_eq!(rig.json("member", "POST /v1/secrets", &body).status(), 201);
    }
    let needed = rig.json(
        "member",
        "POST /v1/secrets",
        &json!({"transport_key_needed": "true"}),
    );
    assert_eq!(
        parsed(&needed)["description"],
        "Secret creation issue seen - Secret store supported plugin not found.."
    );
}

#[test]
fn a_full_project_is_told_that_before_its_transport_key() {
    let rig = Rig::new();
    rig.json(
        "admin",
        "PUT /v1/project-quotas/p",
        &json!({"project_quotas": {"secrets": 0}}),
    );
    for body in [
        json!({"transport_key_needed": "true"}),
        json!({"payload": "v", "payload_content_type": "text/plain", "transport_key_id": UNKNOWN}),
    ] {
        let refused = rig.json("member", "POST /v1/secrets", &body);
        assert_eq!(refused.status(), 403, "{body}");
    }
}

#[test]
fn post_on_one_metadatum_sets_it() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    let line = format!("POST {path}/metadata/color");
    for (value, status) in [("blue", 201), ("red", 200)] {
        let body = json!({"key": "color", "value": value});
        let response = rig.json("member", &line, &body);
        assert_eq!(response.status(), status, "{}", shown(&response));
        assert_eq!(parsed(&response), body);
        assert_eq!(
            parsed(&rig.get("member", &format!("{path}/metadata"))),
            json!({"metadata": {"color": value}})
        );
    }
    let other = rig.json("member", &line, &json!({"key": "size", "value": "1"}));
    assert_eq!(other.status(), 409);
    assert_eq!(rig.send("member", &line, &[], b"").status(), 405);
}
