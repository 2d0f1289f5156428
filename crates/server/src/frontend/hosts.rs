//! Which hosts a server without authentication answers to.
//!
//! Loopback alone keeps nobody out who is in a browser on the same machine: the
//! page of a stranger, whose name is made to lead to 127.0.0.1 after it was
//! loaded (DNS rebinding), may send what it likes and read the answers. What
//! such a page cannot change is the `Host` header, which holds its own name.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderValue, Uri, uri::Authority};

/// The names of this server beside those of every machine.
#[derive(Debug, Clone)]
pub(crate) struct OwnHosts(Vec<String>);

impl OwnHosts {
    /// Those of the addresses under which clients reach the server.
    pub(crate) fn new(host_href: &[String]) -> Self {
        let uris = host_href.iter().filter_map(|url| url.parse::<Uri>().ok());
        Self(uris.filter_map(|uri| uri.host().map(plain)).collect())
    }

    /// Whether a `Host` header, with whatever port, names this server: as
    /// `localhost`, by a loopback address, or by one of its own names.
    pub(crate) fn have(&self, host: &HeaderValue) -> bool {
        let Ok(authority) = Authority::try_from(host.as_bytes()) else {
            return false;
        };
        let host = plain(authority.host());
        !authority.as_str().contains('@')
            && (host == "localhost" || is_loopback(&host) || self.0.contains(&host))
    }
}

/// Letter case does not count, nor does the dot of the root.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_loopback(host: &str) -> bool {
    let address = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => host.parse().map(IpAddr::V4),
    };
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_from_this_machine() {
        let url = |text: &str| text.to_owned();
        let hosts = OwnHosts::new(&[
            url("https://KMS.example.org/key-manager"),
            url("http://h:1"),
        ]);
        let have = |host: &str| hosts.have(&HeaderValue::from_str(host).unwrap());
        for host in [
            "localhost",
            "LocalHost.:9311",
            "127.0.0.1",
            "127.0.0.1:9311",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:9311",
            "[::ffff:127.0.0.1]:9311",
            "kms.example.org",
            "kms.example.org:8443",
            "H",
        ] {
            assert!(have(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9311",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "kms.example.org.evil.example",
            "evil-kms.example.org",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "192.0.2.1:9311",
            "0.0.0.0:9311",
            "[::]:9311",
            "[fe80::1]",
            "2130706433",
        ] {
            assert!(!have(host), "{host}");
        }
    }
}
