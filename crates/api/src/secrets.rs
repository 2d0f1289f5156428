//! Secrets: the collection, one secret, its payload.

pub(crate) mod create;
mod view;

use bytes::Bytes;
use donjon_app::{Action, Deletion, FetchedPayload, NewPayload};
use donjon_domain::{ContentType, ListScope, Page, SecretBytes, SecretFilter, SecretId};
use http::{
    Method, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use create::Transport;
pub(crate) use view::{ConsumerJson, SecretJson, shown, shown_or_null};

use crate::{
    base64::decode_lenient,
    entity::{parse, refused, require_known_type},
    media,
    operation::Operation,
    paging::Listed,
    problem::Problem,
    query::{decode_plus, parse_bool, parse_int, parse_sort, parse_time_bounds},
    request::{During as _, Request, empty, json, with_location},
    service::wrong_method,
    transport_keys,
};

// === the collection ===

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

async fn create(mut request: Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretCreation;
    request.require_json_accepted()?;
    request.authorize_project(Action::SecretsPost, OPERATION)?;
    request.require_json_type()?;
    let body = request.read_json().await?;
    let new = create::read(&body, request.secret_bytes_max(), request.now)?;
    refuse_transport(&request, Transport::of(&body)?).await?;
    let id = request
        .app
        .secrets
        .create(&request.actor, new)
        .await
        .during(OPERATION)?;
    let secret_ref = request.secret_ref(id);
    let response = json(
        StatusCode::CREATED,
        &view::SecretRef {
            secret_ref: &secret_ref,
        },
    )?;
    Ok(with_location(response, &secret_ref))
}

/// No store of this server has transport keys. A project that may not create
/// at all is told that first.
async fn refuse_transport(request: &Request<'_>, transport: Transport<'_>) -> Result<(), Problem> {
    const OPERATION: Operation = Operation::SecretCreation;
    if matches!(transport, Transport::Nothing) {
        return Ok(());
    }
    let quotas = &request.app.quotas;
    let admitted = quotas.admits_secret(&request.actor).await;
    admitted.during(OPERATION)?;
    Err(match transport {
        Transport::Wrapped(id) => transport_keys::unusable(request, id, OPERATION).await,
        Transport::Nothing | Transport::Needed => Problem::issue(
            StatusCode::BAD_REQUEST,
            OPERATION,
            "Secret store supported plugin not found.",
        ),
    })
}

async fn list(request: &Request<'_>) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretsRetrieval;
    request.require_json_accepted()?;
    request.authorize_project(Action::SecretsGet, OPERATION)?;
    let page = request.limits.pages().read(&request.query)?;
    let sort = parse_sort(request.query.get("sort")?.unwrap_or_default())?;
    let scope = match (request.query.get("acl_only")?, &request.actor.user) {
        (Some(flag), Some(user)) if flag.eq_ignore_ascii_case("true") => {
            ListScope::SharedWith(user.clone())
        }
        _ => ListScope::Project(request.actor.project.clone()),
    };
    let url = format!("{}/secrets", request.root);
    let link_tail = request.query.to_link_tail();
    let found = match read_filter(request)? {
        Some(filter) => {
            let query = donjon_domain::SecretQuery {
                scope,
                filter,
                sort,
                page,
            };
            request
                .app
                .secrets
                .list(
                    &request.actor,
                    query,
                    request.microversion.shows_consumers(),
                )
                .await
        }
        None => Ok(Page::empty()),
    };
    let found = found.during(OPERATION)?;
    json(
        StatusCode::OK,
        &Listed {
            plural: "secrets",
            url: &url,
            link_tail: &link_tail,
            limit: page.limit,
            page: found.shown(|view| SecretJson::in_list(request, view)),
        },
    )
}

/// `None` where nothing can fit: there is no such type.
fn read_filter(request: &Request<'_>) -> Result<Option<SecretFilter>, Problem> {
    let query = &request.query;
    let pattern = |key: &str| {
        Ok(query
            .get(key)?
            .filter(|pattern| !pattern.is_empty())
            .map(str::to_owned))
    };
    let bounds = |key: &str| parse_time_bounds(query.get(key)?.unwrap_or_default());
    let secret_type = match query
        .get("secret_type")?
        .filter(|name| !name.is_empty())
        .map(str::parse)
    {
        None => None,
        Some(Ok(known)) => Some(known),
        Some(Err(_unknown)) => return Ok(None),
    };
    Ok(Some(SecretFilter {
        // The name is decoded once more than the rest.
        name: pattern("name")?.map(|name| decode_plus(&name).into_owned()),
        algorithm: pattern("alg")?,
        mode: pattern("mode")?,
        bit_length: query
            .get("bits")?
            .and_then(parse_int)
            .filter(|bits| *bits > 0),
        secret_type,
        created: bounds("created")?,
        updated: bounds("updated")?,
        expiration: bounds("expiration")?,
    }))
}

// === one secret ===

pub(crate) async fn on_secret(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id = parse(&request, id).await?;
    match *method {
        Method::GET => read(&request, id).await,
        Method::PUT => put(request, id).await,
        Method::DELETE => delete(&request, id).await,
        _ => Err(refused(&request, id, wrong_method(&request, "DELETE, GET, PUT")).await),
    }
}

async fn read(request: &Request<'_>, id: SecretId) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretRetrieval;
    require_known_type(request, id).await?;
    if !request.accept().is_for_metadata() {
        return payload(request, id, OPERATION).await;
    }
    let with_consumers = request.microversion.shows_consumers();
    let view = request
        .app
        .secrets
        .fetch(&request.actor, id, with_consumers)
        .await
        .during(OPERATION)?;
    if request
        .query
        .get("transport_key_needed")?
        .is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
    {
        return Err(Problem::issue(
            StatusCode::BAD_REQUEST,
            OPERATION,
            "Secret store supported plugin not found.",
        ));
    }
    json(StatusCode::OK, &SecretJson::in_list(request, &view))
}

/// Adds the payload to a secret that has none.
async fn put(mut request: Request<'_>, id: SecretId) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretUpdate;
    require_known_type(&request, id).await?;
    let has_payload = request
        .app
        .secrets
        .authorize_payload(&request.actor, id)
        .await
        .during(OPERATION)?;
    let content_type = put_content_type(&request)?;
    let bytes_max = request.secret_bytes_max();
    let bytes = request.read_raw(bytes_max).await?;
    if bytes.is_empty() {
        return Err(Problem::issue(
            StatusCode::BAD_REQUEST,
            OPERATION,
            "No data supplied to process.",
        ));
    }
    if bytes.len() > bytes_max {
        let text = "Provided information too large to process";
        return Err(Problem::issue(
            StatusCode::PAYLOAD_TOO_LARGE,
            OPERATION,
            text,
        ));
    }
    let bytes = SecretBytes::from_zeroizing(bytes);
    // A secret that is complete is refused for that, whatever the encoding.
    let bytes = if has_payload {
        bytes
    } else {
        put_decoded(&request, content_type, bytes)?
    };
    let payload = NewPayload {
        bytes,
        content_type,
    };
    request
        .app
        .secrets
        .put_payload(&request.actor, id, payload)
        .await
        .during(OPERATION)?;
    Ok(empty(if request.is_tenant_form {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    }))
}

fn put_content_type(request: &Request<'_>) -> Result<ContentType, Problem> {
    let sent = media::content_type(request.headers);
    match sent.as_deref() {
        Some("text/plain") => Ok(ContentType::Text),
        Some("application/octet-stream") => Ok(ContentType::OctetStream),
        sent if request.is_tenant_form => {
            let text = format!(
                "content-type of '{}' not supported",
                sent.unwrap_or_default()
            );
            Err(Problem::issue(
                StatusCode::BAD_REQUEST,
                Operation::SecretUpdate,
                &text,
            ))
        }
        _ => Err(Problem::unsupported_media_type(
            "'application/octet-stream', 'text/plain'",
        )),
    }
}

fn put_decoded(
    request: &Request<'_>,
    content_type: ContentType,
    bytes: SecretBytes,
) -> Result<SecretBytes, Problem> {
    const OPERATION: Operation = Operation::SecretUpdate;
    let Some(encoding) = request
        .headers
        .get(CONTENT_ENCODING)
        .filter(|_| content_type != ContentType::Text)
    else {
        return Ok(bytes);
    };
    if !encoding.as_bytes().eq_ignore_ascii_case(b"base64") {
        let text = "Text-based binary secret payloads must specify a content-encoding of 'base64'";
        return Err(Problem::issue(StatusCode::BAD_REQUEST, OPERATION, text));
    }
    decode_lenient(bytes.expose()).map_err(|_source| {
        Problem::issue(
            StatusCode::BAD_REQUEST,
            OPERATION,
            "Problem decoding payload",
        )
    })
}

async fn delete(request: &Request<'_>, id: SecretId) -> Result<Response<Bytes>, Problem> {
    const OPERATION: Operation = Operation::SecretDeletion;
    require_known_type(request, id).await?;
    let deletion = if request.microversion.guards_consumed() {
        let entities = &request.app.entities;
        let authorized = entities.authorize(&request.actor, Action::SecretDelete, id);
        authorized.await.during(OPERATION)?;
        match request.query.get("force")?.map(parse_bool).transpose()? {
            Some(true) => Deletion::Always,
            Some(false) | None => Deletion::UnlessConsumed,
        }
    } else {
        Deletion::Always
    };
    request
        .app
        .secrets
        .delete(&request.actor, id, deletion)
        .await
        .during(OPERATION)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

// === its payload ===

pub(crate) async fn on_payload(
    request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: SecretId = parse(&request, id).await?;
    require_known_type(&request, id).await?;
    if *method != Method::GET {
        return Err(refused(&request, id, Problem::method_not_allowed(None)).await);
    }
    payload(&request, id, Operation::SecretPayloadRetrieval).await
}

async fn payload(
    request: &Request<'_>,
    id: SecretId,
    operation: Operation,
) -> Result<Response<Bytes>, Problem> {
    let fetched = request
        .app
        .secrets
        .fetch_payload(&request.actor, id)
        .await
        .during(operation)?;
    refuse_transport_keys(request, operation).await?;
    let FetchedPayload {
        bytes,
        content_type,
    } = fetched;
    let shown = request
        .accept()
        .for_payload()
        .answer(content_type, bytes.expose());
    let Some(shown) = shown else {
        return Err(Problem::issue(
            StatusCode::NOT_ACCEPTABLE,
            operation,
            "Wrong payload content-type",
        ));
    };
    if bytes.is_empty() {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    // The connection drops the bytes when they are sent, and they wipe themselves.
    let mut response = Response::new(Bytes::from_owner(bytes.into_zeroizing()));
    response.headers_mut().insert(CONTENT_TYPE, shown);
    Ok(response)
}

/// Nothing here wraps payloads with transport keys.
async fn refuse_transport_keys(request: &Request<'_>, operation: Operation) -> Result<(), Problem> {
    if request.query.get("trans_wrapped_session_key")?.is_none() {
        return Ok(());
    }
    Err(match request.query.get("transport_key_id")? {
        None => Problem::bad_request(
            "Transport key wrapped session key has been provided to wrap secrets for retrieval, but the transport key id has not been provided.",
        ),
        Some(id) => transport_keys::unusable(request, id, operation).await,
    })
}
