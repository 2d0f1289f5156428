//! The socket as hyper sees it: plain, Unix or TLS, watched on its way.
//!
//! Decides: what counts as progress of a write, whether a request head has a bare line feed, and
//! how a connection is closed so that the last answer is not lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use memchr::memchr_iter;
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
    scan: HeadScan,
    /// Requests begun when `scan` was last started over.
    scanned_request: u32,
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

/// Looks for lines of a request head that end in LF without CR.
///
/// hyper takes such lines, some proxies do not, and smuggling lives on that difference. A head that
/// arrives behind other bytes in one read, as when requests are pipelined, is not looked at.
#[derive(Debug)]
struct HeadScan {
    is_done: bool,
    /// A line with something in it was seen; empty lines before it are skipped as hyper does.
    has_line: bool,
    /// The current line has nothing but CR so far.
    is_blank: bool,
    last: u8,
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
        let scanned_request = link.watch.requests();
        Self {
            stream,
            link,
            scan: HeadScan::new(),
            scanned_request,
            closing: Closing::No,
        }
    }

    fn note_read(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let watch = &self.link.watch;
        if watch.is_reading_head() {
            watch.note_unread();
            if self.scanned_request != watch.requests() {
                self.scanned_request = watch.requests();
                self.scan.start_over();
            }
            if !self.scan.is_done && self.scan.finds_bare_lf(bytes) {
                watch.note_bare_lf();
            }
        }
        self.scan.last = *last;
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

// === impl HeadScan ===

impl HeadScan {
    fn new() -> Self {
        Self {
            is_done: false,
            has_line: false,
            is_blank: true,
            last: 0,
        }
    }

    fn start_over(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::new()
        };
    }

    fn finds_bare_lf(&mut self, bytes: &[u8]) -> bool {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            let (text, has_cr) = match line {
                [text @ .., b'\r'] => (text, true),
                text => (text, text.is_empty() && end == 0 && self.last == b'\r'),
            };
            self.note_text(text);
            if !has_cr || (self.is_blank && self.has_line) {
                self.is_done = true;
                return !has_cr;
            }
            self.is_blank = true;
        }
        self.note_text(bytes.get(start..).unwrap_or_default());
        false
    }

    /// Notes whether a part of a line has anything in it. A CR at the end of a read is not counted.
    fn note_text(&mut self, text: &[u8]) {
        if !matches!(text, [] | [b'\r']) {
            self.is_blank = false;
            self.has_line = true;
        }
    }
}

/// More than a client has reason to send after its answer, less than what would cost us anything.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(reads: &[&str]) -> bool {
        let mut scan = HeadScan::new();
        reads.iter().any(|read| {
            let found = !scan.is_done && scan.finds_bare_lf(read.as_bytes());
            scan.last = *read.as_bytes().last().unwrap();
            found
        })
    }

    #[test]
    fn only_bare_line_feeds_of_the_head_are_found() {
        assert!(!scan(&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
        assert!(!scan(&["\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
        assert!(!scan(&["GET / HTTP/1.1\r", "\nHost: a\r\n\r", "\n"]));
        assert!(!scan(&[
            "POST / HTTP/1.1\r\nHost: a\r\n\r\nbody\nbody",
            "more\n"
        ]));
        assert!(scan(&["GET / HTTP/1.1\nHost: a\r\n\r\n"]));
        assert!(scan(&["GET / HTTP/1.1\r\nHost: a\n\r\n"]));
        assert!(scan(&["GET / HTTP/1.1\r\nHost: a\r\n\n"]));
        assert!(scan(&["GET / HTTP/1.1\r\nHost: a", "\n"]));
        assert!(scan(&["GET / HTTP/1.1\r\nHost: a\r\n", "X: y\n\r\n"]));
        assert!(scan(&["\r\n", "GET / HTTP/1.1\r\n", "Host: a\r\n", "\n"]));
        assert!(!scan(&["\r\n", "\r\nGET / HTTP/1.1\r\n", "\r\n\n\n"]));
        assert!(!scan(&["GET / HTTP/1.1\r\n\r", "\nbody\n"]));
        assert!(scan(&["\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
    }
}
