//! The authenticator: from the tokens of a request to who is asking.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use donjon_domain::{
    Actor, Breaker, ProjectId,
    ports::{
        AuthError, AuthErrorKind, Authenticator, BoxFuture, Clock, Credential, Entropy, Presence,
    },
};
use donjon_http_client::{Client, Endpoint, Question, Reply, Tls, TlsError, TlsFiles};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sha2::Sha256;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};
use zeroize::Zeroizing;

use crate::{
    KeystoneConfig, KeystoneError, Patience, SetupError, Token, TokenScope, ValidationError,
    cache::{self, Found, Key, Outcome, TokenCache},
    own_token::{ANSWER_BYTES_MAX, OwnTokens, SUBJECT_TOKEN, VERSION},
    token,
};

/// Validates tokens at a Keystone.
///
/// Clones share what they know. Has to be used within a tokio runtime.
#[derive(Clone)]
pub struct Keystone(Arc<Inner>);

struct Inner {
    client: Client,
    own: OwnTokens,
    cache: Arc<TokenCache>,
    breaker: Breaker,
    places: Semaphore,
    hmac: Hmac<Sha256>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    patience: Patience,
    cache_time: Duration,
    service_type: Option<String>,
    /// In lower case.
    service_roles: Vec<String>,
    service_roles_required: bool,
    /// Projects for which tokens were valid, until somebody takes them.
    projects: Mutex<HashSet<String>>,
}

impl Keystone {
    /// Reads the certificates; blocks on file I/O. Keystone itself is asked
    /// when the first token comes.
    ///
    /// # Errors
    /// [`SetupError`] where URL or certificates cannot be used.
    pub fn new(
        config: KeystoneConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, SetupError> {
        let auth = Endpoint::parse(&config.auth_url).map_err(SetupError::AuthUrl)?;
        let auth = auth.ending_in(VERSION);
        // The catalog may lead to an `https` URL too.
        let may_be_tls = auth.is_tls() || config.interface.is_some();
        let tls = match Tls::for_http(&config.tls) {
            Ok(tls) => Some(tls),
            Err(TlsError::NoAuthorities) if !auth.is_tls() => None,
            Err(error) if may_be_tls || config.tls != TlsFiles::default() => {
                return Err(SetupError::Tls(error));
            }
            Err(_) => None,
        };
        let own = OwnTokens::new(
            Arc::new(auth),
            &config.credential,
            config.interface,
            config.region_name,
        )?;
        let mut key = Zeroizing::new([0_u8; 64]);
        entropy.fill(&mut *key);
        let roles = config.service_token_roles.iter();
        Ok(Self(Arc::new(Inner {
            client: Client::new(tls, config.patience.connect),
            own,
            cache: Arc::new(TokenCache::new()),
            breaker: Breaker::new(config.patience.failures, config.patience.rest),
            places: Semaphore::new(CALLS_MAX),
            hmac: Hmac::new(&(*key).into()),
            clock,
            entropy,
            patience: config.patience,
            cache_time: config.token_cache_time,
            service_type: config.service_type,
            service_roles: roles.map(|role| role.to_lowercase()).collect(),
            service_roles_required: config.service_token_roles_required,
            projects: Mutex::default(),
        })))
    }

    /// Tells what a token stands for. Of callers with the same token one asks
    /// Keystone, and the others wait for its answer; what it says is believed
    /// for `token_cache_time`. With `allow_expired`, also for a token that has
    /// ended lately, as a service may show that acts for its user.
    ///
    /// # Errors
    /// [`ValidationError::Invalid`] where Keystone does not know the token;
    /// [`ValidationError::Unavailable`] where it cannot be asked, within
    /// [`Patience::call`].
    pub async fn validate(
        &self,
        token: &str,
        allow_expired: bool,
    ) -> Result<Arc<Token>, ValidationError> {
        if !is_plausible(token) {
            return Err(ValidationError::Invalid);
        }
        let key = self.0.key(token, allow_expired);
        let token = match self.0.cache.begin(key, Instant::now()) {
            Found::Token(token) => token,
            Found::Refused => return Err(ValidationError::Invalid),
            Found::Full => return Err(KeystoneError::Busy.into()),
            Found::Flight(flight) => cache::landed(flight).await?,
            Found::Lead(flight) => {
                let landing = flight.subscribe();
                let inner = Arc::clone(&self.0);
                let mut value =
                    HeaderValue::from_str(token).map_err(|_source| ValidationError::Invalid)?;
                value.set_sensitive(true);
                // On its own, so that it goes on for the others if this caller
                // leaves.
                tokio::spawn(async move {
                    let outcome = inner.look_up(value, allow_expired).await;
                    let kept = inner.kept(&outcome);
                    flight.land(outcome, Instant::now(), kept, inner.patience.refusal);
                });
                cache::landed(landing).await?
            }
        };
        self.0.unless_expired(token, allow_expired)
    }

    /// The projects for which Keystone found tokens valid since this was last
    /// called: it knows them. Not more than ten thousand.
    #[must_use]
    pub fn take_projects(&self) -> Vec<ProjectId> {
        let projects = std::mem::take(&mut *self.0.projects());
        projects.into_iter().map(ProjectId::new).collect()
    }

    /// Asks for a project, for no longer than [`Patience::call`].
    pub(crate) async fn project(
        &self,
        path: String,
        read: impl Fn(&Reply) -> Result<Presence, KeystoneError>,
    ) -> Result<Presence, KeystoneError> {
        let asked = self.0.get(path, Vec::new(), read);
        let asked = timeout(self.0.patience.call, asked).await;
        asked.unwrap_or(Err(KeystoneError::Slow))
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<Actor, ValidationError> {
        let service = match present(credential.service_token) {
            Some(token) => Some(self.validate(token, false).await?),
            None => None,
        };
        let service = service.as_deref();
        let is_service = self.0.admit_service(service)?;
        let token = present(credential.token).ok_or(ValidationError::Invalid)?;
        let token = self.validate(token, is_service).await?;
        self.0.admit(&token, service, is_service, credential)
    }

    /// Decides without waiting, where that is possible.
    fn identify_at_once(
        &self,
        credential: &Credential<'_>,
    ) -> Option<Result<Actor, ValidationError>> {
        let Some(token) = present(credential.token) else {
            return Some(Err(ValidationError::Invalid));
        };
        if present(credential.service_token).is_some() || !is_plausible(token) {
            return None;
        }
        let key = self.0.key(token, false);
        let token = self.0.cache.find(&key, Instant::now())?;
        let token = self.0.unless_expired(token, false);
        Some(token.and_then(|token| self.0.admit(&token, None, false, credential)))
    }
}

impl Authenticator for Keystone {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        if let Some(identified) = self.identify_at_once(&credential) {
            return Box::pin(std::future::ready(identified.map_err(refused)));
        }
        Box::pin(async move {
            let identified = timeout(self.0.patience.request, self.identify(&credential));
            let identified = identified.await;
            identified
                .unwrap_or_else(|_elapsed| Err(KeystoneError::Slow.into()))
                .map_err(refused)
        })
    }
}

impl Inner {
    /// HMAC-SHA-256(key of the process, how it is asked for || token).
    fn key(&self, token: &str, allow_expired: bool) -> Key {
        let hmac = self.hmac.clone().chain_update([u8::from(allow_expired)]);
        hmac.chain_update(token).finalize().into_bytes().into()
    }

    /// Whether the service may act for users. A service token that is valid
    /// and has none of the roles has no effect, unless it is refused.
    fn admit_service(&self, service: Option<&Token>) -> Result<bool, ValidationError> {
        let has_role = service.is_some_and(|service| service.has_one_of(&self.service_roles));
        if service.is_some() && self.service_roles_required && !has_role {
            return Err(ValidationError::Invalid);
        }
        Ok(has_role)
    }

    /// Lets in whoever the token is good for this request.
    fn admit(
        &self,
        token: &Token,
        service: Option<&Token>,
        is_service: bool,
        credential: &Credential<'_>,
    ) -> Result<Actor, ValidationError> {
        if let Some(rules) = &token.access_rules {
            let own_type = self.service_type.as_deref();
            let own_type = own_type.filter(|own_type| rules.know(own_type));
            let own_type = own_type.ok_or(ValidationError::Invalid)?;
            // What a service asks for on the way was no request of the user's.
            if !is_service && !rules.allow(own_type, credential.method, credential.path) {
                return Err(ValidationError::Invalid);
            }
        }
        token.actor(service).ok_or(ValidationError::Invalid)
    }

    fn unless_expired(&self, token: Arc<Token>, allow_expired: bool) -> Outcome {
        if !allow_expired && token.expires <= self.clock.now() {
            return Err(ValidationError::Invalid);
        }
        Ok(token)
    }

    /// How long an outcome is kept: never beyond the end of its token.
    fn kept(&self, outcome: &Outcome) -> Duration {
        let Ok(token) = outcome else {
            return Duration::ZERO;
        };
        let left = token.expires.as_micros() - self.clock.now().as_micros();
        let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
        self.cache_time.min(left)
    }

    fn note_project(&self, token: &Token) {
        if let TokenScope::Project { id, .. } = &token.scope {
            let mut projects = self.projects();
            if projects.len() < PROJECTS_MAX && !projects.contains(id) {
                projects.insert(id.clone());
            }
        }
    }

    fn projects(&self) -> MutexGuard<'_, HashSet<String>> {
        // Each change is whole at every point.
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks Keystone, unless it rests, for no longer than [`Patience::call`]. At
    /// least half of that is Keystone's: waiting for other tokens is no fault of it.
    async fn look_up(&self, token: HeaderValue, allow_expired: bool) -> Outcome {
        let end = Instant::now() + self.patience.call;
        let place = timeout(self.patience.call / 2, self.places.acquire()).await;
        let place = place.map_err(|_elapsed| KeystoneError::Busy)?;
        let _place = place.map_err(|_closed| KeystoneError::GivenUp)?;
        if !self.breaker.admits(Instant::now().into_std()) {
            return Err(KeystoneError::Resting.into());
        }
        let found = timeout_at(end, self.ask(token, allow_expired)).await;
        match found.unwrap_or(Err(KeystoneError::Slow)) {
            Ok(found) => {
                if self.breaker.succeeded() {
                    tracing::info!("keystone answers again");
                }
                let token = found.ok_or(ValidationError::Invalid)?;
                self.note_project(&token);
                self.unless_expired(Arc::new(token), allow_expired)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a token cannot be validated"
                );
                if self.breaker.failed(Instant::now().into_std()) {
                    tracing::error!(
                        "keystone fails repeatedly; tokens that are not known yet are answered with 503"
                    );
                }
                Err(error.into())
            }
        }
    }

    /// Asks what a token stands for; `None` where Keystone does not know it.
    async fn ask(
        &self,
        token: HeaderValue,
        allow_expired: bool,
    ) -> Result<Option<Token>, KeystoneError> {
        let resource = if allow_expired {
            "/auth/tokens?allow_expired=1"
        } else {
            "/auth/tokens"
        };
        let headers = vec![
            (SUBJECT_TOKEN, token),
            (ACCESS_RULES, HeaderValue::from_static("1.0")),
        ];
        let read = |reply: &Reply| match reply.status {
            StatusCode::OK => Token::read(&reply.body).map(Some),
            StatusCode::NOT_FOUND if token::is_not_found(&reply.body) => Ok(None),
            StatusCode::FORBIDDEN => Err(KeystoneError::NotAllowed),
            status => Err(KeystoneError::Status(status.as_u16())),
        };
        self.get(resource.into(), headers, read).await
    }

    /// Gets a resource as this service. Tries until Keystone says something that
    /// makes sense to `read`.
    async fn get<T>(
        &self,
        resource: String,
        headers: Vec<(HeaderName, HeaderValue)>,
        read: impl Fn(&Reply) -> Result<T, KeystoneError>,
    ) -> Result<T, KeystoneError> {
        let question = Question {
            method: Method::GET,
            resource,
            headers,
            body: Bytes::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let reply = self.ask_once(&question).await;
            let error = match reply.and_then(|reply| read(&reply)) {
                Err(error) if is_worth_another_try(&error) => error,
                outcome => return outcome,
            };
            if tries == TRIES {
                return Err(error);
            }
            sleep(self.pause(tries)).await;
        }
    }

    async fn ask_once(&self, question: &Question) -> Result<Reply, KeystoneError> {
        let mut rejected = None;
        loop {
            let own = self.own.get(&self.client, rejected.as_ref()).await?;
            let mut question = question.clone();
            question.headers.push((AUTH_TOKEN, own.value.clone()));
            let reply = self.client.ask(&own.endpoint, &question).await?;
            let is_second = rejected.is_some();
            if is_second && reply.status != StatusCode::UNAUTHORIZED {
                // Keystone has forgotten the own token, and maybe others.
                self.cache.flush();
            }
            match reply.status {
                StatusCode::UNAUTHORIZED if is_second => {
                    return Err(KeystoneError::CredentialRefused);
                }
                StatusCode::UNAUTHORIZED => rejected = Some(own),
                _ => return Ok(reply),
            }
        }
    }

    /// Longer after each try, and not the same for everybody.
    fn pause(&self, tries: u32) -> Duration {
        let mut random = [0_u8];
        self.entropy.fill(&mut random);
        let [random] = random;
        (PAUSE + Duration::from_micros(u64::from(random) * 200)) * tries
    }
}

/// Whether the same question may be answered a moment later.
fn is_worth_another_try(error: &KeystoneError) -> bool {
    match error {
        KeystoneError::Unreachable(_) | KeystoneError::Broken(_) => true,
        KeystoneError::Status(status) => *status >= 500 || *status == 429 || *status == 408,
        _ => false,
    }
}

fn refused(error: ValidationError) -> AuthError {
    match error {
        ValidationError::Invalid => AuthError::new(AuthErrorKind::Unauthenticated),
        ValidationError::Unavailable(source) => {
            AuthError::with_source(AuthErrorKind::Unavailable, source)
        }
    }
}

/// An empty header says as much as none.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Whether a text can be a token at all; others are not worth a call, and
/// what servers answer to odd headers says nothing.
fn is_plausible(token: &str) -> bool {
    token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Debug for Keystone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystone").finish_non_exhaustive()
    }
}

const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const ACCESS_RULES: HeaderName = HeaderName::from_static("openstack-identity-access-rules");
/// Tokens have some hundred bytes; servers take headers of 8 KiB.
const TOKEN_BYTES_MAX: usize = 8_000;
/// At the same time; what is beyond waits.
const CALLS_MAX: usize = 32;
const TRIES: u32 = 3;
/// What is beyond is seen when it comes again.
const PROJECTS_MAX: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(50);
