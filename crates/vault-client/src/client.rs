//! Calls with a token that is always a fresh one, to a server that may be away.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use donjon_domain::Breaker;
use donjon_http_client::{Client, Endpoint, Question, Reply, Tls};
use http::{HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use zeroize::Zeroizing;

use crate::{
    Answer, Login, ServerConfig, SetupError, VaultError,
    answer::Body,
    session::{Session, is_denied},
    wire::SealStatus,
};

/// Asks one server. Needs a tokio runtime; clones are one client.
#[derive(Clone)]
pub struct VaultClient(Arc<Inner>);

pub(crate) struct Inner {
    client: Client,
    endpoint: Arc<Endpoint>,
    pub(crate) url: Arc<str>,
    namespace: Option<HeaderValue>,
    pub(crate) login: Login,
    pub(crate) patience: Duration,
    rest: Duration,
    breaker: Breaker,
    pub(crate) session: Mutex<Option<Session>>,
    /// Whether sessions are renewed beside the calls.
    pub(crate) is_kept: AtomicBool,
}

/// What is asked. May be sent twice.
#[derive(Clone)]
pub struct Call {
    /// How.
    pub method: Method,
    /// Path and query, from `/v1/` on; it is shown in errors.
    pub resource: String,
    /// JSON, or nothing.
    pub body: Bytes,
    /// The most bytes that an answer may have.
    pub answer_bytes_max: usize,
}

impl VaultClient {
    /// Takes no connection yet. Blocks on reading certificates.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: ServerConfig) -> Result<Self, SetupError> {
        let endpoint = Endpoint::parse(&config.url).map_err(SetupError::Url)?;
        let tls = endpoint.is_tls().then(|| Tls::for_http(&config.tls));
        let tls = tls.transpose().map_err(SetupError::Tls)?;
        let namespace = config.namespace.map(HeaderValue::try_from);
        let namespace = namespace.transpose();
        if endpoint.is_plain() {
            tracing::warn!(
                "tokens and secrets are readable on the way to {}; use https",
                config.url
            );
        }
        Ok(Self(Arc::new(Inner {
            client: Client::new(tls, config.patience),
            endpoint: Arc::new(endpoint),
            url: config.url.into(),
            namespace: namespace.map_err(|_not_printable| SetupError::Path("namespace"))?,
            login: config.login,
            patience: config.patience,
            rest: config.rest,
            breaker: Breaker::new(FAILURES_MAX, config.rest),
            session: Mutex::new(None),
            is_kept: AtomicBool::new(false),
        })))
    }

    /// The configured URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Asks with a token; once more with another one where the server does not
    /// believe it any more.
    ///
    /// # Errors
    /// [`VaultError`]; a status of 4xx is none yet.
    pub async fn ask(&self, call: &Call) -> Result<Answer, VaultError> {
        let inner = &self.0;
        let url = || inner.url.to_string();
        if !inner.breaker.admits(Instant::now().into_std()) {
            return Err(VaultError::Resting { url: url() });
        }
        let answered = timeout(inner.patience, inner.ask(call)).await;
        let answered = answered.unwrap_or_else(|_elapsed| {
            Err(VaultError::TimedOut {
                url: url(),
                patience: inner.patience,
            })
        });
        inner.learn(answered.as_ref().err());
        answered
    }
}

impl Inner {
    async fn ask(self: &Arc<Self>, call: &Call) -> Result<Answer, VaultError> {
        let session = self.session(None).await?;
        let answer = self.once(call, Some(&session.token)).await?;
        if !is_denied(&answer) || self.believes(&session.token).await? {
            return Ok(answer);
        }
        let other = self.session(Some(&session.token)).await?;
        self.once(call, Some(&other.token)).await
    }

    /// One call, without a second try.
    pub(crate) async fn once(
        &self,
        call: &Call,
        token: Option<&HeaderValue>,
    ) -> Result<Answer, VaultError> {
        let answer = self.send(call, token, self.namespace.as_ref()).await?;
        let status = answer.status;
        if status.is_success() || (status.is_client_error() && !is_busy(status)) {
            return Ok(answer);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && self.is_sealed().await {
            return Err(VaultError::Sealed {
                url: self.url.to_string(),
            });
        }
        let words = if status.is_redirection() {
            "it sends elsewhere, where no token is sent to: name the server itself, or have it forward requests"
                .to_owned()
        } else {
            answer.words()
        };
        Err(VaultError::Failing {
            url: self.url.to_string(),
            status,
            what: answer.what,
            words,
        })
    }

    async fn send(
        &self,
        call: &Call,
        token: Option<&HeaderValue>,
        namespace: Option<&HeaderValue>,
    ) -> Result<Answer, VaultError> {
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        headers.extend(token.map(|token| (TOKEN, token.clone())));
        headers.extend(namespace.map(|name| (NAMESPACE, name.clone())));
        let question = Question {
            method: call.method.clone(),
            resource: call.resource.clone(),
            headers,
            body: call.body.clone(),
            answer_bytes_max: call.answer_bytes_max,
        };
        let replied = self.client.ask(&self.endpoint, &question).await;
        let Reply { status, body, .. } = replied.map_err(|source| VaultError::Unreachable {
            url: self.url.to_string(),
            source,
        })?;
        Ok(Answer {
            url: Arc::clone(&self.url),
            what: format!("{} {}", call.method, call.resource),
            status,
            body: Body(body),
        })
    }

    /// For a better message alone; whoever does not say so is not sealed.
    async fn is_sealed(&self) -> bool {
        let call = Call {
            method: Method::GET,
            resource: "/v1/sys/seal-status".to_owned(),
            body: Bytes::new(),
            answer_bytes_max: 64 * 1024,
        };
        // No namespace has such a path.
        let answer = self.send(&call, None, None).await;
        let answer = answer.and_then(Answer::expect);
        answer.is_ok_and(|status: SealStatus| status.sealed)
    }

    /// Counts failures that are the server's, and says when it comes and goes.
    fn learn(&self, error: Option<&VaultError>) {
        match error {
            Some(error) if error.is_outage() => {
                if self.breaker.failed(Instant::now().into_std()) {
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        "{} fails; it is tried again every {} ms",
                        self.url,
                        self.rest.as_millis()
                    );
                }
            }
            _ => {
                if self.breaker.succeeded() {
                    tracing::info!("{} answers again", self.url);
                }
            }
        }
    }
}

/// JSON that wipes itself.
///
/// # Errors
/// [`VaultError::Unwritable`].
pub fn to_body<T: Serialize>(value: &T) -> Result<Bytes, VaultError> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
    serde_json::to_writer(&mut *buffer, value).map_err(VaultError::Unwritable)?;
    Ok(Bytes::from_owner(buffer))
}

/// Asked too often.
fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
}

impl fmt::Debug for VaultClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultClient")
            .field("url", &self.0.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Failures in a row after which it is left alone.
const FAILURES_MAX: u32 = 3;
/// Room for a key or for most payloads.
const BODY_BYTES: usize = 64 * 1024;
