//! The only place where the outcome of a use case becomes an HTTP status and a
//! text for the client. Texts are part of the compatibility with Barbican.
#![warn(clippy::wildcard_enum_match_arm)]

use std::borrow::Cow;

use bytes::Bytes;
use donjon_app::{Bounded, Conflict, Denied, EntryRequest, Error, Missing};
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::operation::Operation;

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// `None` is shown as null.
    description: Option<Cow<'static, str>>,
    allow: Option<&'static str>,
    retry_after_s: Option<u32>,
    refused_by: Option<Box<RefusedBy>>,
}

/// The rule that refused a request, for the access log; no client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedBy {
    /// Name of the rule.
    pub rule: &'static str,
    /// The roles each of which alone would have been enough; may be empty.
    pub missing_roles: Vec<String>,
}

/// Why the transport could not hand a request over, or got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request contradicts itself or HTTP.
    Malformed,
    /// The target of the request is too long.
    TargetTooLong,
    /// The request was sent to a host that is not this server.
    Misdirected,
    /// Too many requests are being answered.
    Overloaded,
    /// The answer took too long.
    TimedOut,
    /// The handler panicked.
    Panicked,
}

#[derive(Serialize)]
struct Body<'a> {
    code: u16,
    title: &'a str,
    description: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            description: Some(description.into()),
            allow: None,
            retry_after_s: None,
            refused_by: None,
        }
    }

    /// A problem whose description is null.
    pub(crate) fn undescribed(status: StatusCode) -> Self {
        Self {
            status,
            description: None,
            allow: None,
            retry_after_s: None,
            refused_by: None,
        }
    }

    pub(crate) fn bad_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, description)
    }

    /// `{Op} issue seen - {text}.`: how Barbican words an error of the client
    /// that is found after validation.
    pub(crate) fn issue(status: StatusCode, operation: Operation, text: &str) -> Self {
        Self::new(status, format!("{} issue seen - {text}.", operation.name()))
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "")
    }

    pub(crate) fn malformed_json() -> Self {
        Self::bad_request("Malformed JSON")
    }

    pub(crate) fn invalid_query() -> Self {
        Self::bad_request("URI provided invalid query string parameters.")
    }

    pub(crate) fn method_not_allowed(allow: Option<&'static str>) -> Self {
        Self {
            allow,
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "")
        }
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::undescribed(StatusCode::NOT_ACCEPTABLE)
    }

    pub(crate) fn unsupported_media_type(expected: &str) -> Self {
        let text = format!("Unexpected content type. Expected content types are: [{expected}]");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    }

    pub(crate) fn unavailable(description: &'static str) -> Self {
        Self {
            retry_after_s: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, description)
        }
    }

    /// Keeps for the access log which rule refused.
    pub(crate) fn refused_by(self, denied: &Denied) -> Self {
        Self {
            refused_by: Some(Box::new(RefusedBy {
                rule: denied.action.rule(),
                missing_roles: denied.missing_roles(),
            })),
            ..self
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let title = match self.status {
            // The reason phrase of RFC 7231's predecessor, which clients print.
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            status => status.canonical_reason().unwrap_or("Error"),
        };
        let body = Body {
            code: self.status.as_u16(),
            title,
            description: self.description.as_deref(),
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Bytes::from(json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(refused_by) = self.refused_by {
            response.extensions_mut().insert(*refused_by);
        }
        response
    }
}

/// Turns a failed use case into Barbican's error body.
pub(crate) fn problem(operation: Operation, error: &Error) -> Problem {
    match error {
        Error::Denied(_) => Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "{} attempt not allowed - please review your user/project privileges",
                operation.name()
            ),
        ),
        Error::NotFound(missing) => Problem::new(StatusCode::NOT_FOUND, missing_text(*missing)),
        Error::Conflict(conflict) => Problem::new(StatusCode::CONFLICT, conflict_text(*conflict)),
        Error::HasConsumers => Problem::issue(
            StatusCode::BAD_REQUEST,
            operation,
            "Secret cannot be deleted as it has consumers.",
        ),
        Error::NoSuchSecret(entry) => {
            Problem::new(StatusCode::NOT_FOUND, no_such_secret(operation, entry))
        }
        Error::FixedEntries => Problem::bad_request("Only 'generic' containers can be modified."),
        Error::NotTheRegistrar => Problem::new(
            StatusCode::FORBIDDEN,
            "Not Allowed. Sorry, only the creator of a consumer can delete it.",
        ),
        Error::QuotaReached { .. } => Problem::issue(
            StatusCode::FORBIDDEN,
            operation,
            "Creation not allowed because a quota has been reached",
        ),
        Error::BoundReached { bounded, limit } => Problem::issue(
            StatusCode::FORBIDDEN,
            operation,
            &format!(
                "Creation not allowed because a limit has been reached, {limit} {}",
                bounded_text(*bounded)
            ),
        ),
        Error::Overloaded => Problem::unavailable("The server is busy. Please try again."),
        Error::StorageFull => {
            Problem::unavailable("The server has no room to store this. Nothing was changed.")
        }
        Error::Unavailable(_) => {
            Problem::unavailable("The server cannot do this now. Nothing was changed.")
        }
        Error::Astray(_) => Problem::unavailable(
            "The secret store does not give what was stored. Nothing was changed.",
        ),
        Error::OutcomeUnknown(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "{} failure seen - outcome unknown, please check before trying again.",
                operation.name()
            ),
        ),
        Error::Integrity(_) | Error::Internal(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "{} failure seen - please contact site administrator.",
                operation.name()
            ),
        ),
    }
}

/// Turns a refusal of the transport into the same body.
pub(crate) fn refusal(why: Refusal) -> Problem {
    match why {
        Refusal::Malformed => Problem::bad_request("Malformed request"),
        Refusal::TargetTooLong => {
            Problem::new(StatusCode::URI_TOO_LONG, "The address is too long.")
        }
        Refusal::Misdirected => Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "The Host header names another host than this server. Without authentication it \
             answers to localhost, loopback addresses and its configured addresses alone.",
        ),
        Refusal::Overloaded => Problem::unavailable("The server is busy. Please try again."),
        Refusal::TimedOut => {
            Problem::unavailable("The server took too long. The outcome is unknown.")
        }
        Refusal::Panicked => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Request failure seen - please contact site administrator.",
        ),
    }
}

const fn missing_text(missing: Missing) -> &'static str {
    match missing {
        Missing::Secret => "Secret not found.",
        Missing::Container => "Secrets container not found.",
        Missing::Order => "Order not found.",
        Missing::TransportKey => "Not Found. Transport Key not found.",
        Missing::MultipleStores => {
            "Not Found. Multiple backends support is not enabled in service configuration."
        }
        Missing::SecretStore => "Not Found. Secret store not found.",
        Missing::PreferredStore => "Not Found. No preferred secret store defined for this project.",
        Missing::ProjectQuotas => "Project quotas not found.",
        Missing::Payload => "Not Found. Sorry but your secret has no payload.",
        Missing::Metadatum => "Secret metadata not found.",
        Missing::Consumer => "Consumer not found.",
        Missing::Entry => "Secret provided is not in the container",
    }
}

fn no_such_secret(operation: Operation, entry: &EntryRequest) -> String {
    // An absent name is printed as Python prints it.
    let name = entry.name.as_ref().map_or("None", |name| name.as_str());
    if operation == Operation::ContainerCreation {
        format!("Secret provided for '{name}' doesn't exist.")
    } else if operation == Operation::ContainerSecretDeletion {
        let reference = &entry.reference;
        format!("Secret '{name}' with reference '{reference}' doesn't exist.")
    } else {
        "Secret provided doesn't exist.".to_owned()
    }
}

const fn bounded_text(bounded: Bounded) -> &'static str {
    match bounded {
        Bounded::Consumers => "consumers",
        Bounded::ContainerSecrets => "secrets in a container",
        Bounded::MetadataBytes => "bytes of user metadata",
    }
}

const fn conflict_text(conflict: Conflict) -> &'static str {
    match conflict {
        Conflict::PayloadExists => "Secret already has data, cannot modify it.",
        Conflict::MetadatumExists => "Conflict. Key in request is already in the secret metadata",
        // Cut off in the original, with the blank.
        Conflict::MetadatumKeyDiffers => "Key in request data does not match key in the ",
        Conflict::EntryExists => {
            "Conflict. A secret with that name and ID is already stored in this container. \
             The same secret can exist in a container as long as the name is unique."
        }
        // Barbican fails with 500.
        Conflict::EntryWasRemoved => {
            "Conflict. A secret with that name and ID was removed from this container. \
             The same secret can be added again with another name, or without one."
        }
    }
}
