//! Calls with a token that is always a fresh one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use donjon_domain::{
    SecretBytes,
    ports::{StoreError, StoreErrorKind},
};
use donjon_http_client::{Client, Endpoint, HttpError, Question, Reply, Tls};
use http::{HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use zeroize::Zeroizing;

use crate::{
    Login, SetupError, VaultConfig,
    wire::{AppRole, Auth, Errors, LoggedIn, Looked},
};

pub(crate) struct Server {
    client: Client,
    endpoint: Arc<Endpoint>,
    namespace: Option<HeaderValue>,
    login: Login,
    patience: Duration,
    session: Mutex<Option<Session>>,
}

#[derive(Clone)]
struct Session {
    token: HeaderValue,
    /// When to renew it, or get another; `None` for one that does not end.
    renew: Option<Instant>,
    renewable: bool,
}

impl Server {
    pub(crate) fn new(config: VaultConfig) -> Result<Self, SetupError> {
        let endpoint = Endpoint::parse(&config.url).map_err(SetupError::Url)?;
        let tls = endpoint.is_tls().then(|| Tls::for_http(&config.tls));
        let tls = tls.transpose().map_err(SetupError::Tls)?;
        let namespace = config.namespace.map(HeaderValue::try_from);
        let namespace = namespace.transpose();
        if let Login::Token(token) = &config.login {
            header(token).ok_or(SetupError::Credential)?;
        }
        if endpoint.is_plain() {
            tracing::warn!(
                "tokens and secrets are readable on the way to {}; use https",
                config.url
            );
        }
        Ok(Self {
            client: Client::new(tls, config.patience),
            endpoint: Arc::new(endpoint),
            namespace: namespace.map_err(|_not_printable| SetupError::Path("namespace"))?,
            login: config.login,
            patience: config.patience,
            session: Mutex::new(None),
        })
    }

    /// Asks with a token; once more with another one where the server does not
    /// believe it.
    pub(crate) async fn ask(
        &self,
        method: Method,
        resource: String,
        body: Bytes,
        answer_bytes_max: usize,
    ) -> Result<Answer, StoreError> {
        let asking = async {
            let session = self.session(None).await?;
            let question = |session: &Session| {
                self.question(
                    method.clone(),
                    resource.clone(),
                    body.clone(),
                    answer_bytes_max,
                    Some(&session.token),
                )
            };
            let answer = self.once(&question(&session)).await?;
            if answer.status != StatusCode::FORBIDDEN || matches!(self.login, Login::Token(_)) {
                return Ok(answer);
            }
            let other = self.session(Some(&session.token)).await?;
            self.once(&question(&other)).await
        };
        let answered = timeout(self.patience, asking).await;
        answered.map_err(unavailable)?
    }

    /// A session; not the one with the token `bad`.
    async fn session(&self, bad: Option<&HeaderValue>) -> Result<Session, StoreError> {
        let mut kept = self.session.lock().await;
        let now = Instant::now();
        if let Some(session) = kept.as_ref().filter(|kept| Some(&kept.token) != bad) {
            if session.renew.is_none_or(|at| now < at) {
                return Ok(session.clone());
            }
            if session.renewable
                && let Ok(renewed) = self.renew(session).await
            {
                *kept = Some(renewed.clone());
                return Ok(renewed);
            }
        }
        let fresh = self.log_in().await?;
        *kept = Some(fresh.clone());
        Ok(fresh)
    }

    async fn log_in(&self) -> Result<Session, StoreError> {
        match &self.login {
            Login::Token(token) => {
                let token = header(token).ok_or_else(|| internal("a token that cannot be sent"))?;
                let question = self.question(
                    Method::GET,
                    "/v1/auth/token/lookup-self".to_owned(),
                    Bytes::new(),
                    SMALL,
                    Some(&token),
                );
                let answer = self.once(&question).await?;
                let data = answer.expect::<Looked>()?.data;
                Ok(Session::new(token, data.ttl, data.renewable))
            }
            Login::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                let secret_id = std::str::from_utf8(secret_id.expose()).map_err(internal)?;
                let body = to_body(&AppRole { role_id, secret_id })?;
                let resource = format!("/v1/auth/{mount}/login");
                let question = self.question(Method::POST, resource, body, SMALL, None);
                let answer = self.once(&question).await?;
                Session::of(answer.expect::<LoggedIn>()?.auth)
            }
        }
    }

    async fn renew(&self, session: &Session) -> Result<Session, StoreError> {
        let question = self.question(
            Method::POST,
            "/v1/auth/token/renew-self".to_owned(),
            Bytes::from_static(b"{}"),
            SMALL,
            Some(&session.token),
        );
        let answer = self.once(&question).await?;
        Session::of(answer.expect::<LoggedIn>()?.auth)
    }

    fn question(
        &self,
        method: Method,
        resource: String,
        body: Bytes,
        answer_bytes_max: usize,
        token: Option<&HeaderValue>,
    ) -> Question {
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        headers.extend(token.map(|token| (TOKEN, token.clone())));
        headers.extend(self.namespace.clone().map(|name| (NAMESPACE, name)));
        Question {
            method,
            resource,
            headers,
            body,
            answer_bytes_max,
        }
    }

    async fn once(&self, question: &Question) -> Result<Answer, StoreError> {
        let Reply { status, body, .. } = self
            .client
            .ask(&self.endpoint, question)
            .await
            .map_err(|error: HttpError| unavailable(error))?;
        Ok(Answer { status, body })
    }
}

impl Session {
    fn new(token: HeaderValue, lasts_s: u64, renewable: bool) -> Self {
        // Early enough to try again some times.
        let half = Duration::from_millis(lasts_s.saturating_mul(500));
        Self {
            token,
            renew: (lasts_s > 0).then(|| Instant::now() + half.min(DAY)),
            renewable,
        }
    }

    fn of(auth: Auth) -> Result<Self, StoreError> {
        let token = SecretBytes::new(auth.client_token.as_bytes().to_vec());
        let token = header(&token).ok_or_else(|| internal("a token that cannot be sent"))?;
        Ok(Self::new(token, auth.lease_duration, auth.renewable))
    }
}

/// What a server said.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    /// `None` where there is no such entry, which another 404 is not, that of a
    /// proxy for instance.
    pub(crate) fn found(self) -> Result<Option<Self>, StoreError> {
        let is_missing = self.status == StatusCode::NOT_FOUND
            && self.errors().is_some_and(|errors| errors.is_empty());
        if is_missing {
            return Ok(None);
        }
        self.good().map(Some)
    }

    /// # Errors
    /// It says something, as a page of a proxy does; or as [`Self::good`].
    pub(crate) fn silent(self) -> Result<(), StoreError> {
        let answer = self.good()?;
        if answer.status == StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(corrupt("an answer that is not the one of this call"))
        }
    }

    /// # Errors
    /// What a status means that is none of success.
    pub(crate) fn good(self) -> Result<Self, StoreError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let kind = match self.status {
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
                StoreErrorKind::Refused
            }
            _ => StoreErrorKind::Unavailable,
        };
        // The server's words are about paths and policies, never about payloads.
        let words = self.errors().unwrap_or_default().join("; ");
        let source = format!("status {}: {words}", self.status.as_u16());
        Err(StoreError::with_source(kind, source))
    }

    pub(crate) fn expect<T: DeserializeOwned>(self) -> Result<T, StoreError> {
        let body = self.good()?.body;
        // What stands there may be secret, and its errors quote it.
        serde_json::from_slice(&body)
            .map_err(|_quotes| corrupt("an answer that is not the one of this call"))
    }

    /// `None` where a body is not the server's.
    fn errors(&self) -> Option<Vec<String>> {
        let errors = serde_json::from_slice(&self.body);
        errors.ok().map(|errors: Errors| errors.errors)
    }
}

/// JSON that wipes itself.
pub(crate) fn to_body<T: Serialize>(value: &T) -> Result<Bytes, StoreError> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(SMALL));
    serde_json::to_writer(&mut *buffer, value).map_err(internal)?;
    Ok(Bytes::from_owner(buffer))
}

fn header(token: &SecretBytes) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(token.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(crate) fn corrupt(what: &'static str) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, what)
}

fn internal(source: impl Into<donjon_domain::ports::BoxError>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Internal, source)
}

fn unavailable(source: impl Into<donjon_domain::ports::BoxError>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unavailable, source)
}

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Of answers that are no payloads.
pub(crate) const SMALL: usize = 64 * 1024;
const DAY: Duration = Duration::from_secs(86_400);
