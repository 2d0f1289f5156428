//! Calls to the engine about one version of one key.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use donjon_vault_client::{Call, VaultClient, VaultError, to_body};
use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    TransitError,
    wire::{Authenticated, Data, Decrypt, Decrypted, Encrypt, Encrypted, Hmac, Key},
};

pub(crate) struct Engine {
    pub(crate) server: VaultClient,
    pub(crate) mount: String,
    pub(crate) key: String,
    pub(crate) version: u32,
}

impl Engine {
    /// `ciphertext = transit-encrypt(key version, plain, aad)`, without `vault:vN:`.
    pub(crate) async fn encrypt(&self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, TransitError> {
        let plaintext = Zeroizing::new(Base64::encode_string(plain));
        let aad = Base64::encode_string(aad);
        let body = Encrypt {
            plaintext: &plaintext,
            associated_data: &aad,
            context: &aad,
            key_version: self.version,
        };
        let answer: Encrypted = match self.ask("encrypt", "", &body).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.explained(error).await),
        };
        self.behind_version(&answer.ciphertext, "encrypt")
    }

    /// What was encrypted; `None` where the engine says that it did not
    /// encrypt that, or that the key cannot.
    pub(crate) async fn decrypt(
        &self,
        made: &[u8],
        aad: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TransitError> {
        let ciphertext = format!("vault:v{}:{}", self.version, Base64::encode_string(made));
        let aad = Base64::encode_string(aad);
        let body = Decrypt {
            ciphertext: &ciphertext,
            associated_data: &aad,
            context: &aad,
        };
        let answer: Decrypted = match self.ask("decrypt", "", &body).await {
            Ok(answer) => answer,
            Err(error) if error.refusal() == Some(StatusCode::BAD_REQUEST) && is_call(&error) => {
                return Ok(None);
            }
            Err(error) => return Err(self.explained(error).await),
        };
        let plain = Base64::decode_vec(&answer.plaintext);
        let plain = plain.map_err(|_not_base64| self.garbled("decrypt"))?;
        Ok(Some(Zeroizing::new(plain)))
    }

    /// `HMAC-SHA-256(key version, input)`, its first 16 bytes. The key that
    /// authenticates belongs to the version, and is made with it.
    pub(crate) async fn identify(&self, input: &[u8]) -> Result<[u8; 16], TransitError> {
        let input = Base64::encode_string(input);
        let body = Hmac {
            input: &input,
            key_version: self.version,
        };
        let answer: Authenticated = match self.ask("hmac", "/sha2-256", &body).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.explained(error).await),
        };
        let mac = self.behind_version(&answer.hmac, "hmac")?;
        match mac.first_chunk() {
            Some(id) if mac.len() == MAC_BYTES => Ok(*id),
            _ => Err(self.garbled("hmac")),
        }
    }

    /// What the engine tells about the key; `None` where it does not tell, or
    /// has no such key.
    pub(crate) async fn describe(&self) -> Result<Option<Key>, VaultError> {
        let call = Call {
            method: Method::GET,
            resource: format!("/v1/{}/keys/{}", self.mount, self.key),
            body: Bytes::new(),
            answer_bytes_max: ANSWER_MAX,
        };
        let answer = self.server.ask(&call).await?.found()?;
        let key = answer.map(donjon_vault_client::Answer::expect::<Data<Key>>);
        Ok(key.transpose()?.map(|key| key.data))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        verb: &str,
        end: &str,
        body: &impl Serialize,
    ) -> Result<T, VaultError> {
        let call = Call {
            method: Method::POST,
            resource: format!("/v1/{}/{verb}/{}{end}", self.mount, self.key),
            body: to_body(body)?,
            answer_bytes_max: ANSWER_MAX,
        };
        let answer: Data<T> = self.server.ask(&call).await?.expect()?;
        Ok(answer.data)
    }

    /// What stands behind `vault:vN:`, if N is the version.
    fn behind_version(&self, text: &str, verb: &str) -> Result<Vec<u8>, TransitError> {
        let head = format!("vault:v{}:", self.version);
        let bytes = text.strip_prefix(&head).map(Base64::decode_vec);
        match bytes {
            Some(Ok(bytes)) => Ok(bytes),
            _ => Err(self.garbled(verb)),
        }
    }

    pub(crate) fn garbled(&self, verb: &str) -> TransitError {
        self.of(VaultError::Garbled {
            url: self.server.url().to_owned(),
            what: format!("{verb} with version {} of {:?}", self.version, self.key),
        })
    }

    pub(crate) fn of(&self, source: VaultError) -> TransitError {
        TransitError::Server {
            mount: self.mount.clone(),
            source: Box::new(source),
        }
    }

    /// What is behind a refusal: the engine, the key, its version or a policy.
    async fn explained(&self, error: VaultError) -> TransitError {
        if !is_call(&error) {
            return self.of(error);
        }
        let (key, mount) = (self.key.clone(), self.mount.clone());
        let url = self.server.url().to_owned();
        let found = self.describe().await;
        match (error.refusal(), found) {
            (Some(StatusCode::FORBIDDEN), Ok(None)) => TransitError::NoKey { key, mount, url },
            (Some(StatusCode::FORBIDDEN), _) => TransitError::Denied {
                key,
                mount,
                source: Box::new(error),
            },
            (Some(_), Ok(Some(found))) if self.is_beyond(&found) => TransitError::NoVersion {
                key,
                mount,
                version: self.version,
                latest: found.latest_version,
                min_decryption: found.min_decryption_version,
                min_encryption: found.min_encryption_version,
            },
            (Some(StatusCode::BAD_REQUEST), Ok(Some(_))) => TransitError::Unfit {
                key,
                reason: error.to_string(),
            },
            (Some(_), Ok(None)) => TransitError::NoKey { key, mount, url },
            (Some(StatusCode::NOT_FOUND), Err(other))
                if other.refusal() == Some(StatusCode::NOT_FOUND) =>
            {
                TransitError::NoEngine { mount, url }
            }
            _ => self.of(error),
        }
    }

    fn is_beyond(&self, key: &Key) -> bool {
        let encrypts_from = key.min_encryption_version;
        self.version > key.latest_version
            || self.version < key.min_decryption_version
            || self.version < encrypts_from
    }
}

/// Whether it was this call that was refused, not the log-in before it.
fn is_call(error: &VaultError) -> bool {
    matches!(
        error,
        VaultError::Denied { .. } | VaultError::Refused { .. }
    )
}

const MAC_BYTES: usize = 32;
/// More than any answer about one key; a key with thousands of versions lists them.
const ANSWER_MAX: usize = 1024 * 1024;
