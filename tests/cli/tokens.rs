//! Tokens: made, listed and revoked, with and without a running server.

use super::support::{Ended, Rig};

fn create(rig: &Rig, args: &[&str]) -> String {
    let ended = rig.run(&[&["token", "create"], args].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let token = ended.stdout.strip_suffix('\n').unwrap().to_owned();
    assert!(token.starts_with("djn_"), "{token}");
    assert!(!ended.stderr.contains(&token));
    token
}

fn list(rig: &Rig) -> Vec<Vec<String>> {
    let ended = rig.run(&["token", "list"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("djn_"));
    let cells = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    ended.stdout.lines().map(cells).collect()
}

fn id_of(rig: &Rig, project: &str) -> String {
    let rows = list(rig);
    rows.iter().find(|row| row[1] == project).unwrap()[0].clone()
}

fn revoke(rig: &Rig, id: &str) -> Ended {
    rig.run(&["token", "revoke", id])
}

#[test]
fn tokens_of_a_running_server() {
    let rig = Rig::new();
    let server = rig.serve();
    let token = create(
        &rig,
        &[
            "--project",
            "web",
            "--user",
            "deploy",
            "--role",
            "Member",
            "--expires",
            "30d",
        ],
    );
    assert!(server.accepts(&token));
    let rows = list(&rig);
    assert_eq!(
        rows[0],
        ["ID", "PROJECT", "USER", "ROLES", "EXPIRES", "LAST USE"]
    );
    assert_eq!(
        rows[1][1..5],
        ["default", "admin", "admin,member,reader", "never"]
    );
    assert_eq!(rows[2][1..4], ["web", "deploy", "member"]);
    assert!(
        rows[2][4].ends_with('Z') && rows[2][5].ends_with('Z'),
        "{rows:?}"
    );

    let id = id_of(&rig, "web");
    let revoked = revoke(&rig, &id);
    assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    assert!(!server.accepts(&token));
    assert!(server.accepts(&rig.first_token()));
    rig.refused(&["token", "revoke", &id], 1, "there is no token");
}

#[test]
fn a_revoked_token_is_refused_by_the_next_request() {
    let rig = Rig::new();
    let server = rig.serve();
    for round in 0..10 {
        let project = format!("p{round}");
        let token = create(&rig, &["--project", &project]);
        assert!(server.accepts(&token));
        assert_eq!(revoke(&rig, &id_of(&rig, &project)).code, Some(0));
        assert!(!server.accepts(&token), "{round}");
    }
}

#[test]
fn tokens_without_a_server() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let doomed = create(&rig, &["--project", "doomed"]);
    assert!(server.accepts(&doomed));
    assert_eq!(server.stop(), Some(0));

    // The last use was stored at the end.
    let row = list(&rig)
        .into_iter()
        .find(|row| row[1] == "doomed")
        .unwrap();
    assert!(row[5].ends_with('Z'), "{row:?}");
    assert_eq!(row[3], "member,reader");
    let token = create(&rig, &["--project", "web"]);
    assert_eq!(revoke(&rig, &id_of(&rig, "doomed")).code, Some(0));

    let server = rig.serve();
    assert!(server.accepts(&token));
    assert!(!server.accepts(&doomed));
}

#[test]
fn a_token_belongs_to_one_project() {
    let rig = Rig::new();
    let server = rig.serve();
    let (one, two) = (
        create(&rig, &["--project", "one"]),
        create(&rig, &["--project", "two"]),
    );
    let secret = server.store(&one, "of one");
    assert_eq!(server.read(&one, &secret).status, 200);
    assert_eq!(server.read(&two, &secret).status, 403);
    let headers = [
        ("X-Auth-Token", two.as_str()),
        ("X-Project-Id", "one"),
        ("X-Roles", "admin"),
    ];
    assert_eq!(server.get(&secret, &headers).status, 403);
}

#[test]
fn an_expired_token_is_refused() {
    let rig = Rig::new();
    let server = rig.serve();
    let token = create(&rig, &["--project", "web", "--expires", "1s"]);
    let mut refused = false;
    for _ in 0..100 {
        refused = !server.accepts(&token);
        if refused {
            break;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the program's clock cannot be set from here"
        )]
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(refused);
}

#[test]
fn nonsense_is_refused() {
    let rig = Rig::new();
    let _server = rig.serve();
    rig.refused(&["token", "create", "--project", ""], 1, "project");
    rig.refused(
        &["token", "create", "--project", "p", "--role", "a b"],
        1,
        "role",
    );
    rig.refused(
        &["token", "create", "--project", "p", "--expires", "soon"],
        2,
        "--expires",
    );
    rig.refused(&["token", "revoke", "x"], 1, "no token id");
}

#[test]
fn without_data_there_are_no_tokens() {
    let rig = Rig::new();
    rig.refused(&["token", "list"], 4, "no data here yet");
    assert!(!rig.path("donjon-data").exists());
}

#[test]
fn the_token_is_in_no_file_but_its_own() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let token = create(&rig, &["--project", "web"]);
    assert!(server.accepts(&token));
    assert_eq!(server.stop(), Some(0));
    for entry in std::fs::read_dir(rig.path("donjon-data")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |token: &str| {
            bytes
                .windows(token.len())
                .any(|window| window == token.as_bytes())
        };
        assert!(!holds(&token), "{path:?}");
        let is_first_token = path.ends_with("first-token");
        assert_eq!(holds(&rig.first_token()), is_first_token, "{path:?}");
    }
    assert!(!server.log.iter().any(|line| line.contains(&token)));
}
