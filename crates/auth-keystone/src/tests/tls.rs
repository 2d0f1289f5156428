//! CA bundle and client certificate.

use std::{
    fs::Permissions,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{SetupError, TlsError, TlsFiles};

struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        params.subject_alt_names.push(SanType::IpAddress(loopback));
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), signed.pem()).unwrap();
        let path = self.path(&format!("{name}.key"));
        std::fs::write(&path, key.serialize_pem()).unwrap();
        chmod(&path, 0o600);
    }

    /// A Keystone that lets in whoever shows a certificate, if it `wants_certificate`.
    async fn fake(&self, wants_certificate: bool) -> Fake {
        self.issue("server");
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let provider = Arc::new(default_provider());
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let cert = CertificateDer::from_pem_file(self.path("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let tls = builder.with_single_cert(vec![cert], key).unwrap();
        let fake = Fake::start_with(Some(TlsAcceptor::from(Arc::new(tls)))).await;
        fake.knows("t", member());
        fake
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn rig(fake: Fake, tls: TlsFiles) -> Rig {
    let mut config = config(&fake);
    config.tls = tls;
    Rig::on(fake, config)
}

#[tokio::test]
async fn only_a_server_of_the_authority_is_believed() {
    let authority = Authority::new();
    let cafile = Some(authority.path("ca.pem"));
    let files = TlsFiles {
        cafile,
        ..TlsFiles::default()
    };
    let right = rig(authority.fake(false).await, files.clone());
    assert!(right.show("t").await.is_ok());
    let stranger = rig(Authority::new().fake(false).await, files);
    assert_eq!(stranger.show("t").await, UNAVAILABLE);
    assert_eq!(stranger.fake.logins(), 0);
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    authority.issue("client");
    let with = TlsFiles {
        cafile: Some(authority.path("ca.pem")),
        certfile: Some(authority.path("client.pem")),
        keyfile: Some(authority.path("client.key")),
    };
    let without = TlsFiles {
        cafile: with.cafile.clone(),
        ..TlsFiles::default()
    };
    let fake = authority.fake(true).await;
    assert_eq!(rig(fake.clone(), without).show("t").await, UNAVAILABLE);
    assert_eq!(fake.logins(), 0);
    assert!(rig(fake, with).show("t").await.is_ok());
}

#[tokio::test]
async fn files_that_cannot_be_used_stop_the_start() {
    let authority = Authority::new();
    authority.issue("client");
    std::fs::write(authority.path("empty.pem"), "").unwrap();
    let set_up = |change: fn(&mut TlsFiles, &Authority)| {
        let mut config = KeystoneConfig::new("https://k", password("p"));
        config.tls.cafile = Some(authority.path("ca.pem"));
        change(&mut config.tls, &authority);
        let now = Timestamp::from_micros(0);
        let entropy = Arc::new(SeededEntropy::new(1));
        Keystone::new(config, Arc::new(FixedClock::new(now)), entropy).map(drop)
    };
    assert!(set_up(|_, _| {}).is_ok());
    let missing = set_up(|tls, at| tls.cafile = Some(at.path("missing")));
    assert!(matches!(
        missing,
        Err(SetupError::Tls(TlsError::Unreadable { .. }))
    ));
    let empty = set_up(|tls, at| tls.cafile = Some(at.path("empty.pem")));
    assert!(matches!(
        empty,
        Err(SetupError::Tls(TlsError::NoCertificate { .. }))
    ));
    let alone = set_up(|tls, at| tls.certfile = Some(at.path("client.pem")));
    assert!(matches!(alone, Err(SetupError::Tls(TlsError::Unpaired))));
    let other = set_up(|tls, at| {
        tls.certfile = Some(at.path("client.pem"));
        chmod(&at.path("ca.pem"), 0o640);
        tls.keyfile = Some(at.path("ca.pem"));
    });
    assert!(matches!(
        other,
        Err(SetupError::Tls(TlsError::Unreadable { .. }))
    ));
}

/// As the server's own key: a group may share it, others may not read it.
#[tokio::test]
async fn a_private_key_that_others_may_read_is_refused() {
    let authority = Authority::new();
    authority.issue("client");
    let set_up = |mode| {
        chmod(&authority.path("client.key"), mode);
        let mut config = KeystoneConfig::new("https://k", password("p"));
        config.tls = TlsFiles {
            cafile: Some(authority.path("ca.pem")),
            certfile: Some(authority.path("client.pem")),
            keyfile: Some(authority.path("client.key")),
        };
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock = FixedClock::new(Timestamp::from_micros(0));
        Keystone::new(config, Arc::new(clock), entropy).map(drop)
    };
    for mode in [0o600, 0o400, 0o640, 0o440] {
        assert!(set_up(mode).is_ok(), "{mode:o}");
    }
    for mode in [0o644, 0o604, 0o660, 0o620, 0o602, 0o666] {
        let Err(SetupError::Tls(error)) = set_up(mode) else {
            panic!("{mode:o}");
        };
        assert!(matches!(error, TlsError::Exposed { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("client.key: mode 0"), "{text}");
        assert!(text.contains("chmod 0600"), "{text}");
    }
}
