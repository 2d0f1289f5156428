//! Discovery: the list of versions and the document of version 1.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
    request::Parts,
};
use serde::Serialize;

use crate::{
    media::Accept,
    microversion::Microversion,
    problem::Problem,
    query::Query,
    request::{Request, empty, json},
    service::wrong_method,
    webob,
};

const LATEST: &str = Microversion::LATEST.as_str();

#[derive(Serialize)]
struct Link {
    rel: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    media_type: Option<&'static str>,
    href: String,
}

#[derive(Serialize)]
struct MediaType {
    base: &'static str,
    #[serde(rename = "type")]
    media_type: &'static str,
}

/// The document in its old shape (1.0) or its new one.
#[derive(Serialize)]
#[serde(untagged)]
enum Version {
    Old {
        id: &'static str,
        status: &'static str,
        links: [Link; 2],
        #[serde(rename = "media-types")]
        media_types: [MediaType; 1],
    },
    New {
        id: &'static str,
        status: &'static str,
        min_version: &'static str,
        max_version: &'static str,
        links: [Link; 2],
    },
}

#[derive(Serialize)]
struct One {
    version: Version,
}

#[derive(Serialize)]
#[serde(untagged)]
enum List {
    Old { versions: Values },
    New { versions: [Version; 1] },
}

#[derive(Serialize)]
struct Values {
    values: [Version; 1],
}

#[derive(Serialize)]
struct Build {
    build: &'static str,
}

/// `GET /`, which needs no identity.
pub(crate) fn list(head: &Parts, base: &str, microversion: Microversion) -> Response<Bytes> {
    list_or_problem(head, base, microversion).unwrap_or_else(Problem::into_response)
}

fn list_or_problem(
    head: &Parts,
    base: &str,
    microversion: Microversion,
) -> Result<Response<Bytes>, Problem> {
    let accept = Accept::of(&head.headers);
    if head.method != Method::GET {
        return Err(if accept.takes_html() {
            Problem::method_not_allowed(Some("GET"))
        } else {
            Problem::not_acceptable()
        });
    }
    if Query::parse(head.uri.query().unwrap_or_default())
        .get("build")?
        .is_some()
    {
        return json(
            StatusCode::OK,
            &Build {
                build: env!("CARGO_PKG_VERSION"),
            },
        );
    }
    let raw = head
        .headers
        .get(http::header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if raw.contains("application/json-home") {
        let text = format!(
            "302 Found\n\nThe resource was found at {base}/v1/; you should be redirected automatically.  "
        );
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = StatusCode::FOUND;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=UTF-8"),
        );
        if let Ok(location) = HeaderValue::from_str(&format!("{base}/v1/")) {
            headers.insert(LOCATION, location);
        }
        return Ok(response);
    }
    if !accept.takes_json() {
        return Ok(webob::error(&head.headers, StatusCode::NOT_ACCEPTABLE, ""));
    }
    let version = version(base, microversion);
    let list = match version {
        Version::Old { .. } => List::Old {
            versions: Values { values: [version] },
        },
        Version::New { .. } => List::New {
            versions: [version],
        },
    };
    json(StatusCode::MULTIPLE_CHOICES, &list)
}

/// What is neither the list of versions, nor version 1, nor the health check.
pub(crate) fn nothing(head: &Parts, file: bool) -> Response<Bytes> {
    if head.method == Method::HEAD {
        return empty(StatusCode::NOT_FOUND);
    }
    if !Accept::of(&head.headers).prefers_json() {
        return webob::error(&head.headers, StatusCode::NOT_FOUND, "");
    }
    let problem = if file {
        Problem::undescribed(StatusCode::NOT_FOUND)
    } else {
        Problem::not_found()
    };
    problem.into_response()
}

/// `GET /v1`.
pub(crate) fn document(
    request: &Request<'_>,
    method: &Method,
    base: &str,
) -> Result<Response<Bytes>, Problem> {
    if *method != Method::GET {
        return Err(wrong_method(request, "GET"));
    }
    if !request.accept().takes_json() {
        return Err(Problem::not_acceptable());
    }
    json(
        StatusCode::OK,
        &One {
            version: version(base, request.microversion),
        },
    )
}

fn version(base: &str, microversion: Microversion) -> Version {
    let links = [
        Link {
            rel: "self",
            media_type: None,
            href: format!("{base}/v1/"),
        },
        Link {
            rel: "describedby",
            media_type: Some("text/html"),
            href: "https://docs.openstack.org/".to_owned(),
        },
    ];
    if microversion == Microversion::V1_0 {
        let media_type = MediaType {
            base: "application/json",
            media_type: "application/vnd.openstack.key-manager-v1+json",
        };
        Version::Old {
            id: "v1",
            status: "stable",
            links,
            media_types: [media_type],
        }
    } else {
        Version::New {
            id: "v1",
            status: "CURRENT",
            min_version: "1.0",
            max_version: LATEST,
            links,
        }
    }
}
