//! Secret stores: all, the global default, the preferred one, one by id.

use bytes::Bytes;
use donjon_app::ActiveStore;
use donjon_domain::Timestamp;
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    operation::Operation,
    problem::Problem,
    request::{During as _, Request, empty, json},
    service::wrong_method,
};

#[derive(Serialize)]
struct All<'a> {
    secret_stores: Vec<SecretStoreJson<'a>>,
}

#[derive(Serialize)]
struct SecretStoreJson<'a> {
    #[serde(serialize_with = "crate::secrets::shown")]
    created: Timestamp,
    #[serde(serialize_with = "crate::secrets::shown")]
    updated: Timestamp,
    status: &'static str,
    crypto_plugin: Option<&'a str>,
    global_default: bool,
    name: &'a str,
    secret_store_plugin: &'a str,
    secret_store_ref: String,
}

pub(crate) fn on_collection(
    request: &Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    if *method != Method::GET {
        return Err(wrong_method(request, "GET"));
    }
    request.require_json_accepted()?;
    let found = request.app.secret_stores.list(&request.actor);
    let found = found.during(Operation::SecretStoresRetrieval)?;
    let secret_stores = found.iter().map(|store| shown(request, store)).collect();
    json(StatusCode::OK, &All { secret_stores })
}

/// Takes any method, as in Barbican.
pub(crate) fn on_global_default(request: &Request<'_>) -> Result<Response<Bytes>, Problem> {
    request.require_json_accepted()?;
    let found = request.app.secret_stores.global_default(&request.actor);
    let found = found.during(Operation::GlobalDefaultStoreRetrieval)?;
    json(StatusCode::OK, &shown(request, found))
}

/// Takes any method, as in Barbican.
pub(crate) async fn on_preferred(request: Request<'_>) -> Result<Response<Bytes>, Problem> {
    request.require_json_accepted()?;
    let found = request.app.secret_stores.preferred(&request.actor).await;
    let found = found.during(Operation::PreferredStoreRetrieval)?;
    json(StatusCode::OK, &shown(&request, found))
}

pub(crate) fn on_store(
    request: &Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretStoreRetrieval;
    let stores = &request.app.secret_stores;
    stores.find(id).during(OPERATION)?;
    if *method != Method::GET {
        return Err(wrong_method(request, "GET"));
    }
    request.require_json_accepted()?;
    let found = stores.fetch(&request.actor, id).during(OPERATION)?;
    json(StatusCode::OK, &shown(request, found))
}

pub(crate) async fn on_preference(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let stores = &request.app.secret_stores;
    stores.find(id).during(Operation::Request)?;
    match *method {
        Method::POST => {
            request.require_json_accepted()?;
            let done = stores.prefer(&request.actor, id).await;
            done.during(Operation::PreferredStoreSetting)?;
        }
        Method::DELETE => {
            request.require_json_accepted()?;
            let done = stores.forget(&request.actor, id).await;
            done.during(Operation::PreferredStoreRemoval)?;
        }
        _ => return Err(wrong_method(&request, "DELETE, POST")),
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What is below a store is refused as if it were a wrong method.
pub(crate) fn below_store(request: &Request<'_>, id: &str) -> Problem {
    let found = request.app.secret_stores.find(id);
    let missing = found.during(Operation::Request).err();
    missing.unwrap_or_else(|| Problem::method_not_allowed(None))
}

fn shown<'a>(request: &Request<'_>, active: &'a ActiveStore) -> SecretStoreJson<'a> {
    let store = &active.store;
    SecretStoreJson {
        created: store.created,
        updated: store.updated,
        status: "ACTIVE",
        crypto_plugin: store.crypto_plugin.as_ref().map(|name| name.as_str()),
        global_default: active.is_global_default,
        name: &active.name,
        secret_store_plugin: store.plugin.as_str(),
        secret_store_ref: format!("{}/secret-stores/{}", request.root, store.id),
    }
}
