use super::*;
use serde_json::json;

const ID: &str = "6b1f0a52-3c0e-4b52-9d6a-0f6a5d1c2e3f";
const OTHER: &str = "00000000-3c0e-4b52-9d6a-0f6a5d1c2e3f";

fn step(mut value: serde_json::Value) -> Step {
    value["request"] = json!({"method": "GET", "path": "/"});
    serde_json::from_value(value).unwrap()
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    Response {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        body: body.into(),
    }
}

fn outcome(step: &Step, response: &Response) -> Outcome {
    compare(
        step,
        response,
        &Scope::new("http://h:1", "s"),
        &mut Uuids::new(),
    )
}

/// Compares a JSON answer with a recorded one and gives the places that differ.
fn json_places(
    expected: serde_json::Value,
    got: serde_json::Value,
    unordered: &[&str],
) -> Vec<String> {
    let step = step(
        json!({"response": {"status": 200, "body": {"json": expected}}, "unordered": unordered}),
    );
    places(outcome(&step, &answer(200, &[], &got.to_string())))
}

fn places(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Different(differences) => differences
            .into_iter()
            .map(|difference| difference.place)
            .collect(),
        other => {
            assert_eq!(other, Outcome::Equal);
            Vec::new()
        }
    }
}

#[test]
fn status_comes_first() {
    let step = step(json!({"response": {"status": 200, "body": {"text": "a"}}, "also": [400]}));
    assert_eq!(outcome(&step, &answer(200, &[], "a")), Outcome::Equal);
    assert_eq!(outcome(&step, &answer(400, &[], "b")), Outcome::Also);
    assert_eq!(places(outcome(&step, &answer(404, &[], "a"))), ["status"]);
}

#[test]
fn a_recorded_failure_is_told_apart_where_there_is_better() {
    let better = step(json!({"response": {"status": 500}, "also": [400]}));
    assert_eq!(
        outcome(&better, &answer(500, &[], "")),
        Outcome::RecordedFailure
    );
    assert_eq!(outcome(&better, &answer(400, &[], "")), Outcome::Also);
    let only = step(json!({"response": {"status": 500}}));
    assert_eq!(outcome(&only, &answer(500, &[], "")), Outcome::Equal);
}

#[test]
fn json_by_value() {
    assert!(
        json_places(
            json!({"a": 1, "b": [null, true]}),
            json!({"b": [null, true], "a": 1}),
            &[]
        )
        .is_empty()
    );
    assert_eq!(
        json_places(json!({"a": 1}), json!({"a": 2}), &[]),
        ["body /a"]
    );
    assert_eq!(
        json_places(json!({"a": 1}), json!({"a": "1"}), &[]),
        ["body /a"]
    );
    assert_eq!(json_places(json!({"a": null}), json!({}), &[]), ["body"]);
    assert_eq!(json_places(json!({}), json!({"a": null}), &[]), ["body"]);
    assert_eq!(json_places(json!([1, 2]), json!([1]), &[]), ["body"]);
    assert_eq!(
        json_places(json!([1, 2]), json!([2, 1]), &[]),
        ["body /0", "body /1"]
    );
    assert_eq!(
        json_places(json!({"a/b": 1}), json!({"a/b": 2}), &[]),
        ["body /a~1b"]
    );
}

#[test]
fn any_as_a_whole_value_and_in_keys() {
    assert!(json_places(json!({"a": "{any}"}), json!({"a": {"x": [1]}}), &[]).is_empty());
    assert!(json_places(json!({"{pad:3}": 1}), json!({"xxx": 1}), &[]).is_empty());
    assert_eq!(
        json_places(json!({"{pad:3}": 1}), json!({"xx": 1}), &[]),
        ["body", "body"]
    );
}

#[test]
fn unordered_arrays_are_bags() {
    let expected = json!({"x": [{"n": 1, "r": "{uuid:1}"}, {"n": 2, "r": "{uuid:2}"}]});
    let turned = json!({"x": [{"n": 2, "r": OTHER}, {"n": 1, "r": ID}]});
    assert!(json_places(expected.clone(), turned.clone(), &["/x"]).is_empty());
    assert!(!json_places(expected.clone(), turned, &[]).is_empty());
    let twice = json!({"x": [{"n": 2, "r": ID}, {"n": 1, "r": ID}]});
    assert!(!json_places(expected, twice, &["/x"]).is_empty());
}

#[test]
fn an_order_is_found_even_if_the_first_fit_is_wrong() {
    let expected = json!(["{any}", "a"]);
    assert!(json_places(expected.clone(), json!(["a", "b"]), &[""]).is_empty());
    assert!(!json_places(expected, json!(["b", "c"]), &[""]).is_empty());
}

#[test]
fn loose_parts_are_left_out() {
    let loose = step(json!({
        "response": {"status": 200, "headers": {"content-type": "a/b", "x": "1"}, "body": {"text": "a"}},
        "loose": ["body", "content-type"]
    }));
    assert_eq!(
        outcome(&loose, &answer(200, &[("x", "1")], "b")),
        Outcome::Equal
    );
    assert_eq!(
        places(outcome(&loose, &answer(200, &[("x", "2")], "b"))),
        ["header x"]
    );
}

#[track_caller]
fn check_header(name: &str, recorded: &str, got: &[(&str, &str)], equal: bool) {
    let step = step(json!({"response": {"status": 200, "headers": {name: recorded}}}));
    let outcome = outcome(&step, &answer(200, got, ""));
    assert_eq!(
        outcome == Outcome::Equal,
        equal,
        "{name}: {recorded} against {got:?}: {outcome:?}"
    );
}

#[test]
fn headers() {
    check_header(
        "vary",
        "openstack-api-version",
        &[("Vary", "Origin"), ("Vary", "OpenStack-API-Version")],
        true,
    );
    check_header(
        "vary",
        "openstack-api-version",
        &[("Vary", "Origin")],
        false,
    );
    check_header("allow", "GET, POST", &[("Allow", "POST,GET,HEAD")], true);
    check_header("allow", "GET, POST", &[("Allow", "GET")], false);
    check_header(
        "content-type",
        "text/plain; charset=UTF-8",
        &[("Content-Type", "TEXT/plain;charset=utf-8")],
        true,
    );
    check_header(
        "content-type",
        "text/plain; charset=UTF-8",
        &[("Content-Type", "text/plain")],
        false,
    );
    check_header(
        "content-type",
        "application/json",
        &[("Content-Type", "application/json; charset=UTF-8")],
        true,
    );
    check_header(
        "content-type",
        "text/plain",
        &[("Content-Type", "text/plain; charset=UTF-8")],
        false,
    );
    check_header("content-length", "0", &[], true);
    check_header("content-length", "0", &[("Content-Length", "0")], true);
    check_header("content-length", "0", &[("Content-Length", "1")], false);
    check_header(
        "location",
        "{base}/v1/secrets/{uuid:1}",
        &[("Location", &format!("http://h:1/v1/secrets/{ID}"))],
        true,
    );
    check_header(
        "location",
        "{base}/v1/secrets/{uuid:1}",
        &[("Location", "http://h:2/v1/secrets/x")],
        false,
    );
    check_header("x-openstack-request-id", "{any}", &[], false);
}

#[track_caller]
fn check_body(recorded: serde_json::Value, got: &str, equal: bool) {
    let step = step(json!({"response": {"status": 200, "body": recorded}}));
    assert_eq!(
        outcome(&step, &answer(200, &[], got)) == Outcome::Equal,
        equal,
        "{got}"
    );
}

#[test]
fn bodies() {
    check_body(json!(null), "", true);
    check_body(json!(null), "x", false);
    check_body(json!({"text": "a {any}"}), "a b", true);
    check_body(json!({"text": "a {any}"}), "b", false);
    check_body(json!({"base64": "AAE="}), "\u{0}\u{1}", true);
    check_body(json!({"base64": "AAE="}), "\u{0}\u{2}", false);
    check_body(json!({"length": 3}), "abc", true);
    check_body(json!({"length": 3}), "ab", false);
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\nAAE=\n-----END PUBLIC KEY-----\n";
    check_body(json!({"pem": "PUBLIC KEY"}), pem, true);
    check_body(json!({"pem": "PRIVATE KEY"}), pem, false);
    check_body(json!({"json": {}}), "not JSON", false);
}

#[test]
fn an_absent_body_is_not_compared() {
    let step = step(json!({"response": {"status": 200}}));
    assert_eq!(outcome(&step, &answer(200, &[], "x")), Outcome::Equal);
}
