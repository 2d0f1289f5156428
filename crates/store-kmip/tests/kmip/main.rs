//! The store on a server of its own, which can die, hang and lie, and on a real
//! PyKMIP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails where something is lacking, and waits for a server"
)]

mod contract;
mod fake;
mod faults;
mod lies;
mod message;
mod pki;
mod pykmip;
