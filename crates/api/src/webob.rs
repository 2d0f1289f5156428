//! Errors from in front of the API proper (version negotiation, identity, the
//! list of versions), in the shape of the framework that answers there in
//! Barbican: JSON with `message`, or plain text.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use crate::media::Accept;

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    code: &'a str,
    title: &'a str,
}

/// An error with an explanation, in the shape that the request accepts.
pub(crate) fn error(headers: &HeaderMap, status: StatusCode, detail: &str) -> Response<Bytes> {
    let explanation = match status {
        StatusCode::NOT_ACCEPTABLE => {
            "The resource could not be generated that was acceptable to your browser."
        }
        StatusCode::NOT_FOUND => "The resource could not be found.",
        _ => {
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        }
    };
    let title = status.canonical_reason().unwrap_or("Error");
    let line = format!("{} {title}", status.as_u16());
    let (content_type, body) = if Accept::of(headers).prefers_json() {
        let message = format!("{explanation}<br /><br />\n{detail}\n\n");
        let body = Body {
            message: &message,
            code: &line,
            title,
        };
        (
            "application/json",
            serde_json::to_vec(&body).unwrap_or_default(),
        )
    } else {
        (
            "text/plain; charset=UTF-8",
            format!("{line}\n\n{explanation}\n\n {detail}  ").into_bytes(),
        )
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
