//! `PayloadStore` in the KV v2 engine of an OpenBao or Vault server.
//!
//! A payload is one entry, `MOUNT/PREFIX/INSTALLATION/SECRET.PUT`, with its bytes
//! in base64 under `payload`; beside them stand its types, for people. Deleting
//! removes the entry with all versions.
//!
//! May import: `donjon-domain`, `donjon-vault-client` and serde.
//! Deliberately absent: log-ins and outages (`donjon-vault-client`), and anything
//! that the server makes itself: it is a place, not a generator.
//!
//! # Source
//! OpenBao API documentation: secret/kv/kv-v2.

#![doc = include_str!("../README.md")]

mod store;
mod wire;

pub use store::{VaultConfig, VaultStore};
