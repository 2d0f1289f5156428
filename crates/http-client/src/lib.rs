//! A small HTTP/1.1 client for the servers that adapters speak to: one request,
//! one bounded answer, connections kept for the next; TLS by certificates of the
//! operator.
//!
//! May import: hyper, rustls and tokio; nothing of the workspace. Deliberately
//! absent: redirects, proxies, cookies, retries by status, and time limits on
//! answers, which callers set.

#![doc = include_str!("../README.md")]

mod client;
mod endpoint;
mod tls;
mod words;

/// A boxed source of an error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

pub use client::{Client, Question, Reply};
pub use endpoint::{Endpoint, InvalidUrl};
pub use tls::{Tls, TlsError, TlsFiles};
pub use words::one_line;

/// No answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No connection.
    #[error("cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The connection ended, or what came was no HTTP.
    #[error("did not answer to the end")]
    Broken(#[source] BoxError),
    /// More came than was to be read.
    #[error("answered with too much")]
    TooLarge(#[source] BoxError),
}
