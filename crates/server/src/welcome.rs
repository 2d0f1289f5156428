//! What a first start says: what was made, what to keep safe, and how to store
//! a secret. The lines are meant to be copied as they are; they read the token
//! from its file and never show it.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use donjon_transport::ListenAddr;

use crate::{
    cli::Place,
    config::{AuthMode, AuthSettings},
    data_dir::DataDir,
};

/// The message.
#[derive(Debug)]
pub(crate) struct Welcome<'a> {
    pub(crate) data: &'a DataDir,
    /// `None` where it is not in a file.
    pub(crate) root_key: Option<PathBuf>,
    /// Where to send requests; `None` says what was made and no more.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) auth: &'a AuthSettings,
    /// What `donjon serve` has to be told to work here; begins with a blank.
    pub(crate) flags: String,
}

/// How curl reaches the server from this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    base: String,
    /// Flags that curl needs.
    flags: String,
}

impl Endpoint {
    /// Of an address with its real port. A certificate is not checked on the
    /// way to the own machine, where it seldom names the host.
    pub(crate) fn of(addr: &ListenAddr, is_tls: bool) -> Self {
        match addr {
            ListenAddr::Unix(path) => Self {
                base: "http://localhost".to_owned(),
                flags: format!(" --unix-socket {}", quoted(path)),
            },
            ListenAddr::Tcp(addr) => {
                let mut addr = *addr;
                if addr.ip().is_unspecified() {
                    let loopback = if addr.is_ipv4() {
                        std::net::Ipv4Addr::LOCALHOST.into()
                    } else {
                        std::net::Ipv6Addr::LOCALHOST.into()
                    };
                    addr.set_ip(loopback);
                }
                let (scheme, flags) = if is_tls {
                    ("https", " --insecure")
                } else {
                    ("http", "")
                };
                Self {
                    base: format!("{scheme}://{addr}"),
                    flags: flags.to_owned(),
                }
            }
        }
    }
}

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "This is a new donjon. Made in {}:\n",
            self.data.path().display()
        )?;
        writeln!(f, "  donjon.db     the database")?;
        let file = self.root_key.as_deref();
        if file.and_then(Path::parent) == Some(self.data.path()) {
            writeln!(f, "  root.key      the root key, which opens it")?;
        }
        writeln!(
            f,
            "  first-token   a token for everything in the project \"default\"\n"
        )?;
        writeln!(
            f,
            "Back up {} apart from the data; whoever holds both reads everything,\n\
             and without the root key nobody reads anything.",
            file.map_or_else(|| "the root key".into(), Path::to_string_lossy)
        )?;
        match &self.endpoint {
            Some(endpoint) => self.write_example(f, endpoint),
            None => writeln!(f, "\nNext: donjon serve{}", self.flags),
        }
    }
}

impl Welcome<'_> {
    fn write_example(&self, f: &mut fmt::Formatter<'_>, endpoint: &Endpoint) -> fmt::Result {
        let Endpoint { base, flags } = endpoint;
        let identity = if self.auth.has(AuthMode::Tokens) {
            let token = self.data.first_token();
            format!("-H \"X-Auth-Token: $(cat {})\"", quoted(&token))
        } else if self.auth.has(AuthMode::Keystone) {
            "-H \"X-Auth-Token: $(openstack token issue -f value -c id)\"".to_owned()
        } else {
            "-H \"X-Project-Id: default\"".to_owned()
        };
        let curl = format!("curl -s{flags} {identity}");
        writeln!(f, "\nStore a secret, read it back, list, delete:\n")?;
        writeln!(
            f,
            "  SECRET=$({curl} -H \"Content-Type: application/json\" \
             -d '{{\"name\": \"first\", \"payload\": \"it works\", \"payload_content_type\": \"text/plain\"}}' \
             {base}/v1/secrets | cut -d '\"' -f 4)"
        )?;
        writeln!(f, "  {curl} \"{base}/v1/secrets/${{SECRET##*/}}/payload\"")?;
        writeln!(f, "  {curl} {base}/v1/secrets")?;
        writeln!(
            f,
            "  {curl} -X DELETE \"{base}/v1/secrets/${{SECRET##*/}}\"\n"
        )
    }
}

/// The flags that name this place again, each behind a blank.
pub(crate) fn flags(place: &Place) -> String {
    let flags = [
        ("--config", &place.config),
        ("--data-dir", &place.data_dir),
        ("--root-key", &place.root_key),
    ];
    let text = |(flag, value): (&str, &Option<PathBuf>)| {
        let value = value.as_deref()?;
        Some(format!(" {flag} {}", quoted(value)))
    };
    flags.into_iter().filter_map(text).collect()
}

/// A path for a POSIX shell.
fn quoted(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(addr: &str, is_tls: bool) -> Endpoint {
        Endpoint::of(&addr.parse().unwrap(), is_tls)
    }

    #[test]
    fn every_address_is_reached_from_here() {
        let check = |addr, is_tls, base: &str, flags: &str| {
            let found = endpoint(addr, is_tls);
            assert_eq!((found.base.as_str(), found.flags.as_str()), (base, flags));
        };
        check("127.0.0.1:9311", false, "http://127.0.0.1:9311", "");
        check("0.0.0.0:9311", false, "http://127.0.0.1:9311", "");
        check("[::]:9311", true, "https://[::1]:9311", " --insecure");
        check(
            "unix:/run/d.sock",
            true,
            "http://localhost",
            " --unix-socket /run/d.sock",
        );
    }

    #[test]
    fn a_place_is_named_again_as_it_was() {
        assert_eq!(flags(&Place::default()), "");
        let place = Place {
            config: Some("d.toml".into()),
            data_dir: Some("./a b".into()),
            root_key: None,
        };
        assert_eq!(flags(&place), " --config d.toml --data-dir './a b'");
    }

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted(Path::new("/var/lib/donjon")), "/var/lib/donjon");
        assert_eq!(quoted(Path::new("/a b")), "'/a b'");
        assert_eq!(quoted(Path::new("/it's")), "'/it'\\''s'");
    }
}
