//! A server that has run out of file descriptors. In a file, and so in a process, of its own.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use donjon_transport::{
    Config, ConnectionInfo, Limits, Listen, ListenAddr, Refused, RequestBody, Server, Service,
};
use http::{Request, Response};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Empty;

impl Service for Empty {
    async fn call(&self, _: Request<RequestBody>, _: &ConnectionInfo) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    fn refuse(&self, refused: Refused<'_>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = refused.why.status();
        response
    }
}

#[tokio::test]
async fn accepting_goes_on_when_files_are_free_again() {
    let listen = vec![Listen::new("127.0.0.1:0".parse().unwrap())];
    let config = Config {
        listen,
        trusted_proxies: vec![],
        limits: Limits::default(),
    };
    let server = Server::bind(config).await.unwrap();
    let ListenAddr::Tcp(addr) = server.local_addrs().first().unwrap().clone() else {
        panic!()
    };
    let meter = server.meter();
    tokio::spawn(async { server.serve(Arc::new(Empty), std::future::pending()).await });

    // Opened now, since later there is no descriptor to read it with.
    let stat = File::open("/proc/self/stat").unwrap();
    let open = u64::try_from(fs::read_dir("/proc/self/fd").unwrap().count()).unwrap();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(open + 20);
    setrlimit(Resource::Nofile, limit).unwrap();
    // There is one thread and no await here, so the server cannot take a descriptor meanwhile.
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(addr) {
        clients.push(client);
    }
    assert!(clients.len() >= 10, "{}", clients.len());
    let before = processor_ticks(&stat);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let busy = processor_ticks(&stat) - before;
    assert!(busy < 25, "burns the processor: {busy} of 50 ticks");
    assert_eq!(meter.connections_accepted(), 0);

    let queued = clients.pop().unwrap();
    drop(clients);
    queued.set_nonblocking(true).unwrap();
    let mut queued = tokio::net::TcpStream::from_std(queued).unwrap();
    queued
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    let read = queued.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// Processor time of this process in hundredths of a second.
fn processor_ticks(stat: &File) -> u64 {
    let mut text = [0; 1_024];
    let length = stat.read_at(&mut text, 0).unwrap();
    let text = String::from_utf8_lossy(text.split_at(length).0).into_owned();
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
    fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}
