//! Help, version, and the command line itself.

use std::{fs, path::Path, process::Command};

use super::{
    support::{Rig, Server, chmod},
    vault::{FakeVault, TOKEN},
};

const VERBS: [&[&str]; 29] = [
    &[],
    &["serve"],
    &["init"],
    &["token"],
    &["token", "create"],
    &["token", "list"],
    &["token", "revoke"],
    &["policy"],
    &["policy", "explain"],
    &["policy", "check"],
    &["policy", "show"],
    &["rotate"],
    &["rotate", "root"],
    &["rotate", "project"],
    &["rotate", "status"],
    &["rotate", "pause"],
    &["rotate", "resume"],
    &["doctor"],
    &["secrets"],
    &["secrets", "move"],
    &["shred"],
    &["root-key"],
    &["root-key", "new"],
    &["root-key", "check"],
    &["root-key", "split"],
    &["root-key", "join"],
    &["config"],
    &["config", "check"],
    &["config", "convert"],
];

#[test]
fn the_plain_program_shows_its_help() {
    let ended = Rig::new().run(&[]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("Usage: donjon"));
    assert!(ended.stdout.contains("donjon serve"));
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_verb_explains_itself() {
    let rig = Rig::new();
    for verb in VERBS {
        let ended = rig.run(&[verb, &["--help"]].concat());
        assert_eq!(ended.code, Some(0), "{verb:?}");
        assert!(ended.stdout.contains("Examples:"), "{verb:?}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_verb() {
    let rig = Rig::new();
    fs::create_dir(rig.path("man")).unwrap();
    let ended = rig.run(&["man", "man"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for verb in VERBS {
        let name = [&["donjon"], verb].concat().join("-");
        let page = fs::read_to_string(rig.path(&format!("man/{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(page.contains("Examples:"), "{page}");
    }
    rig.refused(&["man", "missing"], 1, "missing: cannot be written");
}

/// The commands that a help text shows; long ones go on in the next line.
fn examples(help: &str) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    let mut goes_on = false;
    let (_, shown) = help.split_once("Examples:").unwrap();
    for line in shown.lines() {
        let begins = line.starts_with("  donjon ") || line.starts_with("  DONJON_");
        match examples.last_mut() {
            _ if begins => examples.push(line.trim().to_owned()),
            Some(last) if goes_on && !line.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => {}
        }
        goes_on = !line.is_empty() && !examples.is_empty();
    }
    examples
}

/// A machine of a reader's: the folders and files that examples name, below the rig's own folder.
fn machine() -> Rig {
    let vault = FakeVault::start();
    let rig = Rig::new();
    for folder in ["etc", "var", "run"] {
        fs::create_dir(rig.path(folder)).unwrap();
        chmod(&rig.path(folder), 0o700);
    }
    let data_dir = format!("data_dir = {:?}\n", rig.path("var/donjon"));
    rig.write("etc/donjon.toml", &data_dir, 0o600);
    rig.write("etc/barbican.conf", "[quotas]\nquota_secrets = 10\n", 0o600);
    rig.write("etc/root.key", &"k".repeat(32), 0o600);
    let token = rig.write("etc/token", TOKEN, 0o600);
    let token = token.display().to_string();
    rig.write(
        "etc/stores.toml",
        &[
            "[[secret_stores]]\nname = \"database\"\nplugin = \"database\"\nglobal_default = true\n",
            &vault.config("bao", &token, ""),
        ]
        .concat(),
        0o600,
    );
    rig.write("etc/root.key.new", &"n".repeat(32), 0o600);
    rig.write(
        "policy.yaml",
        "\"secret:decrypt\": \"role:auditor\"\n",
        0o600,
    );
    rig
}

/// An example with its places and ports exchanged for those of the rig.
fn placed(example: &str, rig: &Rig) -> String {
    let path = |name: &str| rig.path(name).display().to_string();
    let mut line = example
        .replace("/etc/donjon", &path("etc"))
        .replace("/etc/barbican", &path("etc"))
        .replace("/var/lib/donjon", &path("var/donjon"))
        .replace("/run/donjon", &path("run"));
    // Not every machine that runs tests has IPv6.
    for address in ["127.0.0.1:9311", "127.0.0.1:9312", "[::1]:9311"] {
        line = line.replace(address, "127.0.0.1:0");
    }
    let is_default = !line.to_lowercase().contains("listen") && !line.contains("--help");
    if is_default && line.starts_with("donjon serve") {
        line.push_str(" --listen 127.0.0.1:0");
    }
    line
}

fn shell(rig: &Rig, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_donjon"));
    let programs = program.parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    let donjon = rig.command(&[]);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command.current_dir(donjon.get_current_dir().unwrap());
    for (name, value) in donjon.get_envs() {
        assert!(value.is_none());
        command.env_remove(name);
    }
    command.env("PATH", format!("{programs}:{path}"));
    command
}

/// Runs what it is told; gives stdout.
fn type_in(rig: &Rig, line: &str) -> String {
    let output = shell(rig, line).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes what an example takes for granted, and gives it in place of the id that stands in it.
fn real_id(rig: &Rig, example: &str, place: &str) -> String {
    if example.contains("revoke") {
        type_in(rig, &format!("donjon token create --project web {place}"));
        let listed = type_in(rig, &format!("donjon token list {place}"));
        let line = listed.lines().find(|line| line.contains(" web "));
        return line.unwrap().split(' ').next().unwrap().to_owned();
    }
    let token = type_in(rig, &format!("donjon token create --project web {place}"));
    let mut server = Server::start(shell(
        rig,
        &format!("exec donjon serve --listen 127.0.0.1:0 {place}"),
    ));
    let path = server.store(token.trim(), "x");
    assert_eq!(server.stop(), Some(0));
    path.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn the_examples_of_the_help_work_as_they_stand() {
    const ID: &str = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    for verb in VERBS {
        let help = Rig::new().run(&[verb, &["--help"]].concat()).stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{verb:?}: {help}");
        for example in examples {
            let rig = machine();
            let mut line = placed(&example, &rig);
            let place = if line.contains("rotate root") || line.contains("donjon shred --root-key")
            {
                format!("--root-key {}", rig.path("etc/root.key").display())
            } else if line.contains("--data-dir") {
                format!("--data-dir {}", rig.path("var/donjon").display())
            } else {
                String::new()
            };
            let needs_data = [
                "donjon token",
                "policy explain",
                "root-key check",
                "root-key split",
                "donjon rotate",
                "donjon shred",
                "donjon secrets",
                "donjon doctor",
            ];
            if needs_data.iter().any(|verb| line.contains(verb)) {
                type_in(&rig, &format!("donjon init {place}"));
            }
            if line.contains("rotate project") || line.contains("shred --project") {
                real_id(&rig, &example, &place);
            }
            // These speak to a server that works.
            let _server = ["rotate pause", "rotate resume"]
                .iter()
                .any(|verb| line.contains(verb))
                .then(|| Server::start(shell(&rig, "exec donjon serve --listen 127.0.0.1:0")));
            if line.contains(ID) {
                line = line.replace(ID, &real_id(&rig, &example, &place));
            }
            if line.contains("donjon serve") && !line.contains("--help") {
                let mut server = Server::start(shell(&rig, &format!("exec env {line}")));
                assert_eq!(server.stop(), Some(0), "{line}");
            } else {
                type_in(&rig, &line);
            }
        }
    }
}

/// As `docs/config.md` says to make one.
#[test]
fn a_root_key_made_as_documented_is_taken() {
    let documented = include_str!("../../docs/config.md");
    let (_, rest) = documented.split_once("To make it: `").unwrap();
    let (line, _) = rest.split_once('`').unwrap();
    let rig = machine();
    fs::remove_file(rig.path("etc/root.key")).unwrap();
    type_in(&rig, &placed(line, &rig));
    let key = rig.path("etc/root.key").display().to_string();
    type_in(&rig, &format!("donjon init --root-key {key}"));
    assert!(!rig.data("root.key").exists());
}

#[test]
fn the_version_is_shown() {
    let ended = Rig::new().run(&["--version"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stdout,
        concat!("donjon ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn what_the_command_line_does_not_know_is_a_configuration_error() {
    let rig = Rig::new();
    for args in [
        &["serve", "--port", "1"][..],
        &["start"],
        &["token"],
        &["token", "create"],
    ] {
        assert_eq!(rig.run(args).code, Some(2), "{args:?}");
    }
    assert!(!rig.path("donjon-data").exists());
}
