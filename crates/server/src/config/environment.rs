//! Values from variables that begin with `DONJON_`.

use std::{ffi::OsString, os::unix::ffi::OsStrExt};

use anyhow::{Context, Result, bail};

use super::{
    Layer,
    keys::{KEYS, VARIABLE_PREFIX},
    value::Source,
};

/// The values, and the names of the variables that Kubernetes sets in every
/// container beside a service called `donjon`: nobody's settings.
///
/// # Errors
/// A variable with the prefix that is neither: a setting somebody believes in
/// must not be passed over.
pub(super) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Layer, Vec<String>)> {
    let mut layer = Layer::new();
    let mut service_links = Vec::new();
    for (name, text) in variables {
        if !name.as_bytes().starts_with(VARIABLE_PREFIX.as_bytes()) {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            if is_service_link(&name, &text.to_string_lossy()) {
                service_links.push(name);
                continue;
            }
            bail!(
                "environment {name}: unknown setting; unset it, or see `donjon config check` for those there are"
            );
        };
        let value = text
            .to_str()
            .and_then(|text| key.kind.parse(text))
            .with_context(|| format!("environment {name}: has to be {}", key.kind.name()))?;
        layer.insert(key.path, (value, Source::Environment(name)));
    }
    Ok((layer, service_links))
}

/// Whether a variable is one that Kubernetes tells addresses of a service by.
///
/// # Source
/// Kubernetes, "Discovering services", and the variables of Docker's links that
/// it imitates: `{NAME}_SERVICE_HOST`, `{NAME}_SERVICE_PORT`, the latter with the
/// name of a port behind it, `{NAME}_PORT=tcp://IP:PORT`,
/// `{NAME}_PORT_{PORT}_{PROTOCOL}`, the last with `_PROTO`, `_PORT` or `_ADDR`
/// behind it.
fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else {
        return false;
    };
    if let Some(what) = rest.strip_prefix("SERVICE_") {
        return matches!(what, "HOST" | "PORT") || what.starts_with("PORT_");
    }
    if rest == "PORT" {
        // A plain number is what somebody takes for a setting.
        return PROTOCOLS
            .iter()
            .any(|protocol| value.starts_with(&format!("{}://", protocol.to_lowercase())));
    }
    let Some((port, what)) = rest
        .strip_prefix("PORT_")
        .and_then(|rest| rest.split_once('_'))
    else {
        return false;
    };
    let (protocol, detail) = what.split_once('_').unwrap_or((what, "ADDR"));
    port.parse::<u16>().is_ok()
        && PROTOCOLS.contains(&protocol)
        && matches!(detail, "PROTO" | "PORT" | "ADDR")
}

const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
