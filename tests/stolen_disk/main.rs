//! What somebody finds, and can do, who has the disk and not the root key.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod canaries;
mod deleted;
mod moved;
mod root_key;
mod search;

#[path = "../support/lib.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]
mod support;
