//! A certificate authority for one test.

use std::{fs::Permissions, net::IpAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls::{ClientConfig, RootCertStore};

/// Issues certificates for this machine.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    /// Writes a new certificate and its key, both as PEM.
    pub(crate) fn issue(&self, cert: &Path, key: &Path) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        params.subject_alt_names.push(SanType::IpAddress(loopback));
        let key_pair = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key_pair, &self.issuer).unwrap();
        std::fs::write(key, key_pair.serialize_pem()).unwrap();
        std::fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(cert, signed.pem()).unwrap();
    }

    /// The certificate of the authority, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a client needs that trusts this authority alone.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}
