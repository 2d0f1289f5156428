//! TTLV, the encoding of KMIP 1.x: tag, type, length, value. Bytes in, [`Item`]
//! out, and back.
//!
//! Imports nothing of the workspace. Deliberately absent: I/O, what tags and
//! messages mean, and the JSON and XML encodings.
//!
//! Invariants: [`decode`] takes nothing but what [`encode`] gives, so that one
//! item has exactly one encoding; it needs memory and stack in proportion to its
//! [`Limits`], whatever lengths its input claims; texts, byte strings and big
//! integers are wiped when dropped and never printed.
#![doc = include_str!("../README.md")]

mod decode;
mod encode;
mod item;

pub use decode::{DecodeError, Fault, HEADER_BYTES, Limits, decode, message_bytes};
pub use encode::{EncodeError, encode};
pub use item::{InvalidTag, Item, Tag, Value};
