//! The root key: exit code 3.

use std::{fs, os::unix::fs::MetadataExt};

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
    let ended = rig.refused(&args, 3, "donjon: wrong root key");
    assert!(
        ended.stderr.contains("put that key back"),
        "{}",
        ended.stderr
    );
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

/// A new installation under each kind of root key, opened again, and not
/// opened by another one.
#[test]
fn every_source_opens_what_it_made() {
    const OTHER: &str = "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgbyE=";
    let cheap = "donjon-passphrase-key 1 argon2id m=19456 t=2 p=1 salt=AAECAwQFBgcICQoLDA0ODw==\n";
    for source in ["credential:root", "passphrase:./kdf", "env:ROOT_KEY"] {
        let rig = Rig::new();
        let made = rig.run(&["root-key", "new"]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        rig.write("root", &made.stdout, 0o400);
        rig.write("kdf", cheap, 0o600);
        let from = if source.starts_with("passphrase") {
            "passphrase_from = \"file:phrase\"\n"
        } else {
            ""
        };
        let config = format!("[root_key]\ncurrent = \"{source}\"\n{from}");
        rig.write("donjon.toml", &config, 0o644);
        let run = |phrase: &str, key: &str, verb: &[&str]| {
            rig.write("phrase", phrase, 0o600);
            chmod(&rig.path("root"), 0o600);
            rig.write("root", key, 0o400);
            let output = rig
                .command(verb)
                .args(["--config", "donjon.toml"])
                .env("CREDENTIALS_DIRECTORY", rig.path(""))
                .env("ROOT_KEY", key.trim())
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            (output.status.code(), stderr)
        };
        let (right, key) = ("correct horse\n", made.stdout.as_str());
        assert_eq!(run(right, key, &["init"]).0, Some(0), "{source}");
        assert!(!rig.data("root.key").exists());
        for verb in [&["token", "list"][..], &["root-key", "check"]] {
            let (code, stderr) = run(right, key, verb);
            assert_eq!(code, Some(0), "{source}: {stderr}");
        }
        let (code, stderr) = run("wrong horse\n", OTHER, &["root-key", "check"]);
        assert_eq!(code, Some(3), "{source}: {stderr}");
        assert!(stderr.contains("wrong root key"), "{stderr}");
        for secret in ["wrong horse", OTHER] {
            assert!(!stderr.contains(secret), "{stderr}");
        }
    }
}

#[test]
fn a_source_that_is_not_there_says_so() {
    let rig = Rig::new();
    for (source, text) in [
        ("credential:root", "LoadCredentialEncrypted=root:FILE"),
        ("passphrase:./kdf", "donjon root-key new --passphrase ./kdf"),
        ("env:ROOT_KEY_OF_NOBODY", "donjon root-key new"),
    ] {
        let ended = rig.refused(&["init", "--root-key", source], 3, "no root key there");
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
        assert!(!rig.data("donjon.db").exists());
    }
    // Without a terminal nobody can be asked.
    let made = rig.run(&["root-key", "new", "--passphrase", "kdf"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    // A bare name is refused as a place, so the whole path is named.
    let place = format!("\"passphrase:{}\"", rig.path("kdf").display());
    assert!(made.stderr.contains(&place), "{}", made.stderr);
    let ended = rig.run(&["init", "--root-key", "passphrase:./kdf"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
}

#[test]
fn a_new_root_key_replaces_nothing() {
    let rig = Rig::new();
    let made = rig.run(&["root-key", "new", "own.key"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let before = fs::read(rig.path("own.key")).unwrap();
    assert!(
        !made
            .stderr
            .contains(String::from_utf8_lossy(&before).trim())
    );
    rig.refused(
        &["root-key", "new", "own.key"],
        1,
        "own.key: cannot be written: it is there already",
    );
    assert_eq!(fs::read(rig.path("own.key")).unwrap(), before);
    let ended = rig.run(&["init", "--root-key", "own.key"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_root_key_comes_back_from_enough_of_its_shares() {
    let rig = used();
    let split = |args: &[&str]| {
        let ended = rig.run(&[&["root-key", "split"], args].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // A share is shown once, and nowhere else.
        assert!(!ended.stderr.contains("data="), "{}", ended.stderr);
        ended.stdout
    };
    let to = ["--shares", "4", "--threshold", "2", "--to", "."];
    assert_eq!(split(&to), "");
    assert_eq!(
        fs::metadata(rig.path("share-1")).unwrap().mode() & 0o777,
        0o600
    );
    let ended = rig.run(&[
        "root-key",
        "join",
        "share-4",
        "share-2",
        "--to",
        "joined.key",
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let joined = fs::read(rig.path("joined.key")).unwrap();
    assert_eq!(joined, fs::read(rig.data("root.key")).unwrap());
    let shown = String::from_utf8(joined).unwrap();
    assert!(!ended.stderr.contains(shown.trim()), "{}", ended.stderr);
    // Joining replaces nothing, and splitting neither.
    let again = [
        "root-key",
        "join",
        "share-4",
        "share-2",
        "--to",
        "joined.key",
    ];
    rig.refused(&again, 1, "joined.key: cannot be written");
    rig.refused(&[&["root-key", "split"], &to[..]].concat(), 1, "share-1");

    fs::remove_file(rig.data("root.key")).unwrap();
    let mut server = rig.serve_with(&["--root-key", "joined.key"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn shares_that_do_not_give_a_root_key_are_named() {
    let rig = used();
    rig.run(&["root-key", "new", "other.key"]);
    let split = |key: &str, name: &str| {
        let args = ["--shares", "3", "--threshold", "3", "--root-key", key];
        let made = rig.run(&[&["root-key", "split"], &args[..]].concat());
        rig.write(name, &made.stdout, 0o644);
        made.stdout
    };
    let own = rig.data("root.key").display().to_string();
    let (one, other) = (split(&own, "one"), split("other.key", "other"));
    let refused = |lines: &[&str], text: &str| {
        rig.write("shares", &lines.join("\n"), 0o644);
        let ended = rig.refused(&["root-key", "join", "shares"], 3, text);
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("data="));
    };
    let one: Vec<&str> = one.lines().collect();
    let other: Vec<&str> = other.lines().collect();
    refused(&one[..2], "2 shares of root key");
    refused(&[one[0], one[1], other[2]], "different root keys");
    refused(&[one[0], one[1], one[1]], "share 2 is there twice");
    let (head, data) = one[2].split_once("data=").unwrap();
    let slip = if data.starts_with('A') { "B" } else { "A" };
    let damaged = format!("{head}data={slip}{}", &data[1..]);
    refused(&[one[0], one[1], &damaged], "line 3: this share is damaged");
    refused(&[one[0], "hello"], "line 2: not a share");
    refused(&[], "no shares");
    let key = fs::read_to_string(rig.path("other.key")).unwrap();
    refused(&[key.trim()], "line 1: not a share");
    rig.refused(
        &["root-key", "split", "--shares", "2", "--threshold", "3"],
        1,
        "at most all",
    );
}
