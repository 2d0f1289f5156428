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

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}
