//! Making what was deleted unreadable, in old backups too.

use std::fs;

use super::support::{CONFIG, Ended, Rig, chmod};

fn shred(rig: &Rig, args: &[&str]) -> Ended {
    rig.run(&[&["shred", "--config", CONFIG], args].concat())
}

/// The folder as it is, for later.
fn back_up(rig: &Rig) -> Vec<(String, Vec<u8>)> {
    ["donjon.db", "root.key"]
        .into_iter()
        .filter(|name| rig.data(name).exists())
        .map(|name| (name.to_owned(), fs::read(rig.data(name)).unwrap()))
        .collect()
}

fn restore(rig: &Rig, backup: &[(String, Vec<u8>)]) {
    for entry in fs::read_dir(rig.path("donjon-data")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "key") {
            fs::remove_file(path).unwrap();
        }
    }
    for (name, bytes) in backup {
        fs::write(rig.data(name), bytes).unwrap();
        chmod(&rig.data(name), 0o600);
    }
}

#[test]
fn what_was_deleted_is_unreadable_in_backups_without_the_old_root_key() {
    let rig = Rig::new();
    rig.run(&["root-key", "new", "one.key"]);
    rig.run(&["root-key", "new", "two.key"]);
    rig.configure_root_key("current = \"file:one.key\"");
    let mut server = rig.serve_configured();
    let token = rig.first_token();
    let kept = server.store(&token, "kept");
    let gone = server.store(&token, "gone");
    assert_eq!(server.stop(), Some(0));
    let backup = back_up(&rig);

    // Without a new root key there is nothing to leave behind.
    let ended = shred(&rig, &[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("donjon root-key new"),
        "{}",
        ended.stderr
    );

    rig.configure_root_key("current = \"file:two.key\"\nprevious = \"file:one.key\"");
    let mut server = rig.serve_configured();
    assert_eq!(server.with_token("DELETE", &gone, &token, "").status, 204);
    assert_eq!(server.stop(), Some(0));
    // Where no server runs, the key of a project need not be kept for requests on the way.
    let ended = shred(&rig, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("root_key.previous"),
        "{}",
        ended.stdout
    );
    let ended = shred(&rig, &[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("nothing else is to be done"),
        "{}",
        ended.stderr
    );

    fs::remove_file(rig.path("one.key")).unwrap();
    rig.configure_root_key("current = \"file:two.key\"");
    let mut server = rig.serve_configured();
    assert_eq!(server.read(&token, &kept).body, "kept");
    assert_eq!(server.read(&token, &gone).status, 404);
    assert_eq!(server.stop(), Some(0));
    // Nothing of the old keys is under the new root key: the backup does not open with it.
    restore(&rig, &backup);
    let ended = rig.run(&["serve", "--config", CONFIG]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("wrong root key"), "{}", ended.stderr);
}

#[test]
fn a_project_goes_with_its_keys_beside_a_working_server() {
    let rig = Rig::new();
    rig.configure_root_key("current = \"file:donjon-data/root.key\"");
    rig.run(&["init"]);
    let web = rig.run(&["token", "create", "--project", "web"]).stdout;
    let web = web.trim();
    let other = rig.first_token();
    let server = rig.serve_configured();
    let kept = server.store(&other, "kept");
    let paths: Vec<String> = (0..100).map(|_| server.store(web, "gone")).collect();

    let ended = shred(&rig, &["--project", "web"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("100 secrets"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--yes"), "{}", ended.stderr);
    assert_eq!(server.read(web, &paths[0]).body, "gone");

    let ended = shred(&rig, &["--project", "web", "--yes"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("0 secrets"), "{}", ended.stdout);
    for path in &paths {
        assert_eq!(server.read(web, path).status, 404);
    }
    assert_eq!(server.read(&other, &kept).body, "kept");
    let ended = shred(&rig, &["--project", "web", "--yes"]);
    assert!(
        ended.stderr.contains("has nothing here"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(1));
    // The project can go on, with another key.
    let path = server.store(web, "new");
    assert_eq!(server.read(web, &path).body, "new");
    server.kill();
    let mut server = rig.serve_configured();
    assert_eq!(server.read(web, &path).body, "new");
    assert_eq!(server.read(&other, &kept).body, "kept");
    assert_eq!(server.stop(), Some(0));
}
