//! What real clients depend on in orders: one test for each invariant that concerns them. Break one, and a client that
//! exists breaks.

use serde_json::{Value, json};

use crate::support::{Caller, Server, id_of, path_of};

fn set_up() -> (Server, Caller) {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    (server, member)
}

fn keys(object: &Value) -> Vec<&str> {
    let keys = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys();
    keys.map(String::as_str).collect()
}

/// An order as castellan sends it; gives its path.
fn ordered(member: &Caller) -> String {
    let body = json!({"type": "key", "meta": {"algorithm": "aes", "bit_length": 256}});
    let created = member.json("POST /v1/orders/", &body).ok(202);
    path_of(created["order_ref"].as_str().unwrap()).to_owned()
}

/// python-barbicanclient hands all keys of an order, and of a key's meta, to constructors that take no others.
#[test]
fn clients_01_orders_have_no_unknown_keys() {
    let (_server, member) = set_up();
    let path = ordered(&member);
    let order = member.call(&format!("GET {path}")).ok(200);
    let known = [
        "created",
        "creator_id",
        "error_reason",
        "error_status_code",
        "meta",
        "order_ref",
        "secret_ref",
        "status",
        "sub_status",
        "sub_status_message",
        "type",
        "updated",
    ];
    for key in keys(&order) {
        assert!(known.contains(&key), "{key}");
    }
    let meta = [
        "algorithm",
        "bit_length",
        "expiration",
        "mode",
        "name",
        "payload_content_type",
    ];
    for key in keys(&order["meta"]) {
        assert!(meta.contains(&key), "{key}");
    }
    let listed = member.call("GET /v1/orders").ok(200);
    assert_eq!(listed["orders"], json!([order]));
}

#[test]
fn clients_03_lists_of_orders_have_one_array_and_absolute_links() {
    let (server, member) = set_up();
    let paths = [ordered(&member), ordered(&member), ordered(&member)];
    let first = member.call("GET /v1/orders?limit=2").ok(200);
    assert_eq!(keys(&first), ["next", "orders", "total"]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        next,
        format!("{}/v1/orders?limit=2&offset=2", server.base())
    );
    let last = member.call(&format!("GET {}", path_of(next))).ok(200);
    assert_eq!(keys(&last), ["orders", "previous", "total"]);
    assert_eq!(last["orders"].as_array().unwrap().len(), 1);
    let beyond = member.call("GET /v1/orders?offset=9").ok(200);
    assert_eq!(beyond, json!({"orders": [], "total": 3}));
    // openstacksdk asks on behind the last one, until nothing comes.
    let reference = format!("{}{}", server.base(), paths[2]);
    let end = member
        .call(&format!("GET /v1/orders?limit=2&marker={reference}"))
        .ok(200);
    assert_eq!(end["orders"], json!([]));
}

#[test]
fn clients_04_times_of_orders_have_no_zone() {
    let (_server, member) = set_up();
    let order = member.call(&format!("GET {}", ordered(&member))).ok(200);
    for key in ["created", "updated"] {
        let time = order[key].as_str().unwrap();
        assert_eq!(time.as_bytes()[10], b'T', "{time}");
        let zone = time[11..].contains(['Z', '+', '-']);
        assert!(!zone, "{time}");
    }
    assert_eq!(order["meta"]["expiration"], Value::Null);
}

/// castellan looks once before it sleeps, and reads the reason of an order that failed as two strings.
#[test]
fn clients_09_orders_are_active_at_the_first_look() {
    let (_server, member) = set_up();
    let path = ordered(&member);
    let order = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(order["status"], "ACTIVE");
    let secret = path_of(order["secret_ref"].as_str().unwrap()).to_owned();
    // The secret outlives its order.
    member.call(&format!("DELETE {path}")).is_empty(204);
    assert_eq!(member.call(&format!("GET {path}")).status, 404);
    let payload = member.accepting(&format!("GET {secret}/payload"), "application/octet-stream");
    assert_eq!((payload.status, payload.body.len()), (200, 32));
    let body = json!({"type": "key", "meta": {"algorithm": "nothing", "bit_length": 256}});
    let failed = member.json("POST /v1/orders", &body).ok(202);
    let path = path_of(failed["order_ref"].as_str().unwrap()).to_owned();
    let order = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(order["status"], "ERROR");
    assert!(order["error_status_code"].is_string(), "{order}");
    assert!(order["error_reason"].is_string(), "{order}");
}

#[test]
fn clients_06_11_orders_with_slashes_and_absolute_references() {
    let (server, member) = set_up();
    let path = ordered(&member);
    for line in [format!("GET {path}/"), format!("GET /{path}")] {
        let order = member.call(&line).ok(200);
        for (key, collection) in [("order_ref", "orders"), ("secret_ref", "secrets")] {
            let reference = order[key].as_str().unwrap();
            let expected = format!(
                "{}/v1/{collection}/{}",
                server.base(),
                id_of(path_of(reference))
            );
            assert_eq!(reference, expected);
        }
    }
}
