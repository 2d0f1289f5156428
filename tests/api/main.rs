//! The API over real sockets, against the real program.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod callers;
mod clients;
mod clients_containers;
mod clients_orders;
mod clients_payloads;
mod deleted_projects;
mod drain;
mod keystone;
mod listeners;
mod oldest_form;
mod operators;
mod orders;
mod stores;
mod tokens;
mod wire;

#[path = "../support/vault.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod vault;

#[path = "../support/lib.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]
mod support;
