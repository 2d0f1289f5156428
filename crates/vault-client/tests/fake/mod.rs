//! A server that answers as a test says, with plain threads.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) body: String,
}

/// Status and JSON; status 0 ends the connection without an answer, and 1 says
/// nothing at all.
pub(crate) type Response = (u16, String);

/// Answers until the test ends.
pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub(crate) fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    // Whoever tests an end of connections may have gone.
                    let Some(request) = read(&stream) else {
                        return;
                    };
                    log.lock().unwrap().push(request.clone());
                    let (status, body) = answer(&request);
                    match status {
                        0 => {}
                        // Until the client has enough of it.
                        1 => drop((&stream).read_to_end(&mut Vec::new())),
                        _ => write(&stream, status, &body),
                    }
                });
            }
        });
        Self { url, seen }
    }

    /// All that came in so far, as `METHOD path`.
    pub(crate) fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let lines = seen
            .iter()
            .map(|request| format!("{} {}", request.method, request.path));
        lines.collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

/// `{"errors": [..]}`
pub(crate) fn errors(status: u16, words: &[&str]) -> Response {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    (status, format!("{{\"errors\":[{}]}}", words.join(",")))
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let method = words.next()?.to_owned();
    let path = words.next()?.to_owned();
    let (mut token, mut namespace, mut length) = (None, None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "x-vault-token" => token = Some(value.to_owned()),
            "x-vault-namespace" => namespace = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        token,
        namespace,
        body: String::from_utf8(body).unwrap(),
    })
}

fn write(mut stream: &TcpStream, status: u16, body: &str) {
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\
         Location: http://127.0.0.1:9/elsewhere\r\n\r\n{body}",
        body.len()
    );
    // The client may have given up.
    drop(stream.write_all(text.as_bytes()));
}
