//! The sealed byte format of Donjon: [`seal`], [`open`], commitment and padding.
//!
//! Imports nothing of the workspace. Deliberately absent: I/O, a source of randomness (it is an argument), key look-up
//! (by [`kek_id`], the caller's business), serde, and any suite but 0x01. Nothing here blocks; all of it is CPU work.
//!
//! Invariants: a key derived for one envelope is used for that envelope alone; plaintext is released only after the
//! whole envelope has been authenticated; every way to fail to open is the same [`OpenError`].
//!
#![doc = include_str!("../README.md")]
//!
//! # Envelope v1, byte by byte
//!
//! | offset | bytes | field | content |
//! |---|---|---|---|
//! | 0 | 2 | magic | `44 4A`, the letters `DJ` |
//! | 2 | 1 | version | `01` |
//! | 3 | 1 | suite | `01`: HKDF-SHA256, XChaCha20-Poly1305, commitment. `02` (HKDF-SHA256, AES-256-GCM, commitment) and `10` and up are reserved and do not open |
//! | 4 | 1 | flags | bit 0: the body is padded. Bits 1 to 7 are 0 |
//! | 5 | 3 | reserved | `00 00 00` |
//! | 8 | 16 | kek_id | id of the key that sealed this envelope |
//! | 24 | 32 | salt | random, the salt of HKDF |
//! | 56 | 24 | nonce | random, the nonce of XChaCha20-Poly1305 |
//! | 80 | 32 | commitment | ties the envelope to one key and one context |
//! | 112 | n | ciphertext | the body, encrypted, of the same length |
//! | 112 + n | 16 | tag | Poly1305 |
//!
//! An envelope is at least [`OVERHEAD_BYTES`] long. All integers are unsigned and big-endian.
//!
//! ## Body
//!
//! With flag bit 0 clear the body is the plaintext. With it set the body is a multiple of 64 bytes and at least 64:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 4 | m, the length of the plaintext |
//! | 4 | m | the plaintext |
//! | 4 + m | 0 to 63 | zeros up to the next multiple of 64 |
//!
//! No other filling opens: one plaintext has exactly one padded body.
//!
//! ## Context
//!
//! The [`Context`] is not in the envelope. Its encoding `ctx` has five fields, each behind its length in four bytes, so
//! that no two contexts have the same bytes:
//!
//! | field | bytes |
//! |---|---|
//! | deployment | as given |
//! | project | as given |
//! | object | as given |
//! | kind | ASCII: `payload`, `private`, `public`, `passphrase`, `kek` or `canary` |
//! | version | 4 |
//!
//! ## Keys
//!
//! `||` joins byte strings, `KEK` is the 32-byte [`Key`] named by kek_id, `suite` the byte at offset 3. The labels are
//! ASCII without a terminator.
//!
//! ```text
//! prk        = HKDF-Extract(salt, KEK)
//! key        = HKDF-Expand(prk, "donjon/env/1/enc" || suite || SHA-256(ctx), 32)
//! commitment = HKDF-Expand(prk, "donjon/env/1/com" || suite || SHA-256(ctx), 32)
//! aad        = bytes 0 to 111 of the envelope || ctx
//! ciphertext || tag = XChaCha20-Poly1305(key, nonce, aad, body)
//! ```
//!
//! To open: check length, magic, version, suite, flags and reserved bytes; find the KEK by kek_id, never by trying keys;
//! derive; compare the commitment in constant time; check the tag and decrypt; take the padding off.
//!
//! # Why so
//!
//! - One derived key per envelope: the fresh salt leaves no nonce budget on the KEK to keep count of. Should a broken
//!   generator repeat salt and nonce, two envelopes share a key stream only if they have the same context.
//! - The commitment: Poly1305 alone lets somebody who knows two keys build one envelope that opens under both, and makes
//!   guesses at a passphrase-derived key testable many at a time.
//! - Padding: an AES-128 key, an AES-256 key and a short password are of one size to whoever reads the disk.
//! - Changeable metadata is not in the context, or renaming would mean resealing.
//!
//! # Source
//!
//! RFC 5869 (HKDF), FIPS 180-4 (SHA-256), RFC 8439 (ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03 (the 24-byte nonce).

mod aead;
mod context;
mod derive;
mod header;
mod key;
mod open;
mod padding;
mod seal;

#[cfg(test)]
mod fixture;

pub use crate::{
    context::{Context, Kind},
    header::{
        COMMITMENT_BYTES, HEADER_BYTES, KEK_ID_BYTES, NONCE_BYTES, OVERHEAD_BYTES, SALT_BYTES,
        SUITE, TAG_BYTES, VERSION,
    },
    key::{KEY_BYTES, Key, KeyLengthError},
    open::{OpenError, kek_id, open},
    padding::Padding,
    seal::{RANDOM_BYTES, SealError, seal},
};
