//! The `donjon` program as an operator meets it: verbs, messages, files, exit
//! codes. Black box: nothing of the workspace is imported.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod support;
#[path = "../support/vault.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod vault;

mod backup;
mod config;
mod first_start;
mod folder;
mod hsm;
mod policy;
mod root_key;
mod rotation;
mod running;
mod shredding;
mod stores;
mod tokens;
mod verbs;
