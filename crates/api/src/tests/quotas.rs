//! Quotas of a project, and what they refuse.

use serde_json::{Value, json};

use super::{Rig, parsed, shown};

const P: &str = "/v1/project-quotas/p";

fn put(rig: &Rig, body: &Value) -> u16 {
    let response = rig.json("admin", &format!("PUT {P}"), body);
    response.status().as_u16()
}

#[test]
fn what_is_configured_is_merged_and_shown() {
    let rig = Rig::new();
    let unlimited =
        json!({"secrets": -1, "orders": -1, "containers": -1, "consumers": -1, "cas": -1});
    assert_eq!(
        parsed(&rig.get("reader", "/v1/quotas")),
        json!({ "quotas": unlimited })
    );
    assert_eq!(put(&rig, &json!({"project_quotas": {"secrets": 5}})), 204);
    assert_eq!(put(&rig, &json!({"project_quotas": {"orders": 7.0}})), 204);
    assert_eq!(put(&rig, &json!({"project_quotas": {}})), 204);
    let own =
        json!({"secrets": 5, "orders": 7, "containers": null, "consumers": null, "cas": null});
    assert_eq!(
        parsed(&rig.get("admin", P)),
        json!({ "project_quotas": own })
    );
    assert_eq!(
        parsed(&rig.get("admin", "/v1/project-quotas")),
        json!({"project_quotas": [{"project_id": "p", "project_quotas": own}], "total": 1})
    );
    assert_eq!(
        parsed(&rig.get("reader", "/v1/quotas"))["quotas"]["orders"],
        7
    );
    let delete = format!("DELETE {P}");
    assert_eq!(rig.send("admin", &delete, &[], b"").status(), 204);
    let again = rig.send("admin", &delete, &[], b"");
    assert_eq!(again.status(), 404);
    assert_eq!(parsed(&again)["description"], "Project quotas not found.");
}

#[test]
fn what_a_put_refuses() {
    let rig = Rig::new();
    let check = |body: &str, status: u16, description: &str| {
        let headers = [("content-type", "application/json")];
        let response = rig.send("admin", &format!("PUT {P}"), &headers, body.as_bytes());
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(parsed(&response)["description"], description, "{body}");
    };
    let schema = |reason: &str, property: &str| {
        format!(
            "Provided object does not match schema 'Project Quota': {reason}. Invalid property: '{property}'"
        )
    };
    check(
        "",
        400,
        "Project Quotas issue seen - No data supplied to process..",
    );
    check("{", 400, "Malformed JSON");
    for (body, reason, property) in [
        ("{}", "'project_quotas' is a required property", "None"),
        (
            r#"{"project_quotas": null}"#,
            "None is not of type 'object'",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": null}}"#,
            "None is not of type 'integer'",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": true}}"#,
            "True is not of type 'integer'",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": 1.5}}"#,
            "1.5 is not of type 'integer'",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": 99999999999999999999}}"#,
            "100000000000000000000 is not of type 'integer'",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": 9999999999999999999}}"#,
            "a quota is too large",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"unknown": 1}}"#,
            "Additional properties are not allowed ('unknown' was unexpected)",
            "project_quotas",
        ),
        (
            r#"{"project_quotas": {"secrets": 1}, "other": 1}"#,
            "Additional properties are not allowed ('other' was unexpected)",
            "None",
        ),
    ] {
        check(body, 400, &schema(reason, property));
    }
    let plain = rig.send(
        "admin",
        &format!("PUT {P}"),
        &[("content-type", "text/plain")],
        b"{}",
    );
    assert_eq!(plain.status(), 415);
    assert_eq!(rig.get("admin", P).status(), 404);
}

#[test]
fn names_that_no_project_has_are_not_kept() {
    let rig = Rig::new();
    let body = json!({"project_quotas": {"secrets": 1}});
    let put = |name: &str, token: &str| {
        let response = rig.json(token, &format!("PUT /v1/project-quotas/{name}"), &body);
        (response.status().as_u16(), shown(&response))
    };
    let long = "é".repeat(255).replace('é', "%C3%A9");
    for name in [&format!("{long}a"), "%20", "a%0Ab", "%1B[2J", "%C2%85a"] {
        let (status, text) = put(name, "admin");
        assert_eq!(status, 400, "{name}: {text}");
        assert!(text.contains("1 to 255 characters"), "{text}");
        assert_eq!(put(name, "member").0, 403, "{name}");
        let path = format!("/v1/project-quotas/{name}");
        assert_eq!(rig.get("admin", &path).status(), 404, "{name}");
    }
    assert_eq!(put(&long, "admin").0, 204);
    let all = parsed(&rig.get("admin", "/v1/project-quotas"));
    assert_eq!(all["total"], 1);
}

#[test]
fn creations_beyond_the_limit_are_refused_in_barbicans_words() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    put(
        &rig,
        &json!({"project_quotas": {"secrets": 1, "consumers": 0}}),
    );
    let secret = rig.json("member", "POST /v1/secrets", &json!({}));
    assert_eq!(secret.status(), 403);
    assert_eq!(
        parsed(&secret)["description"],
        "Secret creation issue seen - Creation not allowed because a quota has been reached."
    );
    let consumer = json!({"service": "s", "resource_type": "t", "resource_id": "r"});
    let consumer = rig.json("member", &format!("POST {path}/consumers"), &consumer);
    assert_eq!(consumer.status(), 403);
    assert_eq!(
        parsed(&consumer)["description"],
        "SecretConsumer creation issue seen - Creation not allowed because a quota has been reached."
    );
    // A body that makes no sense is refused for that.
    let odd = rig.json("member", "POST /v1/secrets", &json!({"name": 5}));
    assert_eq!(odd.status(), 400, "{}", shown(&odd));
    assert_eq!(rig.get("member", "/v1/secrets").status(), 200);
}

#[test]
fn links_name_the_list() {
    let rig = Rig::new();
    for project in ["a", "b", "c"] {
        let line = format!("PUT /v1/project-quotas/{project}");
        rig.json("admin", &line, &json!({"project_quotas": {}}));
    }
    let page = parsed(&rig.get("admin", "/v1/project-quotas?limit=1&offset=1"));
    assert_eq!(page["project_quotas"][0]["project_id"], "b");
    for marker in ["a", "http://h/v1/project-quotas/a"] {
        let path = format!("/v1/project-quotas?limit=1&marker={marker}");
        assert_eq!(parsed(&rig.get("admin", &path)), page, "{marker}");
    }
    assert_eq!(page["next"], "http://h/v1/project-quotas?limit=1&offset=2");
    assert_eq!(
        page["previous"],
        "http://h/v1/project-quotas?limit=1&offset=0"
    );
}

#[test]
fn the_oldest_form_answers_alike() {
    let rig = Rig::new();
    let path = "/v1/p/project-quotas/p";
    let body = json!({"project_quotas": {"secrets": 3}});
    let changed = rig.json("admin", &format!("PUT {path}"), &body);
    assert_eq!(changed.status(), 204, "{}", shown(&changed));
    assert_eq!(
        parsed(&rig.get("reader", "/v1/p/quotas"))["quotas"]["secrets"],
        3
    );
    assert_eq!(
        parsed(&rig.get("admin", path))["project_quotas"]["secrets"],
        3
    );
    assert_eq!(rig.get("reader", "/v1/q/quotas").status(), 404);
    assert_eq!(rig.get("", "/v1/p/quotas").status(), 401);
}
