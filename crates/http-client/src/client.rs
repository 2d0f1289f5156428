//! A small HTTP/1.1 client: one request, one bounded answer, connections kept
//! for the next.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use crate::{Endpoint, HttpError, Tls, tls::tcp};

/// Keeps connections to the servers that it asks.
pub struct Client {
    tls: Option<Tls>,
    connect: Duration,
    idle: Mutex<Vec<Connection>>,
}

/// What is asked. Can be sent again.
#[derive(Clone)]
pub struct Question {
    /// How.
    pub method: Method,
    /// Path behind that of the endpoint, and query: begins with a slash.
    pub resource: String,
    /// Beside `Host`, `Accept` and `User-Agent`. Those that are secret are marked
    /// as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent; may wipe itself.
    pub body: Bytes,
    /// The most bytes that an answer may have.
    pub answer_bytes_max: usize,
}

/// A whole answer.
pub struct Reply {
    /// How it went.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Bytes,
}

struct Connection {
    endpoint: Arc<Endpoint>,
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Client {
    /// `tls` is needed for `https`. Connecting takes no longer than `connect`.
    #[must_use]
    pub fn new(tls: Option<Tls>, connect: Duration) -> Self {
        Self {
            tls,
            connect,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Asks once. Takes as long as the server does: the caller has to give up
    /// by itself, which is safe at every point.
    ///
    /// # Errors
    /// [`HttpError`]; whatever status an answer has, it is none.
    pub async fn ask(
        &self,
        endpoint: &Arc<Endpoint>,
        question: &Question,
    ) -> Result<Reply, HttpError> {
        while let Some(mut kept) = self.take(endpoint) {
            // The server may have closed it at this very moment: that is no
            // failure, and what is asked here may be asked twice.
            if let Ok(reply) = send(&mut kept.sender, endpoint, question).await {
                self.keep(endpoint, kept.sender);
                return Ok(reply);
            }
        }
        let connecting = timeout(self.connect, self.connect(endpoint));
        let mut sender = connecting.await.map_err(|_elapsed| {
            let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
            HttpError::Unreachable(error.into())
        })??;
        let reply = send(&mut sender, endpoint, question).await?;
        self.keep(endpoint, sender);
        Ok(reply)
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let (host, port) = (endpoint.host.as_str(), endpoint.port);
        let unreachable = |error: std::io::Error| HttpError::Unreachable(error.into());
        if !endpoint.is_tls {
            return handshake(tcp(host, port).await.map_err(unreachable)?).await;
        }
        let tls = self
            .tls
            .as_ref()
            .ok_or_else(|| HttpError::Unreachable("no certificate authorities for https".into()))?;
        handshake(tls.open(host, port).await.map_err(unreachable)?).await
    }

    fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.lock();
        idle.retain(|kept| !kept.sender.is_closed() && now - kept.since < IDLE);
        let at = idle
            .iter()
            .rposition(|kept| kept.endpoint.is_same_server(endpoint))?;
        Some(idle.swap_remove(at))
    }

    fn keep(&self, endpoint: &Arc<Endpoint>, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.lock();
        if idle.len() < IDLE_MAX && !sender.is_closed() {
            idle.push(Connection {
                endpoint: Arc::clone(endpoint),
                sender,
                since: Instant::now(),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Each change is whole at every point.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, HttpError> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(broken)?;
    // Ends with the sender, or with the server's end; whoever waits for an
    // answer is told what went wrong.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    endpoint: &Endpoint,
    question: &Question,
) -> Result<Reply, HttpError> {
    sender.ready().await.map_err(broken)?;
    let mut request = Request::builder()
        .method(question.method.clone())
        .uri(endpoint.path_of(&question.resource))
        .header(HOST, endpoint.authority.clone())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, AGENT);
    for (name, value) in &question.headers {
        request = request.header(name, value.clone());
    }
    let request = request.body(Full::new(question.body.clone()));
    let request = request.map_err(|error| HttpError::Broken(error.into()))?;
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(broken)?
        .into_parts();
    let body = Limited::new(body, question.answer_bytes_max)
        .collect()
        .await;
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: body.map_err(cut_off)?.to_bytes(),
    })
}

fn cut_off(error: crate::BoxError) -> HttpError {
    if error.is::<LengthLimitError>() {
        HttpError::TooLarge(error)
    } else {
        HttpError::Broken(error)
    }
}

fn broken(error: hyper::Error) -> HttpError {
    HttpError::Broken(error.into())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

const AGENT: HeaderValue = HeaderValue::from_static(concat!("donjon/", env!("CARGO_PKG_VERSION")));
/// Below what servers give an idle connection, five seconds at Apache.
const IDLE: Duration = Duration::from_secs(4);
const IDLE_MAX: usize = 16;

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("method", &self.method)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
