//! The root key in an HSM: a `KeyWrapper` over PKCS#11 with Barbican's two
//! master keys, one that encrypts (MKEK) and one that authenticates (HMAC). And a
//! `KeySource`: what orders ask for is generated in it.
//!
//! May import: `donjon-domain`, whose ports it implements, and `cryptoki`.
//! Deliberately absent: databases, HTTP, any runtime, and envelopes: what the
//! device wraps is one key for each project, not each payload.
//!
//! Invariants: every call into the module runs on a thread of [`Device`], never
//! on the caller's; nobody waits longer than the device's patience; a PIN that
//! was refused is not tried again.
//!
//! Suggested reading order: `wrapper`, `device`, `link`, `module`.
#![doc = include_str!("../README.md")]

mod config;
mod error;
mod wrapped;
mod wrapper;

mod answer;
mod device;
mod link;
mod mechanism;
mod module;

mod raw_keys;
mod survey;

pub use config::{DeviceConfig, KeyLabels, TokenChoice};
pub use device::Device;
pub use error::DeviceError;
pub use mechanism::{HmacKeyType, UnknownKeyType, UnknownMechanism, WrapMechanism};
pub use module::{Module, TokenFound};
pub use raw_keys::DeviceKeys;
pub use survey::{FoundKey, NewKeys, Survey, Tried};
pub use wrapper::DeviceWrapper;
