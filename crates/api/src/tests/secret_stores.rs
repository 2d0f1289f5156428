//! Secret stores, with a choice and without.

use serde_json::json;

use super::{Rig, parsed, shown};

const OFF: &str = "Not Found. Multiple backends support is not enabled in service configuration.";
const UNKNOWN: &str = "/v1/secret-stores/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

fn default_of(rig: &Rig) -> serde_json::Value {
    parsed(&rig.get("reader", "/v1/secret-stores/global-default"))
}

/// The path of the only store.
fn path(rig: &Rig) -> String {
    let store = default_of(rig);
    let reference = store["secret_store_ref"].as_str().unwrap();
    reference.strip_prefix("http://h").unwrap().to_owned()
}

#[test]
fn without_a_choice_everything_is_404() {
    let rig = Rig::new();
    for line in [
        "GET /v1/secret-stores",
        "GET /v1/secret-stores/global-default",
        "GET /v1/secret-stores/preferred",
        &format!("GET {UNKNOWN}"),
        &format!("PUT {UNKNOWN}"),
        &format!("POST {UNKNOWN}/preferred"),
        &format!("DELETE {UNKNOWN}/preferred"),
        &format!("GET {UNKNOWN}/foo"),
    ] {
        let response = rig.send("reader", line, &[], b"");
        assert_eq!(response.status(), 404, "{line}");
        assert_eq!(parsed(&response)["description"], OFF, "{line}");
    }
    assert_eq!(
        rig.send("reader", "POST /v1/secret-stores", &[], b"")
            .status(),
        405
    );
}

#[test]
fn the_store_is_shown() {
    let rig = Rig::with_stores();
    let store = default_of(&rig);
    let expected = json!({
        "created": store["created"], "updated": store["updated"], "status": "ACTIVE",
        "crypto_plugin": "simple_crypto", "global_default": true, "name": "Software Only Crypto",
        "secret_store_plugin": "store_crypto", "secret_store_ref": store["secret_store_ref"],
    });
    assert_eq!(store, expected);
    assert_eq!(
        parsed(&rig.get("reader", "/v1/secret-stores")),
        json!({"secret_stores": [expected]})
    );
    assert_eq!(parsed(&rig.get("reader", &path(&rig))), expected);
    let unknown = rig.get("reader", UNKNOWN);
    assert_eq!(
        parsed(&unknown)["description"],
        "Not Found. Secret store not found."
    );
    let below = rig.get("reader", &format!("{}/foo", path(&rig)));
    assert_eq!(below.status(), 405);
}

#[test]
fn a_project_prefers_a_store_until_it_does_not() {
    let rig = Rig::with_stores();
    let preference = format!("{}/preferred", path(&rig));
    let send =
        |token: &str, method: &str| rig.send(token, &format!("{method} {preference}"), &[], b"");
    let none = "Not Found. No preferred secret store defined for this project.";
    let get = |token: &str| rig.get(token, "/v1/secret-stores/preferred");
    assert_eq!(parsed(&get("reader"))["description"], none);
    for _ in 0..2 {
        let set = send("admin", "POST");
        assert_eq!(set.status(), 204, "{}", shown(&set));
        assert_eq!(parsed(&get("reader")), default_of(&rig));
    }
    assert_eq!(get("stranger").status(), 404);
    assert_eq!(send("admin", "DELETE").status(), 204);
    let again = send("admin", "DELETE");
    assert_eq!(again.status(), 404);
    assert_eq!(parsed(&again)["description"], none);
    assert_eq!(get("reader").status(), 404);
}

#[test]
fn who_may_see_and_prefer() {
    let rig = Rig::with_stores();
    let store = path(&rig);
    for (line, expected) in [
        ("GET /v1/secret-stores".to_owned(), [401, 200, 200, 200]),
        (format!("GET {store}"), [401, 200, 200, 200]),
        (format!("DELETE {store}/preferred"), [401, 403, 403, 404]),
        (format!("POST {store}/preferred"), [401, 403, 403, 204]),
        (format!("DELETE {store}/preferred"), [401, 403, 403, 204]),
        (format!("PUT {store}/preferred"), [401, 405, 405, 405]),
    ] {
        for (token, status) in ["", "reader", "member", "admin"].iter().zip(expected) {
            let response = rig.send(token, &line, &[], b"");
            assert_eq!(response.status(), status, "{line} as {token:?}");
        }
    }
    let refused = rig.send("member", &format!("POST {store}/preferred"), &[], b"");
    assert_eq!(
        parsed(&refused)["description"],
        "Setting preferred secret store attempt not allowed - please review your user/project privileges"
    );
}
