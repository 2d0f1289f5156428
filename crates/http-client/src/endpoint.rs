//! Where a server is.

use std::net::IpAddr;

use http::{HeaderValue, Uri, uri::Scheme};

/// A server, and the path that all of its resources begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) is_tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the header `Host`.
    pub(crate) authority: HeaderValue,
    /// Without a slash at the end.
    path: String,
}

/// Not a URL with http or https, a host, and neither user nor query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has to look like https://host.example.org:8200")]
pub struct InvalidUrl;

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let uri: Uri = url.parse().map_err(|_source| InvalidUrl)?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(InvalidUrl),
        };
        let authority = uri.authority().ok_or(InvalidUrl)?;
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() || authority.as_str().contains('@') || uri.query().is_some() {
            return Err(InvalidUrl);
        }
        let port = match authority.as_str().rsplit_once(':') {
            // The colons of an address stand in brackets.
            Some((_, port)) if !port.ends_with(']') => {
                port.parse().map_err(|_source| InvalidUrl)?
            }
            _ if is_tls => 443,
            _ => 80,
        };
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            is_tls,
            host: bare.to_owned(),
            port,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_source| InvalidUrl)?,
            path: path.to_owned(),
        })
    }

    /// The same, with a path that ends in `suffix` (such as `/v3`), which is added
    /// where it is missing.
    #[must_use]
    pub fn ending_in(mut self, suffix: &str) -> Self {
        if !self.path.ends_with(suffix) {
            self.path.push_str(suffix);
        }
        self
    }

    /// The path of a resource, which begins with a slash.
    #[must_use]
    pub fn path_of(&self, resource: &str) -> String {
        format!("{}{resource}", self.path)
    }

    /// Whether what is sent there is readable on the way, and the way is not on
    /// this machine alone.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_here = match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            // A name that begins with an address is some name.
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        };
        !self.is_tls && !is_here
    }

    /// Whether https is needed.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether connections to one are connections to the other.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        (self.is_tls, &self.host, self.port) == (other.is_tls, &other.host, other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_added_once() {
        for (url, expected) in [
            ("http://k", "/v3/auth"),
            ("http://k/", "/v3/auth"),
            ("http://k/v3", "/v3/auth"),
            ("http://k/v3/", "/v3/auth"),
            ("http://v3", "/v3/auth"),
            ("https://k:5000/identity", "/identity/v3/auth"),
            ("https://k/identity/v3/", "/identity/v3/auth"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap().ending_in("/v3");
            assert_eq!(endpoint.path_of("/auth"), expected, "{url}");
        }
    }

    #[test]
    fn resources_stand_behind_the_path() {
        for (url, path) in [
            ("http://k", "/v1/x"),
            ("http://k/", "/v1/x"),
            ("https://k:8200/bao/", "/bao/v1/x"),
        ] {
            assert_eq!(
                Endpoint::parse(url).unwrap().path_of("/v1/x"),
                path,
                "{url}"
            );
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (url, is_tls, host, port, authority) in [
            ("http://k", false, "k", 80, "k"),
            ("https://k", true, "k", 443, "k"),
            ("http://k:5000/v3", false, "k", 5000, "k:5000"),
            ("http://[::1]", false, "::1", 80, "[::1]"),
            ("https://[::1]:35357", true, "::1", 35357, "[::1]:35357"),
        ] {
            let found = Endpoint::parse(url).unwrap();
            assert_eq!((found.is_tls, found.host.as_str()), (is_tls, host), "{url}");
            assert_eq!(
                (found.port, found.authority.to_str().unwrap()),
                (port, authority)
            );
        }
    }

    #[test]
    fn the_way_to_this_machine_is_not_plain() {
        for (url, is_plain) in [
            ("http://k", true),
            ("https://k", false),
            ("http://localhost:1", false),
            ("http://LOCALHOST", false),
            ("http://127.0.0.1", false),
            ("http://127.8.8.8:8200", false),
            ("http://[::1]", false),
            ("http://127.0.0.1.example.org", true),
            ("http://localhost.example.org", true),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().is_plain(), is_plain, "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "k",
            "k:5000",
            "/v3",
            "ftp://k/v3",
            "http://user:password@k/v3",
            "http://k/v3?a=b",
            "http:///v3",
            "http://k:/v3",
            "http://k:99999/v3",
            "http://[::1]:99999",
        ] {
            assert_eq!(Endpoint::parse(url), Err(InvalidUrl), "{url}");
        }
    }
}
