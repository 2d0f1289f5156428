//! A server with a small service, and a client that writes raw bytes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use donjon_transport::{
    BodyError, Config, ConnectionInfo, Limits, Listen, ListenAddr, Meter, Peer, Refusal, Refused,
    RequestBody, Server, Service, Summary,
};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Answers by path and remembers what must not have happened.
pub(crate) struct TestService {
    /// Each permit lets one `/wait` go on.
    pub(crate) gate: Semaphore,
    /// How many `/wait` are or were waiting.
    pub(crate) waiting: AtomicUsize,
    /// Smuggled requests that ran, by the client's port.
    pub(crate) canaries: Mutex<HashMap<u16, usize>>,
    pub(crate) last_connection: Mutex<Option<ConnectionInfo>>,
}

pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    pub(crate) listen_addr: ListenAddr,
    pub(crate) service: Arc<TestService>,
    pub(crate) meter: Meter,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Summary>,
}

/// A connection that speaks bytes, not HTTP.
pub(crate) struct Raw<T = TcpStream> {
    pub(crate) stream: T,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head without the status line; hyper writes names in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

// === impl TestService ===

impl Service for TestService {
    fn call(
        &self,
        request: Request<RequestBody>,
        connection: &ConnectionInfo,
    ) -> impl Future<Output = Response<Bytes>> + Send {
        assert!(request.uri().path() != "/panic-at-once", "as asked");
        *self.last_connection.lock().unwrap() = Some(connection.clone());
        if request.uri().path().contains("canary")
            && let Peer::Ip(peer) = connection.peer
        {
            *self
                .canaries
                .lock()
                .unwrap()
                .entry(peer.port())
                .or_default() += 1;
        }
        async {
            let mut response = self.answer(request).await;
            response
                .headers_mut()
                .insert("x-served", "yes".parse().unwrap());
            response
        }
    }

    fn refuse(&self, refused: Refused<'_>) -> Response<Bytes> {
        assert!(refused.uri.path() != "/panic-twice", "as asked");
        let mut response = Response::new(Bytes::from_static(b"refused"));
        *response.status_mut() = refused.why.status();
        let why = match refused.why {
            Refusal::BadRequest(why) => format!("{why:?}"),
            why => format!("{why:?}"),
        };
        response
            .headers_mut()
            .insert("x-refused", why.parse().unwrap());
        if refused.why == Refusal::Overloaded {
            response
                .headers_mut()
                .insert("retry-after", "1".parse().unwrap());
        }
        response
    }
}

impl TestService {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let mut body = request.into_body();
        match path.as_str() {
            "/count" => count(&mut body).await,
            // Reads in a task of its own, as an application may do.
            "/count-elsewhere" => tokio::spawn(async move { count(&mut body).await })
                .await
                .unwrap(),
            "/unread" => status(StatusCode::PAYLOAD_TOO_LARGE),
            "/wait" => {
                self.waiting.fetch_add(1, Relaxed);
                self.gate.acquire().await.unwrap().forget();
                Response::new(Bytes::from_static(b"waited"))
            }
            "/panic" | "/panic-twice" => panic!("as asked"),
            "/panic-later" => {
                tokio::task::yield_now().await;
                panic!("as asked")
            }
            "/empty" => Response::new(Bytes::new()),
            "/no-content" => status(StatusCode::NO_CONTENT),
            "/large" => Response::new(Bytes::from(vec![b'x'; LARGE_BYTES])),
            "/big" => Response::new(Bytes::from(vec![b'x'; BIG_BYTES])),
            _ => {
                let _read = body.read(COUNT_BYTES_MAX).await;
                Response::new(Bytes::from(format!("{method} {path}")))
            }
        }
    }
}

async fn count(body: &mut RequestBody) -> Response<Bytes> {
    match body.read(COUNT_BYTES_MAX).await {
        Ok(read) if read.is_complete => Response::new(Bytes::from(read.bytes.len().to_string())),
        Ok(_) => status(StatusCode::PAYLOAD_TOO_LARGE),
        Err(BodyError::TooSlow) => status(StatusCode::REQUEST_TIMEOUT),
        Err(_) => status(StatusCode::BAD_REQUEST),
    }
}

/// More than the buffers of a socket take.
pub(crate) const LARGE_BYTES: usize = 8 * 1024 * 1024;
pub(crate) const BIG_BYTES: usize = 32 * 1024 * 1024;
pub(crate) const COUNT_BYTES_MAX: usize = 100_000;

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

// === impl TestServer ===

impl TestServer {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::listen(Listen::new("127.0.0.1:0".parse().unwrap()), limits).await
    }

    pub(crate) async fn listen(listen: Listen, limits: Limits) -> Self {
        let config = Config {
            listen: vec![listen],
            trusted_proxies: vec![],
            limits,
        };
        let server = Server::bind(config).await.unwrap();
        let listen_addr = server.local_addrs()[0].clone();
        let addr = match listen_addr {
            ListenAddr::Tcp(addr) => addr,
            ListenAddr::Unix(_) => "0.0.0.0:0".parse().unwrap(),
        };
        let meter = server.meter();
        let service = Arc::new(TestService {
            gate: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
            canaries: Mutex::default(),
            last_connection: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = server.serve(Arc::clone(&service), async { drop(stopped.await) });
        let running = tokio::spawn(serving);
        Self {
            addr,
            listen_addr,
            service,
            meter,
            stop,
            running,
        }
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::new(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Asks for `path` on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut raw = self.connect().await;
        raw.send(&get(path)).await;
        raw.answer().await.unwrap()
    }

    /// Begins the shutdown; the result waits for its end.
    pub(crate) fn stop(self) -> JoinHandle<Summary> {
        self.stop.send(()).unwrap();
        self.running
    }

    pub(crate) fn abort(self) {
        self.running.abort();
    }

    /// Waits until `requests` requests to `/wait` have come in.
    pub(crate) async fn until_waiting(&self, requests: usize) {
        until(|| self.service.waiting.load(Relaxed) >= requests).await;
    }
}

// === impl Raw ===

impl<T: AsyncRead + AsyncWrite + Unpin> Raw<T> {
    pub(crate) fn new(stream: T) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Writes bytes; a server that has closed already is no failure here.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _closed = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads one answer to GET or the like; `None` if the server closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let (status_line, head) = head.split_once("\r\n").unwrap();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_owned();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            self.fill().await?;
        }
        let body = self.unread.drain(..length).collect();
        Some(Answer { status, head, body })
    }

    /// Everything until the server closes, or `None` if it does not within `patience`.
    pub(crate) async fn rest(&mut self, patience: Duration) -> Option<Vec<u8>> {
        let all = async { while self.fill().await.is_some() {} };
        timeout(patience, all).await.ok()?;
        Some(std::mem::take(&mut self.unread))
    }

    /// Reads some bytes; `None` at the end, a reset counts as one.
    async fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 16_384];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer))
            .await
            .expect("server is silent");
        let read = read.unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..read]);
        (read > 0).then_some(())
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// How long a test waits before it calls a server dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

pub(crate) fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait)
        .await
        .expect("condition never came true");
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Runs futures side by side; enough for clients that must not wait for each other.
pub(crate) async fn all<T: Send + 'static>(
    futures: impl IntoIterator<Item = Pin<Box<dyn Future<Output = T> + Send>>>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
