//! `PayloadStore` in the KV v2 engine of an OpenBao or Vault server.
//!
//! A payload is one entry, `MOUNT/PREFIX/INSTALLATION/SECRET.PUT`, with its bytes
//! in base64 under `payload`; beside them stand its types, for people. Deleting
//! removes the entry with all versions.
//!
//! May import: `donjon-domain`, `donjon-http-client`, serde and tokio.
//! Deliberately absent: retries of calls (callers decide), and anything that the
//! server makes itself: it is a place, not a generator.
//!
//! # Source
//! OpenBao API documentation: secret/kv/kv-v2, auth/approle, auth/token.

#![doc = include_str!("../README.md")]

mod client;
mod config;
mod store;
mod wire;

pub use config::{Login, SetupError, VaultConfig};
pub use donjon_http_client::TlsFiles;
pub use store::VaultStore;
