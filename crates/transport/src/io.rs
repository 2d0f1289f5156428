//! The socket as hyper sees it: plain, Unix or TLS, watched on its way.
//!
//! Decides: what counts as progress of a write, and how a connection is closed so that the last answer is
//! not lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::connection::Link;

/// A connected socket of any kind. One type, so that hyper is compiled once.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A [`Stream`] that tells the connection's watch what happens on it.
#[derive(Debug)]
pub(crate) struct WatchedIo {
    stream: Stream,
    link: Arc<Link>,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    No,
    /// Our side is closed, and this many bytes of the client are still swallowed.
    Linger {
        bytes_left: usize,
    },
}

// === impl Stream ===

macro_rules! each_stream {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Tcp($stream) => $call,
            Stream::Unix($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each_stream!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_stream!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

// === impl WatchedIo ===

impl WatchedIo {
    pub(crate) fn new(stream: Stream, link: Arc<Link>) -> Self {
        Self {
            stream,
            link,
            closing: Closing::No,
        }
    }

    fn note_read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.link.watch.is_reading_head() {
            self.link.watch.note_unread();
        }
        self.link.heads().read(bytes);
    }

    /// Notes whether an attempt to write made progress.
    fn note_write<T>(&self, result: Poll<T>) -> Poll<T> {
        match result {
            Poll::Pending => self.link.watch.write_waits(),
            Poll::Ready(_) => self.link.watch.write_moves(),
        }
        result
    }

    /// Swallows what the client still sends, until it closes too or has sent enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        while let Closing::Linger { bytes_left } = &mut self.closing {
            let mut buf = ReadBuf::new(&mut scratch);
            let result = ready!(self.stream.poll_read(cx, &mut buf));
            let read = buf.filled().len();
            // The client is gone or done either way; the answer was sent before.
            if result.is_err() || read == 0 || read >= *bytes_left {
                break;
            }
            *bytes_left -= read;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WatchedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(this.stream.poll_read(cx, buf))?;
        this.note_read(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result =
            each_stream!(&mut this.stream, stream => Pin::new(stream).poll_write(cx, bytes));
        this.note_write(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = each_stream!(&mut this.stream, stream => Pin::new(stream).poll_write_vectored(cx, slices));
        this.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        each_stream!(&self.stream, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = each_stream!(&mut this.stream, stream => Pin::new(stream).poll_flush(cx));
        if result.is_ready() {
            // hyper flushes behind the last byte that it has.
            this.link.watch.answer_is_out();
        }
        this.note_write(result)
    }

    /// Closes our side, then lingers if the client may be sending still.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Closing::No = this.closing {
            let result = this.stream.poll_shutdown(cx);
            ready!(this.note_write(result))?;
            if !this.link.watch.has_unread() {
                return Poll::Ready(Ok(()));
            }
            this.link.watch.linger_begins();
            this.closing = Closing::Linger {
                bytes_left: LINGER_BYTES_MAX,
            };
        }
        this.poll_linger(cx)
    }
}

/// More than a client has reason to send after its answer, less than what would cost us anything.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
