//! What single texts mean, whatever key they stand at.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use donjon_oslo_policy::DefaultSet;
use http::{HeaderName, Method, Uri};

use super::{
    exposure,
    settings::{AuthMode, LogFormat},
};
use crate::logging;

pub(super) fn path(text: &str) -> Result<PathBuf> {
    ensure!(!text.is_empty(), "has to be a path");
    Ok(text.into())
}

pub(super) fn auth_mode(text: &str) -> Result<AuthMode> {
    match text {
        "keystone" => Ok(AuthMode::Keystone),
        "tokens" => Ok(AuthMode::Tokens),
        "noauth" => Ok(AuthMode::NoAuth),
        other => bail!("unknown mode {other:?}; there are keystone, tokens and noauth"),
    }
}

pub(super) fn policy_defaults(text: &str) -> Result<DefaultSet> {
    match text {
        "secure-rbac" => Ok(DefaultSet::New),
        "legacy" => Ok(DefaultSet::NewOrLegacy),
        other => bail!("unknown set {other:?}; there are secure-rbac and legacy"),
    }
}

/// As browsers send it: scheme, host, and a port that is not the usual one.
pub(super) fn origin(text: &str) -> Result<String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let uri: Option<Uri> = text.parse().ok();
    let is_origin = uri.is_some_and(|uri| {
        let host = uri
            .authority()
            .map(|host| host.as_str())
            .unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default();
        matches!(scheme, "http" | "https") && text == format!("{scheme}://{host}")
    });
    ensure!(
        is_origin && !text.contains(['@', '*']),
        "{text:?} has to look like https://ui.example.org, without a path or a slash at the end"
    );
    Ok(text.to_owned())
}

pub(super) fn method(text: &str) -> Result<String> {
    let method: Method = text
        .parse()
        .with_context(|| format!("{text:?} is no method"))?;
    Ok(method.to_string())
}

pub(super) fn header_name(text: &str) -> Result<String> {
    let parsed = text.parse::<HeaderName>();
    ensure!(parsed.is_ok(), "{text:?} is no name of a header");
    Ok(text.to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => bail!("unknown format {other:?}; there are text and json"),
    }
}

pub(super) fn log_level(text: &str) -> Result<String> {
    logging::check_level(text)?;
    Ok(text.to_owned())
}

pub(super) fn base_url(text: &str) -> Result<String> {
    ensure!(
        !exposure::is_secret("http.host_href", text),
        "a URL for clients must not hold a password"
    );
    let uri: Uri = text
        .parse()
        .with_context(|| format!("not a URL: {text:?}"))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri
        .authority()
        .is_some_and(|host| !host.as_str().contains('@'))
        && uri.query().is_none();
    ensure!(
        is_web && is_plain,
        "{text:?} has to look like https://kms.example.org or https://example.org/key-manager"
    );
    Ok(text.to_owned())
}

/// One text for all that mean the same base URL.
pub(super) fn same_url(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else {
        return url.to_owned();
    };
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_end_matches('.');
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    let path = uri.path().trim_end_matches('/');
    format!("{scheme}://{}:{port}{path}", host.to_ascii_lowercase())
}
