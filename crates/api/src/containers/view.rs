//! A container as JSON, with Barbican's keys and no others.

use donjon_app::ContainerView;
use donjon_domain::{ContainerConsumer, ContainerEntry, Timestamp};
use serde::Serialize;

use crate::request::Request;

/// What a creation answers.
#[derive(Serialize)]
pub(crate) struct ContainerRef<'a> {
    pub(crate) container_ref: &'a str,
}

/// A container with its entries and consumers.
#[derive(Serialize)]
pub(crate) struct ContainerJson<'a> {
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    status: &'static str,
    name: Option<&'a str>,
    #[serde(rename = "type")]
    container_type: &'static str,
    creator_id: Option<&'a str>,
    secret_refs: Vec<EntryJson<'a>>,
    consumers: Vec<ConsumerJson<'a>>,
    container_ref: String,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    name: Option<&'a str>,
    secret_ref: String,
}

/// A consumer, without what storage knows of it.
#[derive(Serialize)]
pub(crate) struct ConsumerJson<'a> {
    name: &'a str,
    #[serde(rename = "URL")]
    url: &'a str,
}

impl<'a> ContainerJson<'a> {
    pub(crate) fn of(request: &Request<'_>, view: &'a ContainerView) -> Self {
        let container = &view.container;
        let entry = |entry: &'a ContainerEntry| EntryJson {
            name: entry.name.as_ref().map(|name| name.as_str()),
            secret_ref: request.secret_ref(entry.secret),
        };
        Self {
            created: container.created,
            updated: container.updated,
            status: "ACTIVE",
            name: container.name.as_ref().map(|name| name.as_str()),
            container_type: container.container_type.as_str(),
            creator_id: container.creator.as_ref().map(|user| user.as_str()),
            secret_refs: view.entries.iter().map(entry).collect(),
            consumers: view.consumers.iter().map(ConsumerJson::of).collect(),
            container_ref: request.container_ref(container.id),
        }
    }
}

impl<'a> ConsumerJson<'a> {
    pub(crate) fn of(consumer: &'a ContainerConsumer) -> Self {
        Self {
            name: consumer.name.as_str(),
            url: consumer.url.as_str(),
        }
    }
}
