//! Changing keys beside a working server, and through its death.

use std::thread;

use super::support::{CONFIG, Rig, Server};

fn config(rig: &Rig, root_key: &str) {
    rig.configure_root_key(&format!("{root_key}\n[rotation]\nrows_per_s = 200"));
}

fn rotate(rig: &Rig, args: &[&str]) -> String {
    let args = [&["rotate"], args, &["--config", CONFIG]].concat();
    let ended = rig.run(&args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// After a kill, the log says so before.
fn refused(rig: &Rig, text: &str) {
    let ended = rig.run(&["serve", "--config", CONFIG]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
}

fn left(status: &str) -> u64 {
    let line = status.lines().last().unwrap();
    let (left, _) = line.split_once(" left").unwrap();
    left.parse().unwrap()
}

/// What waits, and what the server has changed, as programs read it.
fn counters(rig: &Rig) -> (u64, u64) {
    let line = rotate(rig, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(status["failed_steps"], 0, "{line}");
    assert_eq!(status["worn"], serde_json::json!([]), "{line}");
    let count = |name: &str| status[name].as_u64().unwrap();
    (count("left"), count("changed"))
}

/// Asking takes a while by itself.
fn wait_until_left(rig: &Rig, wanted: u64) {
    for _ in 0..1_000 {
        if left(&rotate(rig, &["status"])) == wanted {
            return;
        }
    }
    panic!("{}", rotate(rig, &["status"]));
}

/// Secrets are stored while keys change and the server is killed again and
/// again; each that was acknowledged is there at the end.
#[test]
fn a_project_changes_its_key_under_writers_and_kills() {
    let rig = Rig::new();
    config(&rig, "current = \"file:donjon-data/root.key\"");
    assert_eq!(rig.run(&["init"]).code, Some(0));
    let token = rig.first_token();
    let mut stored = Vec::new();
    let mut server = rig.serve_configured();
    let store = |server: &Server, stored: &mut Vec<(String, String)>| {
        let payload = format!("payload {}", stored.len());
        stored.push((server.store(&token, &payload), payload));
    };
    for _ in 0..150 {
        store(&server, &mut stored);
    }
    for round in 0..3 {
        thread::scope(|scope| {
            let verb = scope.spawn(|| rotate(&rig, &["project", "--project", "default"]));
            for _ in 0..30 {
                store(&server, &mut stored);
            }
            let status = verb.join().unwrap();
            assert!(left(&status) > 0, "{round}: {status}");
        });
        server.kill();
        server = rig.serve_configured();
    }
    wait_until_left(&rig, 0);
    for (path, payload) in &stored {
        let answer = server.read(&token, path);
        assert_eq!((answer.status, &answer.body), (200, payload), "{path}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_pause_holds_a_change_and_resume_ends_it() {
    let rig = Rig::new();
    config(&rig, "current = \"file:donjon-data/root.key\"");
    assert_eq!(rig.run(&["init"]).code, Some(0));
    let token = rig.first_token();
    let mut server = rig.serve_configured();
    let path = server.store(&token, "held");
    rotate(&rig, &["pause"]);
    let status = rotate(&rig, &["project"]);
    assert!(
        status.contains("project default, key 1: 1 left"),
        "{status}"
    );
    for _ in 0..10 {
        let status = rotate(&rig, &["status"]);
        assert!(status.ends_with("2 left, paused\n"), "{status}");
    }
    rotate(&rig, &["resume"]);
    // The key itself is kept for a while.
    wait_until_left(&rig, 1);
    assert_eq!(server.read(&token, &path).body, "held");
    assert_eq!(server.stop(), Some(0));
    // Where no server runs, it is done at once.
    assert_eq!(left(&rotate(&rig, &["project"])), 0);
    let mut server = rig.serve_configured();
    assert_eq!(server.read(&token, &path).body, "held");
    assert_eq!(server.stop(), Some(0));
    let ended = rig.run(&["rotate", "pause"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no server runs"), "{}", ended.stderr);
}

#[test]
fn the_root_key_changes_beside_requests_and_the_old_one_can_go() {
    let rig = Rig::new();
    rig.run(&["root-key", "new", "one.key"]);
    rig.run(&["root-key", "new", "two.key"]);
    config(&rig, "current = \"file:one.key\"");
    let mut server = rig.serve_configured();
    let token = rig.first_token();
    let path = server.store(&token, "kept");
    let ended = rig.run(&["rotate", "root", "--config", CONFIG]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("root_key.previous"),
        "{}",
        ended.stderr
    );
    assert_eq!(server.stop(), Some(0));

    config(
        &rig,
        "current = \"file:two.key\"\nprevious = \"file:one.key\"",
    );
    let server = rig.serve_configured();
    let status = rotate(&rig, &["status"]);
    assert!(status.contains("waits to be taken into use"), "{status}");
    assert_eq!(left(&status), 2);
    assert_eq!(counters(&rig), (2, 0));
    let status = rotate(&rig, &["root", "--wait"]);
    assert_eq!(left(&status), 0);
    assert_eq!(counters(&rig), (0, 2));
    assert!(status.contains("(current): 2 keys"), "{status}");
    assert!(!status.contains("(previous)"), "{status}");
    assert_eq!(server.read(&token, &path).body, "kept");
    server.kill();

    config(&rig, "current = \"file:one.key\"");
    refused(&rig, "wrong root key");
    config(&rig, "current = \"file:two.key\"");
    let mut server = rig.serve_configured();
    assert_eq!(server.read(&token, &path).body, "kept");
    assert_eq!(server.stop(), Some(0));
}

/// A change that was cut off needs both root keys, and says so.
#[test]
fn a_start_refuses_to_lose_a_root_key_that_is_needed() {
    let rig = Rig::new();
    rig.run(&["root-key", "new", "one.key"]);
    rig.run(&["root-key", "new", "two.key"]);
    config(&rig, "current = \"file:one.key\"");
    let mut server = rig.serve_configured();
    let token = rig.first_token();
    let path = server.store(&token, "kept");
    assert_eq!(server.stop(), Some(0));
    config(
        &rig,
        "current = \"file:two.key\"\nprevious = \"file:one.key\"",
    );
    let mut server = rig.serve_configured();
    rotate(&rig, &["pause"]);
    let status = rotate(&rig, &["root"]);
    assert_eq!(left(&status), 2, "{status}");
    server.kill();
    config(&rig, "current = \"file:two.key\"");
    refused(&rig, "2 keys in the database still need it");
    config(&rig, "current = \"file:one.key\"");
    refused(&rig, "wrong root key");
    config(
        &rig,
        "current = \"file:two.key\"\nprevious = \"file:one.key\"",
    );
    server = rig.serve_configured();
    wait_until_left(&rig, 0);
    assert_eq!(server.read(&token, &path).body, "kept");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn keys_past_their_limits_are_named_in_the_log_and_in_the_status() {
    let rig = Rig::new();
    let limit = "[rotation]\nkey_age_warn_days = -1\nkey_rows_warn = 1\n";
    rig.configure(limit);
    let mut server = rig.serve_configured();
    let token = rig.first_token();
    server.store(&token, "one");
    assert_eq!(rotate(&rig, &["status"]).lines().count(), 2);
    server.store(&token, "two");
    let line = "key 1 of project default is 0 days old and seals 2 secrets";
    let status = rotate(&rig, &["status"]);
    assert!(status.starts_with(line), "{status}");
    assert!(status.ends_with("\n0 left\n"), "{status}");
    assert_eq!(server.stop(), Some(0));
    assert!(!server.log.join("\n").contains(line));
    let mut server = rig.serve_configured();
    assert!(server.wait_for(line).contains(" WARN "));
    assert_eq!(server.stop(), Some(0));

    // A limit of no days at all is passed by every key.
    rig.configure("[rotation]\nkey_age_warn_days = 0\n");
    let status = rotate(&rig, &["status"]);
    assert!(status.starts_with("root key "), "{status}");
    assert!(status.contains("key 1 of project default"), "{status}");
    rig.configure("[rotation]\nkey_age_warn_days = -2\n");
    assert_eq!(
        rig.run(&["rotate", "status", "--config", CONFIG]).code,
        Some(2)
    );
}
