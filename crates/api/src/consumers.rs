//! Consumers of secrets and containers.

use bytes::Bytes;
use donjon_domain::{ConsumerId, StoredConsumer, Timestamp};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    entity::{Kind, authorized_json, find, parse, refused, require_json_accepted},
    paging::Listed,
    problem::Problem,
    request::{During as _, Request, json, with_location},
    service::wrong_method,
};

/// A registration in a list, or by itself.
#[derive(Serialize)]
struct RegistrationJson<C> {
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    status: &'static str,
    #[serde(flatten)]
    consumer: C,
}

pub(crate) async fn on_collection<K: Kind>(
    mut request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: K = parse(&request, id).await?;
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            list(&request, id).await
        }
        Method::POST => {
            let operation = K::OPERATIONS.consumer_creation;
            require_json_accepted(&request, id).await?;
            let body =
                authorized_json(&mut request, id, K::RULES.consumers_post, operation).await?;
            let consumer = K::read_consumer(&request, &body)?;
            let consumers = &request.app.consumers;
            let view = consumers.register(&request.actor, id, consumer).await;
            let response = K::answer(&request, &view.during(operation)?)?;
            // As in Barbican, it leads nowhere.
            let location = format!("{}/consumers/{id}/consumers", request.root);
            Ok(with_location(response, &location))
        }
        Method::DELETE => {
            let operation = K::OPERATIONS.consumer_deletion;
            require_json_accepted(&request, id).await?;
            let body =
                authorized_json(&mut request, id, K::RULES.consumers_delete, operation).await?;
            let consumer = K::read_consumer(&request, &body)?;
            let consumers = &request.app.consumers;
            let view = consumers.remove(&request.actor, id, consumer).await;
            K::answer(&request, &view.during(operation)?)
        }
        _ => Err(refused(&request, id, wrong_method(&request, "DELETE, GET, POST")).await),
    }
}

async fn list<K: Kind>(request: &Request<'_>, id: K) -> Result<Response<Bytes>, Problem> {
    let page = request.limits.pages().read(&request.query)?;
    let found = request.app.consumers.list(&request.actor, id, page).await;
    let found = found.during(K::OPERATIONS.consumers_retrieval)?;
    let url = format!("{}/consumers", id.reference(request));
    json(
        StatusCode::OK,
        &Listed {
            plural: "consumers",
            url: &url,
            link_tail: "",
            limit: page.limit,
            page: found.shown(shown::<K>),
        },
    )
}

pub(crate) async fn on_consumer<K: Kind>(
    request: Request<'_>,
    method: &Method,
    id: &str,
    consumer: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: K = find(&request, id).await?;
    let consumer = ConsumerId::parse(consumer).map_err(|_source| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Not Found. Provided consumer id is invalid.",
        )
    })?;
    if *method != Method::GET {
        return Err(wrong_method(&request, "GET"));
    }
    require_json_accepted(&request, id).await?;
    let consumers = &request.app.consumers;
    let found = consumers.fetch(&request.actor, id, consumer).await;
    let found = found.during(K::OPERATIONS.consumer_retrieval)?;
    json(StatusCode::OK, &shown::<K>(&found))
}

fn shown<K: Kind>(stored: &StoredConsumer<K::Consumer>) -> RegistrationJson<K::ConsumerJson<'_>> {
    RegistrationJson {
        created: stored.created,
        updated: stored.updated,
        status: "ACTIVE",
        consumer: K::show_consumer(&stored.consumer),
    }
}
