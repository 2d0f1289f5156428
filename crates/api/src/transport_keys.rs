//! Transport keys, and the parameters of secrets that name one.

use bytes::Bytes;
use donjon_app::{Action, Error, Missing};
use donjon_domain::{Label, Timestamp, TransportKey, TransportKeyId};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    json::Json,
    operation::Operation,
    paging::Listed,
    problem::Problem,
    request::{During as _, Request, empty, json, with_location},
    schema::{Fields, Schema},
    service::wrong_method,
};

#[derive(Serialize)]
struct TransportKeyRef<'a> {
    transport_key_ref: &'a str,
}

/// The row of Barbican's database, which is what it shows.
#[derive(Serialize)]
struct TransportKeyJson<'a> {
    plugin_name: &'a str,
    created_at: String,
    id: String,
    deleted_at: Option<&'a str>,
    status: &'static str,
    updated_at: String,
    transport_key: &'a str,
    deleted: bool,
}

pub(crate) async fn on_collection(
    request: Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    match *method {
        Method::GET => list(&request).await,
        Method::POST => create(request).await,
        _ => Err(wrong_method(&request, "GET, POST")),
    }
}

async fn list(request: &Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::TransportKeysRetrieval;
    request.require_json_accepted()?;
    request.authorize_project(Action::TransportKeysGet, OPERATION)?;
    let page = request
        .limits
        .pages()
        .read_with(&request.query, TransportKeyId::parse)?;
    let plugin_name = request.query.get("plugin_name")?;
    let plugin_name = plugin_name.filter(|name| !name.is_empty());
    let found = request
        .app
        .transport_keys
        .list(&request.actor, plugin_name.map(str::to_owned), page)
        .await;
    let found = found.during(OPERATION)?;
    let url = format!("{}/transport_keys", request.root);
    json(
        StatusCode::OK,
        &Listed {
            plural: "transport_keys",
            url: &url,
            link_tail: "",
            limit: page.limit,
            page: found.shown(|key| reference(request, key.id)),
        },
    )
}

async fn create(mut request: Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::TransportKeyCreation;
    request.require_json_accepted()?;
    request.authorize_project(Action::TransportKeysPost, OPERATION)?;
    request.require_json_type()?;
    let body = request.read_json().await?;
    let (plugin_name, transport_key) = read_new(&body)?;
    let created = request
        .app
        .transport_keys
        .create(&request.actor, plugin_name, transport_key)
        .await;
    let reference = reference(&request, created.during(OPERATION)?);
    let body = TransportKeyRef {
        transport_key_ref: &reference,
    };
    Ok(with_location(json(StatusCode::CREATED, &body)?, &reference))
}

pub(crate) async fn on_key(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id = TransportKeyId::parse(id).map_err(|_source| {
        let text = "Not Found. Provided transport key id is invalid.";
        Problem::new(StatusCode::NOT_FOUND, text)
    })?;
    let accept = request.accept();
    match *method {
        Method::GET | Method::DELETE if !accept.takes_json() && !accept.takes_html() => {
            Err(Problem::not_acceptable())
        }
        Method::GET => {
            let found = request.app.transport_keys.fetch(&request.actor, id).await;
            let found = found.during(Operation::TransportKeyRetrieval)?;
            json(StatusCode::OK, &TransportKeyJson::of(&found))
        }
        Method::DELETE => {
            let removed = request.app.transport_keys.remove(&request.actor, id).await;
            removed.during(Operation::TransportKeyDeletion)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(wrong_method(&request, "DELETE, GET")),
    }
}

/// Why a request cannot use the transport key that it names: there is none, or
/// no store works with it. Storing or showing the payload as it is would be
/// another thing than what was asked for.
pub(crate) async fn unusable(request: &Request<'_>, id: &str, operation: Operation) -> Problem {
    let found = match TransportKeyId::parse(id) {
        Ok(id) => request.app.transport_keys.exists(id).await,
        Err(_invalid) => Err(Error::NotFound(Missing::TransportKey)),
    };
    let text = match found {
        Ok(()) => "No plugin was found that could support your request",
        Err(Error::NotFound(_)) => "Provided transport key was not found.",
        other => {
            let failed = other.during(operation).err();
            return failed.unwrap_or_else(Problem::not_found);
        }
    };
    Problem::issue(StatusCode::BAD_REQUEST, operation, text)
}

fn reference(request: &Request<'_>, id: TransportKeyId) -> String {
    format!("{}/transport_keys/{id}", request.root)
}

fn read_new(body: &Json) -> Result<(Label, String), Problem> {
    let fields = Schema::TransportKey.object(body)?;
    let (plugin_name, transport_key) = (fields.text(PLUGIN_NAME)?, fields.text(TRANSPORT_KEY)?);
    let plugin_name = provided(fields, PLUGIN_NAME, plugin_name)?;
    let transport_key = provided(fields, TRANSPORT_KEY, transport_key)?;
    let plugin_name = fields.checked_label(PLUGIN_NAME, plugin_name)?;
    Ok((plugin_name, transport_key.to_owned()))
}

fn provided<'a>(fields: Fields<'_>, key: &str, text: Option<&'a str>) -> Result<&'a str, Problem> {
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| fields.violation(key, format!("{key} must be provided")))
}

const PLUGIN_NAME: &str = "plugin_name";
const TRANSPORT_KEY: &str = "transport_key";

impl<'a> TransportKeyJson<'a> {
    fn of(key: &'a TransportKey) -> Self {
        let shown = |time: Timestamp| time.to_string().replacen('T', " ", 1);
        Self {
            plugin_name: key.plugin_name.as_str(),
            created_at: shown(key.created),
            id: key.id.to_string(),
            deleted_at: None,
            status: "ACTIVE",
            updated_at: shown(key.updated),
            transport_key: &key.transport_key,
            deleted: false,
        }
    }
}
