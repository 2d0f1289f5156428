use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::config::file;

/// All keys of Barbican 23, each behind a `#`.
const ALL: &str = include_str!("../../../tests/data/barbican-23.conf");
/// As Kolla-Ansible writes it.
const KOLLA: &str = include_str!("../../../tests/data/kolla.conf");
/// As DevStack writes it, and some more.
const DEVSTACK: &str = include_str!("../../../tests/data/devstack.conf");

/// Keys with their values, in the order of the keys.
type Table = Vec<(&'static str, Value)>;

fn converted(text: &str) -> Converted {
    convert_text(Path::new("/nonexistent/barbican.conf"), text).unwrap()
}

/// Reads the TOML as a start would; `data_dir` is not told.
fn read_back(converted: &Converted) -> Table {
    read_back_all(converted).0
}

/// The stores as well.
fn read_back_all(converted: &Converted) -> (Table, Vec<Table>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("donjon.toml");
    fs::write(&path, converted.toml().unwrap().as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let (mut layer, stores) = file::read(&path).unwrap();
    assert!(layer.remove("data_dir").is_some());
    let values = |layer: Layer| {
        let values = layer.into_iter();
        values.map(|(key, (value, _))| (key, value)).collect()
    };
    (values(layer), stores.into_iter().map(values).collect())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A store of those above, in the order of its keys.
fn store(values: &[(&'static str, Value)]) -> Table {
    let mut values = values.to_vec();
    values.sort_by_key(|(key, _)| *key);
    values
}

fn remarks(converted: &Converted) -> Vec<(&str, &About)> {
    let remarks = converted.remarks.iter();
    remarks
        .map(|remark| (remark.key.as_str(), &remark.about))
        .collect()
}

#[test]
fn every_key_of_barbican_is_known() {
    let untouched = converted(ALL);
    assert_eq!((untouched.carried, untouched.remarks.len()), (0, 0));
    untouched.check().unwrap();

    let set: Vec<String> = ALL
        .lines()
        .skip(2)
        .map(|line| line.trim_start_matches('#').replace("<None>", ""))
        .collect();
    let all = converted(&set.join("\n"));
    let unknown: Vec<_> = remarks(&all)
        .into_iter()
        .filter(|(_, about)| **about == About::Unknown)
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(all.carried >= 20, "{}", all.carried);
    // The defaults are the same.
    all.check().unwrap();
    let defaults = keys::defaults();
    for (key, value) in read_back(&all) {
        let as_barbican = [
            "http.host_href",
            "auth.keystone.interface",
            "auth.keystone.service_token_roles_required",
        ];
        if !as_barbican.contains(&key) {
            assert_eq!(
                Some(&value),
                defaults.get(key).map(|(value, _)| value),
                "{key}"
            );
        }
    }
}

#[test]
fn what_kolla_writes() {
    let kolla = converted(KOLLA);
    kolla.check().unwrap();
    assert!(kolla.has_secret());
    let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).to_owned()).collect());
    let keystone = "https://internal.example.org:5000";
    let mut expected = vec![
        ("http.listen", list(&["10.10.0.11:9311"])),
        ("http.host_href", list(&["https://cloud.example.org:9311"])),
        ("http.trusted_proxies", list(&["127.0.0.1", "::1"])),
        ("auth.modes", list(&["keystone"])),
        ("auth.keystone.auth_url", text(keystone)),
        ("auth.keystone.www_authenticate_uri", text(keystone)),
        ("auth.keystone.username", text("barbican")),
        ("auth.keystone.password", specials::secret("hunter2\"$x")),
        ("auth.keystone.project_name", text("service")),
        ("auth.keystone.user_domain_name", text("Default")),
        ("auth.keystone.project_domain_name", text("Default")),
        ("auth.keystone.region_name", text("RegionOne")),
        ("limits.secret_bytes", Value::Count(10_000)),
        ("limits.request_bytes", Value::Count(1_000_000)),
    ];
    expected.sort_by_key(|(key, _)| *key);
    assert_eq!(read_back(&kolla), expected);
    let told = kolla.to_string();
    for part in [
        "barbican.conf:4: [DEFAULT] log_file: ",
        "barbican.conf:14: [DEFAULT] sql_connection: ",
        "barbican.conf:30: [simple_crypto_plugin] kek: ",
        "barbican.conf:33: [keystone_notifications] enable: ",
        "barbican.conf:38: [keystone_authtoken] project_domain_id: taken for the domain named Default",
        "barbican.conf:56: [oslo_middleware] enable_proxy_headers_parsing: a proxy on this machine",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("unknown"), "{told}");
}

#[test]
fn what_devstack_writes() {
    let devstack = converted(DEVSTACK);
    devstack.check().unwrap();
    let found = read_back(&devstack);
    let value = |key: &str| {
        let found = found.iter().find(|(name, _)| *name == key);
        found
            .map(|(_, value)| value.to_string())
            .unwrap_or_default()
    };
    for (key, expected) in [
        ("http.host_href", "[\"http://192.0.2.10/key-manager\"]"),
        ("log.level", "\"debug\""),
        ("policy.defaults", "\"legacy\""),
        ("quotas.secrets", "100"),
        ("quotas.orders", "-1"),
        (
            "cors.allowed_origin",
            "[\"http://192.0.2.10:8000\", \"http://192.0.2.10\"]",
        ),
        (
            "auth.keystone.service_token_roles",
            "[\"service\", \"admin\"]",
        ),
        ("auth.keystone.service_token_roles_required", "true"),
        ("auth.keystone.interface", "\"public\""),
        ("auth.keystone.cafile", "\"/opt/stack/data/ca-bundle.pem\""),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    let told = remarks(&devstack);
    let is = |key: &str, about: fn(&About) -> bool| {
        told.iter()
            .any(|(name, found)| *name == key && about(found))
    };
    assert!(is("[DEFAULT] state_dir", |about| *about == About::Unknown));
    assert!(is(
        "[secretstore] enabled_secretstore_plugins",
        |about| matches!(about, About::Look(_))
    ));
    assert!(is("[database] connection", |about| matches!(
        about,
        About::Nothing(_)
    )));
}

#[test]
fn no_value_is_told() {
    for text in [
        KOLLA,
        DEVSTACK,
        "[keystone_authtoken]\npassword = $hunter2\nauth_type = hunter2\ntoken_cache_time = hunter2\nauth_url = hunter2\n",
        "[keystone_authtoken]\nauth_url = https://u:hunter2@k\nusername = u\n[x]\nhunter = hunter2\n",
        "[DEFAULT]\ndebug = hunter2\n[quotas]\nquota_cas = hunter2\n[oslo_policy]\nenforce_new_defaults = hunter2\n",
    ] {
        let converted = converted(text);
        let check = converted.check().map_err(|error| format!("{error:#}"));
        let told = format!("{converted}{check:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let in_url = converted("[keystone_authtoken]\nauth_url = https://u:hunter2@k\n");
    assert!(in_url.has_secret());
    assert!(!converted("[keystone_authtoken]\nauth_url = https://k\n").has_secret());
}

#[test]
fn what_is_missing_or_out_of_range_is_told_with_its_place() {
    for (text, expected) in [
        (
            "[keystone_authtoken]\nauth_url = https://k\n",
            "auth.keystone.username",
        ),
        (
            "[DEFAULT]\n\nmax_allowed_secret_in_bytes = 9999999\n",
            "barbican.conf:3: limits.secret_bytes: has to be 1 to",
        ),
        (
            "[DEFAULT]\nbind_host = kms.example.org\n",
            "barbican.conf:2: http.listen",
        ),
    ] {
        let error = format!("{:#}", converted(text).check().unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
    let path = Path::new("barbican.conf");
    let error = convert_text(path, "[DEFAULT]\nhunter2\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "barbican.conf:2: neither a section nor a key with a value"
    );
}

#[test]
fn the_credential_may_stand_elsewhere_and_under_older_names() {
    let text = "[keystone_authtoken]\nauth_section = Mine\nwww_authenticate_uri = https://new\nauth_uri = https://old\n\
                [mine]\nauth-url = https://k\nuser-name = u\npassword = p\ntenant_name = service\ndefault_domain_name = d\n";
    let converted = converted(text);
    converted.check().unwrap();
    let found = read_back(&converted);
    for (key, expected) in [
        ("auth.keystone.www_authenticate_uri", "https://new"),
        ("auth.keystone.auth_url", "https://k"),
        ("auth.keystone.username", "u"),
        ("auth.keystone.project_name", "service"),
        ("auth.keystone.user_domain_name", "d"),
        ("auth.keystone.project_domain_name", "d"),
    ] {
        assert!(
            found.contains(&(key, Value::Text(expected.to_owned()))),
            "{key}"
        );
    }
}

#[test]
fn a_policy_file_is_found_where_barbican_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("barbican.conf");
    let convert = |text: &str| {
        let converted = convert_text(&path, text).unwrap();
        let file = converted
            .values
            .get("policy.file")
            .map(|(value, _)| value.to_string());
        (file, converted.remarks.len())
    };
    let file = |name: &str| Some(format!("\"{}\"", folder.path().join(name).display()));
    let named = "[oslo_policy]\npolicy_file = rules.yaml\n";
    // Barbican takes its defaults where there is none.
    assert_eq!(convert(""), (None, 0));
    assert_eq!(convert(named), (None, 1));
    fs::write(folder.path().join("policy.yaml"), "").unwrap();
    assert_eq!(convert(""), (file("policy.yaml"), 0));
    assert_eq!(convert(named), (None, 1));
    fs::write(folder.path().join("rules.yaml"), "").unwrap();
    assert_eq!(convert(named), (file("rules.yaml"), 0));
    fs::create_dir(folder.path().join("policy.d")).unwrap();
    let dirs = "[oslo_policy]\npolicy_file = rules.yaml\npolicy_dirs = policy.d\n";
    assert_eq!(convert(dirs), (file("rules.yaml"), 1));
}

#[test]
fn rules_lead_to_keys_that_there_are() {
    for (section, rules) in RULES {
        for (name, becomes) in *rules {
            if let Becomes::Key(key) = becomes {
                assert!(keys::find(key).is_some(), "[{section}] {name}: {key}");
            }
        }
    }
}

/// As Barbican's guide has it, with some more.
const STORES: &str = "\
[secretstore]
enable_multiple_secret_stores = True
stores_lookup_suffix = Software, hsm, vault

[secretstore:software]
secret_store_plugin = store_crypto
crypto_plugin = simple_crypto

[secretstore:hsm]
secret_store_plugin = store_crypto
crypto_plugin = p11_crypto
global_default = True

[secretstore:vault]
secret_store_plugin = vault_plugin

[secretstore:other]
secret_store_plugin = kmip_plugin

[simple_crypto_plugin]
plugin_name = Payloads

[p11_crypto_plugin]
library_path = /usr/lib/libhsm.so
token_labels = one, two
login = hunter2
mkek_label = mkek
hmac_label = hmac
key_wrap_mechanism = CKM_AES_KEY_WRAP_KWP
hmac_key_type = CKK_GENERIC_SECRET
pkek_cache_limit = 10
surprise = 1

[vault_plugin]
root_token_id = hunter2
approle_role_id = donjon
vault_url = https://bao.example.org:8200
use_ssl = True
ssl_ca_crt_file = /etc/ca.crt
kv_version = 2
kv_mountpoint = kv
namespace =
";

#[test]
fn stores_become_a_list_and_the_hsm_a_root_key() {
    let converted = converted(STORES);
    converted.check().unwrap();
    assert!(converted.has_secret());
    let (values, stores) = read_back_all(&converted);
    let labels = ["one", "two"].map(str::to_owned).to_vec();
    let mut expected = vec![
        ("root_key.current", text("pkcs11:")),
        ("orders.generate_in", text("hsm")),
        ("pkcs11.library_path", text("/usr/lib/libhsm.so")),
        ("pkcs11.token_labels", Value::List(labels)),
        ("pkcs11.login", specials::secret("hunter2")),
        ("pkcs11.mkek_label", text("mkek")),
        ("pkcs11.hmac_label", text("hmac")),
        ("pkcs11.hmac_key_type", text("CKK_GENERIC_SECRET")),
    ];
    expected.sort_by_key(|(key, _)| *key);
    assert_eq!(values, expected);
    let database = store(&[
        ("secret_stores.name", text("Payloads")),
        ("secret_stores.plugin", text("database")),
        ("secret_stores.global_default", Value::Flag(true)),
    ]);
    let vault = store(&[
        ("secret_stores.name", text("VaultSecretStore")),
        ("secret_stores.plugin", text("vault")),
        ("secret_stores.global_default", Value::Flag(false)),
        ("secret_stores.url", text("https://bao.example.org:8200")),
        ("secret_stores.mount", text("kv")),
        ("secret_stores.token_file", text("/etc/donjon/vault-token")),
        ("secret_stores.cafile", text("/etc/ca.crt")),
    ]);
    assert_eq!(stores, [database, vault]);
    let told = converted.to_string();
    for part in [
        "[secretstore:hsm] crypto_plugin: there is one root key",
        "[secretstore:hsm] secret_store_plugin: the database is one store",
        "[secretstore:other] secret_store_plugin: stores_lookup_suffix does not name",
        "[p11_crypto_plugin] key_wrap_mechanism: ",
        "[p11_crypto_plugin] pkek_cache_limit: ",
        "[p11_crypto_plugin] surprise: neither Barbican 23 nor Donjon has it",
        "[vault_plugin] root_token_id: put the token into /etc/donjon/vault-token",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn one_store_may_be_the_vault_or_keep_its_root_key_in_the_hsm() {
    let vault = converted(
        "[secretstore]\nenabled_secretstore_plugins = vault_plugin\n\
         [vault_plugin]\napprole_role_id = donjon\napprole_secret_id = hunter2\nkv_path = there\nkv_version = 1\n",
    );
    vault.check().unwrap();
    let (values, stores) = read_back_all(&vault);
    assert_eq!(values, []);
    let expected = store(&[
        ("secret_stores.name", text("VaultSecretStore")),
        ("secret_stores.plugin", text("vault")),
        ("secret_stores.global_default", Value::Flag(true)),
        ("secret_stores.url", text("http://127.0.0.1:8200")),
        ("secret_stores.prefix", text("there")),
        ("secret_stores.role_id", text("donjon")),
        (
            "secret_stores.secret_id_file",
            text("/etc/donjon/vault-secret-id"),
        ),
    ]);
    assert_eq!(stores, [expected]);
    let told = vault.to_string();
    assert!(
        told.contains("[vault_plugin] kv_version: the engine has to be"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");

    let hsm = converted(
        "[crypto]\nenabled_crypto_plugins = p11_crypto\n\
         [p11_crypto_plugin]\nlibrary_path = /m.so\nlogin = 1\nmkek_label = m\nhmac_label = h\nslot_id = 2\n",
    );
    hsm.check().unwrap();
    let (values, stores) = read_back_all(&hsm);
    assert!(
        values.contains(&("root_key.current", text("pkcs11:"))),
        "{values:?}"
    );
    assert!(
        values.contains(&("pkcs11.slot_id", Value::Count(2))),
        "{values:?}"
    );
    assert!(stores.is_empty(), "{stores:?}");
    assert!(!hsm.to_string().contains("look at"), "{hsm}");
}

#[test]
fn what_is_not_used_becomes_nothing() {
    let unused = STORES.replace("= True", "= False");
    let converted = converted(&unused);
    converted.check().unwrap();
    let multiple = ("secret_stores.multiple", Value::Flag(false));
    assert_eq!(read_back_all(&converted), (vec![multiple], Vec::new()));
    assert!(!converted.has_secret());
    let told = converted.to_string();
    assert!(
        told.contains("[vault_plugin] vault_url: nothing in this"),
        "{told}"
    );
    assert!(
        told.contains("[p11_crypto_plugin] login: no secret store of this file uses the HSM"),
        "{told}"
    );
}

#[test]
fn a_store_without_a_counterpart_is_named() {
    let one = converted("[secretstore]\nenabled_secretstore_plugins = dogtag_crypto\n");
    let told = one.to_string();
    assert!(
        told.contains("enabled_secretstore_plugins: there is none of this kind"),
        "{told}"
    );
    let several = converted(
        "[secretstore]\nenable_multiple_secret_stores = true\nstores_lookup_suffix = a, b\n\
         [secretstore:a]\nsecret_store_plugin = dogtag_crypto\nglobal_default = true\n\
         [secretstore:b]\nsecret_store_plugin = store_crypto\n",
    );
    let told = several.to_string();
    assert!(
        told.contains("[secretstore:a] secret_store_plugin: there is none of this kind"),
        "{told}"
    );
    let error = format!("{:#}", several.check().unwrap_err());
    assert!(
        error.contains("global_default = true in exactly one"),
        "{error}"
    );
}

#[test]
fn a_kmip_server_becomes_a_store() {
    let kmip = converted(
        "[secretstore]\nenabled_secretstore_plugins = kmip_plugin\n\
         [kmip_plugin]\nusername = barbican\npassword = hunter2\nhost = kmip.example.org\nport = 5697\n\
         ssl_version = PROTOCOL_TLSv1_2\nca_certs = /ca.pem\ncertfile = /c.pem\nkeyfile = /k.pem\n\
         plugin_name = Our HSM\n",
    );
    kmip.check().unwrap();
    let expected = store(&[
        ("secret_stores.name", text("Our HSM")),
        ("secret_stores.plugin", text("kmip")),
        ("secret_stores.global_default", Value::Flag(true)),
        ("secret_stores.host", text("kmip.example.org")),
        ("secret_stores.port", Value::Count(5697)),
        ("secret_stores.username", text("barbican")),
        (
            "secret_stores.password_file",
            text("/etc/donjon/kmip-password"),
        ),
        ("secret_stores.ca_certs", text("/ca.pem")),
        ("secret_stores.certfile", text("/c.pem")),
        ("secret_stores.keyfile", text("/k.pem")),
    ]);
    assert_eq!(read_back_all(&kmip), (Vec::new(), vec![expected]));
    let told = kmip.to_string();
    assert!(
        told.contains("[kmip_plugin] password: put it into /etc/donjon/kmip-password"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
}
