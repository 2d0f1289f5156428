//! The health check, which load balancers ask without identity.

use bytes::Bytes;
use donjon_domain::ports::Health;
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde::Serialize;

use crate::{
    media::Accept,
    request::{empty, json},
};

#[derive(Serialize)]
struct Report<'a> {
    detailed: bool,
    reasons: [&'a str; 1],
}

/// 200 while reads work and deletes do, 503 once writes have stopped for good.
pub(crate) fn answer(head: &Parts, health: Health) -> Response<Bytes> {
    let (status, word) = match health {
        Health::Good => (StatusCode::OK, "OK"),
        Health::Full => (StatusCode::OK, "degraded"),
        Health::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "writes have stopped"),
    };
    if head.method == Method::HEAD {
        return empty(if status == StatusCode::OK {
            StatusCode::NO_CONTENT
        } else {
            status
        });
    }
    let report = Report {
        detailed: false,
        reasons: [word],
    };
    let as_json = Accept::of(&head.headers)
        .prefers_json()
        .then(|| json(status, &report).ok())
        .flatten();
    as_json.unwrap_or_else(|| {
        let mut response = Response::new(Bytes::copy_from_slice(word.as_bytes()));
        *response.status_mut() = status;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=UTF-8"),
        );
        response
    })
}
