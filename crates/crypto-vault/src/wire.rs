//! What goes over the wire. Bytes are in base64.

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

#[derive(Serialize)]
pub(crate) struct Encrypt<'a> {
    pub(crate) plaintext: &'a str,
    pub(crate) associated_data: &'a str,
    /// Counts for derived keys alone.
    pub(crate) context: &'a str,
    pub(crate) key_version: u32,
}

#[derive(Serialize)]
pub(crate) struct Decrypt<'a> {
    pub(crate) ciphertext: &'a str,
    pub(crate) associated_data: &'a str,
    pub(crate) context: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Hmac<'a> {
    pub(crate) input: &'a str,
    pub(crate) key_version: u32,
}

/// Around everything.
#[derive(Deserialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

#[derive(Deserialize)]
pub(crate) struct Encrypted {
    pub(crate) ciphertext: String,
}

#[derive(Deserialize)]
pub(crate) struct Decrypted {
    #[serde(deserialize_with = "secret")]
    pub(crate) plaintext: Zeroizing<String>,
}

#[derive(Deserialize)]
pub(crate) struct Authenticated {
    pub(crate) hmac: String,
}

/// What the engine tells about a key.
#[derive(Deserialize)]
pub(crate) struct Key {
    pub(crate) latest_version: u32,
    #[serde(default)]
    pub(crate) min_decryption_version: u32,
    #[serde(default)]
    pub(crate) min_encryption_version: u32,
    #[serde(default)]
    pub(crate) exportable: bool,
    #[serde(default)]
    pub(crate) deletion_allowed: bool,
    #[serde(default)]
    pub(crate) allow_plaintext_backup: bool,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}
