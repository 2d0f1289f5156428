//! Where a Keystone is.

use http::{HeaderValue, Uri, uri::Scheme};

/// The v3 API of a Keystone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the header `Host`.
    pub(crate) authority: HeaderValue,
    /// Ends with `/v3`.
    path: String,
}

/// Not a URL with http or https, a host, and neither user nor query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has to look like https://keystone.example.org:5000/v3")]
pub struct InvalidUrl;

impl Endpoint {
    /// Adds `/v3` where it is missing.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUrl> {
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
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/v3").unwrap_or(path);
        Ok(Self {
            is_tls,
            host: bare.to_owned(),
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_source| InvalidUrl)?,
            path: format!("{path}/v3"),
        })
    }

    /// The path of a resource, which begins with a slash.
    pub(crate) fn path_of(&self, resource: &str) -> String {
        format!("{}{resource}", self.path)
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
    fn version_is_added_once() {
        for (url, path) in [
            ("http://k", "/v3/auth"),
            ("http://k/", "/v3/auth"),
            ("http://k/v3", "/v3/auth"),
            ("http://k/v3/", "/v3/auth"),
            ("https://k:5000/identity", "/identity/v3/auth"),
            ("https://k/identity/v3/", "/identity/v3/auth"),
        ] {
            assert_eq!(
                Endpoint::parse(url).unwrap().path_of("/auth"),
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
        ] {
            assert_eq!(Endpoint::parse(url), Err(InvalidUrl), "{url}");
        }
    }
}
