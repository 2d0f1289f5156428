//! Orders: what bodies are taken, what is answered, and the oldest form.

use donjon_domain::ports::Health;
use serde_json::{Value, json};

use super::{Rig, header, parsed, shown};

fn order(order_type: &str, meta: &Value) -> Value {
    json!({"type": order_type, "meta": meta})
}

fn key() -> Value {
    order("key", &json!({"algorithm": "aes", "bit_length": 256}))
}

fn pair() -> Value {
    order(
        "asymmetric",
        &json!({"name": "pair", "algorithm": "rsa", "bit_length": 2048}),
    )
}

impl Rig {
    /// Gives an order as `member` and returns its path.
    pub(crate) fn ordered(&self, body: &Value) -> String {
        let response = self.json("member", "POST /v1/orders", body);
        assert_eq!(response.status(), 202, "{}", shown(&response));
        let answer = parsed(&response);
        let order_ref = answer["order_ref"].as_str().unwrap();
        assert_eq!(answer, json!({"order_ref": order_ref}));
        assert_eq!(header(&response, "location"), order_ref);
        order_ref.strip_prefix("http://h").unwrap().to_owned()
    }

    fn order(&self, path: &str) -> Value {
        parsed(&self.get("member", path))
    }

    fn refused(&self, body: &Value) -> String {
        let response = self.json("member", "POST /v1/orders", body);
        assert_eq!(response.status(), 400, "{body}: {}", shown(&response));
        let description = parsed(&response)["description"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            parsed(&self.get("member", "/v1/orders"))["total"],
            0,
            "{body}"
        );
        description
    }
}

#[test]
fn a_key_is_ready_at_the_first_look() {
    let rig = Rig::new();
    let path = rig.ordered(&key());
    let found = rig.order(&path);
    let secret = found["secret_ref"].as_str().unwrap();
    let expected = json!({
        "created": found["created"], "updated": found["updated"], "status": "ACTIVE", "type": "key",
        "meta": {"algorithm": "aes", "bit_length": 256, "name": null, "expiration": null},
        "sub_status": "Unknown", "sub_status_message": "Unknown", "creator_id": "u",
        "secret_ref": secret, "order_ref": format!("http://h{path}"),
    });
    assert_eq!(found, expected);
    let secret = secret.strip_prefix("http://h").unwrap();
    assert_eq!(
        rig.get("member", &format!("{secret}/payload")).body().len(),
        32
    );
    let gone = rig.send("member", &format!("DELETE {path}"), &[], b"");
    assert_eq!(gone.status(), 204);
    assert_eq!(rig.get("member", &path).status(), 404);
    assert_eq!(rig.get("member", secret).status(), 200);
}

#[test]
fn a_pair_names_its_container() {
    let rig = Rig::new();
    let found = rig.order(&rig.ordered(&pair()));
    assert_eq!(found["status"], "ACTIVE");
    let container = found["container_ref"].as_str().unwrap();
    assert!(
        container.starts_with("http://h/v1/containers/"),
        "{container}"
    );
    assert!(found.get("secret_ref").is_none());
}

/// Whoever waited for too long is answered all the same.
#[test]
fn an_order_that_takes_long_is_pending() {
    let rig = Rig::new();
    rig.workers.hold();
    let path = rig.ordered(&pair());
    let found = rig.order(&path);
    assert_eq!(found["status"], "PENDING");
    for key in [
        "sub_status",
        "container_ref",
        "error_reason",
        "error_status_code",
    ] {
        assert!(found.get(key).is_none(), "{key}");
    }
    rig.workers.run_all();
    assert_eq!(rig.order(&path)["status"], "ACTIVE");
}

#[test]
fn what_nobody_makes_is_accepted_and_fails() {
    let rig = Rig::new();
    let path = rig.ordered(&order(
        "key",
        &json!({"algorithm": "made-up", "bit_length": 128}),
    ));
    let found = rig.order(&path);
    assert_eq!(found["status"], "ERROR");
    assert_eq!(found["error_status_code"], "400");
    assert_eq!(
        found["error_reason"],
        "Process TypeOrder issue seen - Secret generate supported plugin not found.."
    );
    for key in ["sub_status", "secret_ref"] {
        assert!(found.get(key).is_none(), "{key}");
    }
}

#[test]
fn the_passphrase_is_never_shown() {
    let rig = Rig::new();
    for held in [true, false] {
        if held {
            rig.workers.hold();
        }
        let mut body = pair();
        body["meta"]["passphrase"] = json!("hush hush");
        let path = rig.ordered(&body);
        for _ in 0..2 {
            let found = rig.order(&path);
            assert!(found["meta"].get("passphrase").is_none());
            assert!(!found.to_string().contains("hush"));
            assert!(!shown(&rig.get("member", "/v1/orders")).contains("hush"));
            let searched = rig.get("member", "/v1/orders?meta=hush");
            assert_eq!(parsed(&searched)["total"], 0);
            rig.workers.run_all();
        }
    }
    // Nor in the error about one that is no text.
    let rig = Rig::new();
    let mut body = pair();
    body["meta"]["passphrase"] = json!(["hush"]);
    let refused = rig.refused(&body);
    assert!(
        refused.contains("'passphrase'") && !refused.contains("hush"),
        "{refused}"
    );
}

#[test]
fn a_passphrase_of_a_key_order_is_dropped() {
    let rig = Rig::new();
    let meta = json!({"algorithm": "aes", "bit_length": 128, "passphrase": "hush"});
    let found = rig.order(&rig.ordered(&order("key", &meta)));
    assert_eq!(found["status"], "ACTIVE");
    assert!(!found.to_string().contains("hush"));
}

/// Barbican gives the key to whom the meta names.
#[test]
fn nobody_orders_in_the_name_of_another() {
    let rig = Rig::new();
    let named = |creator: Value| {
        order(
            "key",
            &json!({"algorithm": "aes", "bit_length": 128, "creator_id": creator}),
        )
    };
    for other in [json!("someone"), json!(""), json!(5), json!({"a": "u"})] {
        let refused = rig.refused(&named(other));
        assert_eq!(
            refused,
            "Provided object does not match schema 'Order': 'creator_id' has to be the caller. \
             Invalid property: 'meta'"
        );
    }
    let found = rig.order(&rig.ordered(&named(json!("u"))));
    assert_eq!(found["meta"]["creator_id"], "u");
    assert_eq!(found["creator_id"], "u");
}

#[test]
fn bodies_that_are_refused() {
    const NOT_SUPPORTED: &str = "Provided field value is not supported";
    let rig = Rig::new();
    let with = |field: &str, value: Value| {
        let mut body = key();
        body["meta"][field] = value;
        body
    };
    let of = |field: &str, schema: &str, reason: &str| {
        format!(
            "Provided object does not match schema {schema}: {reason}. Invalid property: '{field}'"
        )
    };
    let in_order = |field: &str, reason: &str| of(field, "'Order'", reason);
    let in_secret = |field: &str, reason: &str| of(field, "'Secret' within 'Order'", reason);
    for (body, expected) in [
        (json!([]), in_order("None", "[] is not of type 'object'")),
        (json!({}), in_order("type", "'type' is a required property")),
        (
            json!({"type": "key"}),
            in_order("meta", "'meta' is a required property"),
        ),
        (
            order("certificate", &json!({})),
            in_order("type", "'certificate' is not one of ['key', 'asymmetric']"),
        ),
        (
            order("KEY", &json!({})),
            in_order("type", "'KEY' is not one of ['key', 'asymmetric']"),
        ),
        (
            json!({"type": null, "meta": {}}),
            in_order("type", "None is not of type 'string'"),
        ),
        (
            order("key", &json!([])),
            in_order("meta", "[] is not of type 'object'"),
        ),
        (
            order("key", &json!("text")),
            in_order("meta", "'text' is not of type 'object'"),
        ),
        (
            json!({"secret": {"algorithm": "aes", "bit_length": 128}}),
            in_order("type", "'type' is a required property"),
        ),
        (
            order("key", &json!({})),
            in_order("meta", "'algorithm' is required field for key type order"),
        ),
        (
            with("algorithm", json!("")),
            in_order("meta", "'algorithm' is required field for key type order"),
        ),
        (
            order("key", &json!({"algorithm": "aes"})),
            in_order("meta", "'bit_length' is required field for key type order"),
        ),
        (
            order("asymmetric", &json!({"algorithm": "rsa"})),
            in_order(
                "meta",
                "'bit_length' is required field for asymmetric key type order",
            ),
        ),
        (
            with("bit_length", json!(0)),
            in_secret("bit_length", "0 is less than the minimum of 1"),
        ),
        (
            with("bit_length", json!("256")),
            in_secret("bit_length", "'256' is not of type 'integer'"),
        ),
        (
            with("algorithm", json!(1)),
            in_secret("algorithm", "1 is not of type 'string'"),
        ),
        (
            with("expiration", json!("2001-01-01")),
            in_secret("expiration", "'expiration' is before current time"),
        ),
        (
            with("secret_type", json!("x")),
            in_secret(
                "secret_type",
                "'x' is not one of ['symmetric', 'passphrase', 'private', 'public', 'certificate', 'opaque']",
            ),
        ),
        (
            with("payload", json!("")),
            in_secret(
                "payload_content_type",
                "If 'payload' is supplied, 'payload_content_type' must also be supplied.",
            ),
        ),
        (
            with("payload_content_type", json!(1)),
            in_secret("payload_content_type", "1 is not of type 'string', 'null'"),
        ),
        (
            with("payload_content_type", json!("text/html")),
            in_secret(
                "payload_content_type",
                "payload_content_type is not one of ['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8', 'application/octet-stream', 'application/pkcs8']",
            ),
        ),
        (with("bit_length", json!(127)), NOT_SUPPORTED.to_owned()),
        (
            order("asymmetric", &json!({"algorithm": "EC", "bit_length": 512})),
            NOT_SUPPORTED.to_owned(),
        ),
        (
            order(
                "asymmetric",
                &json!({"algorithm": "rsa", "bit_length": 2047}),
            ),
            NOT_SUPPORTED.to_owned(),
        ),
    ] {
        assert_eq!(rig.refused(&body), expected, "{body}");
    }
    let mut body = with("payload", json!("v"));
    body["meta"]["payload_content_type"] = json!("text/plain");
    assert_eq!(
        rig.refused(&body),
        in_order("meta", "'payload' not allowed for key type order")
    );
    body["type"] = json!("asymmetric");
    assert_eq!(
        rig.refused(&body),
        in_order("meta", "'payload' not allowed for asymmetric type order")
    );
}

#[test]
fn curves_have_their_own_lengths() {
    let rig = Rig::new();
    for bits in [256, 384, 521] {
        rig.ordered(&order(
            "asymmetric",
            &json!({"algorithm": "ec", "bit_length": bits}),
        ));
    }
}

#[test]
fn lists_have_pages_and_are_searched() {
    let rig = Rig::new();
    for name in ["one", "tw\u{fc}", "three"] {
        rig.ordered(&order(
            "key",
            &json!({"name": name, "algorithm": "aes", "bit_length": 128}),
        ));
    }
    let page = parsed(&rig.get("member", "/v1/orders?limit=1&offset=1&foo=bar"));
    assert_eq!(page["orders"][0]["meta"]["name"], "tw\u{fc}");
    assert_eq!(page["next"], "http://h/v1/orders?limit=1&offset=2");
    assert_eq!(page["previous"], "http://h/v1/orders?limit=1&offset=0");
    assert_eq!(page["total"], 3);
    let marker = page["orders"][0]["order_ref"].as_str().unwrap();
    let behind = parsed(&rig.get("member", &format!("/v1/orders?marker={marker}")));
    assert_eq!(behind["orders"].as_array().unwrap().len(), 1);
    // Text as Barbican keeps it: with a blank behind the colon, in ASCII.
    for (part, total) in [
        ("%22name%22:%20%22one%22", 1),
        ("tw%5Cu00fc", 1),
        ("AES", 3),
        ("", 3),
        ("none", 0),
    ] {
        let found = parsed(&rig.get("member", &format!("/v1/orders?meta={part}")));
        assert_eq!(found["total"], total, "{part}");
    }
    assert_eq!(rig.get("member", "/v1/orders?meta=a&meta=b").status(), 400);
    assert_eq!(
        parsed(&rig.get("stranger", "/v1/orders")),
        json!({"orders": [], "total": 0})
    );
}

#[test]
fn checks_come_in_barbicans_order() {
    let rig = Rig::new();
    let path = rig.ordered(&key());
    let with = |line: &str, headers: &[(&str, &str)]| {
        let response = rig.send("member", line, headers, b"{");
        (
            response.status().as_u16(),
            header(&response, "allow").to_owned(),
        )
    };
    let text = [("accept", "text/plain")];
    let json = [("accept", "application/json")];
    let none = || String::new();
    assert_eq!(with("POST /v1/orders", &text), (406, none()));
    assert_eq!(with("POST /v1/orders", &[]), (415, none()));
    assert_eq!(
        with("POST /v1/orders", &[("content-type", "application/json")]),
        (400, none())
    );
    assert_eq!(with("GET /v1/orders", &text), (406, none()));
    assert_eq!(with("PUT /v1/orders", &text), (406, none()));
    assert_eq!(with("PUT /v1/orders", &json), (405, none()));
    assert_eq!(
        with("DELETE /v1/orders", &[]),
        (405, "GET, POST, PUT".to_owned())
    );
    assert_eq!(with("DELETE /v1/orders", &json), (406, none()));
    assert_eq!(with(&format!("GET {path}"), &text), (406, none()));
    assert_eq!(
        with(&format!("PUT {path}"), &[]),
        (405, "DELETE, GET".to_owned())
    );
    for (below, description) in [
        (format!("{path}/foo"), ""),
        (
            path.replace("/orders/", "/orders/x") + "/acl",
            "Order not found.",
        ),
    ] {
        let response = rig.get("member", &below);
        assert_eq!(response.status(), 404);
        assert_eq!(parsed(&response)["description"], description);
    }
    for method in ["GET", "PUT", "DELETE"] {
        for id in ["bad", "1", "00000000-0000-4000-8000-000000000000"] {
            let response = rig.send("member", &format!("{method} /v1/orders/{id}"), &text, b"");
            assert_eq!(response.status(), 404, "{method} {id}");
            assert_eq!(parsed(&response)["description"], "Order not found.");
        }
    }
    assert_eq!(with(&format!("DELETE {path}"), &text), (204, none()));
}

#[test]
fn a_full_disk_refuses_orders() {
    let rig = Rig::new();
    rig.repository.set_health(Health::Full);
    for body in [key(), pair()] {
        let response = rig.json("member", "POST /v1/orders", &body);
        assert_eq!(response.status(), 503, "{}", shown(&response));
    }
}

// === the oldest form ===

fn old(secret: &Value) -> Value {
    json!({"secret": secret})
}

#[test]
fn the_oldest_form_orders_a_key_with_201() {
    let rig = Rig::new();
    let body = old(&json!({
        "name": "n", "algorithm": "aes", "bit_length": 256, "mode": "cbc",
        "payload_content_type": "application/octet-stream",
    }));
    let created = rig.json("member", "POST /v1/p/orders", &body);
    assert_eq!(created.status(), 201, "{}", shown(&created));
    let order_ref = parsed(&created)["order_ref"].as_str().unwrap().to_owned();
    assert_eq!(header(&created, "location"), order_ref);
    let path = order_ref.strip_prefix("http://h").unwrap();
    assert!(path.starts_with("/v1/p/orders/"), "{path}");
    let found = parsed(&rig.get("member", path));
    let secret_ref = found["secret_ref"].as_str().unwrap();
    let expected = json!({
        "status": "ACTIVE", "updated": found["updated"], "created": found["created"],
        "order_ref": order_ref, "secret_ref": secret_ref,
        "secret": {
            "name": "n", "algorithm": "aes", "payload_content_type": "application/octet-stream",
            "expiration": null, "bit_length": 256, "mode": "cbc",
        },
        "meta": null, "type": "key",
    });
    assert_eq!(found, expected);
    let secret = secret_ref.strip_prefix("http://h").unwrap();
    assert!(secret.starts_with("/v1/p/secrets/"), "{secret}");
    let payload = rig.send(
        "member",
        &format!("GET {secret}"),
        &[("accept", "application/octet-stream")],
        b"",
    );
    assert_eq!(payload.body().len(), 32);
    let list = parsed(&rig.get("member", "/v1/p/orders"));
    assert_eq!(list, json!({"orders": [found], "total": 1}));
}

#[test]
fn the_oldest_form_shows_orders_of_today() {
    let rig = Rig::new();
    rig.ordered(&pair());
    rig.ordered(&order(
        "key",
        &json!({"algorithm": "rsa", "bit_length": 2048}),
    ));
    let list = parsed(&rig.get("member", "/v1/p/orders?limit=2"));
    assert_eq!(list["orders"][0]["type"], "asymmetric");
    assert_eq!(list["orders"][0]["secret"]["algorithm"], "rsa");
    assert!(list["orders"][0]["container_ref"].is_string());
    assert_eq!(list["orders"][1]["status"], "ERROR");
    assert_eq!(list["orders"][1]["error_status_code"], "400");
    let next = parsed(&rig.get("member", "/v1/p/orders?limit=1"));
    assert_eq!(next["next"], "http://h/v1/p/orders?limit=1&offset=1");
}

#[test]
fn what_the_oldest_form_refuses() {
    let rig = Rig::new();
    let post = |body: &Value| {
        rig.json("member", "POST /v1/p/orders", body)
            .status()
            .as_u16()
    };
    assert_eq!(post(&key()), 400);
    assert_eq!(post(&old(&json!({}))), 400);
    assert_eq!(post(&old(&json!([]))), 400);
    assert_eq!(
        post(&old(&json!({"algorithm": "aes", "bit_length": 127}))),
        400
    );
    let html = json!({"algorithm": "aes", "bit_length": 128, "payload_content_type": "text/html"});
    assert_eq!(post(&old(&html)), 400);
    let path = rig.ordered(&key()).replace("/v1/orders", "/v1/p/orders");
    for (line, allow) in [
        (format!("DELETE {path}"), "GET"),
        (format!("PUT {path}"), "GET"),
        ("PUT /v1/p/orders".to_owned(), "GET, POST"),
    ] {
        let response = rig.send("member", &line, &[], b"");
        assert_eq!(
            (response.status().as_u16(), header(&response, "allow")),
            (405, allow),
            "{line}"
        );
    }
}

#[test]
fn the_oldest_form_has_the_same_rules() {
    let rig = Rig::new();
    let path = rig.ordered(&key()).replace("/v1/orders", "/v1/p/orders");
    let body = old(&json!({"algorithm": "aes", "bit_length": 128}));
    for (token, one, list, post) in [
        ("", 401, 401, 401),
        ("reader", 403, 403, 403),
        ("member", 200, 200, 201),
        ("stranger", 404, 404, 404),
    ] {
        assert_eq!(rig.get(token, &path).status(), one, "{token}");
        assert_eq!(rig.get(token, "/v1/p/orders").status(), list, "{token}");
        assert_eq!(
            rig.json(token, "POST /v1/p/orders", &body).status(),
            post,
            "{token}"
        );
    }
    let foreign = path.replace("/v1/p/", "/v1/q/");
    let response = rig.get("stranger", &foreign);
    assert_eq!(
        (
            response.status().as_u16(),
            &parsed(&response)["description"]
        ),
        (404, &json!("Order not found."))
    );
    let mismatch = rig.get("member", &foreign);
    assert_eq!(
        (
            mismatch.status().as_u16(),
            &parsed(&mismatch)["description"]
        ),
        (404, &json!("Order not found."))
    );
}
