//! Who may do what, as operators decide it: `policy.file`, `policy.defaults`, SIGHUP, and `donjon policy`.

use rustix::process::Signal;

use super::support::{Rig, Server, request};

/// Members read no payload any more; a role of the operator's own does.
const AUDITORS_DECRYPT: &str = "\"secret:decrypt\": \"role:auditor\"\n";

/// A rig whose configuration names `policy.yaml`.
fn rig() -> Rig {
    let rig = Rig::new();
    rig.write("donjon.toml", "[policy]\nfile = \"policy.yaml\"\n", 0o644);
    rig
}

fn with_policy(text: &str) -> Rig {
    let rig = rig();
    rig.write("policy.yaml", text, 0o644);
    rig
}

fn serve(rig: &Rig) -> Server {
    rig.serve_with(&["--config", "donjon.toml", "--auth", "noauth"])
}

/// Asks as a caller of project `p` with one role.
fn status(server: &Server, method: &str, path: &str, role: &str, body: &str) -> u16 {
    let headers = [
        ("X-Project-Id", "p"),
        ("X-User-Id", "u"),
        ("X-Roles", role),
        ("Content-Type", "application/json"),
        ("Accept", "*/*"),
    ];
    server.send(&request(method, path, &headers, body)).status
}

/// Stores a secret as a member of project `p`; gives its path.
fn store(server: &Server) -> String {
    let headers = [
        ("X-Project-Id", "p"),
        ("X-User-Id", "u"),
        ("X-Roles", "member"),
        ("Content-Type", "application/json"),
    ];
    let body = r#"{"payload": "x", "payload_content_type": "text/plain"}"#;
    let answer = server.send(&request("POST", "/v1/secrets", &headers, body));
    assert_eq!(answer.status, 201, "{answer:?}");
    let (_, rest) = answer.body.split_once("/v1/secrets/").unwrap();
    format!("/v1/secrets/{}", rest.split('"').next().unwrap())
}

fn decrypts(server: &Server, secret: &str, role: &str) -> u16 {
    status(server, "GET", &format!("{secret}/payload"), role, "")
}

#[test]
fn a_policy_file_takes_effect() {
    let rig = with_policy(AUDITORS_DECRYPT);
    let mut server = serve(&rig);
    let secret = store(&server);
    assert_eq!(decrypts(&server, &secret, "member"), 403);
    assert_eq!(decrypts(&server, &secret, "auditor"), 200);
    // All other rules are the defaults.
    assert_eq!(status(&server, "GET", &secret, "member", ""), 200);
    assert_eq!(status(&server, "GET", &secret, "auditor", ""), 403);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_refusal_is_logged_with_its_rule_and_the_roles_that_lack() {
    let rig = with_policy(AUDITORS_DECRYPT);
    let mut server = serve(&rig);
    let secret = store(&server);
    assert_eq!(decrypts(&server, &secret, "member"), 403);
    let line = server.wait_for("status=403");
    assert!(line.contains("rule=\"secret:decrypt\""), "{line}");
    assert!(line.contains("missing_roles=\"auditor\""), "{line}");
    // Nothing of the kind stands at a request that is let through.
    assert_eq!(decrypts(&server, &secret, "auditor"), 200);
    let line = server.wait_for("status=200");
    assert!(
        !line.contains("rule=") && !line.contains("missing_roles="),
        "{line}"
    );
}

#[test]
fn sighup_takes_a_good_policy_file_and_leaves_a_bad_one() {
    let rig = with_policy(AUDITORS_DECRYPT);
    let mut server = serve(&rig);
    let secret = store(&server);
    assert_eq!(decrypts(&server, &secret, "keeper"), 403);

    rig.write(
        "policy.yaml",
        "\"secret:decrypt\": \"role:keeper\"\n",
        0o644,
    );
    server.signal(Signal::HUP);
    server.wait_for("SIGHUP: the policy file is read again");
    assert_eq!(decrypts(&server, &secret, "keeper"), 200);
    assert_eq!(decrypts(&server, &secret, "auditor"), 403);

    for (bad, mode, why) in [
        (
            "\n\"secret:decrypt\": \"role:a or\"\n",
            0o644,
            "policy.yaml:2: ",
        ),
        (
            "\"secret:decrypt\": \"http://evil.example/\"\n",
            0o644,
            "policy.yaml:1: ",
        ),
        (
            "\"secret:decrypt\": \"@\"\n",
            0o646,
            "anybody may change this file",
        ),
    ] {
        rig.write("policy.yaml", bad, mode);
        server.signal(Signal::HUP);
        let line = server.wait_for("the rules from before stay in force");
        assert!(line.contains("ERROR") && line.contains(why), "{line}");
        assert_eq!(decrypts(&server, &secret, "keeper"), 200, "{bad}");
        assert_eq!(decrypts(&server, &secret, "member"), 403, "{bad}");
    }
    std::fs::remove_file(rig.path("policy.yaml")).unwrap();
    server.signal(Signal::HUP);
    let line = server.wait_for("the rules from before stay in force");
    assert!(line.contains("cannot be read"), "{line}");
    assert_eq!(decrypts(&server, &secret, "keeper"), 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_bad_policy_file_ends_the_start_and_names_the_line() {
    for (text, place) in [
        (
            "\"secrets:post\": \"role:a\"\n\"secret:decrypt\": \"role:a or\"\n",
            "policy.yaml:2: ",
        ),
        (
            "# no rules\n\n\"secret:get\": \"http://evil.example/\"\n",
            "policy.yaml:3: ",
        ),
        ("\"a\": \"rule:a\"\n", "policy.yaml:1: "),
    ] {
        let rig = with_policy(text);
        rig.refused(&["serve", "--config", "donjon.toml"], 2, place);
        rig.refused(&["policy", "check", "--config", "donjon.toml"], 2, place);
        rig.refused(&["config", "check", "--config", "donjon.toml"], 2, place);
        assert!(!rig.path("donjon-data").exists());
    }
    rig().refused(
        &["serve", "--config", "donjon.toml"],
        2,
        "policy.yaml: cannot be read",
    );
}

#[test]
fn the_rules_before_secure_rbac_are_there_for_the_asking() {
    let rig = Rig::new();
    let args = ["--auth", "noauth"];
    let mut server = rig.serve_with(&args);
    let body = r#"{"name": "n"}"#;
    assert_eq!(status(&server, "POST", "/v1/secrets", "creator", body), 403);
    assert_eq!(server.stop(), Some(0));
    rig.write("donjon.toml", "[policy]\ndefaults = \"legacy\"\n", 0o644);
    let server = serve(&rig);
    assert_eq!(status(&server, "POST", "/v1/secrets", "creator", body), 201);
    assert_eq!(status(&server, "GET", "/v1/secrets", "observer", ""), 200);
    assert_eq!(
        status(&server, "POST", "/v1/secrets", "observer", body),
        403
    );
    rig.write("wrong.toml", "[policy]\ndefaults = \"oldest\"\n", 0o644);
    rig.refused(
        &["config", "check", "--config", "wrong.toml"],
        2,
        "policy.defaults",
    );
}

fn explain(rig: &Rig, who: &str, secret: &str) -> String {
    let id = secret.rsplit('/').next().unwrap();
    let ended = rig.run(&[
        "policy",
        "explain",
        "--config",
        "donjon.toml",
        "--as",
        who,
        "secret:decrypt",
        id,
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

#[test]
fn explain_says_which_rule_decides_with_and_without_a_server() {
    let rig = with_policy(AUDITORS_DECRYPT);
    let mut server = serve(&rig);
    let secret = store(&server);
    let check = |source: &str, role: &str| {
        for (who, is_let) in [
            (format!("role={role},project=p,user=u"), true),
            ("role=member,project=p,user=u".to_owned(), false),
        ] {
            let text = explain(&rig, &who, &secret);
            let rule = format!("rule secret:decrypt, from {source}: ");
            assert!(text.contains(&rule), "{text}");
            assert!(text.contains(&format!("role:{role}")), "{text}");
            let verdict = text.lines().any(|line| line.contains("allowed"));
            assert_eq!(verdict, is_let, "{text}");
        }
    };
    check("the policy file", "auditor");
    // A running server answers by the rules that it has in force, whatever the file says by now.
    rig.write(
        "policy.yaml",
        "\"secret:decrypt\": \"role:keeper\"\n",
        0o644,
    );
    check("the policy file", "auditor");
    server.signal(Signal::HUP);
    server.wait_for("SIGHUP: the policy file is read again");
    check("the policy file", "keeper");
    assert_eq!(server.stop(), Some(0));
    // Without one, the file counts.
    check("the policy file", "keeper");
    rig.write("policy.yaml", AUDITORS_DECRYPT, 0o644);
    check("the policy file", "auditor");
    let text = explain(&rig, "role=member,project=\u{1b}[2Jp,user=u", &secret);
    assert!(text.contains("project \\u{1b}[2Jp"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let nowhere = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    let args = ["policy", "explain", "--as", "role=member,project=p"];
    rig.refused(
        &[&args[..], &["secret:decrypt", nowhere]].concat(),
        1,
        "there is no secret",
    );
    rig.refused(
        &[&args[..], &["secret:decipher"]].concat(),
        1,
        "there is no rule",
    );
}

#[test]
fn what_is_shown_is_what_is_in_force() {
    let rig = with_policy(AUDITORS_DECRYPT);
    let shown = rig.run(&["policy", "show", "--config", "donjon.toml"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown
            .stdout
            .contains("'secret:decrypt': 'role:auditor' # from the policy file")
    );
    assert!(shown.stdout.contains("'secrets:post': "));
    let checked = rig.run(&["policy", "check", "--file", "policy.yaml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("policy.yaml: 1 rule, all in order"),
        "{}",
        checked.stdout
    );
    let text = format!("{AUDITORS_DECRYPT}\"secret:decrpyt\": \"@\"\n");
    rig.write("policy.yaml", &text, 0o644);
    let checked = rig.run(&["policy", "check", "--file", "policy.yaml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("policy.yaml: 2 rules, 1 warning"),
        "{}",
        checked.stdout
    );
    assert!(
        checked.stderr.contains("line 2: rule \"secret:decrpyt\""),
        "{}",
        checked.stderr
    );
}

/// As with `donjon policy show | head`.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let rig = Rig::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = rig.command(&["policy", "show"]);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}
