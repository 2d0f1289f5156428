//! The root key in OpenBao or Vault: a `KeyWrapper` with one version of a key
//! in the transit engine, which encrypts and decrypts and gives the key to nobody.
//!
//! May import: `donjon-domain`, whose port it implements, `donjon-vault-client`
//! and serde. Deliberately absent: log-ins and outages (`donjon-vault-client`),
//! and making keys, which is the operator's matter.
//!
//! Invariants: a key counts as wrapped only after the server unwrapped it again,
//! with the key that was there at the start; what a wrapped key is bound to is
//! authenticated by the server.
//!
//! # Source
//! OpenBao API documentation: secret/transit.

#![doc = include_str!("../README.md")]

mod error;
mod wrapper;

mod engine;
mod wire;
mod wrapped;

pub use error::TransitError;
pub use wrapper::{TransitConfig, TransitWrapper};
