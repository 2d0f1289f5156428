//! Certificates for the way to a server.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use crate::BoxError;

/// PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that are believed; `None` is those of
    /// the operating system.
    pub cafile: Option<PathBuf>,
    /// The certificate to show, with its intermediates. Needs `keyfile`.
    pub certfile: Option<PathBuf>,
    /// Its private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub keyfile: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: BoxError,
    },
    /// The file holds no certificate.
    #[error("no certificate in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// `certfile` and `keyfile` need each other.
    #[error("certfile and keyfile need each other")]
    Unpaired,
    /// There is no `cafile`, and the operating system has no known bundle.
    #[error("no bundle of certificate authorities on this machine; set cafile")]
    NoAuthorities,
    /// The certificates cannot be used.
    #[error("certificates cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// Reads the files. Blocks on file I/O.
///
/// # Errors
/// [`TlsError`].
pub fn connector(files: &TlsFiles) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    match &files.cafile {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(TlsError::Unusable)?;
            }
        }
        None => {
            let bundle = BUNDLES.iter().map(Path::new).find(|path| path.exists());
            let bundle = bundle.ok_or(TlsError::NoAuthorities)?;
            // One odd certificate among a hundred is none of our business.
            let (added, _ignored) = roots.add_parsable_certificates(certificates(bundle)?);
            if added == 0 {
                return Err(TlsError::NoAuthorities);
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_root_certificates(roots);
    let mut config = match (&files.certfile, &files.keyfile) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(TlsError::Unusable)?
        }
        _ => return Err(TlsError::Unpaired),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

fn unreadable(path: &Path, error: rustls::pki_types::pem::Error) -> TlsError {
    // The text of this error may show what stands in the file.
    let source: BoxError = match error {
        rustls::pki_types::pem::Error::Io(error) => error.into(),
        _ => "no PEM".into(),
    };
    TlsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Where distributions keep the authorities that the system believes: Debian
/// and Alpine, Fedora and its kin, SUSE, BSD.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
