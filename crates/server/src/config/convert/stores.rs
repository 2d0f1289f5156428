//! Secret stores and the HSM: several sections say together what is used, and
//! keys of what is not used become nothing.
//!
//! # Source
//! Barbican 23, `plugin/util/multiple_backends.py`, `plugin/vault_secret_store.py`,
//! `plugin/kmip_secret_store.py` and `plugin/crypto/p11_crypto.py`.

use anyhow::{Result, bail, ensure};
use zeroize::Zeroizing;

use super::{
    About, Conversion,
    ini::{self, Entry},
    specials::{flag, number},
};
use crate::config::{
    Layer, keys, pkcs11,
    value::{Source, Value},
};

/// A store that Barbican uses.
struct Used<'a> {
    /// Of the store, and of what seals in it, as Barbican calls them.
    plugin: String,
    crypto: String,
    is_default: bool,
    /// What says so, if it is not the default.
    plugin_from: Option<&'a Entry>,
    crypto_from: Option<&'a Entry>,
}

// === keys ===

pub(super) fn multiple(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let is_multiple = flag(value)?;
    if suffixes(to).is_empty() {
        to.set("secret_stores.multiple", Value::Flag(is_multiple), from);
    } else {
        // The list says it.
        to.mark(from);
    }
    Ok(())
}

pub(super) fn suffix(to: &mut Conversion<'_>, from: &Entry, _: &str) -> Result<()> {
    if suffixes(to).is_empty() {
        to.nothing(from, "enable_multiple_secret_stores is not set");
    } else {
        to.mark(from);
    }
    Ok(())
}

/// A key of `[secretstore:*]`.
pub(super) fn of_one(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let names = ["secret_store_plugin", "crypto_plugin", "global_default"];
    if !names.contains(&from.name.as_str()) {
        to.remark(from, About::Unknown);
        return Ok(());
    }
    if !suffixes(to).contains(&from.section) {
        to.nothing(from, "stores_lookup_suffix does not name this store");
        return Ok(());
    }
    match from.name.as_str() {
        "secret_store_plugin" => known(PLUGINS, value)?,
        "crypto_plugin" => known(CRYPTO_PLUGINS, value)?,
        _ => {}
    }
    to.mark(from);
    Ok(())
}

pub(super) fn plugins(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    enabled(to, from, value, PLUGINS)
}

pub(super) fn crypto_plugins(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    enabled(to, from, value, CRYPTO_PLUGINS)
}

fn enabled(to: &mut Conversion<'_>, from: &Entry, value: &str, plugins: &[&str]) -> Result<()> {
    if !suffixes(to).is_empty() {
        to.nothing(from, "the stores of stores_lookup_suffix count");
        return Ok(());
    }
    let enabled = ini::list(value);
    if let Some(first) = enabled.first() {
        known(plugins, first)?;
        to.mark(from);
    }
    ensure!(
        enabled.len() < 2,
        "without enable_multiple_secret_stores the first one counts"
    );
    Ok(())
}

fn known(plugins: &[&str], plugin: &str) -> Result<()> {
    ensure!(
        plugins.contains(&plugin),
        "there is none of this kind; docs/config.md has what [[secret_stores]] and root_key.current can be"
    );
    Ok(())
}

/// The name of a store, which clients see where there is a list.
pub(super) fn plugin_name(to: &mut Conversion<'_>, from: &Entry, _: &str) -> Result<()> {
    if is_listed(to) && used(to).iter().any(|store| store.section() == from.section) {
        to.mark(from);
    } else {
        to.nothing(from, "stores have a name where several are configured");
    }
    Ok(())
}

/// A key of `[p11_crypto_plugin]`.
pub(super) fn hsm(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if !used(to).iter().any(Used::is_hsm) {
        to.nothing(
            from,
            "no secret store of this file uses the HSM by the crypto plugin p11_crypto",
        );
        return Ok(());
    }
    if value.is_empty() {
        return Ok(());
    }
    match from.name.as_str() {
        "hmac_mechanism" => {
            ensure!(
                value == "CKM_SHA256_HMAC",
                "it is CKM_SHA256_HMAC; `donjon hsm doctor` tries whether the key is good for that"
            );
            to.nothing(from, "it is CKM_SHA256_HMAC");
        }
        "key_wrap_mechanism" => match pkcs11::key_wrap_mechanism(value) {
            Ok(name) => to.set("pkcs11.key_wrap_mechanism", Value::Text(name), from),
            Err(why) => bail!("{why}; without it the first that works is taken"),
        },
        "token_label" => {
            let labels = Value::List(vec![value.to_owned()]);
            to.set("pkcs11.token_labels", labels, from);
        }
        name => match keys::find(&format!("pkcs11.{name}")) {
            Some(key) => to.copy(key.path, from, value)?,
            None => to.remark(from, About::Unknown),
        },
    }
    Ok(())
}

/// A key of `[vault_plugin]`.
pub(super) fn vault(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if !used(to).iter().any(|store| store.plugin == VAULT) {
        to.nothing(from, "nothing in this configuration uses it");
        return Ok(());
    }
    match from.name.as_str() {
        "use_ssl" => to.nothing(from, "the URL says it"),
        "kv_version" => {
            ensure!(
                value == "2",
                "the engine has to be KV version 2; `bao kv enable-versioning` makes one of version 1"
            );
            to.nothing(from, "it is version 2");
        }
        "root_token_id" if !value.is_empty() => {
            to.mark(from);
            bail!("put the token into {TOKEN_FILE}, which only the server's user may read");
        }
        "approle_secret_id" if !value.is_empty() => {
            to.mark(from);
            bail!("put it into {SECRET_ID_FILE}, which only the server's user may read");
        }
        _ if value.is_empty() => {}
        _ => to.mark(from),
    }
    Ok(())
}

/// A key of `[kmip_plugin]`.
pub(super) fn kmip(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if !used(to).iter().any(|store| store.plugin == KMIP) {
        to.nothing(from, "nothing in this configuration uses it");
        return Ok(());
    }
    match from.name.as_str() {
        "ssl_version" => to.nothing(from, "it is TLS 1.2 or 1.3"),
        _ if value.is_empty() => {}
        "password" => {
            to.mark(from);
            bail!("put it into {PASSWORD_FILE}, which only the server's user may read");
        }
        "port" => {
            number::<u64>(value)?;
            to.mark(from);
        }
        _ => to.mark(from),
    }
    Ok(())
}

// === all together ===

/// What follows from several keys: the list of stores, and the root key.
pub(super) fn take(to: &mut Conversion<'_>) {
    let used = used(to);
    if let Some(from) = used.iter().find_map(Used::hsm_from) {
        to.set("root_key.current", Value::Text("pkcs11:".to_owned()), from);
        // The plugin makes keys there.
        to.set("orders.generate_in", Value::Text("hsm".to_owned()), from);
        if used.iter().any(Used::is_software) {
            let why = "there is one root key for all that is in the database, and it is the one in the HSM";
            to.remark(from, About::Look(why.to_owned()));
        }
    }
    if !is_listed(to) {
        return;
    }
    let is_database = |store: &&Used<'_>| store.plugin == DATABASE;
    let databases: Vec<&Used<'_>> = used.iter().filter(is_database).collect();
    for store in &used {
        let Some(from) = store.plugin_from else {
            continue;
        };
        let mut layer = Layer::new();
        let is_default = match store.plugin.as_str() {
            DATABASE => {
                let is_first = databases.first().is_some_and(|first| first.is(store));
                if !is_first {
                    let why = "the database is one store, whatever seals in it";
                    to.remark(from, About::Look(why.to_owned()));
                    continue;
                }
                databases.iter().any(|store| store.is_default)
            }
            VAULT => {
                add_vault(to, &mut layer, from);
                store.is_default
            }
            KMIP => {
                add_kmip(to, &mut layer, from);
                store.is_default
            }
            _ => continue,
        };
        let name = to.text(store.section(), "plugin_name");
        let name = name.filter(|_| store.plugin != VAULT);
        let name = name.map_or(store.default_name().to_owned(), |name| name.to_string());
        let plugin = match store.plugin.as_str() {
            VAULT => "vault",
            KMIP => "kmip",
            _ => "database",
        };
        let source = to.source(from);
        for (key, value) in [
            ("secret_stores.name", Value::Text(name)),
            ("secret_stores.plugin", Value::Text(plugin.to_owned())),
            ("secret_stores.global_default", Value::Flag(is_default)),
        ] {
            layer.insert(key, (value, source.clone()));
        }
        to.stores.push(layer);
    }
}

fn add_vault(to: &Conversion<'_>, layer: &mut Layer, store: &Entry) {
    let filled = |name: &str| filled(to, "vault_plugin", name);
    let mut add = |key: &'static str, value: &str, source: Source| {
        layer.insert(key, (Value::Text(value.to_owned()), source));
    };
    // As Barbican has it unless it is set.
    add(
        "secret_stores.url",
        "http://127.0.0.1:8200",
        to.source(store),
    );
    for (name, key) in [
        ("vault_url", "secret_stores.url"),
        ("kv_mountpoint", "secret_stores.mount"),
        ("kv_path", "secret_stores.prefix"),
        ("namespace", "secret_stores.namespace"),
        ("ssl_ca_crt_file", "secret_stores.cafile"),
    ] {
        if let Some((value, source)) = filled(name) {
            add(key, &value, source);
        }
    }
    // A token counts before an AppRole.
    if let Some((_, source)) = filled("root_token_id") {
        add("secret_stores.token_file", TOKEN_FILE, source);
        return;
    }
    if let Some((value, source)) = filled("approle_role_id") {
        add("secret_stores.role_id", &value, source);
    }
    if let Some((_, source)) = filled("approle_secret_id") {
        add("secret_stores.secret_id_file", SECRET_ID_FILE, source);
    }
}

fn add_kmip(to: &Conversion<'_>, layer: &mut Layer, store: &Entry) {
    let filled = |name: &str| filled(to, "kmip_plugin", name);
    let mut add = |key: &'static str, value: Value, source: Source| {
        layer.insert(key, (value, source));
    };
    let text = |text: &str| Value::Text(text.to_owned());
    // As Barbican has it unless it is set.
    add("secret_stores.host", text("localhost"), to.source(store));
    for (name, key) in [
        ("host", "secret_stores.host"),
        ("username", "secret_stores.username"),
        ("ca_certs", "secret_stores.ca_certs"),
        ("certfile", "secret_stores.certfile"),
        ("keyfile", "secret_stores.keyfile"),
    ] {
        if let Some((value, source)) = filled(name) {
            add(key, text(&value), source);
        }
    }
    if let Some((value, source)) = filled("port")
        && let Ok(port) = number(&value)
    {
        add("secret_stores.port", Value::Count(port), source);
    }
    if let Some((_, source)) = filled("password") {
        add("secret_stores.password_file", text(PASSWORD_FILE), source);
    }
}

/// What a key says, if it is there and not empty.
fn filled(to: &Conversion<'_>, section: &str, name: &str) -> Option<(Zeroizing<String>, Source)> {
    let from = to.last(section, name)?;
    let value = ini::filled(from, to.entries).ok()?;
    (!value.is_empty()).then(|| (value, to.source(from)))
}

/// The sections of the stores, where there may be several.
fn suffixes(to: &Conversion<'_>) -> Vec<String> {
    let is_multiple = to.text("secretstore", "enable_multiple_secret_stores");
    if !is_multiple.is_some_and(|value| flag(&value).unwrap_or(false)) {
        return Vec::new();
    }
    let suffixes = to.text("secretstore", "stores_lookup_suffix");
    let suffixes = suffixes.map(|value| ini::list(&value)).unwrap_or_default();
    suffixes
        .iter()
        .map(|suffix| format!("secretstore:{}", suffix.to_lowercase()))
        .collect()
}

/// Whether there is a list of stores. Without one there is the database.
fn is_listed(to: &Conversion<'_>) -> bool {
    let is_outside = |store: &Used<'_>| store.plugin == VAULT || store.plugin == KMIP;
    !suffixes(to).is_empty() || used(to).iter().any(is_outside)
}

fn used<'a>(to: &Conversion<'a>) -> Vec<Used<'a>> {
    let first = |section: &str, name: &str, unless_set: &str| {
        let plugins = to.text(section, name).map(|value| ini::list(&value));
        let first = plugins.and_then(|plugins| plugins.into_iter().next());
        first.unwrap_or_else(|| unless_set.to_owned())
    };
    let suffixes = suffixes(to);
    if suffixes.is_empty() {
        let plugins = ("secretstore", "enabled_secretstore_plugins");
        let crypto_plugins = ("crypto", "enabled_crypto_plugins");
        return vec![Used {
            plugin: first(plugins.0, plugins.1, DATABASE),
            crypto: first(crypto_plugins.0, crypto_plugins.1, SOFTWARE),
            is_default: true,
            plugin_from: to.last(plugins.0, plugins.1),
            crypto_from: to.last(crypto_plugins.0, crypto_plugins.1),
        }];
    }
    let one = |section: &String| {
        let is_default = to.text(section, "global_default");
        Used {
            plugin: first(section, "secret_store_plugin", DATABASE),
            crypto: first(section, "crypto_plugin", SOFTWARE),
            is_default: is_default.is_some_and(|value| flag(&value).unwrap_or(false)),
            plugin_from: to.last(section, "secret_store_plugin"),
            crypto_from: to.last(section, "crypto_plugin"),
        }
    };
    suffixes.iter().map(one).collect()
}

impl<'a> Used<'a> {
    fn is(&self, other: &Self) -> bool {
        self.plugin_from == other.plugin_from
    }

    fn is_hsm(&self) -> bool {
        self.plugin == DATABASE && self.crypto == HSM
    }

    fn is_software(&self) -> bool {
        self.plugin == DATABASE && self.crypto == SOFTWARE
    }

    fn hsm_from(&self) -> Option<&'a Entry> {
        self.crypto_from.filter(|_| self.is_hsm())
    }

    /// Where Barbican keeps its name, if it has one.
    fn section(&self) -> &'static str {
        match (self.plugin.as_str(), self.crypto.as_str()) {
            (DATABASE, HSM) => "p11_crypto_plugin",
            (DATABASE, _) => "simple_crypto_plugin",
            (KMIP, _) => "kmip_plugin",
            _ => "vault_plugin",
        }
    }

    fn default_name(&self) -> &'static str {
        match (self.plugin.as_str(), self.crypto.as_str()) {
            (DATABASE, HSM) => "PKCS11 HSM",
            (DATABASE, _) => "Software Only Crypto",
            (KMIP, _) => "KMIP HSM",
            _ => "VaultSecretStore",
        }
    }
}

const DATABASE: &str = "store_crypto";
const VAULT: &str = "vault_plugin";
const KMIP: &str = "kmip_plugin";
const PLUGINS: &[&str] = &[DATABASE, VAULT, KMIP];

const SOFTWARE: &str = "simple_crypto";
const HSM: &str = "p11_crypto";
const CRYPTO_PLUGINS: &[&str] = &[SOFTWARE, HSM];

/// What stands in `barbican.conf` itself is in files here.
const TOKEN_FILE: &str = "/etc/donjon/vault-token";
const SECRET_ID_FILE: &str = "/etc/donjon/vault-secret-id";
const PASSWORD_FILE: &str = "/etc/donjon/kmip-password";
