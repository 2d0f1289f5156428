//! Who is at the other end of a connection, and which networks the operator trusts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The other end of a connection, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP peer. An IPv4 address that came over an IPv6 socket is written as IPv4.
    Ip(SocketAddr),
    /// A process on this machine that connected to a Unix socket.
    Unix {
        /// Effective user id of the process when it connected.
        uid: u32,
        /// Its effective group id.
        gid: u32,
        /// Its process id, where the system tells it.
        pid: Option<i32>,
    },
}

/// What is known about a connection before its first request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Number of the connection, unique in this process; for logs.
    pub id: u64,
    /// Index of the listener in [`Config::listen`](crate::Config::listen).
    pub listener: usize,
    /// The other end.
    pub peer: Peer,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The client's certificate in DER, if it showed one that the client CA accepts.
    pub client_certificate: Option<Vec<u8>>,
    /// Whether the peer lies in [`Config::trusted_proxies`](crate::Config::trusted_proxies).
    pub is_trusted_proxy: bool,
}

/// A network such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix_bits: u8,
}

/// The text is no address and no network in CIDR form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an IP address or network: {0:?}")]
pub struct InvalidIpRange(String);

// === impl Peer ===

impl Peer {
    pub(crate) fn from_ip(addr: SocketAddr) -> Self {
        Self::Ip(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
    }

    /// The address of a TCP peer.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(addr) => Some(addr.ip()),
            Self::Unix { .. } => None,
        }
    }

    /// Whether the peer is on this machine: a loopback address or a Unix socket.
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => write!(f, "{addr}"),
            Self::Unix { uid, .. } => write!(f, "unix:uid={uid}"),
        }
    }
}

// === impl IpRange ===

impl IpRange {
    /// Whether `ip` lies in this network. An IPv4 address in IPv6 form counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        masked(ip.to_canonical(), self.prefix_bits) == Some(self.network)
            && ip.to_canonical().is_ipv4() == self.network.is_ipv4()
    }
}

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (ip, prefix) = match text.split_once('/') {
                Some((ip, prefix)) => (ip, Some(prefix)),
                None => (text, None),
            };
            let ip = ip.parse::<IpAddr>().ok()?;
            let prefix_bits = match prefix {
                Some(prefix) => prefix.parse::<u8>().ok()?,
                None if ip.is_ipv4() => 32,
                None => 128,
            };
            let network = masked(ip, prefix_bits)?;
            Some(Self {
                network,
                prefix_bits,
            })
        };
        parse().ok_or_else(|| InvalidIpRange(text.to_owned()))
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

/// The key under which connections are counted: an IPv6 host usually owns its whole /64.
pub(crate) fn counting_key(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(_) => masked(ip, 64).unwrap_or(ip),
    }
}

/// `ip` with all but the first `prefix_bits` cleared; `None` if the address is shorter than that.
fn masked(ip: IpAddr, prefix_bits: u8) -> Option<IpAddr> {
    let bits = u32::from(prefix_bits);
    match ip {
        IpAddr::V4(ip) => {
            let host_bits = 32_u32.checked_sub(bits)?;
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask)))
        }
        IpAddr::V6(ip) => {
            let host_bits = 128_u32.checked_sub(bits)?;
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        let check = |range: &str, ip: &str| {
            range
                .parse::<IpRange>()
                .unwrap()
                .contains(ip.parse().unwrap())
        };
        assert!(check("10.0.0.0/8", "10.255.1.2"));
        assert!(!check("10.0.0.0/8", "11.0.0.1"));
        assert!(check("10.1.2.3", "10.1.2.3"));
        assert!(!check("10.1.2.3", "10.1.2.4"));
        assert!(
            check("10.1.2.3/8", "10.9.9.9"),
            "host bits of the range are ignored"
        );
        assert!(check("0.0.0.0/0", "203.0.113.7"));
        assert!(!check("0.0.0.0/0", "::1"));
        assert!(!check("::/0", "10.0.0.1"));
        assert!(check("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(check("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!check("2001:db8::/32", "2001:db9::1"));
        assert!(check("::1", "::1"));
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "host",
            "10.0.0/8",
        ] {
            assert!(text.parse::<IpRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_is_counted_as_one() {
        let key = |ip: &str| counting_key(ip.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    }
}
