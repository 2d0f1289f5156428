//! Tokens over their life: the first one, revoked and expired ones, over restarts.

use serde_json::json;

use crate::support::{Launch, Server};

#[test]
fn the_first_token_is_an_admin_of_the_default_project() {
    let server = Server::new("tokens");
    let first = server.holder(&server.launch().first_token());
    let path = first.store("it works");
    assert_eq!(
        first.call(&format!("GET {path}/payload")).text(),
        "it works"
    );
    assert_eq!(
        first.call(&format!("GET {path}")).ok(200)["creator_id"],
        "admin"
    );
    let same = server.caller("default", "somebody", &["member"]);
    assert_eq!(same.call("GET /v1/secrets").ok(200)["total"], 1);
    // Only an admin may delete what is private and somebody else's.
    let private = same.store("private");
    let acl = json!({"read": {"project-access": false}});
    same.json(&format!("PUT {private}/acl"), &acl).ok(200);
    first.call(&format!("DELETE {private}")).is_empty(204);
}

#[test]
fn a_revoked_token_is_refused_by_the_next_request() {
    let server = Server::new("tokens");
    let launch = server.launch();
    let holder = server.caller("p", "leaving", &["member"]);
    let other = server.caller("p", "staying", &["member"]);
    let path = holder.store("x");
    holder.call(&format!("GET {path}")).ok(200);
    let id = token_id(launch, "leaving");
    launch.token_verb(&["revoke", &id]);
    // On the connection that was let in before, and on a new one.
    let refused = "The request you have made requires authentication.";
    holder.call(&format!("GET {path}")).is(401, refused);
    holder
        .with("X-New", "1")
        .call(&format!("GET {path}"))
        .is(401, refused);
    other.call(&format!("GET {path}")).ok(200);
}

#[test]
fn tokens_outlive_a_restart_and_revocations_too() {
    let server = Server::new("tokens");
    let (kept, gone) = (
        server.launch().token("p", "kept", &["member"]),
        server.launch().token("p", "gone", &["member"]),
    );
    let path = server.holder(&kept).store("x");
    let launch = server.stop();
    // Without a server the verb works on the folder.
    launch.token_verb(&["revoke", &token_id(&launch, "gone")]);
    let late = launch.token("p", "late", &["member"]);
    let server = launch.start();
    for token in [&kept, &late] {
        assert_eq!(
            server
                .holder(token)
                .call(&format!("GET {path}/payload"))
                .text(),
            "x"
        );
    }
    let refused = server.holder(&gone).call(&format!("GET {path}"));
    assert_eq!(refused.status, 401);
}

#[test]
fn a_token_ends_when_it_expires() {
    let server = Server::new("tokens");
    let arguments = ["create", "--project", "p", "--expires", "2s"];
    let output = server.launch().token_verb(&arguments);
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let holder = server.holder(&token);
    let mut accepted = 0;
    crate::support::until("the token expires", crate::support::PATIENCE, || {
        let status = holder.call("GET /v1/secrets").status;
        accepted += usize::from(status == 200);
        (status == 401).then_some(())
    });
    assert!(accepted > 0);
}

#[test]
fn roles_are_compared_without_regard_to_case() {
    let server = Server::new("tokens");
    let member = server.caller("p", "u", &["Member"]);
    member.call("GET /v1/secrets").ok(200);
}

/// The id of the token of this user, as `donjon token list` shows it.
fn token_id(launch: &Launch, user: &str) -> String {
    let output = launch.token_verb(&["list"]);
    let list = String::from_utf8(output.stdout).unwrap();
    let line = list
        .lines()
        .find(|line| line.split_whitespace().any(|word| word == user))
        .unwrap_or_else(|| panic!("no {user} in:\n{list}"));
    line.split_whitespace().next().unwrap().to_owned()
}
