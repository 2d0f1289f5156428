//! The crypto plugin in software: a root key wraps the keys of
//! projects, and those seal payloads in envelopes. The root key stands behind
//! the `KeyWrapper` port; the one in memory is here. Beside it, the generator of
//! the keys that orders ask for.
//!
//! May import: `donjon-domain`, whose ports it implements, and
//! `donjon-envelope`. Deliberately absent: databases, HTTP, a random number
//! generator of its own (it draws through the `Entropy` port).
//!
//! Invariants: the root key only wraps, nothing is derived from it but the id
//! that tells two root keys apart; keys of projects never leave the plugin.
#![doc = include_str!("../README.md")]

mod cache;
mod danger_no_sealing;
mod flights;
mod generator;
mod plugin;
mod root_key;
mod wrapper;

pub use generator::SoftwareGenerator;
pub use plugin::SoftwareCrypto;
pub use root_key::{
    DerivationError, InvalidPassphraseKey, InvalidRootKey, InvalidShare, InvalidSplit, JoinError,
    PassphraseKey, RootKey, RootKeyFileError, RootKeyShare, read_credential, read_private,
};
pub use wrapper::RootKeyWrapper;
