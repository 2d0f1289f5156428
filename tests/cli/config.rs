//! Configuration: what is in force, and exit code 2.

use std::{fs, os::unix::fs::PermissionsExt};

use super::support::{Rig, Server};

#[test]
fn what_is_in_force_is_printed() {
    let rig = Rig::new();
    let file = rig.write("donjon.toml", "[limits]\npage_max = 50\n", 0o644);
    let mut command = rig.command(&["config", "check", "--listen", "127.0.0.1:1", "--config"]);
    command.arg(&file).env("DONJON_LOG__LEVEL", "warn");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    for part in [
        "page_max = 50",
        "donjon.toml:2",
        "level = \"warn\"",
        "environment DONJON_LOG__LEVEL",
        "listen = [\"127.0.0.1:1\"]",
        "flag --listen",
        "# default",
    ] {
        assert!(stdout.contains(part), "{part}\n{stdout}");
    }
    assert!(!rig.path("donjon-data").exists());
}

#[test]
fn a_wrong_configuration_is_named_and_touches_nothing() {
    let rig = Rig::new();
    rig.write("typo.toml", "\n[http]\nlistem = []\n", 0o644);
    rig.write(
        "secret.toml",
        "[root_key]\ncurrent = \"0123456789abcdef\"\n",
        0o644,
    );
    for verb in [
        &["serve"][..],
        &["config", "check"],
        &["init"],
        &["token", "list"],
    ] {
        let args = |file| [verb, &["--config", file]].concat();
        rig.refused(
            &args("typo.toml"),
            2,
            "typo.toml:3: unknown key http.listem",
        );
        let ended = rig.refused(&args("secret.toml"), 2, "secret.toml:2: root_key.current");
        assert!(
            ended
                .stderr
                .contains("others than the owner may read the file")
        );
        assert!(!ended.stderr.contains("0123456789abcdef"));
        rig.refused(&args("none.toml"), 2, "none.toml: cannot be read");
    }
    assert!(!rig.path("donjon-data").exists());
}

/// CVE-2023-1633: Barbican's configuration, with the passwords of its database and of its service user, could be read by
/// every local user.
#[test]
fn cve_2023_1633_a_configuration_with_a_secret_is_for_its_owner_alone() {
    let rig = Rig::new();
    let with_secret = [
        "\ndata_dir = \"postgresql://donjon:hunter2@db/donjon\"\n",
        "[http]\nhost_href = [\"https://donjon:hunter2@kms.example.org\"]\n",
        "[root_key]\ncurrent = \"hunter2\"\n",
        "[keystone_authtoken]\npassword = \"hunter2\"\n",
        "[p11]\npin = \"hunter2\"\n",
    ];
    for text in with_secret {
        for mode in [0o644, 0o640, 0o604, 0o660] {
            rig.write("donjon.toml", text, mode);
            for verb in [&["serve"][..], &["init"], &["config", "check"]] {
                let args = [verb, &["--config", "donjon.toml"]].concat();
                let ended = rig.refused(&args, 2, "donjon.toml:2: ");
                let why = "holds a secret, and others than the owner may read the file";
                assert!(ended.stderr.contains(why), "{mode:o}: {}", ended.stderr);
                assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
                assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
            }
        }
    }
    // For the owner alone it is a value like any other, and one without a secret may be read by everybody.
    let check = ["config", "check", "--config", "donjon.toml"];
    for (text, mode) in [
        (with_secret[0], 0o600),
        ("[limits]\npage_max = 50\n", 0o644),
    ] {
        rig.write("donjon.toml", text, mode);
        let ended = rig.run(&check);
        assert_eq!(ended.code, Some(0), "{mode:o}: {}", ended.stderr);
    }
    assert!(!rig.path("donjon-data").exists());
}

#[test]
fn an_unknown_variable_is_refused() {
    let rig = Rig::new();
    let output = rig
        .command(&["serve"])
        .env("DONJON_PORT", "9311")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("environment DONJON_PORT: unknown setting"),
        "{stderr}"
    );
}

#[test]
fn what_kubernetes_says_of_a_service_stops_no_start() {
    let rig = Rig::new();
    let mut command = rig.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("DONJON_SERVICE_HOST", "10.0.0.11")
        .env("DONJON_PORT", "tcp://10.0.0.11:9311")
        .env("DONJON_PORT_9311_TCP", "tcp://10.0.0.11:9311");
    let mut server = Server::start(command);
    assert_eq!(server.stop(), Some(0));
    let log = server.log.join("\n");
    let text = "DONJON_SERVICE_HOST, DONJON_PORT, DONJON_PORT_9311_TCP";
    assert!(
        log.lines()
            .any(|line| line.contains("Kubernetes")
                && text.split(", ").all(|name| line.contains(name))),
        "{log}"
    );
}

#[test]
fn modes_do_not_mix() {
    let rig = Rig::new();
    rig.refused(
        &["serve", "--auth", "tokens,noauth"],
        2,
        "noauth lets everybody in",
    );
    rig.refused(&["serve", "--auth", "ldap"], 2, "unknown mode \"ldap\"");
    assert!(!rig.path("donjon-data").exists());
}

#[test]
fn noauth_stays_on_this_machine() {
    let rig = Rig::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:0.0.0.0]:0"] {
        let args = [
            "serve",
            "--auth",
            "noauth",
            "--listen",
            "127.0.0.1:0",
            "--listen",
            address,
        ];
        rig.refused(&args, 2, "--danger-noauth-on-any-address");
    }
    assert!(!rig.path("donjon-data").exists());
    let args = [
        "--auth",
        "noauth",
        "--listen",
        "0.0.0.0:0",
        "--danger-noauth-on-any-address",
    ];
    let mut server = rig.serve_with(&args);
    server.wait_for("WARN donjon::commands::serve: whoever reaches");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn noauth_takes_the_headers() {
    let rig = Rig::new();
    let server = rig.serve_with(&["--auth", "noauth"]);
    assert_eq!(server.get("/v1/secrets", &[]).status, 400);
    assert_eq!(
        server.get("/v1/secrets", &[("X-Project-Id", "p")]).status,
        200
    );
}

#[test]
fn tokens_without_tls_beyond_this_machine_are_warned_about() {
    let rig = Rig::new();
    let mut server = rig.serve_with(&["--listen", "0.0.0.0:0"]);
    server.wait_for("tokens and secrets are readable on the way to 0.0.0.0:");
}

#[test]
fn tls_files_that_cannot_be_used_are_a_configuration_error() {
    let rig = Rig::new();
    let text = "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
    rig.write("donjon.toml", text, 0o644);
    let verbs = [&["serve"][..], &["config", "check"]];
    let refused = |why| {
        for verb in verbs {
            let args = [verb, &["--config", "donjon.toml"]].concat();
            rig.refused(&args, 2, why);
        }
    };
    refused("cert.pem");
    fs::write(rig.path("cert.pem"), "nonsense").unwrap();
    fs::write(rig.path("key.pem"), "nonsense").unwrap();
    refused("tls: ");
    assert!(!rig.path("donjon-data").exists());
}

/// A barbican.conf that a server can start with.
const BARBICAN: &str = "[DEFAULT]\nhost_href = https://kms.example.org\nmystery = hunter2\n\
    [keystone_authtoken]\nauth_url = https://keystone.example.org:5000\nusername = barbican\n\
    password = hunter2\nproject_name = service\n[database]\nconnection = mysql://u:hunter2@db/b\n";

#[test]
fn what_is_converted_passes_the_check_and_is_for_its_owner_alone() {
    let rig = Rig::new();
    rig.write("barbican.conf", BARBICAN, 0o640);
    let convert = ["config", "convert", "barbican.conf", "--output", "new.toml"];
    let ended = rig.run(&convert);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for part in [
        "5 keys are carried over",
        "barbican.conf:10: [database] connection: ",
        "barbican.conf:3: [DEFAULT] mystery: ",
    ] {
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    let mode = fs::metadata(rig.path("new.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let toml = fs::read_to_string(rig.path("new.toml")).unwrap();
    assert!(toml.contains("password = \"hunter2\""), "{toml}");
    assert!(!toml.contains("mysql"), "{toml}");
    let ended = rig.run(&["config", "check", "--config", "new.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("barbican"), "{}", ended.stdout);
    // Nothing that is there is replaced.
    rig.refused(&convert, 1, "new.toml: cannot be made");
    assert_eq!(fs::read_to_string(rig.path("new.toml")).unwrap(), toml);
}

#[test]
fn a_converted_password_does_not_go_into_a_file_that_others_may_read() {
    let rig = Rig::new();
    rig.write("barbican.conf", BARBICAN, 0o640);
    for (mode, code) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
        rig.write("new.toml", "", mode);
        let file = fs::File::create(rig.path("new.toml")).unwrap();
        let mut command = rig.command(&["config", "convert", "barbican.conf"]);
        let output = command.stdout(file).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{mode:o}");
        let written = fs::read_to_string(rig.path("new.toml")).unwrap();
        assert_eq!(written.contains("hunter2"), code == 0, "{mode:o}");
    }
    let ended = rig.run(&["config", "convert", "barbican.conf"]);
    assert!(ended.stdout.contains("hunter2"), "a pipe is taken");
}

#[test]
fn what_cannot_be_converted_is_a_configuration_error() {
    let rig = Rig::new();
    let convert = ["config", "convert", "barbican.conf"];
    rig.refused(&convert, 2, "barbican.conf: cannot be read");
    rig.write("barbican.conf", "[DEFAULT]\nhunter2\n", 0o640);
    let ended = rig.refused(&convert, 2, "barbican.conf:2: neither a section nor");
    assert!(!ended.stderr.contains("hunter2"));
    let text = "[keystone_authtoken]\nauth_url = https://k\n";
    rig.write("barbican.conf", text, 0o640);
    let ended = rig.run(&convert);
    assert_eq!(ended.code, Some(2));
    let told = "written, but no server starts with it yet: auth.keystone.username";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stdout.contains("auth_url"), "{}", ended.stdout);
}
