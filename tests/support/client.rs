//! A blocking HTTP/1.1 client that adds as little as it can, and shows what came back byte for byte.

use std::{
    cell::RefCell,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use serde_json::Value;

use super::wait::PATIENCE;

/// Where a server is.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Tcp(String),
    Unix(PathBuf),
    /// An address whose certificate names `localhost`.
    Tls(String, Arc<ClientConfig>),
}

/// Somebody who sends requests with the same headers, over one connection as long as it lasts.
pub(crate) struct Caller {
    target: Target,
    headers: Vec<(String, String)>,
    connection: RefCell<Option<Connection>>,
}

/// A connection, for requests of any bytes.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    host: String,
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Status line and headers as they came, with their line ends.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

// === impl Caller ===

impl Caller {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            headers: Vec::new(),
            connection: RefCell::new(None),
        }
    }

    /// Somebody at the other end of a socket.
    pub(crate) fn unix(socket: &Path) -> Self {
        Self::new(Target::Unix(socket.to_owned()))
    }

    /// Somebody who speaks TLS.
    pub(crate) fn tls(host: &str, config: &Arc<ClientConfig>) -> Self {
        Self::new(Target::Tls(host.to_owned(), Arc::clone(config)))
    }

    /// The same caller with one more header, on a connection of its own.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut caller = Self::new(self.target.clone());
        caller.headers.clone_from(&self.headers);
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    /// Sends `METHOD TARGET` with these headers and, where it is not empty, this body.
    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = own.chain(headers.iter().copied()).collect();
        let mut slot = self.connection.borrow_mut();
        let connection = slot.get_or_insert_with(|| Connection::open(&self.target));
        let host = connection.host.clone();
        connection.write(&request_bytes(line, &host, &all, body));
        let is_head = line.starts_with("HEAD ");
        let response = connection.read(is_head);
        if response.header("connection").as_deref() == Some("close") {
            *slot = None;
        }
        response
    }

    /// Sends a request without body.
    pub(crate) fn call(&self, line: &str) -> Response {
        self.send(line, &[], b"")
    }

    /// Sends a request that accepts this type.
    pub(crate) fn accepting(&self, line: &str, accept: &str) -> Response {
        self.send(line, &[("Accept", accept)], b"")
    }

    /// Sends a request with a JSON body.
    pub(crate) fn json(&self, line: &str, body: &Value) -> Response {
        let body = serde_json::to_vec(body).unwrap();
        self.send(line, &[("Content-Type", "application/json")], &body)
    }

    /// Sends a request with a body of this type.
    pub(crate) fn put(&self, path: &str, content_type: &str, body: &[u8]) -> Response {
        let line = format!("PUT {path}");
        self.send(&line, &[("Content-Type", content_type)], body)
    }

    /// Creates a secret; gives its path.
    pub(crate) fn create(&self, body: &Value) -> String {
        let response = self.json("POST /v1/secrets", body);
        assert_eq!(response.status, 201, "{body}: {response:?}");
        super::path_of(response.json()["secret_ref"].as_str().unwrap()).to_owned()
    }

    /// Creates a secret with a text for payload; gives its path.
    pub(crate) fn store(&self, payload: &str) -> String {
        self.create(&serde_json::json!({"payload": payload, "payload_content_type": "text/plain"}))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn open_unix(socket: &Path) -> Self {
        Self::open(&Target::Unix(socket.to_owned()))
    }

    pub(crate) fn open(target: &Target) -> Self {
        let (stream, host): (Box<dyn Stream>, _) = match target {
            Target::Tcp(host) => (Box::new(tcp(host)), host.clone()),
            Target::Unix(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                (Box::new(stream), "localhost".to_owned())
            }
            Target::Tls(host, config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let tls = ClientConnection::new(Arc::clone(config), name).unwrap();
                let stream = StreamOwned::new(tls, tcp(host));
                (Box::new(stream), host.clone())
            }
        };
        Self {
            stream: BufReader::new(stream),
            host,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).unwrap();
    }

    /// # Errors
    /// The other side has gone.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Reads one answer that is no interim one. That to `HEAD` has no body.
    pub(crate) fn read(&mut self, is_head: bool) -> Response {
        let mut response = self.read_head();
        while response.status < 200 {
            response = self.read_head();
        }
        if !is_head && response.status != 204 {
            // The server knows the length of all it sends.
            let length = response.header("content-length");
            let length = length.unwrap_or_else(|| panic!("no length: {}", response.head));
            response.body.resize(length.parse().unwrap(), 0);
            self.stream.read_exact(&mut response.body).unwrap();
        }
        response
    }

    /// Reads a head, also of an interim answer such as `100 Continue`.
    pub(crate) fn read_head(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.stream.read_until(b'\n', &mut head).unwrap();
            let shown = String::from_utf8_lossy(&head);
            assert!(read > 0, "the connection ends within a head: {shown:?}");
        }
        let head = String::from_utf8(head).unwrap();
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("no status line: {head:?}"));
        Response {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }
}

/// Whether the certificate that is shown at `host` is one that `config` trusts.
pub(crate) fn is_trusted(host: &str, config: &Arc<ClientConfig>) -> bool {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    tls.complete_io(&mut tcp(host)).is_ok()
}

fn tcp(host: &str) -> TcpStream {
    let stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

// === impl Response ===

impl Response {
    /// The value of a header that is there once; its name in any letter case.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {}", self.head);
        value
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.head, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks status and, where one is given, the description of an error body with its three keys.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, description: &str) {
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        let body = self.json();
        assert_eq!(body["code"], status, "{body}");
        assert!(body["title"].is_string(), "{body}");
        assert_eq!(body["description"], description, "{body}");
    }

    /// Checks the status and gives the body as JSON.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        self.json()
    }

    /// Checks the status and that there is no body.
    #[track_caller]
    pub(crate) fn is_empty(&self, status: u16) {
        assert_eq!(self.status, status, "{}{}", self.head, self.text());
        assert_eq!(self.text(), "");
    }
}

/// The bytes of a request. `Host` is added, and a length where there is a body or the method wants one.
pub(crate) fn request_bytes(
    line: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let wants_length = ["POST ", "PUT ", "PATCH "]
        .iter()
        .any(|method| line.starts_with(method));
    if wants_length || !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
