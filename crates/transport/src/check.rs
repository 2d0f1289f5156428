//! The rules that every request must keep before the application sees it.
//!
//! What does not parse as HTTP never comes here, hyper answers it with a bare 400 or 431. Nothing is
//! normalised: a path that passes reaches the application byte for byte.

use std::str;

use http::header::{HOST, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use memchr::memchr;

use crate::service::BadRequest;

/// What comes after a request that keeps the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The connection may go on.
    GoOn,
    /// It should end: the length of the request was told in a way that others on the path may have
    /// read differently.
    Close,
}

/// Checks the head of `request`. CPU only, and cheap for requests that keep the rules.
pub(crate) fn check<B>(request: &Request<B>, target_bytes_max: usize) -> Result<Then, BadRequest> {
    let then = check_transfer_encoding(request.headers())?;
    let host = host(request)?;
    check_target(request.method(), request.uri(), host, target_bytes_max)?;
    check_path(request.uri().path())?;
    Ok(then)
}

/// # Source
/// RFC 9112 section 6.1. We know no coding but `chunked`, and `identity` is gone since RFC 7230.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<Then, BadRequest> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) if !headers.contains_key(TE) => Ok(Then::GoOn),
        (None, _) => Ok(Then::Close),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Then::Close)
        }
        _ => Err(BadRequest::TransferEncoding),
    }
}

/// # Source
/// RFC 9112 section 3.2: none, several or an invalid `Host` is a 400; HTTP/1.0 may go without.
fn host<B>(request: &Request<B>) -> Result<Option<&HeaderValue>, BadRequest> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => Err(BadRequest::HostMissing),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(BadRequest::HostRepeated),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(Some(host)),
        (Some(_), None) => Err(BadRequest::HostInvalid),
    }
}

/// # Source
/// RFC 9112 section 3.2: origin, absolute, authority (CONNECT only) and asterisk form.
fn check_target(
    method: &Method,
    uri: &Uri,
    host: Option<&HeaderValue>,
    bytes_max: usize,
) -> Result<(), BadRequest> {
    let path_bytes = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let Some(authority) = uri.authority() else {
        return if path_bytes > bytes_max {
            Err(BadRequest::TargetTooLong)
        } else {
            Ok(())
        };
    };
    if path_bytes + authority.as_str().len() > bytes_max {
        return Err(BadRequest::TargetTooLong);
    }
    match uri.scheme_str() {
        None if method == Method::CONNECT => Ok(()),
        Some("http" | "https") => {
            let is_ours = host.is_some_and(|host| {
                host.as_bytes()
                    .eq_ignore_ascii_case(authority.as_str().as_bytes())
            });
            if is_ours {
                Ok(())
            } else {
                Err(BadRequest::TargetForeign)
            }
        }
        _ => Err(BadRequest::TargetInvalid),
    }
}

/// Decodes the path once, only to see whether it can be decoded.
fn check_path(path: &str) -> Result<(), BadRequest> {
    if memchr(b'%', path.as_bytes()).is_none() {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => escaped(rest.next(), rest.next()).ok_or(BadRequest::PathEscape)?,
            byte => byte,
        });
    }
    if decoded.contains(&0) {
        return Err(BadRequest::PathNul);
    }
    match str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(BadRequest::PathNotUtf8),
    }
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Whether `host` is a name, an IPv4 address or a bracketed IPv6 address, with or without a port.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host
        .iter()
        .rposition(|byte| *byte == b':')
        .and_then(|colon| host.split_at_checked(colon))
    {
        Some((name, [b':', port @ ..])) if !host.ends_with(b"]") => (name, port),
        _ => (host, &b""[..]),
    };
    let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    let is_name = match name {
        [b'[', inner @ .., b']'] => !inner.is_empty() && inner.iter().all(is_ipv6_byte),
        name => !name.is_empty() && name.iter().all(is_name_byte),
    };
    is_port && is_name
}

fn is_name_byte(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

fn is_ipv6_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'%' | b'-' | b'_' | b'~')
}

#[cfg(test)]
mod tests;
