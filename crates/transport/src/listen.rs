//! Addresses to listen on, and the sockets made from them.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::fs::Mode;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};

use crate::io::Stream;
use crate::peer::Peer;
use crate::tls::Tls;
use crate::watch::ms;

/// An address to listen on: `127.0.0.1:9311`, `[::1]:9311` or `unix:/run/donjon.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// IP address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// The text is no address to listen on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a listen address: {0:?}, write IP:PORT, [IPV6]:PORT or unix:PATH")]
pub struct InvalidListenAddr(String);

/// One listener to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listen {
    /// Where.
    pub addr: ListenAddr,
    /// TLS, for a TCP address. Unix sockets are always plain.
    pub tls: Option<Tls>,
    /// Permission bits of a Unix socket, 0o600 if not set otherwise; the umask narrows them further.
    pub unix_mode: u32,
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}")]
pub struct BindError {
    /// The address.
    pub addr: ListenAddr,
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) also stands for a Unix socket that somebody answers on.
    pub source: io::Error,
}

/// An open listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener, Option<Tls>),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed when dropped if it is still ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

// === impl ListenAddr ===

impl FromStr for ListenAddr {
    type Err = InvalidListenAddr;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_prefix("unix:") {
            Some("") => None,
            Some(path) => Some(Self::Unix(path.into())),
            None => text.parse().ok().map(Self::Tcp),
        };
        parsed.ok_or_else(|| InvalidListenAddr(text.to_owned()))
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "{addr}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

// === impl Listen ===

impl Listen {
    /// A plain listener.
    pub fn new(addr: ListenAddr) -> Self {
        Self {
            addr,
            tls: None,
            unix_mode: 0o600,
        }
    }

    /// The same with TLS if `addr` is TCP.
    pub fn with_tls(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// The same with other permission bits for a Unix socket.
    pub fn with_unix_mode(self, unix_mode: u32) -> Self {
        Self { unix_mode, ..self }
    }
}

// === impl Listener ===

impl Listener {
    pub(crate) async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let bound = match &listen.addr {
            ListenAddr::Tcp(addr) => bind_tcp(*addr).map(|tcp| Self::Tcp(tcp, listen.tls.clone())),
            ListenAddr::Unix(path) => bind_unix(path, listen.unix_mode)
                .await
                .map(|(unix, file)| Self::Unix(unix, file)),
        };
        bound.map_err(|source| BindError {
            addr: listen.addr.clone(),
            source,
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<ListenAddr> {
        match self {
            Self::Tcp(tcp, _) => tcp.local_addr().map(ListenAddr::Tcp),
            Self::Unix(_, file) => Ok(ListenAddr::Unix(file.path.clone())),
        }
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Tcp(_, tls) => tls.as_ref(),
            Self::Unix(..) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener, _) => {
                let (tcp, addr) = listener.accept().await?;
                Ok((Stream::Tcp(tcp), Peer::from_ip(addr)))
            }
            Self::Unix(listener, _) => {
                let (unix, _) = listener.accept().await?;
                let peer = unix_peer(&unix)?;
                Ok((Stream::Unix(unix), peer))
            }
        }
    }
}

/// Sends small answers at once, and gives up on a peer that acknowledges nothing for `stall`.
pub(crate) fn tune(stream: &Stream, stall: Duration) -> io::Result<()> {
    if let Stream::Tcp(tcp) = stream {
        tcp.set_nodelay(true)?;
        let stall_ms = u32::try_from(ms(stall)).unwrap_or(u32::MAX);
        set_user_timeout(tcp, stall_ms)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn set_user_timeout(tcp: &TcpStream, stall_ms: u32) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_user_timeout(tcp, stall_ms)?)
}

/// Other systems have no such option; the stall of a write is still watched.
#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_: &TcpStream, _: u32) -> io::Result<()> {
    Ok(())
}

fn unix_peer(unix: &UnixStream) -> io::Result<Peer> {
    let credentials = unix.peer_cred()?;
    Ok(Peer::Unix {
        uid: credentials.uid(),
        gid: credentials.gid(),
        pid: credentials.pid(),
    })
}

fn bind_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?; // a restart need not wait for old connections to time out
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path).await?;
    let socket = UnixSocket::new_stream()?;
    // Linux gives the file the mode of the socket, so it is never open to others, not even for
    // the moment between bind and chmod. Elsewhere this may fail, and chmod has to do.
    let before_bind = rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode));
    socket.bind(path)?;
    if before_bind.is_err() {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let listener = socket.listen(BACKLOG)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        device_and_inode: (metadata.dev(), metadata.ino()),
    };
    Ok((listener, file))
}

/// Removes the socket file of a process that is gone. Anything else at `path` is an error.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the file is no socket",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there",
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

// === impl SocketFile ===

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.device_and_inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket file");
        }
    }
}

/// Connections that wait to be accepted; the kernel caps it by `somaxconn`.
const BACKLOG: u32 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_write_alike() {
        for text in ["127.0.0.1:9311", "[::1]:0", "unix:/run/x.sock", "unix:x"] {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "9311",
            "localhost:9311",
            "::1:9311",
            "127.0.0.1",
            "unix:",
            "tcp:1",
        ] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text}");
        }
    }
}
