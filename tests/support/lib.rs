//! What the black-box tests share: a server in a folder of its own, and a client that sends what it is told.
//!
//! Nothing of the workspace is imported. Bodies are JSON written by hand, so that a renamed field breaks a test.

mod client;
mod process;
mod server;
mod text;
mod tls;
mod wait;

pub(crate) use client::{Caller, Connection, Response, is_trusted, request_bytes};
pub(crate) use server::{Launch, Server};
pub(crate) use text::{Rng, base64, hex, id_of, is_request_id, path_of};
pub(crate) use tls::Authority;
pub(crate) use wait::{PATIENCE, until};
