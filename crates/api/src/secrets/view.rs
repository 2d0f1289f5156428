//! A secret as JSON. Clients refuse keys that they do not know, so there are
//! none beside Barbican's.

use donjon_app::SecretView;
use donjon_domain::{ContentType, SecretConsumer, Timestamp};
use serde::{Serialize, Serializer};

use crate::request::Request;

/// What a creation answers.
#[derive(Serialize)]
pub(crate) struct SecretRef<'a> {
    pub(crate) secret_ref: &'a str,
}

/// A secret's metadata.
#[derive(Serialize)]
pub(crate) struct SecretJson<'a> {
    #[serde(serialize_with = "shown")]
    created: Timestamp,
    #[serde(serialize_with = "shown")]
    updated: Timestamp,
    status: &'static str,
    name: Option<String>,
    secret_type: &'static str,
    #[serde(serialize_with = "shown_or_null")]
    expiration: Option<Timestamp>,
    algorithm: Option<&'a str>,
    bit_length: Option<u16>,
    mode: Option<&'a str>,
    creator_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumers: Option<Vec<ConsumerJson<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_types: Option<ContentTypes>,
    secret_ref: String,
}

/// A consumer, without what storage knows of it.
#[derive(Serialize)]
pub(crate) struct ConsumerJson<'a> {
    service: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
}

#[derive(Serialize)]
struct ContentTypes {
    default: &'static str,
}

impl<'a> SecretJson<'a> {
    /// With consumers where the version of the request shows them.
    pub(crate) fn in_list(request: &Request<'_>, view: &'a SecretView) -> Self {
        let consumers = request.microversion.shows_consumers();
        Self::new(request, view, consumers)
    }

    /// With consumers, whatever the version.
    pub(crate) fn with_consumers(request: &Request<'_>, view: &'a SecretView) -> Self {
        Self::new(request, view, true)
    }

    fn new(request: &Request<'_>, view: &'a SecretView, consumers: bool) -> Self {
        let secret = &view.secret;
        let name = secret.name.as_ref().map(|name| name.as_str().to_owned());
        Self {
            created: secret.created,
            updated: secret.updated,
            status: "ACTIVE",
            // In the oldest form a secret without a name shows its id.
            name: if request.is_tenant_form {
                name.or_else(|| Some(secret.id.to_string()))
            } else {
                name
            },
            secret_type: secret.secret_type.as_str(),
            expiration: secret.expiration,
            algorithm: secret.algorithm.as_ref().map(|label| label.as_str()),
            bit_length: secret.bit_length.map(donjon_domain::BitLength::get),
            mode: secret.mode.as_ref().map(|label| label.as_str()),
            creator_id: secret.creator.as_ref().map(|user| user.as_str()),
            consumers: consumers.then(|| view.consumers.iter().map(ConsumerJson::of).collect()),
            content_types: secret.content_type.and_then(ContentTypes::of),
            secret_ref: request.secret_ref(secret.id),
        }
    }
}

impl ContentTypes {
    /// Barbican shows the plain types alone.
    fn of(stored: ContentType) -> Option<Self> {
        match stored {
            ContentType::Text | ContentType::OctetStream | ContentType::Pkcs8 => Some(Self {
                default: stored.as_str(),
            }),
            ContentType::TextWithCharset => None,
        }
    }
}

impl<'a> ConsumerJson<'a> {
    pub(crate) fn of(consumer: &'a SecretConsumer) -> Self {
        Self {
            service: consumer.service.as_str(),
            resource_type: consumer.resource_type.as_str(),
            resource_id: &consumer.resource_id,
        }
    }
}

/// Writes a time as clients expect it.
pub(crate) fn shown<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// The same, or null.
pub(crate) fn shown_or_null<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
