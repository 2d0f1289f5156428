//! What log-ins send and get.

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// Beside a status of 404, where no entry is: there has never been one, or what is
/// left of it is that it was deleted.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Nothing {
    Never {
        errors: Vec<String>,
    },
    Deleted {
        #[expect(dead_code, reason = "has to be there")]
        data: Deleted,
    },
}

#[derive(Deserialize)]
pub(crate) struct Deleted {
    #[expect(dead_code, reason = "has to be null")]
    data: (),
    #[expect(dead_code, reason = "has to be there")]
    metadata: serde::de::IgnoredAny,
}

/// Beside a status of 400 or more.
#[derive(Deserialize, Default)]
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

#[derive(Deserialize)]
pub(crate) struct SealStatus {
    pub(crate) sealed: bool,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}
