//! An order as JSON. Clients refuse keys that they do not know, so there are
//! none beside Barbican's.

use donjon_domain::{
    ContentType, KeySpec, Order, OrderFailure, OrderId, OrderResult, OrderState, Timestamp,
};
use serde::Serialize;

use crate::{json::Json, orders::meta, request::Request};

/// What a creation answers.
#[derive(Serialize)]
pub(crate) struct OrderRef<'a> {
    pub(crate) order_ref: &'a str,
}

/// An order in today's form.
#[derive(Serialize)]
pub(crate) struct OrderJson<'a> {
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    status: &'static str,
    #[serde(rename = "type")]
    order_type: &'static str,
    meta: Json,
    #[serde(flatten)]
    failure: Option<FailureJson<'a>>,
    #[serde(flatten)]
    sub_status: Option<SubStatusJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_ref: Option<String>,
    order_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_ref: Option<String>,
}

/// An order in the oldest form.
#[derive(Serialize)]
pub(crate) struct OldOrderJson<'a> {
    status: &'static str,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    order_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_ref: Option<String>,
    secret: SpecJson<'a>,
    meta: (),
    #[serde(rename = "type")]
    order_type: &'static str,
    #[serde(flatten)]
    failure: Option<FailureJson<'a>>,
}

#[derive(Serialize)]
struct FailureJson<'a> {
    error_status_code: &'a str,
    error_reason: &'a str,
}

#[derive(Serialize)]
struct SubStatusJson {
    sub_status: &'static str,
    sub_status_message: &'static str,
}

#[derive(Serialize)]
struct SpecJson<'a> {
    name: Option<&'a str>,
    algorithm: &'a str,
    payload_content_type: &'static str,
    #[serde(serialize_with = "crate::secrets::shown_or_null")]
    expiration: Option<Timestamp>,
    bit_length: u16,
    mode: Option<&'a str>,
}

impl<'a> OrderJson<'a> {
    pub(crate) fn of(request: &Request<'_>, order: &'a Order) -> Self {
        let is_done = matches!(order.state, OrderState::Active(_));
        Self {
            created: order.created,
            updated: order.updated,
            status: order.state.as_str(),
            order_type: order.order_type.as_str(),
            meta: meta::parsed(&order.meta),
            failure: FailureJson::of(&order.state),
            sub_status: is_done.then_some(SubStatusJson {
                sub_status: "Unknown",
                sub_status_message: "Unknown",
            }),
            creator_id: order.creator.as_ref().map(|user| user.as_str()),
            secret_ref: secret_ref(request, &order.state),
            order_ref: order_ref(request, order.id),
            container_ref: container_ref(request, &order.state),
        }
    }
}

impl<'a> OldOrderJson<'a> {
    pub(crate) fn of(request: &Request<'_>, order: &'a Order) -> Self {
        Self {
            status: order.state.as_str(),
            updated: order.updated,
            created: order.created,
            order_ref: order_ref(request, order.id),
            secret_ref: secret_ref(request, &order.state),
            container_ref: container_ref(request, &order.state),
            secret: SpecJson::of(&order.spec),
            meta: (),
            order_type: order.order_type.as_str(),
            failure: FailureJson::of(&order.state),
        }
    }
}

impl<'a> FailureJson<'a> {
    fn of(state: &'a OrderState) -> Option<Self> {
        match state {
            OrderState::Error(OrderFailure {
                status_code,
                reason,
            }) => Some(Self {
                error_status_code: status_code,
                error_reason: reason,
            }),
            OrderState::Pending | OrderState::Active(_) => None,
        }
    }
}

impl<'a> SpecJson<'a> {
    fn of(spec: &'a KeySpec) -> Self {
        Self {
            name: spec.name.as_ref().map(|label| label.as_str()),
            algorithm: spec.algorithm.as_str(),
            payload_content_type: spec
                .content_type
                .unwrap_or(ContentType::OctetStream)
                .as_str(),
            expiration: spec.expiration,
            bit_length: spec.bit_length.get(),
            mode: spec.mode.as_ref().map(|label| label.as_str()),
        }
    }
}

pub(crate) fn order_ref(request: &Request<'_>, id: OrderId) -> String {
    format!("{}/orders/{id}", request.root)
}

fn secret_ref(request: &Request<'_>, state: &OrderState) -> Option<String> {
    match state {
        OrderState::Active(OrderResult::Secret(id)) => Some(request.secret_ref(*id)),
        _ => None,
    }
}

fn container_ref(request: &Request<'_>, state: &OrderState) -> Option<String> {
    match state {
        OrderState::Active(OrderResult::Container(id)) => Some(request.container_ref(*id)),
        _ => None,
    }
}
