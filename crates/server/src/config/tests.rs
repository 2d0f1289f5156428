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
fn secret_stores_are_a_list() {
    const DATABASE: &str = "[[secret_stores]]\nname = \"db\"\nplugin = \"database\"\n";
    const VAULT: &str = "[[secret_stores]]\nname = \"bao\"\nplugin = \"vault\"\n\
                         url = \"https://bao:8200\"\nglobal_default = true\n";
    const TOKEN: &str = "token_file = \"/token\"\n";
    let settings = file(&format!("{DATABASE}{VAULT}{TOKEN}")).settings();
    assert!(settings.multiple_stores);
    let names: Vec<_> = settings
        .stores
        .iter()
        .map(|store| store.name.as_str())
        .collect();
    assert_eq!(names, ["db", "bao"]);
    let defaults: Vec<_> = settings
        .stores
        .iter()
        .map(|store| store.global_default)
        .collect();
    assert_eq!(defaults, [false, true]);
    let one = "global_default = true\n";
    for (text, expected) in [
        (DATABASE.to_owned(), "exactly one, not in 0"),
        (
            format!("{DATABASE}{one}{VAULT}{TOKEN}"),
            "exactly one, not in 2",
        ),
        (
            format!("{VAULT}{TOKEN}{VAULT}{TOKEN}"),
            "two are named \"bao\"",
        ),
        (
            format!("{DATABASE}{one}{}", DATABASE.replace("db", "other")),
            "there is one database",
        ),
        (
            VAULT.to_owned(),
            "set either token_file, or role_id and secret_id_file",
        ),
        (
            format!("{VAULT}{TOKEN}role_id = \"r\"\n"),
            "set either token_file",
        ),
        (
            format!("{DATABASE}{one}url = \"http://x\"\n"),
            "donjon.toml:5: secret_stores.url: the database has none",
        ),
        (
            format!("{VAULT}{TOKEN}colour = 1\n"),
            "donjon.toml:7: unknown key secret_stores.colour",
        ),
        (
            format!("{VAULT}{TOKEN}timeout_ms = 1\n"),
            "has to be 100 to 20000",
        ),
        (
            DATABASE.replace("database", "file"),
            "has to be database, kmip or vault",
        ),
        (
            format!("{VAULT}{TOKEN}ca_certs = \"/ca\"\n"),
            "a store in OpenBao or Vault has none",
        ),
        ("secret_stores = [1]\n".to_owned(), "has to be tables"),
    ] {
        check(&file(&text), expected);
    }
}

/// What is nobody's in one would be the other's.
#[test]
fn two_stores_are_two_places() {
    const VAULT: &str = "[[secret_stores]]\nname = \"one\"\nplugin = \"vault\"\nglobal_default = true\n\
                         token_file = \"/token\"\nurl = \"https://bao\"\n\
                         [[secret_stores]]\nname = \"two\"\nplugin = \"vault\"\ntoken_file = \"/other\"\n";
    const KMIP: &str = "[[secret_stores]]\nname = \"one\"\nplugin = \"kmip\"\nglobal_default = true\n\
                        host = \"hsm\"\n\
                        [[secret_stores]]\nname = \"two\"\nplugin = \"kmip\"\n";
    let twins = [
        (VAULT, "url = \"https://bao\"\n"),
        (
            VAULT,
            "url = \"https://BAO:443/\"\nmount = \"secret\"\nprefix = \"donjon\"\n",
        ),
        (KMIP, "host = \"HSM\"\nport = 5696\n"),
    ];
    for (first, second) in twins {
        check(
            &file(&format!("{first}{second}")),
            "\"one\" and \"two\" are one place; take one of them out, or set another prefix",
        );
    }
    let others = [
        (VAULT, "url = \"https://bao:8200\"\n"),
        (VAULT, "url = \"https://bao\"\nprefix = \"other\"\n"),
        (VAULT, "url = \"https://bao\"\nmount = \"other\"\n"),
        (VAULT, "url = \"https://bao\"\nnamespace = \"other\"\n"),
        (KMIP, "host = \"hsm\"\nport = 5697\n"),
        (KMIP, "host = \"hsm\"\nprefix = \"other\"\n"),
    ];
    for (first, second) in others {
        let settings = file(&format!("{first}{second}")).settings();
        assert_eq!(settings.stores.len(), 2, "{second}");
    }
}

#[test]
fn a_kmip_server_is_a_secret_store() {
    const KMIP: &str = "[[secret_stores]]\nname = \"hsm\"\nplugin = \"kmip\"\nglobal_default = true\n\
                        host = \"kmip.example.org\"\n";
    let settings_of = |text: &str| {
        let settings = file(&format!("{KMIP}{text}")).settings();
        match settings.stores.into_iter().next().map(|store| store.plugin) {
            Some(PluginSettings::Kmip(kmip)) => *kmip,
            other => panic!("{other:?}"),
        }
    };
    let plain = settings_of("");
    assert_eq!(
        (plain.host.as_str(), plain.port),
        ("kmip.example.org", 5696)
    );
    assert_eq!(
        (plain.prefix.as_str(), plain.payload_bytes_max),
        ("donjon", 65_536)
    );
    assert_eq!(plain.timeout.as_secs(), 10);
    assert_eq!((plain.login, plain.makes_keys), (None, true));
    assert!(!settings_of("makes_keys = false\n").makes_keys);
    let all = settings_of(
        "port = 1\nusername = \"donjon\"\npassword_file = \"/password\"\nca_certs = \"/ca\"\n\
         certfile = \"/cert\"\nkeyfile = \"/key\"\nprefix = \"a/b\"\npayload_bytes_max = 7\n\
         timeout_ms = 200\n",
    );
    assert_eq!((all.port, all.payload_bytes_max), (1, 7));
    assert_eq!(
        all.login.map(|login| login.username).as_deref(),
        Some("donjon")
    );
    assert_eq!(all.ca_certs.as_deref(), Some(std::path::Path::new("/ca")));
    for (text, expected) in [
        (
            "username = \"donjon\"\n",
            "username and password_file need each other",
        ),
        (
            "password_file = \"/p\"\n",
            "username and password_file need each other",
        ),
        ("port = 0\n", "secret_stores.port: "),
        ("port = 65536\n", "secret_stores.port: "),
        (
            "payload_bytes_max = 1048577\n",
            "secret_stores.payload_bytes_max: ",
        ),
        (
            "url = \"https://kmip:5696\"\n",
            "a store in a KMIP server has none",
        ),
        (
            "cafile = \"/ca\"\n",
            "secret_stores.cafile: a store in a KMIP server has none",
        ),
    ] {
        check(&file(&format!("{KMIP}{text}")), expected);
    }
    let nowhere = KMIP.replace("host = \"kmip.example.org\"\n", "");
    check(&file(&nowhere), "set host, such as kmip.example.org");
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

// === secrets in the file ===

const INLINE_KEY: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlYzE=";

#[test]
fn a_file_without_secrets_may_be_read_by_all() {
    let text = "[root_key]\ncurrent = \"file:/etc/donjon/root.key\"\n";
    assert!(Rig::new().file(0o644, text).load().is_ok());
}

#[test]
fn a_file_with_a_secret_may_not_be_read_by_others() {
    let lines = [
        format!("[root_key]\ncurrent = \"base64:{INLINE_KEY}\"\n"),
        format!("[root_key]\nprevious = \"{INLINE_KEY}\"\n"),
        format!("[http]\nhost_href = [\"https://user:{INLINE_KEY}@kms\"]\n"),
        format!("[db]\npassword = \"{INLINE_KEY}\"\n"),
        format!("[db]\nurl = \"postgres://user:{INLINE_KEY}@host/db\"\n"),
    ];
    for text in &lines {
        for mode in [0o644, 0o640, 0o604] {
            let rig = Rig::new().file(mode, text);
            check(&rig, "donjon.toml:2: ");
            check(
                &rig,
                "holds a secret, and others than the owner may read the file",
            );
            assert!(!rig.error().contains(INLINE_KEY));
        }
        // With a mode of its own the file is refused for what it says, still without showing it.
        let rig = Rig::new().file(0o600, text);
        assert!(!rig.error().contains("others than the owner"));
        assert!(!rig.error().contains(INLINE_KEY), "{}", rig.error());
    }
}

#[test]
fn a_root_key_without_a_scheme_is_told_so_before_anything_of_modes() {
    let text = "[root_key]\ncurrent = \"/etc/donjon/root.key\"\n";
    for mode in [0o644, 0o600] {
        let error = Rig::new().file(mode, text).error();
        let (_, said) = error.split_once("root_key.current: has to be ").unwrap();
        assert!(said.contains("file:"), "{error}");
        assert!(!error.contains("/etc/donjon"), "{error}");
    }
}

#[test]
fn a_key_cannot_stand_in_the_configuration() {
    let text = format!("[root_key]\ncurrent = \"base64:{INLINE_KEY}\"\n");
    let rig = Rig::new().file(0o600, &text);
    check(&rig, "donjon.toml:2: root_key.current: has to be file:PATH");
    let rig = Rig::new().env("DONJON_ROOT_KEY__CURRENT", INLINE_KEY);
    check(
        &rig,
        "environment DONJON_ROOT_KEY__CURRENT: root_key.current: has to be file:PATH",
    );
    assert!(!rig.error().contains(INLINE_KEY));
}

#[test]
fn every_source_of_root_keys_can_be_named() {
    let text = "[root_key]\ncurrent = \"passphrase:/k\"\npassphrase_from = \"file:/p\"\n\
                previous = \"env:OLD_KEY\"\n";
    let root_key = Rig::new().file(0o644, text).settings().root_key;
    let passphrase = PassphraseSource::File("/p".into());
    assert_eq!(
        root_key.current,
        RootKeySource::Passphrase("/k".into(), passphrase)
    );
    assert_eq!(
        root_key.previous,
        Some(RootKeySource::Env("OLD_KEY".into()))
    );
    assert!(!root_key.is_default);
    let mut rig = Rig::new();
    rig.overrides.place.root_key = Some("credential:donjon".into());
    let current = rig.settings().root_key.current;
    assert!(matches!(current, RootKeySource::Credential(_)));
}

const TRANSIT: &str = "[transit]\nurl = \"https://bao\"\ntoken_file = \"/t\"\n";

#[test]
fn a_transit_key_is_what_the_table_says_but_for_attributes() {
    let root_keys = |lines: &str, table: &str| {
        let text = format!("[root_key]\n{lines}\n{TRANSIT}{table}");
        Rig::new().file(0o600, &text).settings().root_key
    };
    let transit = |source: &RootKeySource| match source {
        RootKeySource::Transit(key) => (**key).clone(),
        other => panic!("{other}"),
    };
    let plain = root_keys("current = \"transit:\"", "");
    assert!(plain.has_transit() && !plain.has_hsm());
    assert_eq!(plain.keks_max(), 16_384);
    let key = transit(&plain.current);
    let shown = "version 1 of transit key \"donjon\" in transit/ of https://bao";
    assert_eq!(key.to_string(), shown);
    assert_eq!(key.server.timeout.as_millis(), 5_000);

    let both = root_keys(
        "current = \"transit:key_version=2;timeout_ms=700;namespace=a%2Fb\"\nprevious = \"transit:\"",
        "key = \"k\"\nmount = \"a/b\"\npkek_cache_limit = 7\n",
    );
    let (current, previous) = (transit(&both.current), transit(&both.previous.unwrap()));
    let shown = "version 2 of transit key \"k\" in a/b/ of https://bao (namespace a/b)";
    assert_eq!(current.to_string(), shown);
    assert_eq!(current.server.timeout.as_millis(), 700);
    assert_eq!((previous.version.get(), previous.pkek_cache_limit), (1, 7));

    // Another server, where one logs in another way.
    let other = "current = \"transit:url=https://b;role_id=r;secret_id_file=/s\"";
    let other = transit(&root_keys(other, "").current);
    assert!(matches!(other.server.login, VaultLogin::AppRole { .. }));
}

#[test]
fn half_a_transit_key_is_none() {
    for (current, table, expected) in [
        ("transit:", "", "set transit.url"),
        (
            "transit:",
            "url = \"https://b\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\nrole_id = \"r\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\ntoken = \"s.hush\"\ntoken_file = \"/t\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\ntoken = \"s.hush\"\ncertfile = \"/c\"",
            "certfile and keyfile need each other",
        ),
        ("transit:key_version=0", "", "set transit.url"),
        (
            "transit:key_version=x",
            "",
            "key_version: has to be a number",
        ),
        (
            "transit:token=s.hush",
            "",
            "unknown attribute; there are url",
        ),
        ("transit:s.hush", "", "has to look like transit:"),
        ("transit:key=a;key=b", "", "key is there twice"),
        ("transit:key=%zz", "", "key: wrong %-encoding"),
    ] {
        let text = format!("[root_key]\ncurrent = \"{current}\"\n[transit]\n{table}\n");
        let rig = Rig::new().file(0o600, &text);
        check(&rig, expected);
        assert!(!rig.error().contains("hush"), "{}", rig.error());
    }
    for (attributes, expected) in [
        ("key_version=0", "transit.key_version: has to be 1 to"),
        ("mount=a//b", "transit.mount: has to be a path"),
        ("mount=..%2Fsys", "transit.mount: has to be a path"),
        ("key=a/b", "transit.key: has to be a name"),
        (
            "timeout_ms=99",
            "transit.timeout_ms: has to be 100 to 20000",
        ),
    ] {
        let text = format!("[root_key]\ncurrent = \"transit:{attributes}\"\n{TRANSIT}");
        check(&Rig::new().file(0o600, &text), expected);
    }
}

#[test]
fn root_keys_have_to_make_sense_together() {
    let bad = [
        (
            "current = \"env:A\"\nprevious = \"env:A\"",
            "the same place as the current root key",
        ),
        (
            "passphrase_from = \"terminal\"",
            "root_key.passphrase_from: nothing asks for a passphrase",
        ),
        (
            "current = \"file:/k\"\npassphrase_from = \"terminal\"",
            "root_key.passphrase_from: nothing asks for a passphrase",
        ),
        (
            "current = \"passphrase:hunter2\"",
            "a passphrase cannot stand here",
        ),
    ];
    for (lines, expected) in bad {
        let rig = Rig::new().file(0o600, &format!("[root_key]\n{lines}\n"));
        check(&rig, expected);
        assert!(!rig.error().contains("hunter2"));
    }
}

#[test]
fn a_file_that_anybody_may_write_is_refused() {
    check(&Rig::new().file(0o666, ""), "anybody may change this file");
}

// === Keystone ===

const KEYSTONE: &str = r#"
[auth]
modes = ["keystone", "tokens"]
[auth.keystone]
auth_url = "https://k:5000"
username = "barbican"
password = "canary"
project_name = "service"
"#;

/// One that is good, with a line replaced or taken out.
fn keystone(line: &str, by: &str) -> Rig {
    assert!(KEYSTONE.contains(line), "{line}");
    Rig::new().file(0o600, &KEYSTONE.replace(line, by))
}

#[test]
fn keystone_is_asked_as_configured() {
    let settings = keystone("", "").settings();
    assert_eq!(settings.auth.modes, [AuthMode::Keystone, AuthMode::Tokens]);
    let keystone = settings.auth.keystone.unwrap();
    assert_eq!(keystone.www_authenticate_uri, "https://k:5000");
    let config = keystone.config();
    assert_eq!(config.auth_url, "https://k:5000");
    assert_eq!(config.token_cache_time, Duration::from_secs(300));
    assert_eq!(config.service_type.as_deref(), Some("key-manager"));
    assert_eq!(config.service_token_roles, ["service"]);
    assert!(!config.service_token_roles_required);
    let donjon_auth_keystone::ServiceCredential::Password {
        user_domain_name,
        password,
        ..
    } = config.credential
    else {
        panic!("it is a password");
    };
    assert_eq!(user_domain_name, "Default");
    assert_eq!(password.expose(), b"canary");
}

#[test]
fn the_password_of_keystone_is_not_shown() {
    let rig = keystone("", "");
    let config = rig.load().unwrap();
    assert!(!format!("{config}{config:?}").contains("canary"));
    assert!(config.to_string().contains("password = \"...\""));
    let rig = file(KEYSTONE);
    check(&rig, "donjon.toml:7: auth.keystone.password holds a secret");
    let id = "application_credential_id = \"x\"\napplication_credential_secret = \"canary\"";
    let text = KEYSTONE.replace("username = \"barbican\"\npassword = \"canary\"", id);
    check(&file(&text), "application_credential_secret holds a secret");
    assert!(Rig::new().file(0o600, &text).load().is_ok());
    let rig =
        keystone("password = \"canary\"", "").env("DONJON_AUTH__KEYSTONE__PASSWORD", "canary2");
    let config = rig.load().unwrap();
    assert!(!format!("{config}{config:?}").contains("canary2"));
}

#[test]
fn a_password_file_is_its_owners_alone() {
    let rig = Rig::new();
    let path = rig.folder.path().join("password");
    fs::write(&path, "canary\n").unwrap();
    let line = format!("password_file = \"{}\"", path.display());
    let rig = rig.file(0o644, &KEYSTONE.replace("password = \"canary\"", &line));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    check(&rig, "others than the owner may read it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let config = rig.settings().auth.keystone.unwrap().config();
    let donjon_auth_keystone::ServiceCredential::Password { password, .. } = config.credential
    else {
        panic!("it is a password");
    };
    assert_eq!(password.expose(), b"canary");
}

#[test]
fn half_a_keystone_is_none() {
    let other = "application_credential_id = \"x\"";
    for (line, by, expected) in [
        (
            "auth_url = \"https://k:5000\"",
            "",
            "set auth.keystone.auth_url",
        ),
        ("https://k:5000", "k:5000", "has to look like https://"),
        (
            "https://k:5000",
            "https://u:canary@k",
            "has to look like https://",
        ),
        ("username = \"barbican\"", "", "auth.keystone.username or "),
        (
            "password = \"canary\"",
            "",
            "set auth.keystone.password_file",
        ),
        (
            "password = \"canary\"",
            "password = \"\"",
            "set auth.keystone.password_file",
        ),
        (
            "project_name = \"service\"",
            "",
            "set auth.keystone.project_name",
        ),
        ("project_name = \"service\"", other, "name one of them"),
        (
            "username = \"barbican\"",
            other,
            "application_credential_secret too",
        ),
        (
            "project_name",
            "certfile = \"x\"\nproject_name",
            "keyfile too",
        ),
        (
            "project_name",
            "keyfile = \"x\"\nproject_name",
            "certfile too",
        ),
        (
            "project_name",
            "interface = \"x\"\nproject_name",
            "unknown interface",
        ),
        (
            "project_name",
            "token_cache_time = 3601\nproject_name",
            "has to be 0 to 3600",
        ),
    ] {
        let rig = keystone(line, by);
        check(&rig, expected);
        assert!(!rig.error().contains("canary"), "{}", rig.error());
    }
}

// === documentation ===

/// A section of docs/config.md.
struct Section<'a> {
    key: &'a str,
    text: &'a str,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    text.split("\n### `")
        .skip(1)
        .map(|rest| {
            let (key, text) = rest.split_once('`').unwrap();
            let text = text.split("\n## ").next().unwrap();
            Section { key, text }
        })
        .collect()
}

#[test]
fn the_documentation_names_every_key_its_default_and_its_variable() {
    let text = include_str!("../../../../docs/config.md");
    let sections = sections(text);
    let documented: Vec<&str> = sections.iter().map(|section| section.key).collect();
    let known: Vec<&str> = keys::KEYS.iter().map(|key| key.path).collect();
    assert_eq!(documented, known);
    for (section, key) in sections.iter().zip(keys::KEYS) {
        let variable = format!("`{}`", key.variable());
        assert!(section.text.contains(&variable), "{}", key.path);
        if let Some(default) = key.default_value() {
            let line = format!("Default: `{default}`");
            assert!(section.text.contains(&line), "{}: {line}", key.path);
        } else {
            assert!(section.text.contains("Default: "), "{}", key.path);
        }
        let example = examples(section.text);
        assert_eq!(example.len(), 1, "{}", key.path);
        // Some hold a secret.
        let loaded = Rig::new().file(0o600, example[0]).load().unwrap();
        let (_, source) = &loaded.values[key.path];
        assert!(matches!(source, Source::File { .. }), "{}", key.path);
    }
}

fn examples(text: &str) -> Vec<&str> {
    text.split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_examples_of_the_documentation_are_configurations() {
    let text = include_str!("../../../../docs/config.md");
    let examples = examples(text);
    assert!(examples.len() > keys::KEYS.len());
    for example in examples {
        let loaded = Rig::new().file(0o600, example).load();
        assert!(loaded.is_ok(), "{example}\n{:#}", loaded.unwrap_err());
    }
}

// === the sweep ===

#[test]
fn nothing_is_swept_unless_asked_for_and_not_too_soon() {
    let sweep = Rig::new().settings().sweep;
    assert!(!sweep.is_enabled);
    assert_eq!(sweep.interval, Duration::from_secs(3_600));
    assert_eq!(sweep.rules.delay_s, 7 * 86_400);
    assert_eq!(sweep.rules.missing_percent_max, 50);

    let rig = keystone("", "").env("DONJON_SWEEP__ENABLED", "true");
    assert!(rig.settings().sweep.is_enabled);
    let rig = rig.env("DONJON_SWEEP__DELAY_S", "300");
    let error = rig.error();
    assert!(
        error.contains("sweep.delay_s: has to be more than"),
        "{error}"
    );
    let rig = rig.env("DONJON_AUTH__KEYSTONE__TOKEN_CACHE_TIME", "299");
    assert_eq!(rig.settings().sweep.rules.delay_s, 300);
    for (name, value) in [
        ("DONJON_SWEEP__INTERVAL_S", "0"),
        ("DONJON_SWEEP__INTERVAL_S", "86401"),
        ("DONJON_SWEEP__MISSING_PERCENT_MAX", "101"),
        ("DONJON_SWEEP__DELAY_S", "3155760001"),
    ] {
        let error = Rig::new().env(name, value).error();
        assert!(error.contains("has to be"), "{error}");
    }
}
