//! Hands requests from `transport` to `api`, and writes the access log: one
//! line for each request, whoever answered it.

mod hosts;

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use donjon_api::{AccessRecord, Api, Peer, Refusal as ApiRefusal};
use donjon_domain::ports::BoxError;
use donjon_transport::{
    BadRequest, BodyError, ConnectionInfo, Refusal, Refused, RequestBody, Service,
};
use http::{Method, Request, Response, Uri, header::HOST, request::Parts};
use http_body_util::BodyExt;
use tokio::time::Instant;

pub(crate) use self::hosts::OwnHosts;
use crate::logging;

/// The API, as a service of the transport.
#[derive(Debug)]
pub(crate) struct Frontend {
    api: Api,
    /// After that time the transport gives up on an answer.
    request_timeout: Duration,
    /// The hosts that requests may be sent to; `None` is any.
    own_hosts: Option<OwnHosts>,
}

impl Frontend {
    pub(crate) fn new(api: Api, request_timeout: Duration, own_hosts: Option<OwnHosts>) -> Self {
        Self {
            api,
            request_timeout,
            own_hosts,
        }
    }

    /// Whether a request was sent to another host. On a Unix socket none is
    /// meant.
    fn is_misdirected(&self, head: &Parts, connection: &ConnectionInfo) -> bool {
        let (Some(own_hosts), Some(_)) = (&self.own_hosts, connection.peer.ip()) else {
            return false;
        };
        let host = head.headers.get(HOST);
        host.is_some_and(|host| !own_hosts.have(host))
    }
}

impl Service for Frontend {
    async fn call(
        &self,
        request: Request<RequestBody>,
        connection: &ConnectionInfo,
    ) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        if self.is_misdirected(&head, connection) {
            let response = self.api.refuse(ApiRefusal::Misdirected);
            log(&head.method, &head.uri, &response, Duration::ZERO);
            return response;
        }
        let mut line = PendingLine {
            method: &head.method,
            uri: &head.uri,
            began: Instant::now(),
            request_timeout: self.request_timeout,
            is_done: false,
        };
        let has_left = AtomicBool::new(false);
        let body = pin!(body.map_err(|error| {
            if let BodyError::Disconnected(_) = error {
                has_left.store(true, Relaxed);
            }
            BoxError::from(error)
        }));
        let response = self.api.handle(&head, body, peer(connection)).await;
        line.is_done = true;
        let took = line.began.elapsed();
        if has_left.load(Relaxed) {
            let record = response.extensions().get::<AccessRecord>();
            write_line(&head.method, &head.uri, CLIENT_LEFT, took, record);
        } else {
            log(&head.method, &head.uri, &response, took);
        }
        response
    }

    fn refuse(&self, refused: Refused<'_>) -> Response<Bytes> {
        let took = match refused.why {
            Refusal::Deadline => self.request_timeout,
            _ => Duration::ZERO,
        };
        let response = self.api.refuse(match refused.why {
            Refusal::Overloaded => ApiRefusal::Overloaded,
            Refusal::Deadline => ApiRefusal::TimedOut,
            Refusal::Panicked => ApiRefusal::Panicked,
            Refusal::BadRequest(BadRequest::TargetTooLong) => ApiRefusal::TargetTooLong,
            _ => ApiRefusal::Malformed,
        });
        log(refused.method, refused.uri, &response, took);
        response
    }
}

fn peer(connection: &ConnectionInfo) -> Peer {
    Peer {
        is_loopback: connection.peer.is_local(),
        is_trusted_proxy: connection.is_trusted_proxy,
        is_tls: connection.tls,
    }
}

/// A request without an answer yet. Where the client leaves before there is
/// one, the line is written when the transport drops the request.
struct PendingLine<'a> {
    method: &'a Method,
    uri: &'a Uri,
    began: Instant,
    request_timeout: Duration,
    is_done: bool,
}

impl Drop for PendingLine<'_> {
    fn drop(&mut self) {
        // A panic and a deadline are answered, and logged, by `refuse`.
        let took = self.began.elapsed();
        if !self.is_done && !std::thread::panicking() && took < self.request_timeout {
            write_line(self.method, self.uri, CLIENT_LEFT, took, None);
        }
    }
}

fn log(method: &Method, uri: &Uri, response: &Response<Bytes>, took: Duration) {
    let record = response.extensions().get::<AccessRecord>();
    write_line(method, uri, response.status().as_u16(), took, record);
}

/// The query is left out: it may hold what a client looks for.
fn write_line(
    method: &Method,
    uri: &Uri,
    status: u16,
    took: Duration,
    record: Option<&AccessRecord>,
) {
    let actor = record.and_then(|record| record.actor.as_ref());
    let refused_by = record.and_then(|record| record.refused_by.as_ref());
    tracing::info!(
        target: "donjon::access",
        request_id = record.and_then(|record| record.request_id.as_deref()),
        method = method.as_str(),
        path = uri.path(),
        status,
        ms = logging::milliseconds(took),
        project = actor.map(|actor| actor.project.as_str()),
        user = actor.and_then(|actor| actor.user.as_ref()).map(|user| user.as_str()),
        rule = refused_by.map(|refused_by| refused_by.rule),
        missing_roles = refused_by.map(|refused_by| refused_by.missing_roles.join(",")),
    );
}

/// No status was sent. The number is the one that logs of proxies use for it.
const CLIENT_LEFT: u16 = 499;
