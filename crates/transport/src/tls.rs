//! TLS from PEM files, reloaded without dropping a connection.
//!
//! The provider is aws-lc-rs, TLS 1.3 is preferred and 1.2 allowed, the only protocol is HTTP/1.1.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

/// Where certificate and key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the server's certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM file with the private key: PKCS#8, PKCS#1 or SEC1, not encrypted. Its group may read it, all others may
    /// not, and nobody but its owner may write it.
    pub key: PathBuf,
    /// PEM file with CA certificates. If it is given, clients without a certificate of one of these are refused.
    pub client_ca: Option<PathBuf>,
}

/// TLS of a listener. Clones share one state, so one [`reload`](Self::reload) reaches all of them.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
}

/// Why certificate, key or CA could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others can read or exchange the private key.
    #[error(
        "private key {path}: mode {mode:04o} lets others at it, run chmod 0600 on it, or 0640 where a group has to read it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no certificate.
    #[error("no certificate in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
    /// The client CA cannot be used.
    #[error("client CA cannot be used")]
    ClientCa(#[source] VerifierBuilderError),
}

// === impl Tls ===

impl Tls {
    /// Reads the files. Blocks on file I/O.
    ///
    /// # Errors
    /// Those of [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(server_config(&files)?);
        Ok(Self(Arc::new(Inner { files, current })))
    }

    /// Reads the files again and uses them for every handshake from now on. Blocks on file I/O.
    ///
    /// Connections that are open stay as they are.
    ///
    /// # Errors
    /// Those of [`TlsError`]. What was loaded before then stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.0
            .current
            .store(Arc::new(server_config(&self.0.files)?));
        Ok(())
    }

    /// Whether clients must show a certificate.
    pub fn requires_client_certificate(&self) -> bool {
        self.0.files.client_ca.is_some()
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.cert)?;
    let key = private_key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn client_verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(TlsError::ClientCa)
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

/// Reads the key, if nobody beside its owner and its group can: groups such as `ssl-cert` are how several servers
/// share one.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |error: io::Error| unreadable(path, pem::Error::Io(error));
    let mut file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o037 != 0 {
        return Err(TlsError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    PrivateKeyDer::from_pem_reader(&mut file).map_err(|error| unreadable(path, error))
}

/// Keeps the I/O error itself where there is one, it names the cause better.
fn unreadable(path: &Path, error: pem::Error) -> TlsError {
    let source = match error {
        pem::Error::Io(error) => error.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()).into(),
    };
    TlsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
