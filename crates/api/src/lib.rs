//! The key manager API, version 1, as Barbican 23 speaks it, in today's form
//! and in the oldest with the tenant in the path: a request's head and body
//! in, a response out.
//!
//! May import: `donjon-app`, and types of `donjon-domain`. Deliberately
//! absent: hyper, sockets, SQL and cryptography. Everything here is tested
//! without a connection.
//!
//! Suggested reading order: [`Api::handle`] in `service`, `route`, then one of
//! the handler modules such as `secrets`; `problem` is the only place where an
//! outcome becomes a status.
//!
#![doc = include_str!("../README.md")]

mod acls;
mod base64;
mod base_url;
mod body;
mod consumers;
mod containers;
mod cors;
mod entity;
mod health;
mod json;
mod media;
mod microversion;
mod operation;
mod orders;
mod paging;
mod problem;
mod query;
mod quotas;
mod request;
mod route;
mod schema;
mod secret_stores;
mod secrets;
mod service;
mod transport_keys;
mod user_metadata;
mod versions;
mod webob;

#[cfg(test)]
mod tests;

pub use cors::CorsConfig;
pub use problem::{Refusal, RefusedBy};
pub use request::Peer;
pub use service::{AccessRecord, Api, ApiConfig, ApiParts, Limits};
