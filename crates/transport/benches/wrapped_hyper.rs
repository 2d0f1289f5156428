//! The same as `bare_hyper`, but through this crate with default limits: the difference is what it costs.
//!
//! Answers every request with 200 and 32 bytes. `--serve [PORT]` listens on 127.0.0.1, prints
//! `listening on ADDR` and runs until stdin closes or SIGTERM comes. Without `--serve` it does nothing, so
//! that running all benches or listing them does not hang.

use std::env;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use donjon_transport::{
    Config, ConnectionInfo, Limits, Listen, ListenAddr, Refused, RequestBody, Server, Service,
};
use http::{Request, Response};
use tokio::sync::oneshot;

fn main() -> io::Result<()> {
    let mut args = env::args().skip_while(|arg| arg != "--serve").skip(1);
    if !env::args().any(|arg| arg == "--serve") {
        return Ok(());
    }
    let port = args.next().and_then(|port| port.parse().ok()).unwrap_or(0);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(port))
}

async fn serve(port: u16) -> io::Result<()> {
    let addr = ListenAddr::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
    let listen = vec![Listen::new(addr)];
    let config = Config {
        listen,
        trusted_proxies: vec![],
        limits: Limits::default(),
    };
    let server = Server::bind(config).await.map_err(io::Error::other)?;
    for addr in server.local_addrs() {
        writeln!(io::stdout(), "listening on {addr}")?;
    }
    let stdin_closed = async { drop(stdin_closed().await) };
    server.serve(Arc::new(Fixed), stdin_closed).await;
    Ok(())
}

struct Fixed;

impl Service for Fixed {
    async fn call(&self, _: Request<RequestBody>, _: &ConnectionInfo) -> Response<Bytes> {
        Response::new(Bytes::from_static(b"0123456789abcdef0123456789abcdef"))
    }

    fn refuse(&self, refused: Refused<'_>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = refused.why.status();
        response
    }
}

fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut sink = Vec::new();
        let _read = io::stdin().read_to_end(&mut sink);
        closed.send(())
    });
    receiver
}
