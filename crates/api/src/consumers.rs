//! Consumers of a secret.

use bytes::Bytes;
use donjon_app::Action;
use donjon_domain::{ConsumerId, Page, SecretConsumer, StoredConsumer, Timestamp};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    json::Json,
    operation::Operation,
    paging::Listed,
    problem::Problem,
    request::{During as _, Request, json, with_location},
    schema::Schema,
    secrets::{SecretJson, authorized_json, find, parse_id, refused, require_json_accepted},
    service::wrong_method,
};

#[derive(Serialize)]
struct ConsumerJson<'a> {
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    status: &'static str,
    service: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
}

pub(crate) async fn on_collection(
    mut request: Request<'_>,
    method: &Method,
    secret: &str,
    base: &str,
) -> Result<Response<Bytes>, Problem> {
    let id = parse_id(secret)?;
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            let page = request.limits.pages().read(&request.query)?;
            let found = request.app.consumers.list(&request.actor, id, page).await;
            let Page {
                items,
                offset,
                total,
            } = found.during(Operation::ConsumersRetrieval)?;
            let items = items.iter().map(ConsumerJson::of).collect();
            let url = format!("{}/consumers", request.secret_ref(id));
            let page_shown = Page {
                items,
                offset,
                total,
            };
            json(
                StatusCode::OK,
                &Listed {
                    plural: "consumers",
                    url: &url,
                    link_tail: "",
                    limit: page.limit,
                    page: page_shown,
                },
            )
        }
        Method::POST => {
            const OPERATION: Operation = Operation::ConsumerCreation;
            require_json_accepted(&request, id).await?;
            let body =
                authorized_json(&mut request, id, Action::SecretConsumersPost, OPERATION).await?;
            let consumer = read_consumer(&body)?;
            let view = request
                .app
                .consumers
                .register(&request.actor, id, consumer)
                .await
                .during(OPERATION)?;
            let response = json(StatusCode::OK, &SecretJson::with_consumers(&request, &view))?;
            Ok(with_location(
                response,
                &format!("{base}/v1/consumers/{id}/consumers"),
            ))
        }
        Method::DELETE => {
            const OPERATION: Operation = Operation::ConsumerDeletion;
            require_json_accepted(&request, id).await?;
            let body =
                authorized_json(&mut request, id, Action::SecretConsumersDelete, OPERATION).await?;
            let consumer = read_consumer(&body)?;
            let view = request
                .app
                .consumers
                .remove(&request.actor, id, consumer)
                .await
                .during(OPERATION)?;
            json(StatusCode::OK, &SecretJson::with_consumers(&request, &view))
        }
        _ => Err(refused(&request, id, wrong_method(&request, "DELETE, GET, POST")).await),
    }
}

pub(crate) async fn on_consumer(
    request: Request<'_>,
    method: &Method,
    secret: &str,
    consumer: &str,
) -> Result<Response<Bytes>, Problem> {
    let secret = find(&request, secret).await?;
    let id = ConsumerId::parse(consumer).map_err(|_source| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Not Found. Provided consumer id is invalid.",
        )
    })?;
    if *method != Method::GET {
        return Err(wrong_method(&request, "GET"));
    }
    require_json_accepted(&request, secret).await?;
    let found = request
        .app
        .consumers
        .fetch(&request.actor, secret, id)
        .await
        .during(Operation::ConsumerRetrieval)?;
    json(StatusCode::OK, &ConsumerJson::of(&found))
}

fn read_consumer(body: &Json) -> Result<SecretConsumer, Problem> {
    let fields = Schema::SecretConsumer.object(body)?;
    let service = fields.checked_label("service", fields.required_non_empty("service")?)?;
    let resource_type =
        fields.checked_label("resource_type", fields.required_non_empty("resource_type")?)?;
    let resource_id = fields.required_non_empty("resource_id")?.to_owned();
    Ok(SecretConsumer {
        service,
        resource_type,
        resource_id,
    })
}

impl<'a> ConsumerJson<'a> {
    fn of(stored: &'a StoredConsumer) -> Self {
        Self {
            created: stored.created,
            updated: stored.updated,
            status: "ACTIVE",
            service: stored.consumer.service.as_str(),
            resource_type: stored.consumer.resource_type.as_str(),
            resource_id: &stored.consumer.resource_id,
        }
    }
}
