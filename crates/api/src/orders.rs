//! Orders: the collection and one order, in today's form and in the oldest.

mod create;
mod meta;
mod view;

use bytes::Bytes;
use donjon_app::Action;
use donjon_domain::{OrderId, OrderQuery, Page};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    operation::Operation,
    paging::Listed,
    problem::Problem,
    request::{During as _, Request, empty, json, with_location},
    service::wrong_method,
};

use self::view::{OldOrderJson, OrderJson, OrderRef};

// === the collection ===

pub(crate) async fn on_collection(
    request: Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    match *method {
        Method::GET => list(&request).await,
        Method::POST => create(request).await,
        Method::PUT if !request.is_tenant_form => Err(refuse_update(&request)),
        _ if request.is_tenant_form => Err(wrong_method(&request, "GET, POST")),
        _ => Err(wrong_method(&request, "GET, POST, PUT")),
    }
}

async fn create(mut request: Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::OrderCreation;
    if !request.accept().takes_json() {
        return Err(Problem::not_acceptable());
    }
    request
        .app
        .orders
        .authorize_project(&request.actor, Action::OrdersPost)
        .during(OPERATION)?;
    request.require_json_type()?;
    let body = request.read_json().await?;
    let new = create::read(&request, &body)?;
    let id = request
        .app
        .orders
        .create(&request.actor, new)
        .await
        .during(OPERATION)?;
    let order_ref = view::order_ref(&request, id);
    let status = if request.is_tenant_form {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    };
    let response = json(
        status,
        &OrderRef {
            order_ref: &order_ref,
        },
    )?;
    Ok(with_location(response, &order_ref))
}

async fn list(request: &Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::OrdersRetrieval;
    if !request.accept().takes_json() {
        return Err(Problem::not_acceptable());
    }
    request
        .app
        .orders
        .authorize_project(&request.actor, Action::OrdersGet)
        .during(OPERATION)?;
    let page = request
        .limits
        .pages()
        .read_with(&request.query, OrderId::parse)?;
    let meta = request.query.get("meta")?;
    let query = OrderQuery {
        project: request.actor.project.clone(),
        meta: meta.filter(|part| !part.is_empty()).map(str::to_owned),
        page,
    };
    let found = request.app.orders.list(&request.actor, query).await;
    let found = found.during(OPERATION)?;
    let limit = page.limit;
    if request.is_tenant_form {
        let shown = |order| OldOrderJson::of(request, order);
        listed(request, limit, &found, shown)
    } else {
        let shown = |order| OrderJson::of(request, order);
        listed(request, limit, &found, shown)
    }
}

/// Filters are not repeated in links, as in Barbican.
fn listed<'a, T, J: Serialize>(
    request: &Request<'_>,
    limit: u32,
    found: &'a Page<T>,
    shown: impl FnMut(&'a T) -> J,
) -> Result<Response<Bytes>, Problem> {
    let listed = Listed {
        plural: "orders",
        url: &format!("{}/orders", request.root),
        link_tail: "",
        limit,
        page: found.shown(shown),
    };
    json(StatusCode::OK, &listed)
}

/// Barbican has a rule for this, and nothing behind it.
fn refuse_update(request: &Request<'_>) -> Problem {
    if !request.accept().takes_json() {
        return Problem::not_acceptable();
    }
    let authorized = request
        .app
        .orders
        .authorize_project(&request.actor, Action::OrdersPut)
        .during(Operation::OrderUpdate);
    authorized.err().unwrap_or_else(|| {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Order update is not supported.",
        )
    })
}

// === one order ===

pub(crate) async fn on_order(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id = parse_id(id)?;
    match *method {
        Method::GET => read(&request, id).await,
        Method::DELETE if !request.is_tenant_form => delete(&request, id).await,
        _ => {
            let allow = if request.is_tenant_form {
                "GET"
            } else {
                "DELETE, GET"
            };
            Err(refused(&request, id, wrong_method(&request, allow)).await)
        }
    }
}

/// What cannot be an id names no order.
fn parse_id(text: &str) -> Result<OrderId, Problem> {
    OrderId::parse(text).map_err(|_source| Problem::new(StatusCode::NOT_FOUND, "Order not found."))
}

async fn read(request: &Request<'_>, id: OrderId) -> Result<Response<Bytes>, Problem> {
    if !request.accept().takes_json() {
        return Err(refused(request, id, Problem::not_acceptable()).await);
    }
    let order = request.app.orders.fetch(&request.actor, id).await;
    let order = order.during(Operation::OrderRetrieval)?;
    if request.is_tenant_form {
        json(StatusCode::OK, &OldOrderJson::of(request, &order))
    } else {
        json(StatusCode::OK, &OrderJson::of(request, &order))
    }
}

async fn delete(request: &Request<'_>, id: OrderId) -> Result<Response<Bytes>, Problem> {
    if !request.accept().takes_any_known() {
        return Err(refused(request, id, Problem::not_acceptable()).await);
    }
    let deleted = request.app.orders.delete(&request.actor, id).await;
    deleted.during(Operation::OrderDeletion)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Orders have nothing below them, and unknown ones are told apart.
pub(crate) async fn below_order(
    request: &Request<'_>,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    Err(refused(request, parse_id(id)?, Problem::not_found()).await)
}

/// Why a request about an order is refused: an unknown order comes before
/// everything else.
async fn refused(request: &Request<'_>, id: OrderId, otherwise: Problem) -> Problem {
    let exists = request.app.orders.exists(&request.actor, id).await;
    exists.during(Operation::Request).err().unwrap_or(otherwise)
}
