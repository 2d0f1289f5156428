//! The token of the service itself, with which it asks about others.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use donjon_domain::SecretBytes;
use donjon_http_client::{Client, Endpoint, Question};
use http::{HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{KeystoneError, ServiceCredential, SetupError, token::Issued};

/// Gets the token, and gets another in time.
pub(crate) struct OwnTokens {
    auth: Arc<Endpoint>,
    request: Bytes,
    interface: Option<String>,
    region: Option<String>,
    /// Held while a token is being asked for, so that only one is.
    current: tokio::sync::Mutex<Option<Arc<OwnToken>>>,
}

/// A token to ask with.
pub(crate) struct OwnToken {
    /// Is not shown by `Debug`.
    pub(crate) value: HeaderValue,
    /// Where to ask.
    pub(crate) endpoint: Arc<Endpoint>,
    /// By this machine's steady clock, so that no difference between its
    /// calendar and Keystone's matters.
    renew: Instant,
}

impl OwnTokens {
    pub(crate) fn new(
        auth: Arc<Endpoint>,
        credential: &ServiceCredential,
        interface: Option<String>,
        region: Option<String>,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            auth,
            request: request(credential)?,
            interface,
            region,
            current: tokio::sync::Mutex::new(None),
        })
    }

    /// The token, another one than `rejected`.
    pub(crate) async fn get(
        &self,
        client: &Client,
        rejected: Option<&Arc<OwnToken>>,
    ) -> Result<Arc<OwnToken>, KeystoneError> {
        let mut current = self.current.lock().await;
        if let Some(own) = &*current {
            let is_rejected = rejected.is_some_and(|rejected| Arc::ptr_eq(rejected, own));
            if !is_rejected && Instant::now() < own.renew {
                return Ok(Arc::clone(own));
            }
        }
        let own = Arc::new(self.issue(client).await?);
        *current = Some(Arc::clone(&own));
        Ok(own)
    }

    async fn issue(&self, client: &Client) -> Result<OwnToken, KeystoneError> {
        let asked = Instant::now();
        let question = Question {
            method: Method::POST,
            resource: "/auth/tokens".to_owned(),
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body: self.request.clone(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let reply = client.ask(&self.auth, &question).await?;
        match reply.status {
            StatusCode::CREATED => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(KeystoneError::CredentialRefused);
            }
            status => return Err(KeystoneError::Status(status.as_u16())),
        }
        let value = reply.headers.get(SUBJECT_TOKEN).cloned();
        let mut value = value.ok_or(KeystoneError::Garbled("no token in the header"))?;
        value.set_sensitive(true);
        let issued = Issued::read(&reply.body)?;
        let lifetime = issued.expires.as_micros() - issued.issued.as_micros();
        let lifetime = u64::try_from(lifetime)
            .map_err(|_source| KeystoneError::Garbled("a token that ends before it begins"))?;
        let lifetime = Duration::from_micros(lifetime);
        Ok(OwnToken {
            value,
            endpoint: self.endpoint(&issued)?,
            renew: asked + lifetime.saturating_sub(MARGIN.min(lifetime / 4)),
        })
    }

    fn endpoint(&self, issued: &Issued) -> Result<Arc<Endpoint>, KeystoneError> {
        let Some(interface) = &self.interface else {
            return Ok(Arc::clone(&self.auth));
        };
        let url = issued.identity_url(interface, self.region.as_deref());
        let endpoint = url.and_then(|url| Endpoint::parse(url).ok());
        let endpoint = endpoint.map(|endpoint| endpoint.ending_in(VERSION));
        endpoint.map(Arc::new).ok_or(KeystoneError::NoEndpoint)
    }
}

/// The body of `POST /v3/auth/tokens`, wiped when dropped.
fn request(credential: &ServiceCredential) -> Result<Bytes, SetupError> {
    let (auth, secret) = match credential {
        ServiceCredential::Password {
            username,
            user_domain_name,
            password,
            project_name,
            project_domain_name,
        } => {
            let user = User {
                name: username,
                domain: Name {
                    name: user_domain_name,
                },
                password: text(password)?,
            };
            let project = Project {
                name: project_name,
                domain: Name {
                    name: project_domain_name,
                },
            };
            let identity = Identity {
                methods: ["password"],
                password: Some(Password { user }),
                application_credential: None,
            };
            let scope = Some(Scope { project });
            (Auth { identity, scope }, password)
        }
        ServiceCredential::ApplicationCredential { id, secret } => {
            let identity = Identity {
                methods: ["application_credential"],
                password: None,
                application_credential: Some(ApplicationCredential {
                    id,
                    secret: text(secret)?,
                }),
            };
            let scope = None;
            (Auth { identity, scope }, secret)
        }
    };
    // Large enough from the start, so that no copy is left behind. One
    // character takes at most six in JSON.
    let mut json = Zeroizing::new(Vec::with_capacity(REQUEST_BYTES + 6 * secret.len()));
    // Texts always go into a buffer.
    drop(serde_json::to_writer(&mut *json, &Document { auth }));
    Ok(Bytes::from_owner(Wiped(json)))
}

struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn text(secret: &SecretBytes) -> Result<&str, SetupError> {
    str::from_utf8(secret.expose()).map_err(|_source| SetupError::CredentialNotText)
}

/// What paths at a Keystone begin with.
pub(crate) const VERSION: &str = "/v3";
/// Catalogs of large clouds have some hundred kilobytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
pub(crate) const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
/// A token that ends while it is on its way is of no use.
const MARGIN: Duration = Duration::from_secs(60);
/// Names have at most 255 characters, and there are four.
const REQUEST_BYTES: usize = 8 * 1024;

#[derive(Serialize)]
struct Document<'a> {
    auth: Auth<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    identity: Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope<'a>>,
}

#[derive(Serialize)]
struct Identity<'a> {
    methods: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Password<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_credential: Option<ApplicationCredential<'a>>,
}

#[derive(Serialize)]
struct Password<'a> {
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    domain: Name<'a>,
    password: &'a str,
}

#[derive(Serialize)]
struct ApplicationCredential<'a> {
    id: &'a str,
    secret: &'a str,
}

#[derive(Serialize)]
struct Scope<'a> {
    project: Project<'a>,
}

#[derive(Serialize)]
struct Project<'a> {
    name: &'a str,
    domain: Name<'a>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}
