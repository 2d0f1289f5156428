//! A Keystone that misbehaves on demand.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Takes the request and says nothing.
    Silent,
    /// Says a byte now and then.
    Trickle,
    /// A status with Keystone's body.
    Status(u16),
    /// A page in place of an answer.
    Html(u16),
    /// Half of the right answer.
    HalfJson,
    /// JSON that says something else.
    OtherJson,
    EmptyBody,
    /// An answer without an end.
    Endless,
    /// Cuts the connection.
    Cut,
    /// Is no HTTP server.
    NotHttp,
    /// Nobody listens.
    Away,
}

/// Where it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Everywhere,
    /// When the service asks for its own token.
    Login,
    /// When a token is validated.
    Validation,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, Value>,
    /// Whether each is enabled.
    projects: HashMap<String, bool>,
    may_not_read_projects: bool,
    own: HashSet<String>,
    own_seconds: i64,
    catalog: Value,
    fault: Option<(Fault, At)>,
    delay: Duration,
}

/// The server. Ends with the runtime of the test.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) addr: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    logins: AtomicUsize,
    validations: AtomicUsize,
    running: Mutex<Option<AbortHandle>>,
    /// Its port, while it is away.
    kept: Mutex<Option<TcpSocket>>,
}

type Body = BoxBody<Bytes, Infallible>;

impl Fake {
    pub(super) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(super) async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            addr: listener.local_addr().unwrap(),
            shared: Arc::default(),
            tls,
        };
        fake.state().own_seconds = 3_600;
        fake.listen(listener);
        fake
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.addr.port())
    }

    /// Knows a token, which is this JSON.
    pub(super) fn knows(&self, token: &str, json: Value) {
        self.state().tokens.insert(token.to_owned(), json);
    }

    pub(super) fn has_project(&self, id: &str, is_enabled: bool) {
        self.state().projects.insert(id.to_owned(), is_enabled);
    }

    pub(super) fn deletes_project(&self, id: &str) {
        self.state().projects.remove(id);
    }

    pub(super) fn forbids_projects(&self) {
        self.state().may_not_read_projects = true;
    }

    pub(super) fn forgets(&self, token: &str) {
        self.state().tokens.remove(token);
    }

    /// No token of the service is valid any more.
    pub(super) fn forgets_own(&self) {
        self.state().own.clear();
    }

    pub(super) fn own_seconds(&self, seconds: i64) {
        self.state().own_seconds = seconds;
    }

    pub(super) fn catalog(&self, catalog: Value) {
        self.state().catalog = catalog;
    }

    pub(super) fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    pub(super) fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::SeqCst)
    }

    pub(super) fn validations(&self) -> usize {
        self.shared.validations.load(Ordering::SeqCst)
    }

    /// From now on it is wrong in this way.
    pub(super) fn fails(&self, fault: Fault, at: At) {
        self.state().fault = Some((fault, at));
        if fault == Fault::Away {
            let running = self.shared.running.lock().unwrap().take();
            running.unwrap().abort();
            tokio::spawn(self.clone().keep_port());
        }
    }

    /// While it is away nobody else may answer in its place.
    async fn keep_port(self) {
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            if socket.bind(self.addr).is_ok() {
                *self.shared.kept.lock().unwrap() = Some(socket);
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// From now on everything is right.
    pub(super) async fn recovers(&self) {
        let fault = self.state().fault.take();
        if matches!(fault, Some((Fault::Away, _))) {
            loop {
                self.shared.kept.lock().unwrap().take();
                if let Ok(listener) = TcpListener::bind(self.addr).await {
                    return self.listen(listener);
                }
                tokio::task::yield_now().await;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn listen(&self, listener: TcpListener) {
        let fake = self.clone();
        let running = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let fake = fake.clone();
                connections.spawn(async move {
                    match fake.tls.clone() {
                        None => fake.speak(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                fake.speak(stream).await;
                            }
                        }
                    }
                });
            }
        });
        let running = running.abort_handle();
        *self.shared.running.lock().unwrap() = Some(running);
    }

    async fn speak(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let fault = self.state().fault;
        if matches!(fault, Some((Fault::NotHttp, _))) {
            drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await);
            return;
        }
        let service = service_fn(|request| self.answer(request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        drop(connection.await);
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, &'static str> {
        let is_login = request.method() == Method::POST;
        let at = if is_login {
            self.shared.logins.fetch_add(1, Ordering::SeqCst);
            At::Login
        } else {
            self.shared.validations.fetch_add(1, Ordering::SeqCst);
            At::Validation
        };
        let (fault, delay) = {
            let state = self.state();
            let is_here = |(_, where_to): &(Fault, At)| [At::Everywhere, at].contains(where_to);
            (state.fault.filter(is_here), state.delay)
        };
        tokio::time::sleep(delay).await;
        let right = if is_login {
            self.log_in(request).await
        } else if request.uri().path().starts_with("/v3/projects/") {
            self.project(&request)
        } else {
            self.validate(&request)
        };
        match fault.map(|(fault, _)| fault) {
            None => Ok(right),
            Some(fault) => wrong(fault, right).await,
        }
    }

    async fn log_in(&self, request: Request<Incoming>) -> Response<Body> {
        assert_eq!(request.uri(), "/v3/auth/tokens");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let identity = &asked["auth"]["identity"];
        let is_right = match identity["methods"][0].as_str().unwrap() {
            "password" => {
                let user = json!({
                    "name": "barbican", "domain": {"name": "Default"}, "password": "pass\"word",
                });
                let project = json!({"name": "service", "domain": {"name": "Default"}});
                identity["password"]["user"] == user && asked["auth"]["scope"]["project"] == project
            }
            "application_credential" => {
                identity["application_credential"] == json!({"id": "ac", "secret": "pass\"word"})
                    && asked["auth"].get("scope").is_none()
            }
            other => panic!("{other}"),
        };
        if !is_right {
            return keystone_error(StatusCode::UNAUTHORIZED);
        }
        let mut state = self.state();
        let token = format!("own-{}", self.logins());
        state.own.insert(token.clone());
        let json = json!({"token": {
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": donjon_domain::Timestamp::parse_iso8601("2026-01-01")
                .unwrap()
                .plus_seconds(state.own_seconds)
                .to_string(),
            "user": {"id": "barbican-id"},
            "catalog": state.catalog,
        }});
        let mut response = respond(StatusCode::CREATED, json.to_string());
        let headers = response.headers_mut();
        headers.insert("x-subject-token", token.parse().unwrap());
        response
    }

    fn project(&self, request: &Request<Incoming>) -> Response<Body> {
        let state = self.state();
        let token = request.headers().get("x-auth-token").unwrap();
        if !state.own.contains(token.to_str().unwrap()) {
            return keystone_error(StatusCode::UNAUTHORIZED);
        }
        if state.may_not_read_projects {
            return keystone_error(StatusCode::FORBIDDEN);
        }
        let id = request.uri().path().strip_prefix("/v3/projects/").unwrap();
        // As databases do that have no regard to case.
        let folded = id.to_lowercase();
        match state.projects.get(&folded) {
            Some(enabled) => {
                let json = json!({"project": {"id": folded, "name": "n", "enabled": enabled}});
                respond(StatusCode::OK, json.to_string())
            }
            None => {
                let message = format!("Could not find project: {id}.");
                let json =
                    json!({"error": {"code": 404, "message": message, "title": "Not Found"}});
                respond(StatusCode::NOT_FOUND, json.to_string())
            }
        }
    }

    fn validate(&self, request: &Request<Incoming>) -> Response<Body> {
        assert_eq!(request.uri().path(), "/v3/auth/tokens");
        let header = |name: &str| {
            let value = request.headers().get(name);
            value
                .map(|value| value.to_str().unwrap())
                .unwrap_or_default()
        };
        let state = self.state();
        if !state.own.contains(header("x-auth-token")) {
            return keystone_error(StatusCode::UNAUTHORIZED);
        }
        let Some(token) = state.tokens.get(header("x-subject-token")) else {
            return keystone_error(StatusCode::NOT_FOUND);
        };
        let rules = token.pointer("/application_credential/access_rules");
        let is_limited = rules.is_some_and(|rules| !rules.is_null());
        let is_expired = token["expires_at"].as_str().unwrap() <= "2026-01-01T00:00:00";
        let may_be_expired = request.uri().query() == Some("allow_expired=1");
        if is_limited && header("openstack-identity-access-rules") != "1.0"
            || is_expired && !may_be_expired
        {
            return keystone_error(StatusCode::NOT_FOUND);
        }
        respond(StatusCode::OK, json!({ "token": token }).to_string())
    }
}

async fn wrong(fault: Fault, right: Response<Body>) -> Result<Response<Body>, &'static str> {
    let status = right.status();
    Ok(match fault {
        Fault::Silent | Fault::Away => std::future::pending().await,
        Fault::Trickle => {
            let slow = slow_body(Duration::from_millis(200), Bytes::from_static(b" "));
            Response::builder().status(status).body(slow).unwrap()
        }
        Fault::Endless => {
            let body = slow_body(Duration::ZERO, Bytes::from_static(&[b' '; 65_536]));
            Response::builder().status(status).body(body).unwrap()
        }
        Fault::Status(status) => keystone_error(StatusCode::from_u16(status).unwrap()),
        Fault::Html(status) => {
            let page = "<html><body>Please log in</body></html>".to_owned();
            respond(StatusCode::from_u16(status).unwrap(), page)
        }
        Fault::HalfJson => {
            let (head, body) = right.into_parts();
            let whole = body.collect().await.unwrap().to_bytes();
            let half = Full::new(whole.slice(..whole.len() / 2)).boxed();
            Response::from_parts(head, half)
        }
        Fault::OtherJson => {
            let (mut head, _) = right.into_parts();
            if head.status == StatusCode::NOT_FOUND {
                head.status = StatusCode::OK;
            }
            let other = json!({"versions": {"values": []}}).to_string();
            Response::from_parts(head, Full::new(other.into()).boxed())
        }
        Fault::EmptyBody => {
            let (head, _) = right.into_parts();
            Response::from_parts(head, Full::new(Bytes::new()).boxed())
        }
        Fault::Cut | Fault::NotHttp => return Err("cut"),
    })
}

fn slow_body(pause: Duration, chunk: Bytes) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        while sender.send(chunk.clone()).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    });
    Chunks(receiver).boxed()
}

struct Chunks(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.0.poll_recv(context);
        chunk.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn keystone_error(status: StatusCode) -> Response<Body> {
    let title = status.canonical_reason();
    let json = json!({"error": {"code": status.as_u16(), "message": "no", "title": title}});
    respond(status, json.to_string())
}

fn respond(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed());
    *response.status_mut() = status;
    response
}
