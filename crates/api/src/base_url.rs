//! The address under which clients reach the server, for the references in
//! answers.

use http::{HeaderMap, header::HOST};

use crate::request::Peer;

/// How references are built.
#[derive(Debug, Clone, Default)]
pub(crate) struct BaseUrls {
    /// Configured addresses, without a slash at the end. The first is used,
    /// unless the request came to another of them.
    configured: Vec<String>,
}

impl BaseUrls {
    pub(crate) fn new(configured: &[String]) -> Self {
        Self {
            configured: configured
                .iter()
                .map(|url| url.trim_end_matches('/').to_owned())
                .collect(),
        }
    }

    /// The address without a slash at the end.
    ///
    /// Without configuration it is made of the request: the scheme from
    /// `X-Forwarded-Proto` of a neighbour, else that of the connection, and the
    /// host as the client wrote it. Only a trusted proxy may say more.
    pub(crate) fn of(&self, headers: &HeaderMap, peer: Peer) -> String {
        let from_request = from_request(headers, peer);
        match self
            .configured
            .iter()
            .find(|url| **url == from_request)
            .or(self.configured.first())
        {
            Some(url) => url.clone(),
            None => from_request,
        }
    }

    /// Whether a reference begins with one of the configured addresses, or with
    /// `base`, which a request was given.
    pub(crate) fn lead_to(&self, reference: &str, base: &str) -> bool {
        let begins_with = |base: &str| {
            let below = reference.strip_prefix(base);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        begins_with(base) || self.configured.iter().any(|url| begins_with(url))
    }
}

fn from_request(headers: &HeaderMap, peer: Peer) -> String {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(first_of_list)
    };
    let forwarded = if peer.is_trusted_proxy {
        Forwarded::of(headers)
    } else {
        Forwarded::default()
    };
    let scheme = text("x-forwarded-proto")
        .filter(|_| peer.is_loopback || peer.is_trusted_proxy)
        .or(forwarded.proto.as_deref())
        .filter(|proto| matches!(*proto, "http" | "https"))
        .unwrap_or(if peer.is_tls { "https" } else { "http" });
    let host = text("x-forwarded-host")
        .filter(|_| peer.is_trusted_proxy)
        .or(forwarded.host.as_deref())
        .filter(|host| is_authority(host))
        .or_else(|| headers.get(HOST).and_then(|value| value.to_str().ok()))
        .unwrap_or("localhost");
    let prefix =
        text("x-forwarded-prefix").filter(|prefix| peer.is_trusted_proxy && is_prefix(prefix));
    format!(
        "{scheme}://{host}{}",
        prefix.unwrap_or_default().trim_end_matches('/')
    )
}

/// The parts of RFC 7239 that matter here, of the nearest proxy.
#[derive(Default)]
struct Forwarded {
    proto: Option<String>,
    host: Option<String>,
}

impl Forwarded {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let Some(value) = headers
            .get("forwarded")
            .and_then(|value| value.to_str().ok())
        else {
            return found;
        };
        for pair in first_of_list(value).split(';') {
            let Some((key, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"').to_owned();
            match key.trim().to_ascii_lowercase().as_str() {
                "proto" => found.proto = Some(value.to_ascii_lowercase()),
                "host" => found.host = Some(value),
                _ => {}
            }
        }
        found
    }
}

fn first_of_list(value: &str) -> &str {
    value.split(',').next().unwrap_or_default().trim()
}

fn is_authority(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

fn is_prefix(prefix: &str) -> bool {
    prefix.starts_with('/')
        && prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/.-_~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: Peer = Peer {
        is_loopback: false,
        is_trusted_proxy: false,
        is_tls: false,
    };
    const NEIGHBOUR: Peer = Peer {
        is_loopback: true,
        ..STRANGER
    };
    const PROXY: Peer = Peer {
        is_trusted_proxy: true,
        ..STRANGER
    };

    fn check(configured: &[&str], peer: Peer, headers: &[(&str, &str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let configured: Vec<String> = configured.iter().map(|url| (*url).to_owned()).collect();
        assert_eq!(
            BaseUrls::new(&configured).of(&map, peer),
            expected,
            "{headers:?}"
        );
    }

    #[test]
    fn the_host_is_taken_as_written() {
        check(
            &[],
            STRANGER,
            &[("host", "KMS.example.org:8443")],
            "http://KMS.example.org:8443",
        );
        check(
            &[],
            Peer {
                is_tls: true,
                ..STRANGER
            },
            &[("host", "h")],
            "https://h",
        );
    }

    #[test]
    fn forwarding_headers_are_believed_from_whom_they_may_come() {
        let all = [
            ("host", "h"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "other.example.org"),
            ("x-forwarded-prefix", "/key-manager/"),
        ];
        check(&[], STRANGER, &all, "http://h");
        check(&[], NEIGHBOUR, &all, "https://h");
        check(&[], PROXY, &all, "https://other.example.org/key-manager");
        let standard = [
            ("host", "h"),
            (
                "forwarded",
                "for=1.2.3.4;Proto=https;host=\"f.example.org\"",
            ),
        ];
        check(&[], NEIGHBOUR, &standard, "http://h");
        check(&[], PROXY, &standard, "https://f.example.org");
        check(
            &[],
            NEIGHBOUR,
            &[("host", "h"), ("x-forwarded-proto", "javascript")],
            "http://h",
        );
        check(
            &[],
            PROXY,
            &[("host", "h"), ("x-forwarded-host", "evil/path?")],
            "http://h",
        );
    }

    #[test]
    fn configured_addresses_come_first() {
        let urls = ["https://a.example.org/", "https://b.example.org"];
        check(&urls, STRANGER, &[("host", "h")], "https://a.example.org");
        let tls = Peer {
            is_tls: true,
            ..STRANGER
        };
        check(
            &urls,
            tls,
            &[("host", "b.example.org")],
            "https://b.example.org",
        );
    }
}
