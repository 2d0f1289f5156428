//! Certificates for the way to a server.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::BoxError;

/// Opens connections with TLS, by certificates of the operator. Clones are cheap.
#[derive(Clone)]
pub struct Tls(TlsConnector);

/// PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that are believed; `None` is those of
    /// the operating system.
    pub cafile: Option<PathBuf>,
    /// The certificate to show, with its intermediates. Needs `keyfile`.
    pub certfile: Option<PathBuf>,
    /// Its private key: PKCS#8, PKCS#1 or SEC1, not encrypted. Its group may read it,
    /// others may not.
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

impl Tls {
    /// For HTTP/1.1. Blocks on file I/O.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn for_http(files: &TlsFiles) -> Result<Self, TlsError> {
        Self::new(files, &[b"http/1.1"])
    }

    /// For what `protocols` are the names of; none for one without a name. Blocks
    /// on file I/O.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(files: &TlsFiles, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        let mut config = config(files)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Connects to a host, a name or an address without brackets, and checks its
    /// certificate. Takes as long as the server does.
    ///
    /// # Errors
    /// Nobody is there, or nobody with the right certificate.
    pub async fn open(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static + use<>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, tcp(host, port).await?).await
    }
}

/// A connection without TLS.
pub(crate) async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // Requests are small; waiting to fill a packet gains nothing.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
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
    match (&files.certfile, &files.keyfile) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let config = builder.with_client_auth_cert(chain, private_key(key)?);
            config.map_err(TlsError::Unusable)
        }
        _ => Err(TlsError::Unpaired),
    }
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

/// Reads the key, if nobody beside its owner and its group can, as that of the server
/// itself.
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

fn unreadable(path: &Path, error: pem::Error) -> TlsError {
    // The text of this error may show what stands in the file.
    let source: BoxError = match error {
        pem::Error::Io(error) => error.into(),
        _ => "no PEM".into(),
    };
    TlsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
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
