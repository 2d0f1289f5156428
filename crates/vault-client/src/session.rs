//! A token that the server believes: how it is got, renewed and replaced.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Answer, Call, Login, VaultError,
    client::{Inner, to_body},
    wire::{AppRole, Auth, LoggedIn, Looked},
};

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) token: HeaderValue,
    /// `None` for one that does not end.
    lease: Option<Lease>,
    /// How long it lasted when it was new.
    lasted: Duration,
}

#[derive(Clone, Copy)]
struct Lease {
    /// When to renew it, or get another.
    renew: Instant,
    ends: Instant,
    is_renewable: bool,
}

impl Session {
    fn new(token: HeaderValue, lasts_s: u64, is_renewable: bool) -> Self {
        let lasts = Duration::from_secs(lasts_s);
        let now = Instant::now();
        // Early enough to try again some times.
        let renew = now + (lasts / 2).clamp(RENEWAL_MIN, DAY);
        // Later than any instant that matters, where a server says so.
        let ends = now.checked_add(lasts).unwrap_or(now + DAY);
        let lease = Lease {
            renew,
            ends,
            is_renewable,
        };
        Self {
            token,
            lease: (lasts_s > 0).then_some(lease),
            lasted: lasts,
        }
    }

    fn of(auth: &Auth) -> Result<Self, VaultError> {
        let token = header(
            auth.client_token.as_bytes(),
            "the token that the server gave",
        )?;
        Ok(Self::new(token, auth.lease_duration, auth.renewable))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.lease.is_some_and(|lease| lease.renew <= now)
    }

    fn has_ended(&self, now: Instant) -> bool {
        self.lease.is_some_and(|lease| lease.ends <= now)
    }
}

impl Inner {
    /// A session; not the one with the token `bad`.
    pub(crate) async fn session(
        self: &Arc<Self>,
        bad: Option<&HeaderValue>,
    ) -> Result<Session, VaultError> {
        let mut kept = self.session.lock().await;
        let now = Instant::now();
        if let Some(session) = kept.as_ref().filter(|kept| Some(&kept.token) != bad) {
            if !session.is_due(now) {
                return Ok(session.clone());
            }
            match self.renew(session).await {
                Ok(Some(renewed)) => {
                    *kept = Some(renewed.clone());
                    return Ok(renewed);
                }
                // It is good for a while yet, and may be renewed later.
                Err(error) if error.is_servers() && !session.has_ended(now) => {
                    return Ok(session.clone());
                }
                Ok(None) | Err(_) => {}
            }
        }
        let fresh = self.log_in().await?;
        *kept = Some(fresh.clone());
        drop(kept);
        if fresh.lease.is_some() {
            self.keep();
        }
        Ok(fresh)
    }

    /// Whether the server believes a token that it denied something to.
    pub(crate) async fn believes(&self, token: &HeaderValue) -> Result<bool, VaultError> {
        Ok(self.look_up(token).await?.status.is_success())
    }

    async fn log_in(&self) -> Result<Session, VaultError> {
        match &self.login {
            Login::Token(source) => {
                let how = "the token";
                let token = source.read();
                let token = token.map_err(|source| VaultError::Credential { how, source })?;
                let token = header(token.expose(), how)?;
                let looked = self.look_up(&token).await.and_then(Answer::expect);
                let data = looked
                    .map_err(|source| {
                        let hint = "with its token: look whether that ended or was revoked, and whether it has the \
                                    policy `default`";
                        self.refused(hint.to_owned(), source)
                    })
                    .map(|looked: Looked| looked.data)?;
                Ok(Session::new(token, data.ttl, data.renewable))
            }
            Login::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                let how = "the secret of the AppRole";
                let unusable = |source| VaultError::Credential { how, source };
                let secret = secret_id.read().map_err(unusable)?;
                let text = std::str::from_utf8(secret.expose());
                let secret_id = text.map_err(|error| unusable(error.into()))?;
                let call = Call {
                    method: Method::POST,
                    resource: format!("/v1/auth/{mount}/login"),
                    body: to_body(&AppRole { role_id, secret_id })?,
                    answer_bytes_max: ANSWER_MAX,
                };
                let answered = self.once(&call, None).await.and_then(Answer::expect);
                let told = answered.map_err(|source| {
                    let hint = format!(
                        "as AppRole at auth/{mount}: look at role_id and secret_id, whether the secret ended, and \
                         where the method is mounted"
                    );
                    self.refused(hint, source)
                });
                Session::of(&told.map(|answer: LoggedIn| answer.auth)?)
            }
        }
    }

    /// The same session for longer; `None` where only another one will do.
    async fn renew(&self, session: &Session) -> Result<Option<Session>, VaultError> {
        if session.lease.is_none_or(|lease| !lease.is_renewable) {
            return Ok(None);
        }
        let call = Call {
            method: Method::POST,
            resource: "/v1/auth/token/renew-self".to_owned(),
            body: Bytes::from_static(b"{}"),
            answer_bytes_max: ANSWER_MAX,
        };
        let answer = self.once(&call, Some(&session.token)).await?;
        let renewed = Session::of(&answer.expect::<LoggedIn>()?.auth)?;
        let can_log_in = matches!(self.login, Login::AppRole { .. });
        // Its last hour has come: from here on it would be renewed for less and less.
        if can_log_in && renewed.lasted < session.lasted / 2 {
            return Ok(None);
        }
        Ok(Some(Session {
            lasted: session.lasted,
            ..renewed
        }))
    }

    async fn look_up(&self, token: &HeaderValue) -> Result<Answer, VaultError> {
        let call = Call {
            method: Method::GET,
            resource: "/v1/auth/token/lookup-self".to_owned(),
            body: Bytes::new(),
            answer_bytes_max: ANSWER_MAX,
        };
        self.once(&call, Some(token)).await
    }

    fn refused(&self, how: String, source: VaultError) -> VaultError {
        if source.is_servers() {
            return source;
        }
        VaultError::LogIn {
            url: self.url.to_string(),
            how,
            source: Box::new(source),
        }
    }

    // === renewal beside the calls ===

    /// From the first log-in on, renews tokens when nobody asks: else one that
    /// nobody used for a while would be gone for good.
    fn keep(self: &Arc<Self>) {
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut failed = false;
            while let Some(inner) = weak.upgrade() {
                let pause = inner.tend(&mut failed).await;
                drop(inner);
                sleep(pause).await;
            }
        });
    }

    /// Renews what is due. How long there is nothing to do.
    async fn tend(self: &Arc<Self>, failed: &mut bool) -> Duration {
        let tended = timeout(self.patience, self.session(None)).await;
        let lease = match tended {
            Ok(Ok(session)) => session.lease,
            Ok(Err(error)) => {
                if !*failed {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "no new token for {}; tried again every {} s",
                        self.url,
                        RETRY.as_secs()
                    );
                }
                *failed = true;
                return RETRY;
            }
            Err(_elapsed) => return RETRY,
        };
        if std::mem::take(failed) {
            tracing::info!("there is a token for {} again", self.url);
        }
        let Some(lease) = lease else {
            return DAY;
        };
        // One that is due still could not be renewed.
        let left = lease.renew.saturating_duration_since(Instant::now());
        if left.is_zero() { RETRY } else { left }
    }
}

pub(crate) fn header(token: &[u8], how: &'static str) -> Result<HeaderValue, VaultError> {
    let value = HeaderValue::from_bytes(token);
    let mut value = value.map_err(|_not_printable| VaultError::Credential {
        how,
        source: "it is not of printable ASCII characters".into(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a session that was denied something deserves another one.
pub(crate) fn is_denied(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN
}

const ANSWER_MAX: usize = 64 * 1024;
const RENEWAL_MIN: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
