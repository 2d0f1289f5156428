//! Keys that need more than their value to be carried over.

use anyhow::{Result, bail};
use donjon_domain::SecretBytes;

use super::{
    Conversion,
    ini::{self, Entry},
};
use crate::config::value::Value;

/// Carries one key over. An error is what there is to see to.
pub(super) type Special = fn(&mut Conversion<'_>, &Entry, &str) -> Result<()>;

pub(super) fn host_href(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    // Barbican takes an empty one for none.
    if !value.is_empty() {
        to.set("http.host_href", Value::List(vec![value.to_owned()]), from);
    }
    Ok(())
}

/// Address and port are two keys there, and one here.
pub(super) fn bind(to: &mut Conversion<'_>, from: &Entry, _: &str) -> Result<()> {
    let host = to.text("DEFAULT", "bind_host");
    let host = host.as_deref().map_or("0.0.0.0", String::as_str);
    let port = to.text("DEFAULT", "bind_port");
    let port = port.as_deref().map_or("9311", String::as_str);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let listen = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    to.set("http.listen", Value::List(vec![listen]), from);
    Ok(())
}

pub(super) fn debug(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if flag(value)? {
        to.set("log.level", Value::Text("debug".to_owned()), from);
    }
    Ok(())
}

pub(super) fn use_json(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if flag(value)? {
        to.set("log.format", Value::Text("json".to_owned()), from);
    }
    Ok(())
}

pub(super) fn anonymous(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if flag(value)? {
        bail!("nobody is let in without a token");
    }
    to.nothing(from, "nobody is let in without a token");
    Ok(())
}

// === Keystone ===

pub(super) fn auth_type(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    match value {
        "password" | "v3password" | "v3applicationcredential" => {
            to.nothing(from, "the credential says by itself which it is");
            Ok(())
        }
        _ => bail!("there are a user with a password, and application credentials"),
    }
}

pub(super) fn auth_url(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    to.set("auth.modes", Value::List(vec!["keystone".to_owned()]), from);
    to.set(
        "auth.keystone.auth_url",
        Value::Text(value.to_owned()),
        from,
    );
    Ok(())
}

pub(super) fn domain_id(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let keys = domain_keys(&from.name);
    if value != "default" {
        bail!(
            "domains are named here: put what `openstack domain show -f value -c name` says of this id into {}",
            keys.join(" and ")
        );
    }
    for key in keys {
        to.set(key, Value::Text("Default".to_owned()), from);
    }
    bail!("taken for the domain named Default, as Keystone's bootstrap calls it");
}

pub(super) fn domain_name(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    for key in domain_keys(&from.name) {
        to.set(key, Value::Text(value.to_owned()), from);
    }
    Ok(())
}

fn domain_keys(name: &str) -> &'static [&'static str] {
    const USER: &str = "auth.keystone.user_domain_name";
    const PROJECT: &str = "auth.keystone.project_domain_name";
    match name {
        "user_domain_id" => &[USER],
        "project_domain_id" => &[PROJECT],
        _ => &[USER, PROJECT],
    }
}

pub(super) fn by_name(_: &mut Conversion<'_>, from: &Entry, _: &str) -> Result<()> {
    let instead = match from.name.as_str() {
        "user_id" => "auth.keystone.username and user_domain_name",
        "application_credential_name" => "auth.keystone.application_credential_id",
        _ => "auth.keystone.project_name and project_domain_name",
    };
    bail!("set {instead} instead");
}

pub(super) fn insecure(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if flag(value)? {
        bail!("Keystone's certificate is always checked: set auth.keystone.cafile");
    }
    to.nothing(from, "Keystone's certificate is always checked");
    Ok(())
}

pub(super) fn token_cache_time(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let seconds: i64 = number(value)?;
    // -1 is no cache.
    let seconds = u64::try_from(seconds).unwrap_or(0);
    to.set(
        "auth.keystone.token_cache_time",
        Value::Count(seconds),
        from,
    );
    Ok(())
}

/// Not carried over: it removes data, and asks for a role of its own.
pub(super) fn notifications(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if flag(value)? {
        bail!(
            "sweep.enabled = true removes what deleted projects left; see [sweep] for the role it needs"
        );
    }
    to.nothing(from, "nothing is listened to: see [sweep]");
    Ok(())
}

// === quotas, policy ===

pub(super) fn quota(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let limit: i64 = number(value)?;
    let key = match from.name.as_str() {
        "quota_secrets" => "quotas.secrets",
        "quota_orders" => "quotas.orders",
        "quota_containers" => "quotas.containers",
        "quota_consumers" => "quotas.consumers",
        _ => "quotas.cas",
    };
    // Whatever is below 0 is no limit there.
    to.set(key, Value::Limit(limit.max(-1)), from);
    Ok(())
}

pub(super) fn policy_file(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let path = to.beside(value);
    if !path.exists() {
        bail!(
            "{} is not there, and Barbican takes its defaults then; if it is elsewhere, set policy.file",
            path.display()
        );
    }
    let path = path.to_string_lossy().into_owned();
    to.set("policy.file", Value::Text(path), from);
    Ok(())
}

pub(super) fn new_defaults(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if !flag(value)? {
        to.set("policy.defaults", Value::Text("legacy".to_owned()), from);
    }
    Ok(())
}

pub(super) fn policy_dirs(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    let folders = ini::list(value);
    match folders
        .iter()
        .map(|folder| to.beside(folder))
        .find(|path| path.exists())
    {
        Some(path) => bail!(
            "{}: there is one policy file, policy.file; put the rules of this folder into it",
            path.display()
        ),
        None => to.nothing(from, "there is one policy file, policy.file"),
    }
    Ok(())
}

pub(super) fn policy_default_rule(
    to: &mut Conversion<'_>,
    from: &Entry,
    value: &str,
) -> Result<()> {
    if value != "default" {
        bail!("what has no rule follows the rule `default`");
    }
    to.nothing(from, "what has no rule follows the rule `default`");
    Ok(())
}

// === stores ===

pub(super) fn kek(to: &mut Conversion<'_>, from: &Entry, _: &str) -> Result<()> {
    to.nothing(
        from,
        "the first start makes a root key of its own; keep the KEK for as long as Barbican's database",
    );
    Ok(())
}

// === proxies ===

pub(super) fn proxy_headers(to: &mut Conversion<'_>, from: &Entry, value: &str) -> Result<()> {
    if !flag(value)? {
        return Ok(());
    }
    let here = ["127.0.0.1", "::1"].map(str::to_owned).to_vec();
    to.set("http.trusted_proxies", Value::List(here), from);
    bail!(
        "a proxy on this machine is believed; add the addresses of those on others to http.trusted_proxies"
    );
}

// === values ===

/// As oslo.config reads it.
pub(super) fn flag(value: &str) -> Result<bool> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => bail!("has to be true or false"),
    }
}

pub(super) fn number<T: std::str::FromStr>(value: &str) -> Result<T> {
    match value.parse() {
        Ok(number) => Ok(number),
        Err(_) => bail!("has to be a number"),
    }
}

/// A secret without a copy that is not wiped.
pub(super) fn secret(value: &str) -> Value {
    Value::Secret(SecretBytes::from(value.to_owned()).into())
}
