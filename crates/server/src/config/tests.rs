mod documentation;
mod keystone;
mod secrets;
mod stores;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use donjon_app::Bounds;
use donjon_oslo_policy::DefaultSet;
use tempfile::TempDir;

use donjon_domain::{Quotas, Resource};

use super::{settings::Limits, *};
use crate::{
    cli,
    root_key::{PassphraseSource, RootKeySource, RootKeys},
};

struct Rig {
    folder: TempDir,
    overrides: Overrides,
    environment: Vec<(&'static str, &'static str)>,
}

impl Rig {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            overrides: Overrides::default(),
            environment: Vec::new(),
        }
    }

    fn file(mut self, mode: u32, text: &str) -> Self {
        let path = self.path();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self.overrides.place.config = Some(path);
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("donjon.toml")
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    fn load(&self) -> Result<Config> {
        let pairs = self.environment.iter();
        let pairs = pairs.map(|(name, value)| (name.into(), value.into()));
        Config::gather(&self.overrides, pairs)
    }

    fn settings(&self) -> Settings {
        self.load().unwrap().settings
    }

    /// The error, with the file's folder cut off.
    fn error(&self) -> String {
        let error = format!("{:#}", self.load().unwrap_err());
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn file(text: &str) -> Rig {
    Rig::new().file(0o644, text)
}

fn shown(listen: &[donjon_transport::ListenAddr]) -> Vec<String> {
    listen.iter().map(ToString::to_string).collect()
}

// === precedence ===

#[test]
fn defaults_need_nothing() {
    let settings = Rig::new().settings();
    assert_eq!(settings.data_dir, PathBuf::from("./donjon-data"));
    assert_eq!(shown(&settings.listen), ["127.0.0.1:9311"]);
    assert!(settings.host_href.is_empty());
    assert!(settings.trusted_proxies.is_empty());
    assert_eq!(settings.tls, None);
    assert_eq!(settings.auth.modes, [AuthMode::Tokens]);
    assert_eq!(settings.auth.keystone, None);
    let limits = Limits {
        secret_bytes: 20_000,
        tenant_secret_bytes: 10_000,
        request_bytes: 25_000,
        page_default: 10,
        page_max: 100,
        consumers: Bounds::default().consumers,
        container_secrets: Bounds::default().container_secrets,
    };
    assert_eq!(settings.limits, limits);
    assert_eq!(settings.quotas, Quotas::UNLIMITED);
    assert!(!settings.multiple_stores);
    assert_eq!(
        settings.expired_kept,
        Some(Duration::from_secs(90 * 86_400))
    );
    assert_eq!(settings.cors, donjon_api::CorsConfig::default());
    let root_key = RootKeys {
        current: RootKeySource::File("./donjon-data/root.key".into()),
        is_default: true,
        previous: None,
    };
    assert_eq!(settings.root_key, root_key);
    let policy = PolicySettings {
        defaults: DefaultSet::New,
        file: None,
    };
    assert_eq!(settings.policy, policy);
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.log_level, "info");
}

#[test]
fn flags_beat_environment_beats_file() {
    let mut rig = file("[http]\nlisten = [\"127.0.0.1:1\"]\n[limits]\npage_max = 50\n");
    assert_eq!(shown(&rig.settings().listen), ["127.0.0.1:1"]);
    rig = rig.env("DONJON_HTTP__LISTEN", "127.0.0.1:2, [::1]:2");
    assert_eq!(shown(&rig.settings().listen), ["127.0.0.1:2", "[::1]:2"]);
    rig.overrides.listen = vec!["unix:/run/d.sock".to_owned()];
    let settings = rig.settings();
    assert_eq!(shown(&settings.listen), ["unix:/run/d.sock"]);
    assert_eq!(settings.limits.page_max, 50);
}

#[test]
fn every_flag_counts() {
    let mut rig = Rig::new();
    rig.overrides = Overrides {
        place: cli::Place {
            config: None,
            data_dir: Some("d".into()),
            root_key: Some("k".into()),
        },
        listen: Vec::new(),
        auth: vec!["noauth".to_owned()],
        log_format: Some(cli::LogFormat::Json),
    };
    let settings = rig.settings();
    assert_eq!(settings.data_dir, PathBuf::from("d"));
    assert_eq!(settings.root_key.current, RootKeySource::File("k".into()));
    assert!(!settings.root_key.is_default);
    assert_eq!(settings.auth.modes, [AuthMode::NoAuth]);
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn every_key_has_a_variable_and_a_place_in_the_file() {
    for key in keys::KEYS {
        let text = match key.path {
            "http.host_href" => "https://a.example.org",
            "http.trusted_proxies" => "10.0.0.0/8",
            "tls.cert" | "tls.key" | "tls.client_ca" => "x.pem",
            "root_key.current" => "passphrase:/k",
            "root_key.previous" => "passphrase:/j",
            "root_key.passphrase_from" | "root_key.previous_passphrase_from" => "terminal",
            "policy.file" => "policy.yaml",
            "orders.workers" => "2",
            "pkcs11.login_from" => "terminal",
            "pkcs11.slot_id" => "3",
            "pkcs11.hmac_key_type" => "CKK_AES",
            "pkcs11.key_wrap_mechanism" => "CKM_AES_CBC_PAD",
            path if path.starts_with("pkcs11.") => key.default.unwrap_or("..."),
            path if path.starts_with("transit.") => key.default.unwrap_or("..."),
            // As secrets are shown.
            path if path.starts_with("auth.keystone.") => key.default.unwrap_or("..."),
            _ => key.default.unwrap(),
        };
        let value = key.kind.parse(text).unwrap();
        let mut all = Rig::new();
        let rest = "[tls]\ncert = \"c\"\nkey = \"k\"\n\
                    [root_key]\ncurrent = \"passphrase:/k\"\nprevious = \"passphrase:/j\"\n";
        let line = match key.path.split_once('.') {
            Some((table @ ("tls" | "root_key"), name)) => {
                let others = rest
                    .lines()
                    .filter(|line| !line.starts_with(&format!("{name} =")));
                let others: Vec<&str> = others.collect();
                others.join("\n").replace(
                    &format!("[{table}]"),
                    &format!("[{table}]\n{name} = {value}"),
                )
            }
            Some((table, name)) => format!("[{table}]\n{name} = {value}\n"),
            None => format!("{} = {value}\n", key.path),
        };
        all = all.file(0o600, &line);
        let (read, source) = all.load().unwrap().values[key.path].clone();
        assert_eq!(read, value, "{line}");
        assert!(matches!(source, Source::File { .. }), "{line}");

        let name: &'static str = Box::leak(key.variable().into_boxed_str());
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let by_env = file(rest).env(name, text).load().unwrap();
        let expected = (value, Source::Environment(name.to_owned()));
        assert_eq!(by_env.values[key.path], expected);
    }
}

#[test]
fn what_is_in_force_is_shown_with_its_source() {
    let mut rig = file("[limits]\npage_max = 50\n").env("DONJON_LOG__LEVEL", "debug");
    rig.overrides.listen = vec!["127.0.0.1:1".to_owned()];
    let shown = rig.load().unwrap().to_string();
    let shown = shown.replace(&format!("{}/", rig.folder.path().display()), "");
    let has = |line: &str| {
        let squeezed: Vec<String> = shown
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert!(squeezed.iter().any(|shown| shown == line), "{shown}");
    };
    has("data_dir = \"./donjon-data\" # default");
    has("[limits]");
    has("page_max = 50 # donjon.toml:2");
    has("level = \"debug\" # environment DONJON_LOG__LEVEL");
    has("listen = [\"127.0.0.1:1\"] # flag --listen");
    has("# current = \"file:./donjon-data/root.key\" # default");
    has("# cert = (not set) # default");
    has("# file = (not set) # default");
    let workers = rig.settings().orders.threads;
    has(&format!("# workers = {workers} # default"));
    assert!(!shown.contains("# auth_url"), "{shown}");
    // It is a configuration again.
    let again = file(&shown).load().unwrap();
    assert_eq!(again.settings.limits, rig.settings().limits);
}

// === refusals ===

fn check(rig: &Rig, expected: &str) {
    let error = rig.error();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    check(
        &file("\n\ncolour = 1\n"),
        "donjon.toml:3: unknown key colour",
    );
    check(
        &file("[http]\nport = 1\n"),
        "donjon.toml:2: unknown key http.port",
    );
    check(
        &file("[db]\nurl = \"x\"\n"),
        "donjon.toml:1: unknown key db",
    );
    check(
        &file("http.listen.x = 1\n"),
        "donjon.toml:1: http.listen has to be a list",
    );
    let rig = Rig::new().env("DONJON_PORT", "1");
    check(&rig, "environment DONJON_PORT: unknown setting");
    let rig = Rig::new().env("DONJON_http__listen", "127.0.0.1:1");
    check(&rig, "environment DONJON_http__listen: unknown setting");
}

#[test]
fn what_kubernetes_says_of_a_service_is_no_setting() {
    let links = [
        ("DONJON_SERVICE_HOST", "10.0.0.11"),
        ("DONJON_SERVICE_PORT", "9311"),
        ("DONJON_SERVICE_PORT_HTTP", "9311"),
        ("DONJON_PORT", "tcp://10.0.0.11:9311"),
        ("DONJON_PORT_9311_TCP", "tcp://10.0.0.11:9311"),
        ("DONJON_PORT_9311_TCP_PROTO", "tcp"),
        ("DONJON_PORT_9311_TCP_PORT", "9311"),
        ("DONJON_PORT_9311_TCP_ADDR", "10.0.0.11"),
    ];
    let rig = links
        .iter()
        .fold(Rig::new(), |rig, (name, value)| rig.env(name, value));
    assert_eq!(
        rig.load().unwrap().service_links,
        links.map(|(name, _)| name)
    );
    for (name, value) in [
        ("DONJON_PORT", "9311"),
        ("DONJON_PORTS", "tcp://10.0.0.11:9311"),
        ("DONJON_PORT_HTTP_TCP", "tcp://10.0.0.11:9311"),
        ("DONJON_PORT_9311_HTTP", "x"),
        ("DONJON_PORT_9311_TCP_HOST", "x"),
        ("DONJON_PORT_9311", "x"),
        ("DONJON_SERVICE_NAME", "x"),
    ] {
        let text = format!("environment {name}: unknown setting");
        check(&Rig::new().env(name, value), &text);
    }
    // No setting may ever be taken for one.
    for key in keys::KEYS {
        assert!(!key.variable().starts_with("DONJON_SERVICE_"));
        assert!(!key.variable().starts_with("DONJON_PORT"));
    }
}

#[test]
fn other_variables_are_nobodys_business() {
    assert!(
        Rig::new()
            .env("DONJONS", "1")
            .env("PATH", "x")
            .load()
            .is_ok()
    );
}

#[test]
fn broken_files_are_named_with_their_line() {
    check(&file("a = \n"), "donjon.toml:1: ");
    check(
        &file("data_dir = \"a\"\ndata_dir = \"b\"\n"),
        "donjon.toml:2: ",
    );
    check(
        &file("[limits]\npage_max = \"10\"\n"),
        "donjon.toml:2: limits.page_max has to be a number",
    );
    check(
        &file("[limits]\npage_max = -1\n"),
        "donjon.toml:2: limits.page_max has to be a number",
    );
    check(
        &file("[http]\nlisten = \"127.0.0.1:1\"\n"),
        "donjon.toml:2: http.listen has to be a list",
    );
    check(
        &file("[http]\nlisten = [1]\n"),
        "donjon.toml:2: http.listen has to be a list",
    );
    let mut rig = Rig::new();
    rig.overrides.place.config = Some("/nonexistent/donjon.toml".into());
    check(&rig, "/nonexistent/donjon.toml: cannot be read");
}

#[test]
fn flags_are_true_or_false() {
    let rig = file("[secret_stores]\nmultiple = true\n");
    assert!(rig.settings().multiple_stores);
    let rig = Rig::new().env("DONJON_SECRET_STORES__MULTIPLE", "true");
    assert!(rig.settings().multiple_stores);
    check(
        &file("[secret_stores]\nmultiple = \"true\"\n"),
        "donjon.toml:2: secret_stores.multiple has to be true or false",
    );
}

#[test]
fn origins_are_named_exactly_or_get_no_credentials() {
    let rig =
        file("[cors]\nallowed_origin = [\"https://ui.example.org\", \"http://[::1]:8080\"]\n");
    let cors = rig.settings().cors;
    assert_eq!(
        cors.allowed_origin,
        ["https://ui.example.org", "http://[::1]:8080"]
    );
    assert!(cors.allow_credentials);
    let everybody = "[cors]\nallowed_origin = [\"*\"]\n";
    check(
        &file(everybody),
        "donjon.toml:2: cors.allowed_origin: * would let every page use the credentials",
    );
    let open = file(&format!("{everybody}allow_credentials = false\n"));
    assert_eq!(open.settings().cors.allowed_origin, ["*"]);
    for origin in [
        "ui.example.org",
        "https://ui.example.org/",
        "https://*.example.org",
        "https://u@ui.example.org",
        "ftp://ui.example.org",
        "null",
    ] {
        let text = format!("[cors]\nallowed_origin = [\"{origin}\"]\n");
        check(&file(&text), "donjon.toml:2: cors.allowed_origin: ");
    }
    check(
        &file("[cors]\nallow_headers = [\"a b\"]\n"),
        "donjon.toml:2: cors.allow_headers: ",
    );
    check(
        &file("[cors]\nmax_age = 86401\n"),
        "donjon.toml:2: cors.max_age: has to be 0 to 86400",
    );
}

#[test]
fn what_expired_is_kept_for_days_or_for_ever() {
    for (days, kept) in [
        ("0", Some(Duration::ZERO)),
        ("7", Some(Duration::from_secs(604_800))),
        ("-1", None),
    ] {
        let text = format!("[clean_up]\nexpired_kept_days = {days}\n");
        assert_eq!(file(&text).settings().expired_kept, kept);
    }
    check(
        &file("[clean_up]\nexpired_kept_days = 36526\n"),
        "donjon.toml:2: clean_up.expired_kept_days: has to be 0 to 36525, or -1 for ever",
    );
}

#[test]
fn quotas_are_numbers_or_none() {
    let rig = file("[quotas]\nsecrets = 5\norders = 0\nconsumers = -1\n");
    let rig = rig.env("DONJON_QUOTAS__CONTAINERS", "7");
    let expected = Quotas::UNLIMITED
        .with(Resource::Secrets, 5)
        .with(Resource::Orders, 0)
        .with(Resource::Containers, 7);
    assert_eq!(rig.settings().quotas, expected);
    for text in ["-2", "\"5\"", "1.5", "true"] {
        check(
            &file(&format!("[quotas]\nsecrets = {text}\n")),
            "donjon.toml:2: quotas.secrets has to be a number of 0 or more, or -1 for no limit",
        );
    }
}

#[test]
fn values_say_where_they_stand_and_what_to_do() {
    check(
        &file("[http]\nlisten = [\"9311\"]\n"),
        "donjon.toml:2: http.listen: not a listen address",
    );
    check(
        &file("[http]\nlisten = []\n"),
        "donjon.toml:2: http.listen: name at least one address",
    );
    check(
        &file("[http]\ntrusted_proxies = [\"proxy\"]\n"),
        "not an IP address or network",
    );
    for url in [
        "kms.example.org",
        "ftp://a",
        "https://a?b",
        "/x",
        "https://user@a",
    ] {
        check(
            &file(&format!("[http]\nhost_href = [\"{url}\"]\n")),
            "http.host_href",
        );
    }
    check(&file("[tls]\ncert = \"c\"\n"), "tls.cert: set tls.key too");
    check(&file("[tls]\nkey = \"c\"\n"), "tls.key: set tls.cert too");
    check(
        &file("[tls]\nclient_ca = \"c\"\n"),
        "set tls.cert and tls.key too",
    );
    check(
        &file("[policy]\ndefaults = \"none\"\n"),
        "donjon.toml:2: policy.defaults: unknown set \"none\"; there are secure-rbac and legacy",
    );
    check(&file("[auth]\nmodes = []\n"), "name a mode");
    check(
        &file("[auth]\nmodes = [\"ldap\"]\n"),
        "unknown mode \"ldap\"",
    );
    check(&file("[auth]\nmodes = [\"tokens\", \"tokens\"]\n"), "twice");
    check(
        &file("[log]\nformat = \"xml\"\n"),
        "there are text and json",
    );
    check(&file("[log]\nlevel = \"a=b=c\"\n"), "log.level");
    check(
        &Rig::new().env("DONJON_LOG__LEVEL", "verbose"),
        "has to be error, warn, info, debug, trace or off",
    );
    check(
        &file("data_dir = \"\"\n"),
        "donjon.toml:1: data_dir: has to be a path",
    );
    let rig = Rig::new().env("DONJON_LIMITS__PAGE_MAX", "many");
    check(
        &rig,
        "environment DONJON_LIMITS__PAGE_MAX: has to be a number",
    );
}

#[test]
fn noauth_stands_alone() {
    let rig = Rig::new().env("DONJON_AUTH__MODES", "tokens,noauth");
    check(
        &rig,
        "environment DONJON_AUTH__MODES: auth.modes: noauth lets everybody in",
    );
}

#[test]
fn orders_have_ranges() {
    for (line, expected) in [
        ("wait_ms = 20001", "orders.wait_ms: has to be 0 to 20000"),
        ("workers = 0", "orders.workers: has to be 1 to 256"),
        ("workers = 257", "orders.workers: has to be"),
    ] {
        check(&file(&format!("[orders]\n{line}\n")), expected);
    }
    let settings = file("[orders]\nwait_ms = 0\nworkers = 3\n")
        .settings()
        .orders;
    assert_eq!(settings.wait.as_millis(), 0);
    assert_eq!(settings.threads.get(), 3);
}

#[test]
fn limits_have_ranges() {
    let bad = [
        (
            "secret_bytes = 0",
            "limits.secret_bytes: has to be 1 to 1048576",
        ),
        ("secret_bytes = 1048577", "limits.secret_bytes: has to be"),
        (
            "tenant_secret_bytes = 0",
            "limits.tenant_secret_bytes: has to be",
        ),
        (
            "request_bytes = 999",
            "limits.request_bytes: has to be 1000 to",
        ),
        ("consumers = 0", "limits.consumers: has to be 1 to 100000"),
        (
            "container_secrets = 100001",
            "limits.container_secrets: has to be 1 to 100000",
        ),
        ("page_default = 0", "limits.page_default: has to be 1 to"),
        ("page_max = 10001", "limits.page_max: has to be 1 to 10000"),
        (
            "page_max = 5",
            "limits.page_default: more than limits.page_max, which is 5",
        ),
    ];
    for (line, expected) in bad {
        check(&file(&format!("[limits]\n{line}\n")), expected);
    }
}
