//! Who is asking, told by an OpenStack Keystone: an [`Authenticator`] that
//! validates tokens as keystonemiddleware does, and a [`ProjectDirectory`].
//!
//! May import: `donjon-domain`, `donjon-http-client`, tokio.
//! Deliberately absent: storage (what Keystone said is kept in memory alone),
//! policy, and how a request is answered that has no caller.
//!
//! Invariants: a token itself is neither kept nor logged, only its hash under
//! a key that dies with the process; whatever goes wrong on the way to Keystone
//! is [`Unavailable`](donjon_domain::ports::AuthErrorKind::Unavailable), and lets
//! nobody in.
//!
//! [`Authenticator`]: donjon_domain::ports::Authenticator
//! [`ProjectDirectory`]: donjon_domain::ports::ProjectDirectory
#![doc = include_str!("../README.md")]

mod access_rules;
mod authenticator;
mod cache;
mod config;
mod directory;
mod error;
mod own_token;
mod token;

pub use access_rules::{AccessRule, AccessRules, path_matches};
pub use authenticator::Keystone;
pub use config::{KeystoneConfig, Patience, ServiceCredential};
pub use donjon_http_client::{InvalidUrl, TlsError, TlsFiles};
pub use error::{KeystoneError, SetupError, ValidationError};
pub use token::{Token, TokenScope};

#[cfg(test)]
mod tests;
