//! What goes over the wire.

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

#[derive(Serialize)]
pub(crate) struct Put<'a> {
    pub(crate) data: PutData<'a>,
}

#[derive(Serialize)]
pub(crate) struct PutData<'a> {
    pub(crate) payload: &'a str,
    pub(crate) project: &'a str,
    pub(crate) secret_type: &'a str,
    pub(crate) content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bit_length: Option<u16>,
}

#[derive(Deserialize)]
pub(crate) struct Got {
    pub(crate) data: GotVersion,
}

#[derive(Deserialize)]
pub(crate) struct GotVersion {
    pub(crate) data: GotData,
}

#[derive(Deserialize)]
pub(crate) struct GotData {
    #[serde(deserialize_with = "secret")]
    pub(crate) payload: Zeroizing<String>,
}

/// What any good answer with a body has.
#[derive(Deserialize)]
pub(crate) struct Something {
    #[expect(dead_code, reason = "has to be there")]
    pub(crate) data: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
pub(crate) struct Listed {
    pub(crate) data: Keys,
}

#[derive(Deserialize)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<String>,
}

/// Beside a status of 400 or more.
#[derive(Deserialize)]
pub(crate) struct Errors {
    #[serde(default)]
    pub(crate) errors: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct AppRole<'a> {
    pub(crate) role_id: &'a str,
    pub(crate) secret_id: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) auth: Auth,
}

#[derive(Deserialize)]
pub(crate) struct Auth {
    #[serde(deserialize_with = "secret")]
    pub(crate) client_token: Zeroizing<String>,
    pub(crate) lease_duration: u64,
    pub(crate) renewable: bool,
}

#[derive(Deserialize)]
pub(crate) struct Looked {
    pub(crate) data: TokenData,
}

#[derive(Deserialize)]
pub(crate) struct TokenData {
    pub(crate) ttl: u64,
    #[serde(default)]
    pub(crate) renewable: bool,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}
