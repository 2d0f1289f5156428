//! Tells systemd how far the server is (`Type=notify`).
//!
//! # Source
//! sd_notify(3), the protocol part.

use std::{
    borrow::Cow,
    ffi::OsStr,
    io,
    os::unix::{ffi::OsStrExt, net::UnixDatagram},
};

use rustix::time::{ClockId, clock_gettime};

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Requests are answered from now on.
    Ready,
    /// Files are read again; [`State::Ready`] tells the end of it.
    Reloading,
    /// The server drains.
    Stopping,
}

/// Tells it, where a service manager listens. A failure is logged and nothing
/// more: the server does not depend on being heard.
pub(crate) fn notify(state: State) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "the service manager cannot be notified");
    }
}

fn send(socket: &OsStr, state: State) -> io::Result<()> {
    let message = message(state);
    let message = message.as_bytes();
    let sender = UnixDatagram::unbound()?;
    match socket.as_bytes() {
        [b'@', name @ ..] => send_abstract(&sender, name, message),
        _ => sender.send_to(message, socket),
    }?;
    Ok(())
}

fn message(state: State) -> Cow<'static, str> {
    match state {
        State::Ready => "READY=1".into(),
        // Without the time systemd would take a READY=1 of before for the end.
        State::Reloading => {
            let now = clock_gettime(ClockId::Monotonic);
            let us = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
            format!("RELOADING=1\nMONOTONIC_USEC={us}").into()
        }
        State::Stopping => "STOPPING=1".into(),
    }
}

#[cfg(target_os = "linux")]
fn send_abstract(sender: &UnixDatagram, name: &[u8], message: &[u8]) -> io::Result<usize> {
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    sender.send_to_addr(message, &SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn send_abstract(_: &UnixDatagram, _: &[u8], _: &[u8]) -> io::Result<usize> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(listener: &UnixDatagram) -> Vec<u8> {
        let mut buffer = [0; 64];
        let bytes = listener.recv(&mut buffer).unwrap();
        buffer[..bytes].to_vec()
    }

    #[test]
    fn a_socket_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), State::Ready).unwrap();
        assert_eq!(received(&listener), b"READY=1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_is_told() {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let name = format!("donjon-notify-test-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&addr).unwrap();
        send(OsStr::new(&format!("@{name}")), State::Stopping).unwrap();
        assert_eq!(received(&listener), b"STOPPING=1");
    }

    #[test]
    fn a_socket_that_nobody_reads_is_an_error() {
        assert!(send(OsStr::new("/nonexistent/notify"), State::Ready).is_err());
    }
}
