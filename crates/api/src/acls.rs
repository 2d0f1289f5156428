//! Access control lists of secrets and containers.

use std::collections::BTreeSet;

use bytes::Bytes;
use donjon_domain::{Acl, AclChange, Timestamp, UserId};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    entity::{Kind, authorized_json, parse, refused, require_json_accepted},
    json::Json,
    problem::Problem,
    request::{During as _, Request, json},
    schema::Schema,
    service::wrong_method,
};

#[derive(Serialize)]
struct AclJson<'a> {
    read: ReadJson<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ReadJson<'a> {
    Stored {
        #[serde(rename = "project-access")]
        project_access: bool,
        users: Vec<&'a str>,
        #[serde(serialize_with = "crate::secrets::shown")]
        created: Timestamp,
        #[serde(serialize_with = "crate::secrets::shown")]
        updated: Timestamp,
    },
    Default {
        #[serde(rename = "project-access")]
        project_access: bool,
    },
}

#[derive(Serialize)]
struct AclRef {
    acl_ref: String,
}

pub(crate) async fn on_acl<K: Kind>(
    mut request: Request<'_>,
    method: &Method,
    id: &str,
) -> Result<Response<Bytes>, Problem> {
    let id: K = parse(&request, id).await?;
    match *method {
        Method::GET => {
            require_json_accepted(&request, id).await?;
            let acl = request
                .app
                .acls
                .fetch(&request.actor, id)
                .await
                .during(K::OPERATIONS.acl_retrieval)?;
            json(
                StatusCode::OK,
                &AclJson {
                    read: ReadJson::of(acl.as_ref()),
                },
            )
        }
        Method::PUT | Method::PATCH => {
            let operation = K::OPERATIONS.acl_update;
            require_json_accepted(&request, id).await?;
            let body = authorized_json(&mut request, id, K::RULES.acl_put_patch, operation).await?;
            let change = read_change(&body)?;
            let acls = &request.app.acls;
            let done = match *method {
                Method::PUT => acls.replace(&request.actor, id, change).await,
                _ => acls.patch(&request.actor, id, change).await,
            };
            done.during(operation)?;
            json(
                StatusCode::OK,
                &AclRef {
                    acl_ref: format!("{}/acl", id.reference(&request)),
                },
            )
        }
        Method::DELETE => {
            require_json_accepted(&request, id).await?;
            request
                .app
                .acls
                .remove(&request.actor, id)
                .await
                .during(K::OPERATIONS.acl_deletion)?;
            json(StatusCode::OK, &None::<()>)
        }
        _ => Err(refused(
            &request,
            id,
            wrong_method(&request, "DELETE, GET, PATCH, PUT"),
        )
        .await),
    }
}

/// `None` where nothing is mentioned.
fn read_change(body: &Json) -> Result<Option<AclChange>, Problem> {
    let fields = Schema::Acl.object(body)?;
    fields.only(&["read"])?;
    let Some(read) = fields.nested("read")? else {
        return Ok(None);
    };
    if read.is_empty() {
        return Ok(None);
    }
    read.only(&["users", "project-access"])?;
    let users = match read.array("users")? {
        None => None,
        Some(users) => Some(
            users
                .iter()
                .map(|user| {
                    let text = read.as_text("users", user)?;
                    Ok(UserId::new(read.checked_label("users", text)?.as_str()))
                })
                .collect::<Result<BTreeSet<_>, Problem>>()?,
        ),
    };
    Ok(Some(AclChange {
        users,
        project_access: read.boolean("project-access")?,
    }))
}

impl<'a> ReadJson<'a> {
    fn of(acl: Option<&'a Acl>) -> Self {
        match acl {
            None => Self::Default {
                project_access: true,
            },
            Some(acl) => Self::Stored {
                project_access: acl.project_access,
                users: acl.users.iter().map(UserId::as_str).collect(),
                created: acl.created,
                updated: acl.updated,
            },
        }
    }
}
