//! Connections: a bounded number of them, kept for the next message.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use donjon_http_client::Tls;
use donjon_kmip_ttlv::{DecodeError, HEADER_BYTES, Limits, message_bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::Semaphore,
    time::Instant,
};
use zeroize::Zeroizing;

/// Connections to one server.
pub(crate) struct Connections {
    tls: Tls,
    host: String,
    port: u16,
    places: Semaphore,
    idle: Mutex<Vec<Kept>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the KMIP server cannot be reached")]
    Unreachable(#[source] io::Error),
    /// It may have taken the message all the same.
    #[error("the KMIP server closed a connection that had been idle")]
    Lost(#[source] io::Error),
    /// It may have taken the message all the same.
    #[error("the KMIP server did not answer to the end")]
    Broken(#[source] io::Error),
    #[error("what the KMIP server sends is no message")]
    Garbled(#[source] DecodeError),
}

/// Which connection a message may go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// One that is there, if there is one.
    Kept,
    /// A new one.
    Fresh,
}

struct Kept {
    stream: Box<dyn Stream>,
    since: Instant,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

impl Connections {
    pub(crate) fn new(tls: Tls, host: String, port: u16) -> Self {
        Self {
            tls,
            host,
            port,
            places: Semaphore::new(CONNECTIONS_MAX),
            idle: Mutex::default(),
        }
    }

    /// Sends a message, and waits for another one within the limits. Takes as long
    /// as the server does; a caller that gives up leaves no connection behind.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub(crate) async fn exchange(
        &self,
        way: Way,
        message: &[u8],
        limits: &Limits,
    ) -> Result<Zeroizing<Vec<u8>>, ConnectionError> {
        let place = self.places.acquire().await;
        let _place =
            place.map_err(|error| ConnectionError::Unreachable(io::Error::other(error)))?;
        let kept = match way {
            Way::Kept => self.take().await,
            Way::Fresh => None,
        };
        let is_kept = kept.is_some();
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.open().await.map_err(ConnectionError::Unreachable)?,
        };
        let answered = speak(&mut *stream, message, limits).await;
        match answered {
            Ok(answer) => {
                self.keep(stream);
                Ok(answer)
            }
            Err(Broken::Before(error)) if is_kept => Err(ConnectionError::Lost(error)),
            Err(Broken::Before(error) | Broken::Within(error)) => {
                Err(ConnectionError::Broken(error))
            }
            Err(Broken::Garbled(error)) => Err(ConnectionError::Garbled(error)),
        }
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.tls.open(&self.host, self.port).await?))
    }

    /// One over which nothing has come since: neither its end, nor an answer that
    /// nobody asked for.
    async fn take(&self) -> Option<Box<dyn Stream>> {
        loop {
            let mut kept = {
                let mut idle = self.lock();
                let now = Instant::now();
                idle.retain(|kept| now - kept.since < IDLE);
                idle.pop()?
            };
            if is_quiet(&mut *kept.stream).await {
                return Some(kept.stream);
            }
        }
    }

    fn keep(&self, stream: Box<dyn Stream>) {
        let since = Instant::now();
        self.lock().push(Kept { stream, since });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Each change is whole at every point.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is nothing to read. Does not wait.
async fn is_quiet(stream: &mut dyn Stream) -> bool {
    let mut byte = [0; 1];
    let mut stream = Pin::new(stream);
    poll_fn(|context| {
        let read = stream
            .as_mut()
            .poll_read(context, &mut ReadBuf::new(&mut byte));
        Poll::Ready(read.is_pending())
    })
    .await
}

enum Broken {
    /// Before anything came back.
    Before(io::Error),
    Within(io::Error),
    Garbled(DecodeError),
}

async fn speak(
    stream: &mut dyn Stream,
    message: &[u8],
    limits: &Limits,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    stream.write_all(message).await.map_err(Broken::Before)?;
    stream.flush().await.map_err(Broken::Before)?;
    let mut header = [0; HEADER_BYTES];
    let read = stream.read(&mut header).await.map_err(Broken::Before)?;
    let (_, rest) = header.split_at_mut(read);
    if read == 0 {
        return Err(Broken::Before(io::ErrorKind::UnexpectedEof.into()));
    }
    stream.read_exact(rest).await.map_err(Broken::Within)?;
    let bytes = message_bytes(&header, limits).map_err(Broken::Garbled)?;
    // Zeros that nobody has touched cost nothing, however many are promised.
    let mut answer = Zeroizing::new(vec![0; bytes]);
    let (head, body) = answer.split_at_mut(HEADER_BYTES);
    head.copy_from_slice(&header);
    stream.read_exact(body).await.map_err(Broken::Within)?;
    Ok(answer)
}

/// Servers give each connection a thread, as a rule.
const CONNECTIONS_MAX: usize = 16;
/// Below what servers and what stands between give an idle connection.
const IDLE: Duration = Duration::from_secs(30);
