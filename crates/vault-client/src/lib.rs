//! Calls to an OpenBao or Vault server: log-in, renewals, namespaces, outages.
//!
//! May import: `donjon-domain`, `donjon-http-client`, serde and tokio.
//! Deliberately absent: engines, retries of calls (callers decide), redirects.
//!
//! Invariants: a call is answered within the configured time; a token goes to
//! the configured server alone; no secret is in an error or in the log.
//!
//! # Source
//! OpenBao API documentation: auth/approle, auth/token, system/seal-status.

#![doc = include_str!("../README.md")]

mod client;
mod config;

mod answer;
mod error;

mod session;
mod wire;

pub use answer::Answer;
pub use client::{Call, VaultClient, to_body};
pub use config::{Login, SecretSource, ServerConfig, SetupError, is_path};
pub use donjon_http_client::TlsFiles;
pub use error::VaultError;
