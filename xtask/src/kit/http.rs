//! A blocking HTTP/1.1 client that sends method, path and headers byte for byte.
//!
//! It adds nothing and follows nothing: what the caller gives is what goes out. Plain TCP only.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How much of a header section is read before the answer counts as broken.
const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// One request. `headers` are sent in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The bytes on the wire. `Host` and `Content-Length` are added where they are missing and needed.
    fn encode(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let mut add = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        if !self.has("host") {
            add("Host", host);
        }
        for (name, value) in &self.headers {
            add(name, value);
        }
        let bytes = self.body.as_deref().unwrap_or_default();
        let wants_length =
            self.body.is_some() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        if wants_length && !self.has("content-length") {
            add("Content-Length", &bytes.len().to_string());
        }
        head.push_str("\r\n");
        [head.as_bytes(), bytes].concat()
    }
}

/// One answer, its body complete.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In the order of arrival, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header; several of one name are joined by a comma.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text, with replacement characters where it is not UTF-8.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Errors
    /// The body is no JSON.
    pub(crate) fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// A connection that is used for one request after the other.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    reusable: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .field("reusable", &self.reusable)
            .finish()
    }
}

impl Connection {
    /// Connects to `host`, a name or address with a port; `timeout` holds for each read and write.
    ///
    /// # Errors
    /// The connection was refused or timed out.
    pub(crate) fn open(host: &str, timeout: Duration) -> io::Result<Self> {
        let address = host.to_socket_addrs()?.next().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no address for {host}"))
        })?;
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: host.to_owned(),
            reusable: true,
        })
    }

    /// Whether another request may be sent.
    pub(crate) fn reusable(&self) -> bool {
        self.reusable
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// No complete answer came; the connection is then of no more use.
    pub(crate) fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        self.reusable = false;
        // A server may refuse a large body and close early: the answer counts, not the broken write.
        let sent = self.stream.get_mut().write_all(&request.encode(&self.host));
        let response = match (self.read_response(&request.method), sent) {
            (Ok(response), _) => response,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        let close = response
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.reusable = !close;
        Ok(response)
    }

    fn read_response(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let mut response = self.read_head()?;
            if (100..200).contains(&response.status) {
                continue;
            }
            if method != "HEAD" && !matches!(response.status, 204 | 304) {
                response.body = self.read_body(&response)?;
            }
            return Ok(response);
        }
    }

    fn read_head(&mut self) -> io::Result<Response> {
        let mut head = (&mut self.stream).take(HEAD_BYTES_MAX);
        let status_line = read_line(&mut head)?;
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
            .ok_or_else(|| invalid(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(&mut head)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid(format!("no header: {line:?}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    fn read_body(&mut self, head: &Response) -> io::Result<Vec<u8>> {
        if head
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            return self.read_chunks();
        }
        let mut body = Vec::new();
        match head.header("content-length") {
            Some(length) => {
                let length: usize = length
                    .parse()
                    .map_err(|_error| invalid(format!("Content-Length {length:?}")))?;
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = read_line(&mut self.stream)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(digits, 16)
                .map_err(|_error| invalid(format!("chunk length {line:?}")))?;
            if length == 0 {
                while !read_line(&mut self.stream)?.is_empty() {}
                return Ok(body);
            }
            let read = (&mut self.stream).take(length).read_to_end(&mut body)?;
            if read as u64 != length || !read_line(&mut self.stream)?.is_empty() {
                return Err(invalid("a chunk ends early".to_owned()));
            }
        }
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// No connection, or no complete answer.
pub(crate) fn once(host: &str, request: &Request, timeout: Duration) -> io::Result<Response> {
    Connection::open(host, timeout)?.exchange(request)
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let Some((b'\n', text)) = line.split_last() else {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection ends within a line",
        ));
    };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    // Header values are bytes; Latin-1 shows each of them.
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request on one connection with `answer`; gives back what it was sent.
    fn answer_once(answer: &'static str, request: &Request) -> (io::Result<Response>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut sent = [0; 4096];
            let length = stream.read(&mut sent).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&sent[..length]).into_owned()
        });
        let response = once(&host, request, Duration::from_secs(5));
        (response, server.join().unwrap().replace(&host, "HOST"))
    }

    #[test]
    fn sends_what_it_is_given() {
        let request = Request::new("GET", "//v1/%2e?a=%zz").header("X-a", "1");
        let (response, sent) = answer_once("HTTP/1.1 204 No Content\r\n\r\n", &request);
        assert_eq!(response.unwrap().status, 204);
        assert_eq!(
            sent,
            "GET //v1/%2e?a=%zz HTTP/1.1\r\nHost: HOST\r\nX-a: 1\r\n\r\n"
        );
    }

    #[test]
    fn a_post_without_body_has_a_length() {
        let (_, sent) = answer_once(
            "HTTP/1.1 204 No Content\r\n\r\n",
            &Request::new("POST", "/").header("host", "a"),
        );
        assert_eq!(
            sent,
            "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn reads_chunks_and_joins_headers() {
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVary: a\r\nvary: b\r\n\r\n\
                      3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        let response = answer_once(answer, &Request::new("GET", "/")).0.unwrap();
        assert_eq!(response.text(), "abc0123456789");
        assert_eq!(response.header("VARY").as_deref(), Some("a, b"));
    }

    #[test]
    fn a_short_body_is_an_error() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc";
        assert!(answer_once(answer, &Request::new("GET", "/")).0.is_err());
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc";
        assert!(answer_once(answer, &Request::new("GET", "/")).0.is_err());
    }
}
