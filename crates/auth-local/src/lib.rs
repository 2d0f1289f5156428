//! Who is asking, told without an identity service: by tokens that this server
//! issued ([`Tokens`]), or by believing the headers ([`NoAuth`]).
//!
//! May import: `donjon-domain` and small libraries for hashing and encoding.
//! Deliberately absent: storage (token rows come through the port
//! [`TokenStore`](donjon_domain::ports::TokenStore)), HTTP, any runtime, and
//! the choice of mode, which belongs to the server.
#![doc = include_str!("../README.md")]

mod noauth;
mod tokens;

pub use noauth::NoAuth;
pub use tokens::{InvalidHashKey, Issued, NewToken, Tokens};
