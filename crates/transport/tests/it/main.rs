//! Black-box tests over real sockets. Limits are small, so that all of them together take seconds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod caps;
mod drain;
mod malformed;
mod mutations;
mod slow;
mod support;
mod tls;
mod unix;
mod wire;
