//! The root key: exit code 3.

use std::fs;

use super::support::{Rig, chmod};

fn used() -> Rig {
    let rig = Rig::new();
    assert_eq!(rig.serve().stop(), Some(0));
    rig
}

#[test]
fn a_database_without_its_root_key_gets_no_new_one() {
    let rig = used();
    fs::remove_file(rig.data("root.key")).unwrap();
    for verb in [&["serve"][..], &["init"], &["token", "list"]] {
        rig.refused(verb, 3, "there is a database, and its root key is not at");
        assert!(!rig.data("root.key").exists());
    }
}

#[test]
fn a_wrong_root_key_is_named_with_the_right_one() {
    let rig = used();
    let key = rig.write("other.key", &"k".repeat(32), 0o600);
    let args = ["serve", "--root-key", key.to_str().unwrap()];
    let ended = rig.refused(&args, 3, "wrong root key");
    let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = ended.stderr.split(|c: char| !c.is_alphanumeric());
    let ids: Vec<&str> = words.filter(is_id).collect();
    assert_eq!(ids.len(), 2, "{}", ended.stderr);
    assert_ne!(ids[0], ids[1]);
    assert!(!ended.stderr.contains("listening"));
}

#[test]
fn a_root_key_that_others_may_read_is_refused() {
    let rig = used();
    for mode in [0o640, 0o604, 0o644] {
        chmod(&rig.data("root.key"), mode);
        rig.refused(&["serve"], 3, "root.key");
    }
    chmod(&rig.data("root.key"), 0o600);
    assert_eq!(rig.serve().stop(), Some(0));
}

#[test]
fn a_root_key_that_is_none_is_refused() {
    let rig = used();
    fs::write(rig.data("root.key"), "short\n").unwrap();
    rig.refused(&["serve"], 3, "root.key");
}

#[test]
fn a_root_key_elsewhere_is_never_made() {
    let rig = Rig::new();
    let ended = rig.refused(
        &["serve", "--root-key", "own.key"],
        3,
        "own.key: no root key there",
    );
    assert!(ended.stderr.contains("head -c 32 /dev/urandom"));
    assert!(!rig.path("own.key").exists());
}

#[test]
fn a_linked_root_key_is_refused() {
    let rig = Rig::new();
    let key = rig.write("real.key", &"k".repeat(32), 0o600);
    std::os::unix::fs::symlink(&key, rig.path("link.key")).unwrap();
    rig.refused(&["serve", "--root-key", "link.key"], 3, "link.key");
}

/// Nothing rotates keys by itself, so a previous key is either needed or forgotten.
#[test]
fn a_previous_root_key_is_never_kept_in_silence() {
    let rig = used();
    let serve = |current: &str, previous: &str, text: &str| {
        let file =
            format!("[root_key]\ncurrent = \"file:{current}\"\nprevious = \"file:{previous}\"\n");
        rig.write("donjon.toml", &file, 0o600);
        let mut server = rig.serve_with(&["--config", "donjon.toml"]);
        assert_eq!(server.stop(), Some(0));
        let log = server.log.join("\n");
        let line = server
            .log
            .iter()
            .find(|line| line.contains(" WARN ") && line.contains("root_key.previous"));
        let line = line.unwrap_or_else(|| panic!("{log}"));
        assert!(line.contains(text), "{line}");
        line.clone()
    };
    rig.write("other.key", &"k".repeat(32), 0o600);
    let own = "donjon-data/root.key";
    serve(own, "other.key", "not needed any more");
    let line = serve("other.key", own, "still needed");
    // The key of the tokens' hashes, which every installation has.
    assert!(line.contains("keys=1"), "{line}");
    let mut server = rig.serve();
    assert_eq!(server.stop(), Some(0));
    let log = server.log.join("\n");
    assert!(!log.contains("root_key.previous"), "{log}");
}
