//! The life of one connection: handshake, requests, deadlines, end.
//!
//! One task per connection and nothing spawned per request. The service runs inside the connection's
//! task, so a client that leaves drops the future of its request.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error};

use crate::body::RequestBody;
use crate::check::{Then, check};
use crate::heads::HeadScan;
use crate::io::{Stream, WatchedIo};
use crate::peer::ConnectionInfo;
use crate::registry::{Admission, Mode, Shared, Slot};
use crate::service::{BadRequest, Refusal, Refused, Service};
use crate::watch::{NEVER, Phase, Watch};

/// What the parts of one connection share: socket, request body and task.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) watch: Watch,
    heads: Mutex<HeadScan>,
}

/// A request on its way through one connection.
struct Exchange<'a, S> {
    service: &'a S,
    link: &'a Arc<Link>,
    info: &'a ConnectionInfo,
}

/// A call of the service, and its place among those in flight once it had to wait.
///
/// Boxed, because hyper and the layers here would move it by value several times, and the futures of
/// applications grow to many kilobytes.
struct Call<'a, F> {
    future: Pin<Box<F>>,
    slot: Option<Slot<'a>>,
}

/// The one timer of a connection, re-armed as rarely as possible.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed_for: u64,
    /// Whom `sleep` wakes as it is armed now. Asking this first is cheaper than polling `sleep`.
    wakes: Option<Waker>,
    /// The deadline that its request or body was woken for.
    warned_of: u64,
}

/// How a connection ended, for the log.
#[derive(Debug)]
enum End {
    Closed,
    Failed(hyper::Error),
    Late(Phase),
    Aborted,
}

/// Serves a connection until it ends. Returns once its socket is closed.
pub(crate) async fn serve<S: Service>(
    stream: Stream,
    tls: Option<Arc<ServerConfig>>,
    admission: Admission,
    mut info: ConnectionInfo,
    shared: Arc<Shared>,
    service: Arc<S>,
) {
    poll_fn(|cx| {
        admission.remember(cx.waker());
        Poll::Ready(())
    })
    .await;
    let stream = match (stream, tls) {
        (Stream::Tcp(tcp), Some(config)) => {
            let Some(stream) = handshake(tcp, config, &shared, &info).await else {
                return;
            };
            info.tls = true;
            info.client_certificate = client_certificate(&stream);
            Stream::Tls(Box::new(stream))
        }
        (stream, _) => stream,
    };
    let link = Arc::new(Link {
        watch: Watch::new(&shared.limits),
        heads: Mutex::new(HeadScan::new()),
        shared,
    });
    match drive(stream, &link, &info, &*service).await {
        End::Closed => {}
        End::Failed(error) => {
            debug!(connection = info.id, peer = %info.peer, %error, "connection failed")
        }
        End::Late(phase) => {
            link.shared.count_timeout();
            debug!(connection = info.id, peer = %info.peer, ?phase, "connection closed, client too slow");
        }
        End::Aborted => debug!(connection = info.id, "connection cut by shutdown"),
    }
    drop(admission);
}

async fn handshake(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    shared: &Shared,
    info: &ConnectionInfo,
) -> Option<TlsStream<TcpStream>> {
    let mut accept = pin!(timeout(
        shared.limits.tls_handshake_timeout,
        TlsAcceptor::from(config).accept(tcp)
    ));
    let result = poll_fn(|cx| match accept.as_mut().poll(cx) {
        // No request has been sent yet, so a shutdown need not wait for it.
        Poll::Pending if shared.mode() > Mode::Run => {
            Poll::Ready(Err(io::ErrorKind::Interrupted.into()))
        }
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(result)) => Poll::Ready(result),
        Poll::Ready(Err(_elapsed)) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
    });
    result
        .await
        .inspect_err(
            |error| debug!(connection = info.id, peer = %info.peer, %error, "TLS handshake failed"),
        )
        .ok()
}

fn client_certificate(stream: &TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let (_, session) = stream.get_ref();
    Some(session.peer_certificates()?.first()?.to_vec())
}

/// Runs hyper on `stream` and keeps the deadlines.
async fn drive<S: Service>(
    stream: Stream,
    link: &Arc<Link>,
    info: &ConnectionInfo,
    service: &S,
) -> End {
    let exchange = Exchange {
        service,
        link,
        info,
    };
    let io = TokioIo::new(WatchedIo::new(stream, Arc::clone(link)));
    let answer = service_fn(|request| exchange.answer(request));
    let mut http = pin!(link.shared.http.serve_connection(io, answer));
    let mut alarm = Alarm::new(&link.watch);
    let mut is_told_to_close = false;
    poll_fn(|cx| {
        loop {
            let mode = link.shared.mode();
            if mode == Mode::Abort {
                return Poll::Ready(End::Aborted);
            }
            if mode == Mode::Drain && !is_told_to_close {
                is_told_to_close = true;
                http.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(result.map_or_else(End::Failed, |()| End::Closed));
            }
            let Poll::Ready(phase) = alarm.poll(cx, &link.watch) else {
                return Poll::Pending;
            };
            if phase == Phase::Linger {
                return Poll::Ready(End::Closed);
            }
            // An idle client is sent away politely. That should not take another turn.
            let is_idle = phase == Phase::Head && !link.watch.has_unread();
            if !is_idle || is_told_to_close {
                return Poll::Ready(End::Late(phase));
            }
            is_told_to_close = true;
            http.as_mut().graceful_shutdown();
        }
    })
    .await
}

// === impl Link ===

impl Link {
    /// Never contended: socket and requests take their turns in one task.
    pub(crate) fn heads(&self) -> MutexGuard<'_, HeadScan> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Exchange ===

impl<S: Service> Exchange<'_, S> {
    /// Begins to answer at once, so that what hyper keeps for the rest is small.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send {
        self.link.watch.request_began();
        // A body without a length is chunked, and ends the connection.
        let body_bytes = request.body().size_hint().exact();
        let has_bare_lf = self.link.heads().request_began(body_bytes);
        let request = request.map(|body| RequestBody::from_network(body, self.link));
        let method = request.method().clone();
        let uri = request.uri().clone();
        let checked = self.check(&request, has_bare_lf);
        let call = checked
            .map_err(Refusal::from)
            .and_then(|_| self.call(request));
        async move {
            let answered = match call {
                Ok(call) => self
                    .finish(call)
                    .await
                    .and_then(|response| self.admit(response)),
                Err(why) => Err(why),
            };
            let mut response = answered.unwrap_or_else(|why| self.refuse(why, &method, &uri));
            // Behind a body that nobody read, the next head cannot be told apart.
            if checked != Ok(Then::GoOn) || self.link.watch.has_unread() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            self.link.watch.request_ended();
            Ok(response.map(Full::new))
        }
    }

    fn check(&self, request: &Request<RequestBody>, has_bare_lf: bool) -> Result<Then, BadRequest> {
        match check(request, self.link.shared.limits.target_bytes_max) {
            Ok(_) if has_bare_lf => Err(BadRequest::BareLineFeed),
            checked => checked,
        }
    }

    /// Calls the service if there is a place for it.
    fn call(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Call<'_, impl Future<Output = Response<Bytes>> + Send>, Refusal> {
        if self.link.shared.slots.is_full() {
            self.link.shared.count_overload();
            return Err(Refusal::Overloaded);
        }
        let call = || Box::pin(self.service.call(request, self.info));
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(future) => Ok(Call { future, slot: None }),
            Err(_panic) => Err(self.note_panic()),
        }
    }

    /// Runs the service, but not past a panic nor past the deadline.
    async fn finish(
        &self,
        mut call: Call<'_, impl Future<Output = Response<Bytes>> + Send>,
    ) -> Result<Response<Bytes>, Refusal> {
        poll_fn(
            |cx| match catch_unwind(AssertUnwindSafe(|| call.future.as_mut().poll(cx))) {
                Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
                Ok(Poll::Pending) if self.link.watch.request_waits() => {
                    Poll::Ready(Err(Refusal::Deadline))
                }
                Ok(Poll::Pending) => {
                    call.slot
                        .get_or_insert_with(|| self.link.shared.slots.enter());
                    Poll::Pending
                }
                Err(_panic) => Poll::Ready(Err(self.note_panic())),
            },
        )
        .await
    }

    /// Lets an answer go out if there is memory for it while the client takes it.
    fn admit(&self, response: Response<Bytes>) -> Result<Response<Bytes>, Refusal> {
        let (parts, body) = response.into_parts();
        let Some(body) = self.link.shared.answers.admit(body) else {
            self.link.shared.count_overload();
            return Err(Refusal::Overloaded);
        };
        Ok(Response::from_parts(parts, body))
    }

    fn refuse(&self, why: Refusal, method: &Method, uri: &Uri) -> Response<Bytes> {
        let refused = Refused {
            why,
            method,
            uri,
            connection: self.info,
        };
        catch_unwind(AssertUnwindSafe(|| self.service.refuse(refused))).unwrap_or_else(|_panic| {
            self.note_panic();
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }

    /// The panic's own text may hold anything, so only its fact is logged.
    fn note_panic(&self) -> Refusal {
        self.link.shared.count_panic();
        error!(connection = self.info.id, "request handler panicked");
        Refusal::Panicked
    }
}

// === impl Alarm ===

impl Alarm {
    fn new(watch: &Watch) -> Self {
        let (due, _) = watch.next_due();
        Self {
            sleep: Box::pin(sleep_until(watch.instant(due))),
            armed_for: due,
            wakes: None,
            warned_of: NEVER,
        }
    }

    /// Ready with the phase whose time is over.
    ///
    /// A late request or body is first given [`LAST_WORD_MS`] to notice, which ends it with an answer.
    fn poll(&mut self, cx: &mut Context<'_>, watch: &Watch) -> Poll<Phase> {
        loop {
            let (due, phase) = watch.next_due();
            let is_warned = due == self.warned_of;
            let end = if is_warned {
                due.saturating_add(LAST_WORD_MS)
            } else {
                due
            };
            if end < self.armed_for {
                self.arm(watch, end);
            }
            if self.is_asleep(cx) {
                return Poll::Pending;
            }
            if watch.now() < end {
                self.arm(watch, end); // what it was armed for went well meanwhile
            } else if matches!(phase, Phase::Request | Phase::Body) && !is_warned {
                self.warned_of = due;
                watch.wake_body();
                cx.waker().wake_by_ref();
            } else {
                return Poll::Ready(phase);
            }
        }
    }

    /// Whether the time it is armed for has not come. If so, `cx` is woken then.
    fn is_asleep(&mut self, cx: &mut Context<'_>) -> bool {
        let wakes_us = self
            .wakes
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if wakes_us {
            return !self.sleep.is_elapsed();
        }
        self.wakes = Some(cx.waker().clone());
        // Unconstrained, because a task that has used up its turn would get "pending" without a wake-up set.
        pin!(unconstrained(self.sleep.as_mut()))
            .poll(cx)
            .is_pending()
    }

    fn arm(&mut self, watch: &Watch, due: u64) {
        self.sleep.as_mut().reset(watch.instant(due));
        self.armed_for = due;
        self.wakes = None;
    }
}

/// How long a request has to answer that it is too late.
const LAST_WORD_MS: u64 = 1_000;
