//! TLS with certificates made on the spot.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use donjon_transport::{Limits, Listen, Tls, TlsError, TlsFiles};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Raw, TestServer, get};

/// A CA and a folder with the files of a server.
struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

#[tokio::test]
async fn requests_go_over_tls() {
    let pki = Pki::new();
    let server = pki.serve(pki.tls(false)).await;
    let mut raw = pki.connect(&server, None).await.unwrap();
    for _ in 0..3 {
        raw.send(get("/hello")).await;
        assert_eq!(raw.answer().await.unwrap().text(), "GET /hello");
    }
    let info = server
        .service
        .last_connection
        .lock()
        .unwrap()
        .clone()
        .unwrap();
    assert!(info.tls && info.client_certificate.is_none());
    raw.send(get("/big")).await;
    assert_eq!(
        raw.answer().await.unwrap().body.len(),
        crate::support::BIG_BYTES
    );
    server.stop().await.unwrap();
    // Without a close_notify this would be an error.
    assert_eq!(raw.stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn reload_swaps_the_certificate_for_new_connections() {
    let pki = Pki::new();
    let tls = pki.tls(false);
    let server = pki.serve(tls.clone()).await;
    let mut old = pki.connect(&server, None).await.unwrap();
    let old_certificate = certificate(&old);
    pki.write_server_files();
    tls.reload().unwrap();
    let new = pki.connect(&server, None).await.unwrap();
    assert_ne!(certificate(&new), old_certificate);
    old.send(get("/")).await;
    assert_eq!(
        old.answer().await.unwrap().status,
        200,
        "open connections go on"
    );
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_certificate() {
    let pki = Pki::new();
    let tls = pki.tls(false);
    let server = pki.serve(tls.clone()).await;
    let before = certificate(&pki.connect(&server, None).await.unwrap());

    fs::write(pki.path("cert.pem"), "nonsense").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoCertificate { .. })));
    fs::remove_file(pki.path("cert.pem")).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unreadable { .. })));
    pki.write_server_files();
    fs::write(
        pki.path("key.pem"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    assert!(
        matches!(tls.reload(), Err(TlsError::Unusable(_))),
        "key of another certificate"
    );
    fs::write(pki.path("key.pem"), "").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Unreadable { .. })));

    assert_eq!(
        certificate(&pki.connect(&server, None).await.unwrap()),
        before
    );
    Tls::load(pki.files(false)).expect_err("nor can such files be loaded");
}

#[tokio::test]
async fn a_key_that_others_can_reach_is_refused() {
    let pki = Pki::new();
    let tls = pki.tls(false);
    for mode in [0o644, 0o604, 0o602, 0o660, 0o620, 0o610, 0o777] {
        pki.chmod_key(mode);
        for failed in [Tls::load(pki.files(false)).map(|_| ()), tls.reload()] {
            let error = failed.unwrap_err();
            assert!(
                matches!(error, TlsError::Exposed { mode: found, .. } if found == mode),
                "{mode:o}: {error}"
            );
            assert!(error.to_string().contains("key.pem"), "{error}");
        }
    }
    for mode in [0o600, 0o400, 0o640, 0o440] {
        pki.chmod_key(mode);
        tls.reload().unwrap();
    }
}

#[tokio::test]
async fn clients_without_a_certificate_of_the_ca_are_refused() {
    let pki = Pki::new();
    let tls = pki.tls(true);
    assert!(tls.requires_client_certificate());
    let server = pki.serve(tls).await;

    let (chain, key) = pki.client_certificate();
    let shown = chain[0].to_vec();
    let mut known = pki.connect(&server, Some((chain, key))).await.unwrap();
    known.send(get("/hello")).await;
    assert_eq!(known.answer().await.unwrap().text(), "GET /hello");
    let info = server
        .service
        .last_connection
        .lock()
        .unwrap()
        .clone()
        .unwrap();
    assert_eq!(info.client_certificate, Some(shown));

    for certificate in [None, Some(Pki::new().client_certificate())] {
        // In TLS 1.3 the client learns of its refusal only with the first read.
        if let Ok(mut unknown) = pki.connect(&server, certificate).await {
            unknown.send(get("/hello")).await;
            assert!(unknown.answer().await.is_none());
        }
    }
}

#[tokio::test]
async fn a_slow_handshake_is_cut() {
    let pki = Pki::new();
    let limits = Limits {
        tls_handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let listen = Listen::new("127.0.0.1:0".parse().unwrap()).with_tls(pki.tls(false));
    let server = TestServer::listen(listen, limits).await;
    let began = Instant::now();
    let mut raw = server.connect().await;
    raw.send(b"\x16\x03\x01").await;
    raw.rest(Duration::from_secs(2)).await.expect("not closed");
    assert!(
        began.elapsed() >= Duration::from_millis(290),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed() {
    let pki = Pki::new();
    let server = pki.serve(pki.tls(false)).await;
    let mut raw = server.connect().await;
    raw.send(get("/")).await;
    let rest = raw.rest(Duration::from_secs(2)).await.expect("not closed");
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    pki.connect(&server, None)
        .await
        .expect("the next client is served");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_handshake() {
    let pki = Pki::new();
    let server = pki.serve(pki.tls(false)).await;
    let _raw = server.connect().await;
    crate::support::until(|| server.meter.connections() == 1).await;
    let summary = server.stop().await.unwrap();
    assert!(
        summary.cut == 0 && summary.took < Duration::from_secs(1),
        "{summary:?}"
    );
}

// === impl Pki ===

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self {
            ca,
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(pki.path("ca.pem"), pki.ca.pem()).unwrap();
        pki.write_server_files();
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self, asks_client: bool) -> TlsFiles {
        TlsFiles {
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: asks_client.then(|| self.path("ca.pem")),
        }
    }

    fn write_server_files(&self) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.ca).unwrap();
        fs::write(self.path("cert.pem"), cert.pem()).unwrap();
        fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        self.chmod_key(0o600);
    }

    fn chmod_key(&self, mode: u32) {
        fs::set_permissions(self.path("key.pem"), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn tls(&self, asks_client: bool) -> Tls {
        Tls::load(self.files(asks_client)).unwrap()
    }

    async fn serve(&self, tls: Tls) -> TestServer {
        let listen = Listen::new("127.0.0.1:0".parse().unwrap()).with_tls(tls);
        TestServer::listen(listen, Limits::default()).await
    }

    fn client_certificate(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.ca).unwrap();
        (vec![cert.der().clone()], key.into())
    }

    async fn connect(
        &self,
        server: &TestServer,
        certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> io::Result<Raw<TlsStream<TcpStream>>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let tcp = TcpStream::connect(server.addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Raw::new(
            TlsConnector::from(Arc::new(config))
                .connect(name, tcp)
                .await?,
        ))
    }
}

fn certificate(raw: &Raw<TlsStream<TcpStream>>) -> Vec<u8> {
    raw.stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}
