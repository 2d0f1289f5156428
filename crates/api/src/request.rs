//! A request as handlers see it.

use std::sync::Arc;

use bytes::Bytes;
use donjon_app::{Action, App};
use donjon_domain::{Actor, ContainerId, SecretId, Timestamp};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    base_url::BaseUrls,
    body::{self, RequestBody},
    json::Json,
    media::{self, Accept},
    microversion::Microversion,
    operation::Operation,
    problem::{Problem, problem},
    query::Query,
    service::Limits,
};

/// Who holds the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Whether it is on the same machine.
    pub is_loopback: bool,
    /// Whether it is a proxy whose forwarding headers are believed.
    pub is_trusted_proxy: bool,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}

/// A request to version 1 of the API, after identity and version are known.
pub(crate) struct Request<'a> {
    pub(crate) app: &'a App,
    pub(crate) limits: &'a Limits,
    pub(crate) now: Timestamp,
    pub(crate) actor: Arc<Actor>,
    pub(crate) microversion: Microversion,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Query,
    pub(crate) body: RequestBody<'a>,
    /// Tells which references are the server's own.
    pub(crate) base_urls: &'a BaseUrls,
    /// Address of the server for this request, such as `http://h`.
    pub(crate) base: String,
    /// Address of the API in this request's form, such as `http://h/v1` or
    /// `http://h/v1/{tenant}`.
    pub(crate) root: String,
    /// Whether the path has the tenant in it.
    pub(crate) is_tenant_form: bool,
}

impl<'a> Request<'a> {
    pub(crate) fn accept(&self) -> Accept<'a> {
        Accept::of(self.headers)
    }

    /// The most bytes that a payload may have in this form.
    pub(crate) fn secret_bytes_max(&self) -> usize {
        if self.is_tenant_form {
            self.limits.tenant_secret_bytes
        } else {
            self.limits.secret_bytes
        }
    }

    /// Refuses a body that is not declared as JSON.
    pub(crate) fn require_json_type(&self) -> Result<(), Problem> {
        match media::content_type(self.headers).as_deref() {
            Some("application/json") => Ok(()),
            _ => Err(Problem::unsupported_media_type("'application/json'")),
        }
    }

    /// Refuses a request that takes no answer in JSON.
    pub(crate) fn require_json_accepted(&self) -> Result<(), Problem> {
        if self.accept().takes_json() {
            Ok(())
        } else {
            Err(Problem::not_acceptable())
        }
    }

    /// Refuses a request that takes nothing but media types that nobody knows.
    pub(crate) fn require_known_type_accepted(&self) -> Result<(), Problem> {
        if self.accept().takes_any_known() {
            Ok(())
        } else {
            Err(Problem::not_acceptable())
        }
    }

    /// Checks that the caller may do this to what belongs to no single entity.
    pub(crate) fn authorize_project(
        &self,
        action: Action,
        operation: Operation,
    ) -> Result<(), Problem> {
        let secrets = &self.app.secrets;
        secrets
            .authorize_project(&self.actor, action)
            .during(operation)
    }

    /// Reads the body as JSON. Of a body that is too long the beginning is
    /// read, which then is no JSON.
    pub(crate) async fn read_json(&mut self) -> Result<Json, Problem> {
        let found = self.read_json_if_any().await?;
        found.ok_or_else(Problem::malformed_json)
    }

    /// The same, and `None` where there is no body.
    pub(crate) async fn read_json_if_any(&mut self) -> Result<Option<Json>, Problem> {
        let bytes_max = self.limits.request_bytes;
        let bytes = body::read(self.body.as_mut(), bytes_max).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Json::parse(&bytes).map(Some)
    }

    /// Reads the body as it is, up to one byte more than `bytes_max`.
    pub(crate) async fn read_raw(
        &mut self,
        bytes_max: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Problem> {
        body::read(self.body.as_mut(), bytes_max.saturating_add(1)).await
    }

    pub(crate) fn secret_ref(&self, id: SecretId) -> String {
        format!("{}/secrets/{id}", self.root)
    }

    pub(crate) fn container_ref(&self, id: ContainerId) -> String {
        format!("{}/containers/{id}", self.root)
    }

    /// Whether a reference leads to this server, by any of its addresses.
    pub(crate) fn is_own_reference(&self, reference: &str) -> bool {
        self.base_urls.lead_to(reference, &self.base)
    }
}

/// Names the operation in the error that a use case ended with.
pub(crate) trait During<T> {
    fn during(self, operation: Operation) -> Result<T, Problem>;
}

impl<T> During<T> for Result<T, donjon_app::Error> {
    fn during(self, operation: Operation) -> Result<T, Problem> {
        self.map_err(|error| {
            let problem = problem(operation, &error);
            if problem.status().is_server_error() {
                tracing::error!(
                    operation = operation.name(),
                    error = &error as &dyn std::error::Error,
                    "request failed"
                );
            } else if let donjon_app::Error::Denied(denied) = &error {
                return problem.refused_by(denied);
            }
            problem
        })
    }
}

/// An answer with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response<Bytes>, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|_source| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Response failure seen.")
    })?;
    let mut response = Response::new(Bytes::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Adds where the new thing is to be found.
pub(crate) fn with_location(mut response: Response<Bytes>, location: &str) -> Response<Bytes> {
    // A reference built from a client's Host header has been checked for sane
    // characters; one that still is no header value is left out.
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}
