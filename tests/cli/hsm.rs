//! A root key in an HSM, which is SoftHSM2 here: the doctor, every way in which
//! it can be set up wrong, and moving from a file to it and back.

#![expect(
    clippy::disallowed_methods,
    reason = "whether a device comes back is a matter of real time"
)]

mod orders;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::support::{Ended, Rig, Server};

/// A rig with a token called `donjon` and its PIN in a file. All that is run in
/// it finds its tokens in the folder `tokens`.
struct HsmRig(Rig);

const PIN: &str = "12345678";

impl HsmRig {
    fn new() -> Self {
        let rig = Self(Rig::new());
        fs::create_dir(rig.0.path("tokens")).unwrap();
        let conf = "directories.tokendir = ./tokens\nlog.level = ERROR\n";
        rig.0.write("softhsm2.conf", conf, 0o600);
        rig.0.write("pin", PIN, 0o600);
        rig.0.write("wrong-pin", "87654321", 0o600);
        rig.init_token("donjon");
        rig
    }

    fn init_token(&self, label: &str) {
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label])
            .args(["--pin", PIN, "--so-pin", PIN])
            .env("SOFTHSM2_CONF", "softhsm2.conf")
            .current_dir(self.0.path(""))
            .output()
            .expect("softhsm2-util runs; on Debian: apt-get install softhsm2");
        assert!(output.status.success(), "{output:?}");
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut command = self.0.command(args);
        let output = command.env("SOFTHSM2_CONF", "softhsm2.conf").output();
        output.unwrap().into()
    }

    fn good(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        ended
    }

    fn hsm(&self, verb: &str, more: &[&str]) -> Ended {
        let module = module();
        let args = ["hsm", verb, "--library-path", module.to_str().unwrap()];
        self.run(&[&args[..], &["--login-from", "file:pin"], more].concat())
    }

    /// What the doctor writes, after keys were made.
    fn configured(&self) -> String {
        let made = self.hsm("new-keys", &[]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let found = self.hsm("doctor", &[]);
        assert_eq!(found.code, Some(0), "{}", found.stderr);
        self.0.write("donjon.toml", &found.stdout, 0o600);
        found.stdout
    }

    fn serve(&self) -> Server {
        let args = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config",
            "donjon.toml",
        ];
        let mut command = self.0.command(&args);
        command.env("SOFTHSM2_CONF", "softhsm2.conf");
        Server::start(command)
    }

    /// Changes the configuration and tells how a start ends.
    fn refused(&self, config: &str, code: i32, parts: &[&str]) {
        self.0.write("wrong.toml", config, 0o600);
        let ended = self.run(&["serve", "--config", "wrong.toml"]);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        for secret in [PIN, "87654321"] {
            assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
        }
    }

    fn tokens(&self) -> (PathBuf, PathBuf) {
        (self.0.path("tokens"), self.0.path("tokens-away"))
    }
}

fn module() -> PathBuf {
    if let Some(path) = std::env::var_os("SOFTHSM2_MODULE") {
        return path.into();
    }
    let usual = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let found = usual.iter().map(Path::new).find(|path| path.exists());
    let found = found.expect("SoftHSM2 is there; on Debian: apt-get install softhsm2");
    found.to_owned()
}

#[test]
fn what_the_doctor_prints_starts_the_server() {
    let rig = HsmRig::new();
    let none = rig.hsm("doctor", &[]);
    assert_eq!(none.code, Some(3), "{}", none.stderr);
    assert!(
        none.stderr.contains("donjon hsm new-keys"),
        "{}",
        none.stderr
    );
    let config = rig.configured();
    assert!(!config.contains(PIN), "{config}");
    let found = rig.hsm("doctor", &["--token-label", "donjon"]);
    for part in [
        "\"donjon\" in slot",
        "\"primarymkek\" (CKK_AES)",
        "CKM_SHA256_HMAC       sign     works",
        "CKM_AES_GCM           encrypt  works",
        "a key was wrapped",
        "the token would generate symmetric keys, rsa, ec\n",
    ] {
        assert!(found.stderr.contains(part), "{part}: {}", found.stderr);
    }
    let taken = rig.hsm("new-keys", &[]);
    assert_eq!(taken.code, Some(3), "{}", taken.stderr);
    assert!(taken.stderr.contains("already"), "{}", taken.stderr);

    let mut server = rig.serve();
    let token = rig.0.first_token();
    let path = server.store(&token, "kept");
    assert_eq!(server.read(&token, &path).body, "kept");
    assert_eq!(server.stop(), Some(0));
    assert!(!rig.0.data("root.key").exists());
    let mut server = rig.serve();
    assert_eq!(server.read(&token, &path).body, "kept");
    let log = server.log.join("\n");
    assert!(log.contains("is in the HSM"), "{log}");
    assert_eq!(server.stop(), Some(0));
    let checked = rig.good(&["root-key", "check", "--config", "donjon.toml"]);
    assert!(
        checked.stdout.contains("the data opens with these keys"),
        "{}",
        checked.stdout
    );
    // Written out whole, it is the same configuration.
    let shown = rig.good(&["config", "check", "--config", "donjon.toml"]);
    assert!(shown.stdout.contains("[pkcs11]"), "{}", shown.stdout);
}

#[test]
fn every_mistake_names_what_to_do() {
    let rig = HsmRig::new();
    let good = rig.configured();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replace(from, to)
    };
    let module = module();
    let module = module.to_str().unwrap();
    let cases: &[(String, i32, &[&str])] = &[
        (
            with("file:pin", "file:wrong-pin"),
            3,
            &["CKR_PIN_INCORRECT", "pkcs11.login_from"],
        ),
        (
            with("file:pin", "file:nowhere"),
            3,
            &["nowhere", "pkcs11.login_from"],
        ),
        (
            with("[\"donjon\"]", "[\"other\"]"),
            3,
            &[
                "labelled other",
                "\"donjon\" in slot",
                "pkcs11.token_labels",
            ],
        ),
        (
            with("token_labels = [\"donjon\"]", "slot_id = 4711"),
            3,
            &["in slot 4711", "pkcs11.slot_id"],
        ),
        (
            with("\"primarymkek\"", "\"mkek\""),
            3,
            &["\"mkek\"", "\"primarymkek\"", "hsm new-keys"],
        ),
        (
            with("\"primaryhmac\"", "\"hmac\""),
            3,
            &["\"hmac\"", "pkcs11.hmac_label"],
        ),
        (
            with("CKM_AES_GCM", "CKM_AES_KEY_WRAP_KWP"),
            2,
            &["unknown mechanism", "CKM_AES_CBC_PAD"],
        ),
        (
            with("CKK_GENERIC_SECRET", "CKK_DES"),
            2,
            &["unknown type", "CKK_AES"],
        ),
        (with(module, "/nowhere.so"), 3, &["pkcs11.library_path"]),
        (with(module, "/etc/passwd"), 3, &["pkcs11.library_path"]),
        (
            with("mkek_label", "token_serial_number"),
            2,
            &["pkcs11.mkek_label", "hsm doctor"],
        ),
        (
            with("pkcs11:", "pkcs11:pin=12345678"),
            2,
            &["unknown attribute"],
        ),
    ];
    for (config, code, parts) in cases {
        rig.refused(config, *code, parts);
        assert!(!rig.0.data("donjon.db").exists());
    }
    // A PIN in a file that others read is a leak like any other.
    let exposed = with("login_from = \"file:pin\"", "login = \"12345678\"");
    rig.0.write("exposed.toml", &exposed, 0o644);
    let ended = rig.run(&["serve", "--config", "exposed.toml"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    rig.0.write("exposed.toml", &exposed, 0o600);
    rig.good(&["init", "--config", "exposed.toml"]);
}

/// Other keys under the same labels, or a token that was made anew.
#[test]
fn another_root_key_is_found_out() {
    let rig = HsmRig::new();
    let good = rig.configured();
    rig.good(&["init", "--config", "donjon.toml"]);
    let (mkek, hmac) = ("--mkek-label", "--hmac-label");
    let made = rig.hsm("new-keys", &[mkek, "mkek2", hmac, "hmac2"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let other = good.replace("\"primarymkek\"", "\"mkek2\"");
    rig.refused(
        &other.replace("\"primaryhmac\"", "\"hmac2\""),
        3,
        &["wrong root key"],
    );
    rig.refused(&other, 3, &["wrong root key"]);
}

fn config(rig: &HsmRig, hsm: &str, root_key: &str) {
    let (_, table) = hsm.split_once("[pkcs11]").unwrap();
    let text = format!("[root_key]\n{root_key}\n[pkcs11]{table}");
    rig.0.write("donjon.toml", &text, 0o600);
}

/// From a file to the HSM, to other keys of it, and back, with requests all
/// the while.
#[test]
fn the_root_key_moves_into_the_hsm_and_out_of_it() {
    let rig = HsmRig::new();
    let hsm = rig.configured();
    let second = ["--mkek-label", "mkek2", "--hmac-label", "hmac2"];
    assert_eq!(rig.hsm("new-keys", &second).code, Some(0));
    rig.good(&["root-key", "new", "one.key"]);
    config(&rig, &hsm, "current = \"file:one.key\"");
    let mut server = rig.serve();
    let token = rig.0.first_token();
    let mut stored = vec![(server.store(&token, "0"), "0".to_owned())];
    assert_eq!(server.stop(), Some(0));
    let inside = "\"pkcs11:\"";
    let moved = "\"pkcs11:mkek_label=mkek2;hmac_label=hmac2\"";
    let file = "\"file:one.key\"";
    for (number, (current, previous)) in [(inside, file), (moved, inside), (file, moved)]
        .into_iter()
        .enumerate()
    {
        let both = format!("current = {current}\nprevious = {previous}");
        config(&rig, &hsm, &both);
        let mut server = rig.serve();
        let status = rig.good(&["rotate", "root", "--wait", "--config", "donjon.toml"]);
        assert!(status.stdout.contains("0 left"), "{}", status.stdout);
        let payload = format!("{}", number + 1);
        stored.push((server.store(&token, &payload), payload));
        assert_eq!(server.stop(), Some(0));
        config(&rig, &hsm, &format!("current = {current}"));
        let mut server = rig.serve();
        for (path, payload) in &stored {
            assert_eq!(server.read(&token, path).body, *payload, "{current}");
        }
        assert_eq!(server.stop(), Some(0));
    }
}

/// The tokens go away under a working server: what was seen is served, what was
/// not is 503, and nobody has to start anything again.
#[test]
fn an_outage_leaves_known_projects_alone() {
    let rig = HsmRig::new();
    rig.configured();
    rig.good(&["init", "--config", "donjon.toml"]);
    let known = rig.0.first_token();
    let token = |project: &str| {
        let args = ["token", "create", "--project", project, "--role", "member"];
        let made = rig.good(&[&args[..], &["--config", "donjon.toml"]].concat());
        made.stdout.trim().to_owned()
    };
    let unknown = token("unknown");
    let mut server = rig.serve();
    let path = server.store(&known, "known");
    let other = server.store(&unknown, "unknown");
    assert_eq!(server.stop(), Some(0));
    let mut server = rig.serve();
    assert_eq!(server.read(&known, &path).body, "known");
    let (here, away) = rig.tokens();
    fs::rename(&here, &away).unwrap();
    for _ in 0..30 {
        assert_eq!(server.read(&known, &path).body, "known");
        let written = server.store(&known, "more");
        assert_eq!(server.read(&known, &written).body, "more");
        let answer = server.read(&unknown, &other);
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    fs::rename(&away, &here).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = server.read(&unknown, &other);
        if answer.status == 200 {
            assert_eq!(answer.body, "unknown");
            break;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(Instant::now() < until, "{}", server.log.join("\n"));
    }
    assert_eq!(server.stop(), Some(0));
    let log = server.log.join("\n");
    assert!(log.contains("the HSM fails"), "{log}");
    assert!(log.contains("the HSM answers again"), "{log}");
}

/// A device that hangs: SoftHSM2 waits for locks of files, which the test holds.
/// Nobody waits longer than is configured, and known projects do not wait at
/// all.
#[test]
fn a_device_that_hangs_hangs_nobody() {
    let rig = HsmRig::new();
    let good = rig.configured();
    rig.0
        .write("donjon.toml", &format!("{good}timeout_ms = 500\n"), 0o600);
    rig.good(&["init", "--config", "donjon.toml"]);
    let known = rig.0.first_token();
    let args = [
        "token",
        "create",
        "--project",
        "unknown",
        "--role",
        "member",
    ];
    let made = rig.good(&[&args[..], &["--config", "donjon.toml"]].concat());
    let unknown = made.stdout.trim().to_owned();
    let mut server = rig.serve();
    let (path, other) = (
        server.store(&known, "known"),
        server.store(&unknown, "unknown"),
    );
    assert_eq!(server.stop(), Some(0));
    let mut server = rig.serve();
    assert_eq!(server.read(&known, &path).body, "known");
    let locks = locked(&rig.tokens().0);
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(server.read(&known, &path).body, "known");
        assert!(
            began.elapsed() < Duration::from_millis(400),
            "known projects wait"
        );
        let began = Instant::now();
        let answer = server.read(&unknown, &other);
        assert_eq!(answer.status, 503, "{answer:?}");
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest > Duration::from_millis(400), "nothing hung");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    drop(locks);
    let until = Instant::now() + Duration::from_secs(30);
    while server.read(&unknown, &other).status != 200 {
        assert!(Instant::now() < until, "{}", server.log.join("\n"));
    }
    assert_eq!(server.stop(), Some(0));
}

/// Holds every file below a folder.
fn locked(folder: &Path) -> Vec<fs::File> {
    let mut held = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            held.extend(locked(&path));
            continue;
        }
        let file = fs::File::options().read(true).write(true).open(&path);
        let file = file.unwrap();
        rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        held.push(file);
    }
    held
}
