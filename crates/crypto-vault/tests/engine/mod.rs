//! A transit engine that is good enough for tests: what it gives is no real
//! encryption, and depends on everything that a real engine's depends on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::fake::{Request, Response, errors};

/// What a test changes while the server runs.
#[derive(Debug, Clone)]
pub(crate) struct Transit {
    /// Seeds of the versions of each key; the version is the place plus 1.
    pub(crate) keys: BTreeMap<String, Vec<u64>>,
    pub(crate) min_decryption: u64,
    pub(crate) min_encryption: u64,
    /// Verbs that the policy forbids.
    pub(crate) denied: Vec<&'static str>,
    pub(crate) fault: Fault,
    nonce: u64,
}

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Sealed,
    /// It ends connections.
    Dead,
    /// It does not look at associated data.
    Careless,
    /// It encrypts equal things alike.
    Convergent,
    /// It answers with something else.
    Lying,
    /// What it encrypts is nothing.
    Forgetful,
}

impl Transit {
    pub(crate) fn new() -> Self {
        let keys = [
            ("donjon".to_owned(), vec![1]),
            ("other".to_owned(), vec![2]),
        ];
        Self {
            keys: keys.into(),
            min_decryption: 1,
            min_encryption: 0,
            denied: Vec::new(),
            fault: Fault::None,
            nonce: 0,
        }
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        match self.fault {
            Fault::Dead => return (0, String::new()),
            Fault::Sealed if request.path == "/v1/sys/seal-status" => {
                return (200, r#"{"sealed":true}"#.to_owned());
            }
            Fault::Sealed => return errors(503, &["Vault is sealed"]),
            _ => {}
        }
        if request.path == "/v1/auth/token/lookup-self" {
            return (200, r#"{"data":{"ttl":0}}"#.to_owned());
        }
        let Some(rest) = request.path.strip_prefix("/v1/transit/") else {
            return errors(404, &["no handler for route"]);
        };
        let words: Vec<&str> = rest.split('/').collect();
        if self.denied.iter().any(|verb| words[0] == *verb) {
            return errors(403, &["permission denied"]);
        }
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        match (words[0], self.keys.get(words[1])) {
            ("keys", None) => errors(404, &[]),
            ("keys", Some(versions)) => {
                let key = json!({"data": {
                    "latest_version": versions.len(),
                    "min_decryption_version": self.min_decryption,
                    "min_encryption_version": self.min_encryption,
                    "exportable": false,
                }});
                (200, key.to_string())
            }
            ("encrypt", None) => {
                // As a server does whose policy lets it create.
                self.keys.insert(words[1].to_owned(), vec![99]);
                self.answer(request)
            }
            (_, None) => errors(400, &["encryption key not found"]),
            ("encrypt", Some(versions)) => self.encrypt(&body, &versions.clone()),
            ("decrypt", Some(versions)) => self.decrypt(&body, versions),
            ("hmac", Some(versions)) => self.hmac(&body, versions),
            _ => errors(404, &["unsupported path"]),
        }
    }

    fn encrypt(&mut self, body: &Value, versions: &[u64]) -> Response {
        let version = body["key_version"].as_u64().unwrap();
        let Some(seed) = seed(versions, version).filter(|_| version >= self.min_encryption) else {
            return errors(400, &["requested version is not there"]);
        };
        if self.fault == Fault::Lying {
            return good(&json!({"ciphertext": "vault:v7:AAAA"}));
        }
        self.nonce += u64::from(self.fault != Fault::Convergent);
        let mut plain = bytes(body, "plaintext");
        if self.fault == Fault::Forgetful {
            plain.clear();
        }
        let nonce = self.nonce.to_be_bytes();
        let hidden = mask(&plain, seed ^ self.nonce);
        let tag = self.tag(seed, body, &nonce, &hidden);
        let made = [&nonce[..], &hidden, &tag.to_be_bytes()].concat();
        let text = format!("vault:v{version}:{}", Base64::encode_string(&made));
        good(&json!({"ciphertext": text, "key_version": version}))
    }

    fn decrypt(&self, body: &Value, versions: &[u64]) -> Response {
        let text = body["ciphertext"].as_str().unwrap();
        let (version, made) = text
            .strip_prefix("vault:v")
            .unwrap()
            .split_once(':')
            .unwrap();
        let version: u64 = version.parse().unwrap();
        let Some(seed) = seed(versions, version).filter(|_| version >= self.min_decryption) else {
            return errors(400, &["version is disallowed by policy"]);
        };
        let made = Base64::decode_vec(made).unwrap();
        if made.len() < 16 {
            return errors(400, &["invalid ciphertext"]);
        }
        let (nonce, rest) = made.split_at(8);
        let (hidden, tag) = rest.split_at(rest.len() - 8);
        if tag != self.tag(seed, body, nonce, hidden).to_be_bytes() {
            return errors(400, &["cipher: message authentication failed"]);
        }
        let nonce = u64::from_be_bytes(nonce.try_into().unwrap());
        let plain = mask(hidden, seed ^ nonce);
        good(&json!({"plaintext": Base64::encode_string(&plain)}))
    }

    fn hmac(&self, body: &Value, versions: &[u64]) -> Response {
        let version = body["key_version"].as_u64().unwrap();
        let is_allowed = version >= self.min_encryption && version >= self.min_decryption;
        let Some(seed) = seed(versions, version).filter(|_| is_allowed) else {
            return errors(400, &["no such key version"]);
        };
        let half = hash(seed, &bytes(body, "input")).to_be_bytes();
        let mac = half.repeat(4);
        good(&json!({"hmac": format!("vault:v{version}:{}", Base64::encode_string(&mac))}))
    }

    fn tag(&self, seed: u64, body: &Value, nonce: &[u8], hidden: &[u8]) -> u64 {
        let mut aad = bytes(body, "associated_data");
        if self.fault == Fault::Careless {
            aad.clear();
        }
        hash(seed, &[nonce, &[0], hidden, &[0], &aad].concat())
    }
}

pub(crate) type Shared = Arc<Mutex<Transit>>;

fn good(data: &Value) -> Response {
    (200, json!({ "data": data }).to_string())
}

fn seed(versions: &[u64], version: u64) -> Option<u64> {
    let place = usize::try_from(version.checked_sub(1)?).ok()?;
    versions.get(place).copied()
}

fn bytes(body: &Value, name: &str) -> Vec<u8> {
    Base64::decode_vec(body[name].as_str().unwrap()).unwrap()
}

fn mask(bytes: &[u8], seed: u64) -> Vec<u8> {
    let stream = (0_u64..).flat_map(|block| hash(seed, &block.to_be_bytes()).to_be_bytes());
    bytes.iter().zip(stream).map(|(a, b)| a ^ b).collect()
}

/// FNV-1a.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
