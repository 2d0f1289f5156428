//! Application credentials with access rules.

use super::*;

fn limited(rules: &Value) -> Value {
    let mut token = member();
    token["application_credential"] = json!({"id": "x", "restricted": true, "access_rules": rules});
    token["catalog"] = json!([{"type": "key-manager", "name": "barbican", "endpoints": []}]);
    token
}

fn request<'a>(method: &'a str, path: &'a str) -> Credential<'a> {
    Credential {
        method,
        path,
        ..shown("t")
    }
}

#[tokio::test]
async fn only_what_a_rule_allows() {
    let rig = Rig::new().await;
    let rules = json!([
        {"id": "1", "service": "key-manager", "method": "GET", "path": "/v1/secrets/a/payload"},
        {"id": "2", "service": "key-manager", "method": "DELETE", "path": "/v1/secrets/{id}"},
        {"id": "3", "service": "compute", "method": "POST", "path": "/**"},
    ]);
    rig.fake.knows("t", limited(&rules));
    for (method, path, is_allowed) in [
        ("GET", "/v1/secrets/a/payload", true),
        ("GET", "/v1/secrets/b/payload", false),
        ("GET", "/v1/secrets/a", false),
        ("GET", "//v1/secrets/a/payload", false),
        ("PUT", "/v1/secrets/a/payload", false),
        ("DELETE", "/v1/secrets/a", true),
        ("DELETE", "/v1/secrets/", false),
        ("POST", "/v1/secrets", false),
        ("", "", false),
    ] {
        let found = rig.ask(request(method, path)).await;
        assert_eq!(found.is_ok(), is_allowed, "{method} {path}");
        assert_eq!(
            found.err(),
            (!is_allowed).then_some(AuthErrorKind::Unauthenticated)
        );
    }
    assert_eq!(rig.fake.validations(), 1);
}

#[tokio::test]
async fn no_rules_and_null_differ() {
    let rig = Rig::new().await;
    rig.fake.knows("t", limited(&json!([])));
    assert_eq!(rig.ask(request("GET", "/v1/secrets")).await, REFUSED);
    let rig = Rig::new().await;
    rig.fake.knows("t", limited(&json!(null)));
    assert!(rig.ask(request("GET", "/v1/secrets")).await.is_ok());
}

#[tokio::test]
async fn rules_that_cannot_be_read_let_nobody_in() {
    for rules in [
        json!("all"),
        json!({}),
        json!([{"path": "/**"}]),
        json!([7]),
    ] {
        let rig = Rig::new().await;
        rig.fake.knows("t", limited(&rules));
        let found = rig.ask(request("GET", "/v1/secrets")).await;
        assert_eq!(found, UNAVAILABLE, "{rules}");
    }
}

/// As keystonemiddleware: who does not know what it is refuses rules at all.
#[tokio::test]
async fn the_own_type_has_to_be_known_and_in_the_catalog() {
    let all = json!([{"service": "key-manager", "method": "GET", "path": "/**"}]);
    let rig = Rig::with(|config| config.service_type = None).await;
    rig.fake.knows("t", limited(&all));
    assert_eq!(rig.ask(request("GET", "/v1/secrets")).await, REFUSED);
    let rig = Rig::new().await;
    let mut token = limited(&all);
    token["catalog"] = json!([{"type": "compute"}]);
    rig.fake.knows("t", token);
    assert_eq!(rig.ask(request("GET", "/v1/secrets")).await, REFUSED);
}

/// Only a service with the role goes beyond the rules. keystonemiddleware lets
/// any second token do, the limited one itself as well.
#[tokio::test]
async fn a_service_goes_beyond_the_rules() {
    let rig = Rig::new().await;
    rig.fake.knows("t", limited(&json!([])));
    rig.fake.knows("s", service("service"));
    rig.fake.knows("other", service("member"));
    for (service_token, is_allowed) in [("s", true), ("other", false), ("t", false)] {
        let credential = Credential {
            service_token: Some(service_token),
            ..request("GET", "/v1/secrets")
        };
        let found = rig.ask(credential).await;
        assert_eq!(found.is_ok(), is_allowed, "{service_token}: {found:?}");
    }
}
