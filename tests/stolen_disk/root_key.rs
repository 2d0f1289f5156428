//! A database without its root key, or with another one: the server does not start, and makes no key.

use std::fs;

use crate::support::{Launch, Server};

/// A stopped server with a secret in it.
fn used() -> (Launch, String) {
    let server = Server::new("tokens");
    let path = server.holder(&server.launch().first_token()).store("hush");
    (server.stop(), path)
}

/// The two ids in `wrong root key: the database was made with X, configured is Y`.
fn ids(log: &str) -> (String, String) {
    let (_, rest) = log
        .split_once("wrong root key: the database was made with ")
        .unwrap_or_else(|| panic!("no such line in:\n{log}"));
    let (expected, rest) = rest.split_once(", configured is ").unwrap();
    let found: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    (expected.to_owned(), found)
}

#[test]
fn a_wrong_root_key_is_named_with_the_right_one() {
    let (one, path) = used();
    let (two, _) = used();
    let key = |launch: &Launch| launch.data_dir().join("root.key");
    let (key_of_one, key_of_two) = (fs::read(key(&one)).unwrap(), fs::read(key(&two)).unwrap());
    fs::write(key(&one), &key_of_two).unwrap();
    fs::write(key(&two), &key_of_one).unwrap();
    let (status, log) = one.start_in_vain();
    assert_eq!(status.code(), Some(3), "{log}");
    let (expected, found) = ids(&log);
    assert_eq!((expected.len(), found.len()), (32, 32), "{log}");
    assert_ne!(expected, found);
    assert!(!log.contains("listening on"), "{log}");
    let (status, log) = two.start_in_vain();
    assert_eq!(status.code(), Some(3), "{log}");
    assert_eq!(
        ids(&log),
        (found, expected),
        "the same ids, the other way round"
    );
    // Nothing was spoilt: with its own key it goes on.
    fs::write(key(&one), &key_of_one).unwrap();
    let server = one.start();
    let read = server
        .holder(&server.launch().first_token())
        .call(&format!("GET {path}/payload"));
    assert_eq!(read.text(), "hush");
}

#[test]
fn a_database_without_its_root_key_gets_no_new_one() {
    let (launch, path) = used();
    let key = launch.data_dir().join("root.key");
    let kept = launch.folder().join("kept");
    fs::rename(&key, &kept).unwrap();
    let before = fs::read(launch.database()).unwrap();
    for _ in 0..2 {
        let (status, log) = launch.start_in_vain();
        assert_eq!(status.code(), Some(3), "{log}");
        assert!(log.contains("root key"), "{log}");
        assert!(log.contains(&key.display().to_string()), "{log}");
        assert!(!key.exists());
    }
    assert_eq!(fs::read(launch.database()).unwrap(), before);
    fs::rename(&kept, &key).unwrap();
    let server = launch.start();
    let read = server
        .holder(&server.launch().first_token())
        .call(&format!("GET {path}/payload"));
    assert_eq!(read.text(), "hush");
}

#[test]
fn a_root_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (launch, _) = used();
    let key = launch.data_dir().join("root.key");
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let (status, log) = launch.start_in_vain();
        assert_eq!(status.code(), Some(3), "{mode:o}: {log}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    launch.start();
}

#[test]
fn only_the_owner_can_read_what_the_server_makes() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let server = Server::new("tokens");
    server.holder(&server.launch().first_token()).store("hush");
    let data_dir = server.launch().data_dir();
    let mode =
        |path: &std::path::Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&data_dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
        names.push(entry.file_name().into_string().unwrap());
        let is_socket = entry.file_type().unwrap().is_socket();
        assert_eq!(is_socket, entry.file_name() == "admin.sock");
    }
    for name in [
        "donjon.db",
        "root.key",
        "first-token",
        "donjon.lock",
        "admin.sock",
        "ballast",
    ] {
        assert!(names.contains(&name.to_owned()), "{name} not in {names:?}");
    }
}
