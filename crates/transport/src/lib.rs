#![doc = include_str!("../README.md")]
//!
//! # Architecture
//!
//! What this crate may import: hyper, tokio, rustls and the `http` family, nothing of the workspace.
//! Deliberately absent: routes, JSON, authentication, anything about secrets. The application is a
//! [`Service`] handed in from outside, and no hyper type shows in this crate's API.
//!
//! Reading order: [`Service`] (what we want from the application), [`Limits`], then the life of a
//! connection: `listen` accepts, `registry` admits, `connection` drives, `watch` and `io` keep its
//! deadlines, `check` and `body` guard one request, `answers` bounds what waits to be taken, `server` drains.

mod answers;
mod body;
mod check;
mod connection;
mod heads;
mod io;
mod limits;
mod listen;
mod peer;
mod registry;
mod server;
mod service;
mod tls;
mod watch;

pub use body::{BodyError, BodyRead, RequestBody};
pub use limits::Limits;
pub use listen::{BindError, InvalidListenAddr, Listen, ListenAddr};
pub use peer::{ConnectionInfo, InvalidIpRange, IpRange, Peer};
pub use registry::Meter;
pub use server::{Config, Server, Summary};
pub use service::{BadRequest, Refusal, Refused, Service};
pub use tls::{Tls, TlsError, TlsFiles};
