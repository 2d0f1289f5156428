//! `Repository` on SQLite: one writer with group commit, snapshot readers.
#![doc = include_str!("../README.md")]

mod check;
mod failure;
mod file;
mod migrate;
mod open_error;
mod options;
mod pending;
mod place;
mod readers;
mod repository;
mod settings;
mod shared;
mod ticks;
mod tx;
mod writer;

pub use migrate::Migrated;
pub use open_error::{OpenError, OpenErrorKind};
pub use options::{Ballast, OpenOptions};
pub use repository::{Opened, SqliteRepository};
pub use shared::StopCause;
