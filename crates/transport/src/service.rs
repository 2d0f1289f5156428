//! What the application is for the transport, and when the transport answers in its place.

use std::future::Future;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};

use crate::body::RequestBody;
use crate::peer::ConnectionInfo;

/// The application: a request in, a response out.
///
/// Both methods are required. A response body is sent as it is, with `Content-Length` set from it;
/// the bytes are handed to the socket without another copy in memory unless the connection is TLS.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// Every method and every path arrives here as the client sent it; what the transport refuses
    /// before is listed at [`BadRequest`]. The future is dropped at any await when the client leaves, when
    /// [`Limits::request_timeout`](crate::Limits::request_timeout) has passed or when a drain runs out of
    /// time. A panic is caught and answered by [`refuse`](Self::refuse).
    ///
    /// ```
    /// # use bytes::Bytes; use http::{Request, Response};
    /// # use donjon_transport::{ConnectionInfo, Refused, RequestBody, Service};
    /// # struct App;
    /// impl Service for App {
    ///     async fn call(&self, request: Request<RequestBody>, _: &ConnectionInfo) -> Response<Bytes> {
    ///         Response::new(Bytes::from(request.uri().path().to_owned()))
    ///     }
    ///
    ///     fn refuse(&self, refused: Refused<'_>) -> Response<Bytes> {
    ///         Response::new(Bytes::from(refused.why.to_string()))
    ///     }
    /// }
    /// ```
    fn call(
        &self,
        request: Request<RequestBody>,
        connection: &ConnectionInfo,
    ) -> impl Future<Output = Response<Bytes>> + Send;

    /// Writes the answer to a request that the transport does not let through or that failed.
    ///
    /// It must not block. For [`Refusal::Overloaded`] it should set `Retry-After`.
    /// If it panics itself, the client gets an empty 500.
    fn refuse(&self, refused: Refused<'_>) -> Response<Bytes>;
}

/// A refusal with the request it is about.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// What happened.
    pub why: Refusal,
    /// Method of the request.
    pub method: &'a Method,
    /// Target of the request, as it was sent.
    pub uri: &'a Uri,
    /// The connection it came on.
    pub connection: &'a ConnectionInfo,
}

/// Why the transport asks the application for an answer outside of [`Service::call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// [`Limits::requests_in_flight_max`](crate::Limits::requests_in_flight_max) is reached, or
    /// [`Limits::answer_bytes_max`](crate::Limits::answer_bytes_max) by an answer of the service.
    #[error("too many requests or answers in flight")]
    Overloaded,
    /// The service did not answer within [`Limits::request_timeout`](crate::Limits::request_timeout).
    #[error("request took too long")]
    Deadline,
    /// [`Service::call`] panicked.
    #[error("request handler panicked")]
    Panicked,
    /// The request parses as HTTP but breaks a rule that every request must keep.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
}

/// The rules of HTTP that are checked before the application sees a request.
///
/// The answer to each of them closes the connection, because client and server, or a proxy between them, may
/// disagree about where the next request begins.
///
/// # Source
/// RFC 9112 sections 2.2, 3.2, 3.3 and 6; RFC 3986 section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// HTTP/1.1 without `Host`.
    #[error("missing Host header")]
    HostMissing,
    /// More than one `Host`, equal or not.
    #[error("more than one Host header")]
    HostRepeated,
    /// `Host` is not `host` or `host:port`.
    #[error("invalid Host header")]
    HostInvalid,
    /// The target is neither a path nor a URL nor `*`.
    #[error("invalid request target")]
    TargetInvalid,
    /// The target is a URL of another host than `Host` says.
    #[error("request target does not match the Host header")]
    TargetForeign,
    /// The target is longer than [`Limits::target_bytes_max`](crate::Limits::target_bytes_max).
    #[error("request target too long")]
    TargetTooLong,
    /// The path holds a `%` without two hexadecimal digits after it.
    #[error("invalid percent-encoding in the path")]
    PathEscape,
    /// The path holds `%00`.
    #[error("NUL byte in the path")]
    PathNul,
    /// The decoded path is not UTF-8.
    #[error("path is not UTF-8")]
    PathNotUtf8,
    /// `Transfer-Encoding` is anything but one `chunked`.
    #[error("unsupported Transfer-Encoding")]
    TransferEncoding,
    /// A line of the request head ends in LF without CR.
    #[error("bare line feed in the request head")]
    BareLineFeed,
}

// === impl Refusal ===

impl Refusal {
    /// The status that fits: 400, 414, 500 or 503.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Overloaded | Self::Deadline => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadRequest(BadRequest::TargetTooLong) => StatusCode::URI_TOO_LONG,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
        }
    }
}
