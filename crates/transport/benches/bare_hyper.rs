//! The ceiling of `cargo xtask bench`: hyper and tokio with nothing around them.
//!
//! Answers every request with 200 and 32 bytes. `--serve [PORT]` listens on 127.0.0.1, prints
//! `listening on ADDR` and runs until stdin closes or SIGTERM comes. Without `--serve` it does nothing, so
//! that running all benches or listing them does not hang.

use std::convert::Infallible;
use std::env;
use std::io::{self, Read, Write};
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
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
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut stdin_closed = stdin_closed();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
                tokio::spawn(connection);
            }
            _ = &mut stdin_closed => return Ok(()),
        }
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        b"0123456789abcdef0123456789abcdef",
    ))))
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
