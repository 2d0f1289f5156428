//! A request body with a deadline and a minimum rate.
//!
//! hyper has no time limit for bodies. Here the limit is checked whenever there is nothing to read, and
//! the connection's watch wakes the reader when it has passed, so a body needs no timer of its own.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use zeroize::Zeroizing;

use crate::connection::Link;
use crate::limits::Limits;
use crate::watch::ms;

/// The body of a request.
///
/// Read it with [`read`](Self::read), or as an [`http_body::Body`]. Reading fails with
/// [`BodyError::TooSlow`] once the body is late by [`Limits::body_timeout`] or
/// [`Limits::body_bytes_per_s_min`]. A body that is dropped unread closes the connection after the answer.
///
/// Tests of an application make one with `RequestBody::from(Bytes)`.
pub struct RequestBody {
    source: Source,
    bytes_read: u64,
}

/// What [`RequestBody::read`] got.
#[derive(Debug)]
pub struct BodyRead {
    /// At most the `bytes_max` first bytes, wiped when dropped.
    ///
    /// If the body is not complete, less may be here, down to nothing.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether this is the whole body; if not, it is longer than `bytes_max`.
    pub is_complete: bool,
}

/// Why a request body could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The client sends too slowly.
    #[error("request body arrives too slowly")]
    TooSlow,
    /// The body is not what its headers announced, as a bad chunk size.
    #[error("malformed request body")]
    Malformed(#[source] Box<dyn StdError + Send + Sync>),
    /// The client left; nobody will read the answer.
    #[error("client left before its request body was complete")]
    Disconnected(#[source] Box<dyn StdError + Send + Sync>),
}

enum Source {
    /// All there, or nothing at all.
    Ready(Option<Bytes>),
    Network(Network),
}

struct Network {
    incoming: Incoming,
    link: Arc<Link>,
    /// When the first read was tried, in the watch's milliseconds.
    began: Option<u64>,
    /// The request gave up its place among those in flight until more arrives.
    is_parked: bool,
    /// The end was read. hyper's own flag stays unset for chunked bodies.
    is_finished: bool,
}

// === impl RequestBody ===

impl RequestBody {
    pub(crate) fn from_network(incoming: Incoming, link: &Arc<Link>) -> Self {
        let source = if incoming.is_end_stream() {
            Source::Ready(None)
        } else {
            let link = Arc::clone(link);
            Source::Network(Network {
                incoming,
                link,
                began: None,
                is_parked: false,
                is_finished: false,
            })
        };
        Self {
            source,
            bytes_read: 0,
        }
    }

    /// Reads the rest of the body, or its first `bytes_max` bytes.
    ///
    /// When the client announced more than `bytes_max` bytes, none is read: a client that waits for
    /// `100 Continue` then sends nothing in vain.
    ///
    /// # Errors
    /// Those of [`BodyError`].
    pub async fn read(&mut self, bytes_max: usize) -> Result<BodyRead, BodyError> {
        let announced = self.size_hint();
        if announced.lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
            return Ok(BodyRead {
                bytes: Zeroizing::default(),
                is_complete: false,
            });
        }
        // Room for all of it at once where possible: a vector that grows leaves copies behind.
        let announced = announced
            .exact()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let capacity = announced.unwrap_or(bytes_max.min(UNANNOUNCED_BYTES));
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        // Asking for the end first spares a wake-up: hyper tells it only on its next turn.
        while !self.is_end_stream() {
            let Some(frame) = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await else {
                break;
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            let room = bytes_max - bytes.len();
            append(&mut bytes, data.get(..room).unwrap_or(&data));
            if data.remaining() > room {
                return Ok(BodyRead {
                    bytes,
                    is_complete: false,
                });
            }
        }
        Ok(BodyRead {
            bytes,
            is_complete: true,
        })
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self {
            source: Source::Ready(bytes),
            bytes_read: 0,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match &mut this.source {
            Source::Ready(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Network(network) => network.poll_frame(cx, &mut this.bytes_read),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Ready(bytes) => bytes.is_none(),
            Source::Network(network) => network.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Ready(None) => SizeHint::with_exact(0),
            Source::Ready(Some(bytes)) => SizeHint::with_exact(bytes.remaining() as u64),
            Source::Network(network) => network.incoming.size_hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("size", &self.size_hint().exact())
            .finish()
    }
}

// === impl Network ===

impl Network {
    fn is_end_stream(&self) -> bool {
        self.is_finished || self.incoming.is_end_stream()
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        bytes_read: &mut u64,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return self.wait(cx, *bytes_read);
        };
        self.resume();
        self.is_finished = frame.is_none();
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(classify)?;
            *bytes_read += frame.data_ref().map_or(0, |data| data.len() as u64);
            Ok(frame)
        }))
    }

    fn wait(
        &mut self,
        cx: &Context<'_>,
        bytes_read: u64,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let watch = &self.link.watch;
        let now = watch.now();
        let began = *self.began.get_or_insert(now);
        let due = began.saturating_add(time_for_ms(&self.link.shared.limits, bytes_read));
        if now >= due {
            self.resume();
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        }
        watch.body_waits(due, cx.waker());
        if !self.is_parked {
            self.is_parked = true;
            self.link.shared.slots.give_back();
        }
        Poll::Pending
    }

    fn resume(&mut self) {
        if self.is_parked {
            self.is_parked = false;
            self.link.shared.slots.take_over();
            self.link.watch.body_moves();
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.resume();
        if !self.is_end_stream() {
            self.link.watch.note_unread();
        }
    }
}

/// How long a body may take that has brought `bytes_read` bytes so far.
fn time_for_ms(limits: &Limits, bytes_read: u64) -> u64 {
    let by_rate = match bytes_read
        .saturating_mul(1_000)
        .checked_div(limits.body_bytes_per_s_min)
    {
        Some(ms_earned) => ms(limits.body_grace).saturating_add(ms_earned),
        None => u64::MAX,
    };
    by_rate.min(ms(limits.body_timeout))
}

fn classify(error: hyper::Error) -> BodyError {
    let kind = error
        .source()
        .and_then(|source| source.downcast_ref())
        .map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            BodyError::Malformed(error.into())
        }
        _ => BodyError::Disconnected(error.into()),
    }
}

/// Appends without leaving a copy of the old bytes behind when the vector has to grow.
fn append(bytes: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    let needed = bytes.len() + data.len();
    if needed > bytes.capacity() {
        let mut grown = Zeroizing::new(Vec::with_capacity(needed.max(bytes.capacity() * 2)));
        grown.extend_from_slice(bytes);
        *bytes = grown;
    }
    bytes.extend_from_slice(data);
}

/// Room for a body whose length was not announced.
const UNANNOUNCED_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_whole_or_cut() {
        let read = async |bytes_max| {
            RequestBody::from(Bytes::from_static(b"12345"))
                .read(bytes_max)
                .await
                .unwrap()
        };
        assert!(read(5).await.is_complete);
        assert_eq!(*read(5).await.bytes, b"12345");
        assert!(!read(4).await.is_complete);
        assert!(read(4).await.bytes.len() <= 4);
        let mut empty = RequestBody::from(Bytes::new());
        assert!(empty.is_end_stream());
        assert!(empty.read(0).await.unwrap().is_complete);
    }

    #[test]
    fn time_is_earned_by_bytes() {
        let limits = Limits {
            body_timeout: Duration::from_secs(15),
            body_grace: Duration::from_secs(5),
            body_bytes_per_s_min: 500,
            ..Limits::default()
        };
        assert_eq!(time_for_ms(&limits, 0), 5_000);
        assert_eq!(time_for_ms(&limits, 1_000), 7_000);
        assert_eq!(time_for_ms(&limits, u64::MAX), 15_000);
        assert_eq!(
            time_for_ms(
                &Limits {
                    body_bytes_per_s_min: 0,
                    ..limits
                },
                0
            ),
            15_000
        );
    }

    #[test]
    fn growing_keeps_the_bytes() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2));
        for _ in 0..10 {
            append(&mut bytes, b"abc");
        }
        assert_eq!(*bytes, b"abc".repeat(10));
    }
}
