//! Containers: the collection, one container, its entries.

mod read;
mod view;

use bytes::Bytes;
use donjon_app::{Action, Error};
use donjon_domain::{ContainerId, ContainerQuery, ContainerType, Page};
use http::{Method, Response, StatusCode};

pub(crate) use view::{ConsumerJson, ContainerJson};

use crate::{
    entity::{parse, refused, require_json_accepted, require_known_type},
    operation::Operation,
    paging::Listed,
    problem::{Problem, problem},
    request::{During as _, Request, empty, json, with_location},
    service::wrong_method,
};

// === the collection ===

pub(crate) async fn on_collection(
    request: Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    match *method {
        Method::GET => list(&request).await,
        Method::POST => create(request).await,
        _ => Err(method_missing(&request, "GET, POST")),
    }
}

async fn create(mut request: Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::ContainerCreation;
    if !request.accept().takes_json() {
        return Err(Problem::not_acceptable());
    }
    let containers = &request.app.containers;
    containers
        .authorize_project(&request.actor, Action::ContainersPost)
        .during(OPERATION)?;
    request.require_json_type()?;
    let body = request.read_json().await?;
    let new = read::new_container(&request, &body)?;
    let created = containers.create(&request.actor, new).await;
    referred(&request, created.during(OPERATION)?)
}

/// Answers that something was made, with the address of the container.
fn referred(request: &Request<'_>, id: ContainerId) -> Result<Response<Bytes>, Problem> {
    let container_ref = request.container_ref(id);
    let response = json(
        StatusCode::CREATED,
        &view::ContainerRef {
            container_ref: &container_ref,
        },
    )?;
    Ok(with_location(response, &container_ref))
}

async fn list(request: &Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::ContainersRetrieval;
    if !request.accept().takes_json() {
        return Err(Problem::not_acceptable());
    }
    let containers = &request.app.containers;
    containers
        .authorize_project(&request.actor, Action::ContainersGet)
        .during(OPERATION)?;
    let pages = request.limits.pages();
    let page = pages.read_with(&request.query, ContainerId::parse)?;
    let given = |key: &str| Ok(request.query.get(key)?.filter(|value| !value.is_empty()));
    let name = given("name")?.map(str::to_owned);
    let found = match given("type")?.map(str::parse::<ContainerType>).transpose() {
        Ok(container_type) => {
            let query = ContainerQuery {
                project: request.actor.project.clone(),
                name,
                container_type,
                page,
            };
            containers.list(&request.actor, query).await
        }
        // Nothing is of a type that there is not.
        Err(_unknown) => Ok(Page::empty()),
    };
    let found = found.during(OPERATION)?;
    json(
        StatusCode::OK,
        &Listed {
            plural: "containers",
            url: &format!("{}/containers", request.root),
            // Links drop the filters, as in Barbican.
            link_tail: "",
            limit: page.limit,
            page: found.shown(|view| ContainerJson::of(request, view)),
        },
    )
}

// === one container ===

pub(crate) async fn on_container(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: ContainerId = parse(&request, id).await?;
    let containers = &request.app.containers;
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            let view = containers.fetch(&request.actor, id).await;
            let view = view.during(Operation::ContainerRetrieval)?;
            json(StatusCode::OK, &ContainerJson::of(&request, &view))
        }
        Method::DELETE => {
            require_known_type(&request, id).await?;
            let deleted = containers.delete(&request.actor, id).await;
            deleted.during(Operation::ContainerDeletion)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(refused(&request, id, method_missing(&request, "DELETE, GET")).await),
    }
}

/// Refuses a method that containers do not have. Unlike elsewhere, Barbican
/// says so in JSON.
fn method_missing(request: &Request<'_>, allow: &'static str) -> Problem {
    if request.accept().takes_json() {
        Problem::method_not_allowed(Some(allow))
    } else {
        Problem::not_acceptable()
    }
}

// === its entries ===

pub(crate) async fn on_secrets(
    mut request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: ContainerId = parse(&request, id).await?;
    let app = request.app;
    match *method {
        Method::POST => {
            const OPERATION: Operation = Operation::ContainerSecretCreation;
            require_json_accepted(&request, id).await?;
            let authorized = app.containers.authorize_addition(&request.actor, id).await;
            let container_type = authorized.during(OPERATION)?;
            request.require_json_type()?;
            // Comes before the body, so that the body need not make sense.
            if container_type != ContainerType::Generic {
                return Err(problem(OPERATION, &Error::FixedEntries));
            }
            let entry = read::entry(&request.read_json().await?)?;
            let added = app.containers.add_entry(&request.actor, id, entry).await;
            added.during(OPERATION)?;
            referred(&request, id)
        }
        Method::DELETE => {
            const OPERATION: Operation = Operation::ContainerSecretDeletion;
            require_known_type(&request, id).await?;
            let action = Action::ContainerSecretDelete;
            let authorized = app.entities.authorize(&request.actor, action, id).await;
            authorized.during(OPERATION)?;
            // The type of the body is not looked at.
            let entry = read::entry(&request.read_json().await?)?;
            let removed = app.containers.remove_entry(&request.actor, id, entry).await;
            removed.during(OPERATION)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(refused(&request, id, wrong_method(&request, "DELETE, POST")).await),
    }
}
