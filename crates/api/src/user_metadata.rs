//! User metadata of a secret: all of it, and one key.

use std::collections::BTreeMap;

use bytes::Bytes;
use donjon_app::Action;
use donjon_domain::{MetadataKey, SecretId, UserMetadata};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    entity::{authorized_json, parse, refused, require_json_accepted, require_known_type},
    json::Json,
    operation::Operation,
    problem::Problem,
    request::{During as _, Request, empty, json, with_location},
    schema::Schema,
    service::wrong_method,
};

#[derive(Serialize)]
struct All<'a> {
    metadata: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct MetadataRef {
    metadata_ref: String,
}

#[derive(Serialize)]
struct Metadatum<'a> {
    key: &'a str,
    value: &'a str,
}

pub(crate) async fn on_collection(
    mut request: Request<'_>,
    method: &Method,
    secret: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: SecretId = parse(&request, secret).await?;
    let metadata_ref = format!("{}/metadata", request.secret_ref(id));
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            let all = request
                .app
                .user_metadata
                .fetch_all(&request.actor, id)
                .await;
            let all = all.during(Operation::MetadataRetrieval)?;
            let metadata = all
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            json(StatusCode::OK, &All { metadata })
        }
        Method::PUT => {
            const OPERATION: Operation = Operation::MetadataCreation;
            require_known_type(&request, id).await?;
            let body = authorized_json(&mut request, id, Action::SecretMetaPut, OPERATION).await?;
            let metadata = read_all(&body)?;
            request
                .app
                .user_metadata
                .replace(&request.actor, id, metadata)
                .await
                .during(OPERATION)?;
            json(StatusCode::CREATED, &MetadataRef { metadata_ref })
        }
        Method::POST => {
            const OPERATION: Operation = Operation::MetadatumCreation;
            require_known_type(&request, id).await?;
            let body = authorized_json(&mut request, id, Action::SecretMetaPost, OPERATION).await?;
            let (key, value) = read_one(&body)?;
            let added = request
                .app
                .user_metadata
                .add(&request.actor, id, key.clone(), value.clone())
                .await;
            added.during(OPERATION)?;
            let response = json(
                StatusCode::CREATED,
                &Metadatum {
                    key: key.as_str(),
                    value: &value,
                },
            )?;
            Ok(with_location(
                response,
                &format!("{metadata_ref}/{}", key.as_str()),
            ))
        }
        _ => Err(refused(&request, id, wrong_method(&request, "GET, POST, PUT")).await),
    }
}

pub(crate) async fn on_key(
    mut request: Request<'_>,
    method: &Method,
    secret: &str,
    key: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: SecretId = parse(&request, secret).await?;
    let in_path = MetadataKey::for_lookup(key);
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            let value = request
                .app
                .user_metadata
                .fetch(&request.actor, id, in_path)
                .await;
            let value = value.during(Operation::MetadatumRetrieval)?;
            json(StatusCode::OK, &Metadatum { key, value: &value })
        }
        Method::PUT => {
            const OPERATION: Operation = Operation::MetadatumUpdate;
            require_known_type(&request, id).await?;
            let body = authorized_json(&mut request, id, Action::SecretMetaPut, OPERATION).await?;
            let (key, value) = read_one(&body)?;
            let new = (key.clone(), value.clone());
            let changed = request
                .app
                .user_metadata
                .change(&request.actor, id, in_path, new)
                .await;
            changed.during(OPERATION)?;
            json(
                StatusCode::OK,
                &Metadatum {
                    key: key.as_str(),
                    value: &value,
                },
            )
        }
        // Barbican has no such call, though its own client makes it. Without
        // JSON it is refused as there.
        Method::POST if request.require_json_type().is_ok() => {
            const OPERATION: Operation = Operation::MetadatumCreation;
            require_known_type(&request, id).await?;
            let body = authorized_json(&mut request, id, Action::SecretMetaPost, OPERATION).await?;
            let (key, value) = read_one(&body)?;
            let new = (key.clone(), value.clone());
            let set = request
                .app
                .user_metadata
                .set(&request.actor, id, in_path, new)
                .await;
            let status = if set.during(OPERATION)? {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            let shown = Metadatum {
                key: key.as_str(),
                value: &value,
            };
            let location = format!("{}/metadata/{}", request.secret_ref(id), key.as_str());
            Ok(with_location(json(status, &shown)?, &location))
        }
        Method::DELETE => {
            require_json_accepted(&request, id).await?;
            let removed = request
                .app
                .user_metadata
                .remove(&request.actor, id, in_path)
                .await;
            removed.during(Operation::MetadatumRemoval)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(refused(&request, id, Problem::method_not_allowed(None)).await),
    }
}

fn read_all(body: &Json) -> Result<UserMetadata, Problem> {
    let fields = Schema::SecretMetadata.object(body)?;
    fields.require("metadata")?;
    fields.nested("metadata")?;
    let entries = fields
        .get("metadata")
        .and_then(Json::as_object)
        .unwrap_or_default();
    let mut metadata = UserMetadata::new();
    for (key, value) in entries {
        let value = value.as_str().ok_or_else(|| {
            Problem::bad_request("Invalid Metadata. Keys and Values must be Strings.")
        })?;
        let too_long = key.chars().count() > CHARS_MAX || value.chars().count() > CHARS_MAX;
        if too_long {
            return Err(
                Schema::SecretMetadata.violation(Some("metadata"), "a key or value is too long")
            );
        }
        metadata.insert(read_key(key)?, value.to_owned());
    }
    Ok(metadata)
}

fn read_one(body: &Json) -> Result<(MetadataKey, String), Problem> {
    let fields = Schema::SecretMetadatum.object(body)?;
    fields.only(&["key", "value"])?;
    let value =
        fields.checked_label("value", fields.as_text("value", fields.require("value")?)?)?;
    let key = fields.checked_label("key", fields.as_text("key", fields.require("key")?)?)?;
    Ok((read_key(key.as_str())?, value.as_str().to_owned()))
}

fn read_key(key: &str) -> Result<MetadataKey, Problem> {
    MetadataKey::new(key)
        .map_err(|_source| Problem::bad_request("Invalid Key. Key must be URL safe."))
}

/// Barbican's column has this many, and its larger databases fail beyond.
const CHARS_MAX: usize = 255;
