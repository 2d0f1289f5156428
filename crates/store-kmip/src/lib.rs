//! `PayloadStore` in a KMIP 1.x server.
//!
//! A payload is one managed object, named `PREFIX/INSTALLATION/SECRET.PUT`; its id
//! is the server's choice. What the server says is believed only where the object's
//! name is the one that was asked for: an id may come back after it was destroyed.
//!
//! May import: `donjon-domain`, `donjon-kmip-ttlv`, `donjon-http-client` (for TLS
//! and the words of servers) and tokio. Deliberately absent: KMIP 2.x, asynchronous operations, and key
//! wrapping by the server.
//!
//! # Source
//! KMIP Specification 1.4 (OASIS), and 1.0 for what older servers do otherwise.

#![doc = include_str!("../README.md")]

mod answer;
mod config;
mod connections;
mod keys;
mod name;
mod request;
mod server;
mod store;
mod tag;

pub use config::{KmipConfig, Login, SetupError};
pub use donjon_http_client::TlsFiles;
pub use store::KmipStore;
