//! Unix sockets: permissions, stale files, who is at the other end.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use donjon_transport::{Config, Limits, Listen, ListenAddr, Peer, Server};
use tokio::net::UnixStream;

use crate::support::{Raw, TestServer, get};

#[tokio::test]
async fn a_unix_socket_is_private_and_knows_its_peer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sock");
    let server = TestServer::listen(listen(&path), Limits::default()).await;
    assert_eq!(server.listen_addr, ListenAddr::Unix(path.clone()));
    assert_eq!(mode(&path), 0o600);

    let mut raw = Raw::new(UnixStream::connect(&path).await.unwrap());
    raw.send(get("/hello")).await;
    assert_eq!(raw.answer().await.unwrap().text(), "GET /hello");
    let info = server
        .service
        .last_connection
        .lock()
        .unwrap()
        .clone()
        .unwrap();
    let Peer::Unix { uid, gid, pid } = info.peer else {
        panic!("{info:?}")
    };
    assert_eq!(uid, rustix::process::geteuid().as_raw());
    assert_eq!(gid, rustix::process::getegid().as_raw());
    assert_eq!(pid, i32::try_from(std::process::id()).ok());
    assert!(!info.tls);

    server.stop().await.unwrap();
    assert!(!path.exists(), "removed at the end");
}

#[tokio::test]
async fn other_permissions_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sock");
    let _server = bind(listen(&path).with_unix_mode(0o640)).await.unwrap();
    assert_eq!(mode(&path), 0o640);
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "what a killed process leaves");
    let live = bind(listen(&path)).await.unwrap();
    let error = bind(listen(&path)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(path.exists());
    drop(live);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    let error = bind(listen(&path)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
}

#[tokio::test]
async fn a_file_that_replaced_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.sock");
    let server = bind(listen(&path)).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "of another").unwrap();
    drop(server);
    assert_eq!(std::fs::read(&path).unwrap(), b"of another");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let server = TestServer::start(Limits::default()).await;
    let config = config(Listen::new(server.listen_addr.clone()));
    let error = Server::bind(config).await.unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}", server.addr)
    );
}

fn listen(path: &Path) -> Listen {
    Listen::new(ListenAddr::Unix(path.to_owned()))
}

fn config(listen: Listen) -> Config {
    Config {
        listen: vec![listen],
        trusted_proxies: vec![],
        limits: Limits::default(),
    }
}

async fn bind(listen: Listen) -> io::Result<Server> {
    Server::bind(config(listen))
        .await
        .map_err(|error| error.source)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
