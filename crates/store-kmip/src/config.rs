//! What the operator decides.

use std::time::Duration;

use donjon_domain::SecretBytes;
use donjon_http_client::{TlsError, TlsFiles};

/// How to reach a server, and what objects are called in it.
#[derive(Debug)]
pub struct KmipConfig {
    /// Its name, as in its certificate, or an address without brackets.
    pub host: String,
    /// Its port; mostly 5696.
    pub port: u16,
    /// Certificates. Servers want to see one of the client, as a rule.
    pub tls: TlsFiles,
    /// What the server wants beside a certificate.
    pub login: Option<Login>,
    /// What all names begin with: letters, digits, `-` and `_`, with slashes between.
    pub prefix: String,
    /// The most bytes of a payload that is put, up to [`Self::PAYLOAD_BYTES_MAX`]; more
    /// is refused. What is there already is read, however large.
    /// Servers have limits that they do not tell, and some take a time that grows
    /// with the square.
    pub payload_bytes_max: usize,
    /// Whether the server makes keys: AES, and pairs of RSA.
    pub makes_keys: bool,
    /// How long one call may take, with all that belongs to it.
    pub patience: Duration,
    /// How long a server that failed again and again is left alone.
    pub rest: Duration,
}

/// A user of the server.
#[derive(Debug)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password, in UTF-8.
    pub password: SecretBytes,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A certificate or key cannot be used.
    #[error("certificates")]
    Tls(#[source] TlsError),
    /// The prefix is no path.
    #[error("the prefix has to be a path of letters, digits, - and _, with slashes between")]
    Prefix,
    /// The password is not UTF-8.
    #[error("the password is not UTF-8")]
    Password,
    /// More than is read.
    #[error("payload_bytes_max is more than {}", KmipConfig::PAYLOAD_BYTES_MAX)]
    PayloadBytesMax,
}

impl KmipConfig {
    /// 1 MiB. So much is read, whatever is taken now.
    pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
}
