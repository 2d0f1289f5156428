//! What a first start makes and says.

use std::{fs, os::unix::fs::FileTypeExt, thread, time::Duration};

use super::support::{Rig, Server};

#[test]
fn serve_alone_makes_all_that_is_needed() {
    let rig = Rig::new();
    let mut server = rig.serve();
    assert_eq!(rig.mode("."), 0o700);
    for name in [
        "donjon.db",
        "root.key",
        "first-token",
        "donjon.lock",
        "admin.sock",
        "ballast",
    ] {
        assert_eq!(rig.mode(name), 0o600, "{name}");
    }
    let socket = fs::symlink_metadata(rig.data("admin.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    let secret = server.store(&rig.first_token(), "it works");
    assert_eq!(server.read(&rig.first_token(), &secret).body, "it works");
    assert_eq!(server.stop(), Some(0));
    assert!(!rig.data("admin.sock").exists());
}

#[test]
fn the_first_start_says_what_was_made_and_what_to_keep_safe() {
    let rig = Rig::new();
    let server = rig.serve();
    let text = server.log.join("\n");
    let folder = fs::canonicalize(rig.path("donjon-data")).unwrap();
    let folder = folder.to_str().unwrap();
    assert!(text.contains(&format!("Made in {folder}:")), "{text}");
    for name in ["donjon.db", "root.key", "first-token"] {
        assert!(text.contains(&format!("  {name} ")), "{name}\n{text}");
    }
    let advice = "apart from the data; whoever holds both reads everything";
    assert!(text.contains(&format!("Back up {folder}/root.key {advice}")));
    let curl: Vec<&str> = text.lines().filter(|line| line.contains("curl ")).collect();
    assert_eq!(curl.len(), 4, "{text}");
    for line in &curl {
        assert!(line.starts_with(' '), "{line}");
        assert!(
            line.contains(&format!("$(cat {folder}/first-token)")),
            "{line}"
        );
        assert!(
            line.contains(&format!("http://{}/v1/secrets", server.address)),
            "{line}"
        );
    }
    assert!(!text.contains(&rig.first_token()));
    let key = fs::read_to_string(rig.data("root.key")).unwrap();
    assert!(!text.contains(key.trim()));
}

#[test]
fn the_lines_of_the_first_start_work_as_printed() {
    let rig = Rig::new();
    let server = rig.serve();
    let lines: Vec<&str> = server
        .log
        .iter()
        .filter(|line| line.contains("curl "))
        .map(String::as_str)
        .collect();
    let script = format!("set -e\n{}\n", lines.join("\necho\n"));
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .output()
        .unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<&str> = shown.lines().collect();
    assert_eq!(shown[1], "it works", "{shown:?}");
    assert!(shown[2].contains("\"total\""), "{shown:?}");
    let left = server.get("/v1/secrets", &[("X-Auth-Token", &rig.first_token())]);
    assert!(
        left.body.replace(' ', "").contains("\"total\":0"),
        "{left:?}"
    );
}

#[test]
fn the_second_start_says_less_and_finds_everything() {
    let rig = Rig::new();
    let mut first = rig.serve();
    let secret = first.store(&rig.first_token(), "kept");
    assert_eq!(first.stop(), Some(0));
    let second = rig.serve();
    assert!(!second.log.iter().any(|line| line.contains("curl ")));
    assert_eq!(second.read(&rig.first_token(), &secret).body, "kept");
}

#[test]
fn a_json_log_is_json_from_its_first_line() {
    let rig = Rig::new();
    let mut server = rig.serve_with(&["--log-format", "json"]);
    assert_eq!(server.stop(), Some(0));
    assert!(server.log.len() >= 3);
    for line in &server.log {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["timestamp"].is_string(), "{line}");
    }
    assert!(server.log[0].contains("$(cat "));
}

#[test]
fn init_makes_the_folder_and_stops() {
    let rig = Rig::new();
    let ended = rig.run(&["init"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("whoever holds both reads everything"));
    let token = rig.first_token();
    let again = rig.run(&["init"]);
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("nothing to do"));
    assert_eq!(rig.first_token(), token);
    let server = rig.serve();
    assert!(server.accepts(&token));
    assert!(!server.log.iter().any(|line| line.contains("curl ")));
}

#[test]
fn init_says_how_to_serve_the_folder_that_it_made() {
    let rig = Rig::new();
    let ended = rig.run(&["init", "--data-dir", "./trial"]);
    assert!(
        ended
            .stderr
            .ends_with("Next: donjon serve --data-dir ./trial\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_root_key_of_ones_own_is_used_and_not_copied() {
    let rig = Rig::new();
    let key = rig.write("own.key", &"k".repeat(32), 0o600);
    let mut server = rig.serve_with(&["--root-key", key.to_str().unwrap()]);
    assert!(!rig.data("root.key").exists());
    assert!(
        server
            .log
            .iter()
            .any(|line| line.contains("own.key apart from the data"))
    );
    let secret = server.store(&rig.first_token(), "x");
    assert_eq!(server.stop(), Some(0));
    let server = rig.serve_with(&["--root-key", key.to_str().unwrap()]);
    assert_eq!(server.read(&rig.first_token(), &secret).status, 200);
}

#[test]
fn a_first_start_that_was_killed_is_gone_on_with() {
    for milliseconds in [1, 2, 4, 6, 8, 10, 15, 20, 30, 50] {
        let rig = Rig::new();
        let server = Server::spawn(rig.command(&["serve", "--listen", "127.0.0.1:0"]));
        #[expect(
            clippy::disallowed_methods,
            reason = "the moment of the kill is the point"
        )]
        thread::sleep(Duration::from_millis(milliseconds));
        server.kill();
        let server = rig.serve();
        let secret = server.store(&rig.first_token(), "x");
        assert_eq!(server.read(&rig.first_token(), &secret).status, 200);
        let tokens = rig.run(&["token", "list"]).stdout;
        assert_eq!(tokens.lines().count(), 2, "{tokens}");
        assert!(!rig.data("unfinished").exists());
    }
}
