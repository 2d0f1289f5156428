//! Entries of the KV v2 engine.

use std::{fmt, str};

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use donjon_domain::{
    DeploymentId, PutId, SecretBytes, SecretId,
    ports::{
        BoxFuture, Listed, Locator, OutsidePayload, PayloadName, PayloadStore, StoreError,
        StoreErrorKind,
    },
};
use donjon_vault_client::{
    Answer, Call, ServerConfig, SetupError, VaultClient, VaultError, is_path, to_body,
};
use http::{Method, StatusCode};
use zeroize::Zeroizing;

use crate::wire;

/// Keeps payloads in a KV v2 engine. Needs a tokio runtime.
pub struct VaultStore {
    server: VaultClient,
    mount: String,
    prefix: String,
}

/// A server, and where payloads stand in it.
#[derive(Debug)]
pub struct VaultConfig {
    /// How to reach it.
    pub server: ServerConfig,
    /// Where the KV v2 engine is mounted: path segments with slashes between.
    pub mount: String,
    /// What all entries begin with: likewise.
    pub prefix: String,
}

impl VaultStore {
    /// Takes no connection yet. Blocks on reading certificates.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: VaultConfig) -> Result<Self, SetupError> {
        let (mount, prefix) = (config.mount.clone(), config.prefix.clone());
        for (name, path) in [("mount", &mount), ("prefix", &prefix)] {
            if !is_path(path) {
                return Err(SetupError::Path(name));
            }
        }
        Ok(Self {
            server: VaultClient::new(config.server)?,
            mount,
            prefix,
        })
    }

    async fn ask(
        &self,
        method: Method,
        resource: String,
        body: Bytes,
        answer_bytes_max: usize,
    ) -> Result<Answer, StoreError> {
        let call = Call {
            method,
            resource,
            body,
            answer_bytes_max,
        };
        self.server.ask(&call).await.map_err(failed)
    }

    fn data(&self, entry: &str) -> String {
        format!("/v1/{}/data/{}/{entry}", self.mount, self.prefix)
    }

    fn metadata(&self, entry: &str) -> String {
        format!("/v1/{}/metadata/{}/{entry}", self.mount, self.prefix)
    }
}

impl PayloadStore for VaultStore {
    fn put<'a>(
        &'a self,
        name: &'a PayloadName,
        payload: &'a OutsidePayload<'a>,
    ) -> BoxFuture<'a, Result<Locator, StoreError>> {
        Box::pin(async move {
            let entry = entry(name);
            let body = {
                let text = Zeroizing::new(Base64::encode_string(payload.bytes.expose()));
                to_body(&wire::Put {
                    data: wire::PutData {
                        payload: &text,
                        project: payload.project.as_str(),
                        secret_type: payload.secret_type.as_str(),
                        content_type: payload.content_type.as_str(),
                        algorithm: payload.algorithm.map(|label| label.as_str()),
                        bit_length: payload.bit_length.map(|bits| bits.get()),
                    },
                })
                .map_err(failed)?
            };
            let asked = self.ask(Method::POST, self.data(&entry), body, SMALL);
            // Some other server's 200 is no promise.
            let answer: Result<wire::Something, _> = asked.await?.expect();
            answer.map_err(failed)?;
            Ok(Locator::new(entry)?)
        })
    }

    fn get<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<SecretBytes, StoreError>> {
        Box::pin(async move {
            let missing = || StoreError::new(StoreErrorKind::Missing);
            let entry = own_entry(locator).ok_or_else(missing)?;
            let asked = self.ask(Method::GET, self.data(entry), Bytes::new(), PAYLOAD_MAX);
            let answer = asked.await?.found().map_err(failed)?.ok_or_else(missing)?;
            let got: wire::Got = answer.expect().map_err(failed)?;
            let text = got.data.data.payload;
            let bytes = Base64::decode_vec(&text);
            let bytes = bytes.map_err(|_not_base64| corrupt("a payload that is no base64"))?;
            Ok(SecretBytes::new(bytes))
        })
    }

    fn delete<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let Some(entry) = own_entry(locator) else {
                return Ok(());
            };
            let resource = self.metadata(entry);
            let asked = self.ask(Method::DELETE, resource, Bytes::new(), SMALL);
            match asked.await?.found().map_err(failed)? {
                Some(answer) => answer.silent().map_err(failed),
                None => Ok(()),
            }
        })
    }

    fn find<'a>(
        &'a self,
        name: &'a PayloadName,
    ) -> BoxFuture<'a, Result<Option<Locator>, StoreError>> {
        Box::pin(async move {
            let entry = entry(name);
            let resource = self.metadata(&entry);
            let asked = self.ask(Method::GET, resource, Bytes::new(), SMALL);
            match asked.await?.found().map_err(failed)? {
                Some(answer) => {
                    answer.expect::<wire::Something>().map_err(failed)?;
                    Ok(Some(Locator::new(entry)?))
                }
                None => Ok(None),
            }
        })
    }

    fn list<'a>(
        &'a self,
        deployment: DeploymentId,
        after: Option<&'a PayloadName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            // OpenBao gives a part, Vault all: what is too much goes here.
            let after_key = after.map_or_else(String::new, |name| format!("&after={}", key(name)));
            let resource = format!(
                "{}?list=true&limit={limit}{after_key}",
                self.metadata(&deployment.to_string())
            );
            let asked = self.ask(Method::GET, resource, Bytes::new(), LIST_MAX);
            let Some(answer) = asked.await?.found().map_err(failed)? else {
                return Ok(Vec::new());
            };
            let listed: wire::Listed = answer.expect().map_err(failed)?;
            let keys = listed.data.keys.iter();
            let mut names: Vec<_> = keys
                .filter_map(|key| name_of(deployment, key))
                .filter(|name| after.is_none_or(|after| name > after))
                .collect();
            names.sort_unstable();
            names.truncate(limit);
            let listed = names.into_iter().map(|name| {
                let locator = Locator::new(entry(&name))?;
                Ok(Listed { name, locator })
            });
            listed.collect()
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let resource = self.metadata("?list=true&limit=1");
            let asked = self.ask(Method::GET, resource, Bytes::new(), LIST_MAX);
            if let Some(answer) = asked.await?.found().map_err(failed)? {
                answer.expect::<wire::Something>().map_err(failed)?;
            }
            Ok(())
        })
    }
}

fn key(name: &PayloadName) -> String {
    format!("{}.{}", name.secret, name.put)
}

fn entry(name: &PayloadName) -> String {
    format!("{}/{}", name.deployment, key(name))
}

fn name_of(deployment: DeploymentId, key: &str) -> Option<PayloadName> {
    let (secret, put) = key.split_once('.')?;
    Some(PayloadName {
        deployment,
        secret: SecretId::parse(secret).ok()?,
        put: PutId::parse(put).ok()?,
    })
}

/// The entry of a locator that was made here; nothing else becomes a path.
fn own_entry(locator: &Locator) -> Option<&str> {
    let text = str::from_utf8(locator.as_bytes()).ok()?;
    let (deployment, key) = text.split_once('/')?;
    let deployment = DeploymentId::parse(deployment).ok()?;
    name_of(deployment, key).map(|_own| text)
}

/// What a failure means for whoever asked.
fn failed(error: VaultError) -> StoreError {
    let kind = match (&error, error.refusal()) {
        (VaultError::Garbled { .. }, _) => StoreErrorKind::Corrupt,
        (VaultError::Unwritable(_) | VaultError::Credential { .. }, _) => StoreErrorKind::Internal,
        (
            _,
            Some(StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE),
        ) => StoreErrorKind::Refused,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, what)
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultStore")
            .field("mount", &self.mount)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Of answers that are no payloads.
const SMALL: usize = 64 * 1024;
/// More than the largest payload in base64.
const PAYLOAD_MAX: usize = 8 * 1024 * 1024;
/// Some 800,000 entries, where a server gives all at once.
const LIST_MAX: usize = 64 * 1024 * 1024;
