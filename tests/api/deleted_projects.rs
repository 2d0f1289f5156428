//! What is left of projects that Keystone has deleted.

use std::process::Output;

use serde_json::json;

use crate::{
    keystone::Keystone,
    support::{Caller, Launch, PATIENCE, Server, until},
};

const GONE: &str = "0123456789abcdef0123456789abcde1";
const STAYS: &str = "0123456789abcdef0123456789abcde2";

/// A sweep every second, which removes after two.
fn swept(keystone: &Keystone, modes: &str) -> Launch {
    keystone
        .launch(modes)
        .env("DONJON_AUTH__KEYSTONE__TOKEN_CACHE_TIME", "0")
        .env("DONJON_SWEEP__ENABLED", "true")
        .env("DONJON_SWEEP__INTERVAL_S", "1")
        .env("DONJON_SWEEP__DELAY_S", "2")
}

fn holder(server: &Server, project: &str) -> Caller {
    server.holder(&format!("of-{project}"))
}

fn text(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn forecast(launch: &Launch) -> String {
    text(&launch.verb(&["projects", "sweep", "--dry-run"]))
}

/// Three secrets, one of them in a container and with a consumer of another
/// project's, an order, and a registration on a secret of the other project.
fn fill(server: &Server) {
    let gone = holder(server, GONE);
    let secret = gone.store("one");
    gone.store("two");
    let entries = json!([{"name": "a", "secret_ref": format!("{}{secret}", server.base())}]);
    let container = json!({"type": "generic", "name": "c", "secret_refs": entries});
    gone.json("POST /v1/containers", &container).ok(201);
    let meta = json!({"algorithm": "aes", "bit_length": 256, "mode": "cbc",
        "payload_content_type": "application/octet-stream"});
    let order = json!({"type": "key", "meta": meta});
    gone.json("POST /v1/orders", &order).ok(202);
    let shared = holder(server, STAYS).store("shared");
    let acl = json!({"read": {"users": ["u"], "project-access": true}});
    let stays = holder(server, STAYS);
    stays.json(&format!("PUT {shared}/acl"), &acl).ok(200);
}

#[test]
fn what_a_deleted_project_owned_goes_after_the_delay() {
    let keystone = Keystone::start();
    keystone.create(GONE);
    keystone.create(STAYS);
    // A local token's project is nobody's business of Keystone.
    let server = swept(&keystone, "keystone,tokens").start();
    let local = server.holder(&server.launch().first_token());
    let kept = local.store("local");
    fill(&server);
    let other = holder(&server, STAYS).store("other");
    server.log_lines("listening", 1);
    until("keystone is asked", PATIENCE, || {
        let shown = forecast(server.launch());
        shown.contains("2 projects").then_some(())
    });
    let shown = forecast(server.launch());
    assert!(shown.contains("0 are missed"), "{shown}");
    assert!(
        shown.contains("1 were never known to Keystone, and stay: default"),
        "{shown}"
    );

    // Sick or gone, nothing is missed of it.
    keystone.set_ill(true);
    server.log_lines("before the next sweep", 1);
    let ended = server.launch().verb(&["projects", "sweep", "--dry-run"]);
    assert_eq!(ended.status.code(), Some(1));
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(
        stderr.contains("cannot be asked about projects"),
        "{stderr}"
    );
    keystone.set_ill(false);

    keystone.delete(GONE);
    server.log_lines("does not know the project any more", 1);
    let shown = forecast(server.launch());
    let line = shown.lines().find(|line| line.starts_with(GONE)).unwrap();
    assert!(
        line.contains("3 secrets, 1 containers, 1 orders, "),
        "{line}"
    );
    assert!(line.contains("1 keys"), "{line}");
    server.log_lines("what it owned is removed", 1);
    let shown = forecast(server.launch());
    assert!(
        !shown.contains(GONE) && shown.contains("0 are missed"),
        "{shown}"
    );
    assert_eq!(
        holder(&server, STAYS)
            .call(&format!("GET {other}/payload"))
            .text(),
        "other"
    );
    assert_eq!(local.call(&format!("GET {kept}/payload")).text(), "local");

    // One with the same id begins anew.
    keystone.create(GONE);
    let again = holder(&server, GONE);
    assert_eq!(again.call("GET /v1/secrets").ok(200)["total"], 0);
    assert_eq!(again.call("GET /v1/containers").ok(200)["total"], 0);
    assert_eq!(again.call("GET /v1/orders").ok(200)["total"], 0);
    let path = again.store("new");
    assert_eq!(again.call(&format!("GET {path}/payload")).text(), "new");
}

#[test]
fn a_project_on_which_a_local_token_acts_stays() {
    let keystone = Keystone::start();
    keystone.create(GONE);
    keystone.create(STAYS);
    let server = swept(&keystone, "keystone,tokens").start();
    let path = holder(&server, GONE).store("x");
    holder(&server, STAYS).store("y");
    let local = server.caller(GONE, "somebody", &["member"]);
    keystone.delete(GONE);
    server.log_lines("on which a local token acts", 2);
    let shown = forecast(server.launch());
    assert!(
        shown.contains("stays while a local token acts on it"),
        "{shown}"
    );
    assert_eq!(local.call(&format!("GET {path}/payload")).text(), "x");

    let tokens = text(&server.launch().token_verb(&["list"]));
    let line = tokens.lines().find(|line| line.contains(GONE)).unwrap();
    let id = line.split_whitespace().next().unwrap();
    server.launch().token_verb(&["revoke", id]);
    server.log_lines("what it owned is removed", 1);
}

#[test]
fn a_project_that_comes_back_loses_nothing() {
    let keystone = Keystone::start();
    keystone.create(GONE);
    keystone.create(STAYS);
    let launch = swept(&keystone, "keystone").env("DONJON_SWEEP__DELAY_S", "3");
    let mut server = launch.start();
    let path = holder(&server, GONE).store("x");
    holder(&server, STAYS).store("y");
    for _ in 0..2 {
        keystone.delete(GONE);
        server.log_lines("does not know the project any more", 1);
        keystone.create(GONE);
        // What was noted before the kill is taken back after it.
        server = server.kill().start();
        server.log_lines("knows the project again", 1);
    }
    until("it is not missed", PATIENCE, || {
        forecast(server.launch())
            .contains(" 0 are missed")
            .then_some(())
    });
    assert_eq!(
        holder(&server, GONE)
            .call(&format!("GET {path}/payload"))
            .text(),
        "x"
    );
    assert!(!server.process().log().contains("what it owned is removed"));
}

#[test]
fn a_keystone_that_lost_its_data_removes_nothing() {
    let keystone = Keystone::start();
    let projects: Vec<_> = (0..4)
        .map(|number| format!("{}{number}", &GONE[..31]))
        .collect();
    let server = swept(&keystone, "keystone").start();
    for project in &projects {
        keystone.create(project);
        holder(&server, project).store("x");
    }
    until("all are known", PATIENCE, || {
        forecast(server.launch())
            .starts_with("4 projects")
            .then_some(())
    });
    for project in &projects[1..] {
        keystone.delete(project);
    }
    server.log_lines("does not know too many projects at once", 4);
    let shown = forecast(server.launch());
    assert!(shown.contains("nothing would be removed"), "{shown}");
    for project in &projects {
        keystone.create(project);
        let total = &holder(&server, project).call("GET /v1/secrets").ok(200)["total"];
        assert_eq!(*total, 1);
    }
}

#[test]
fn nothing_is_removed_unless_it_is_enabled() {
    let keystone = Keystone::start();
    let server = keystone.launch("keystone").start();
    let refused = server.launch().verb(&["projects", "sweep"]);
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("sweep.enabled is not set"), "{stderr}");
    assert!(forecast(server.launch()).starts_with("0 projects"));
    let launch = server.stop();
    // On the folder too.
    assert!(forecast(&launch).starts_with("0 projects"));
    let refused = launch.verb(&["projects", "sweep"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("no server runs"), "{stderr}");

    let (status, log) = Launch::new("tokens")
        .env("DONJON_SWEEP__ENABLED", "true")
        .start_in_vain();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("auth.modes has to have keystone"), "{log}");
    let local = Server::new("tokens");
    let refused = local.launch().verb(&["projects", "sweep", "--dry-run"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(
        stderr.contains("auth.modes has to have keystone"),
        "{stderr}"
    );
}
