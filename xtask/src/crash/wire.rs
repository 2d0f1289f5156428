//! Writes as requests, and the statuses that acknowledge them.

use std::collections::BTreeSet;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::model::{AclPart, Change, Member, Op, Payload, Spec};
use super::remote::{self, PASSPHRASE};
use crate::kit::http::{Request, Response};

/// The request of a write; `id` is that of what it changes, empty for a create. `host` is the server's, for refs.
pub(crate) fn request(project: &str, host: &str, op: &Op, id: &str) -> Request {
    let collection = format!("/v1/{}", op.kind.plural());
    let at = |rest: &str| format!("{collection}/{id}{rest}");
    let bare = |method: &str, path: &str| {
        remote::request(project, method, path).header("Accept", "application/json")
    };
    let json = |method: &str, path: &str, body: Value| {
        bare(method, path)
            .header("Content-Type", "application/json")
            .body(body.to_string())
    };
    match &op.change {
        Change::Create(payload) => {
            json("POST", &collection, secret_body(&op.name, payload.as_ref()))
        }
        Change::CreateContainer(members) => json(
            "POST",
            &collection,
            json!({"type": "generic", "name": op.name, "secret_refs": entries(host, members)}),
        ),
        Change::CreateOrder(spec) => json("POST", &collection, order_body(&op.name, spec)),
        Change::Delete => bare("DELETE", &at("")),
        Change::Put(payload) => bare("PUT", &at(""))
            .header("Content-Type", payload.content_type())
            .body(payload.bytes()),
        Change::PutMetadata(metadata) => {
            json("PUT", &at("/metadata"), json!({ "metadata": metadata }))
        }
        Change::PostMetadata(key, value) => json(
            "POST",
            &at("/metadata"),
            json!({ "key": key, "value": value }),
        ),
        Change::DeleteMetadata(key) => bare("DELETE", &at(&format!("/metadata/{key}"))),
        Change::AddConsumer(consumer) => json("POST", &at("/consumers"), json!(consumer)),
        Change::RemoveConsumer(consumer) => json("DELETE", &at("/consumers"), json!(consumer)),
        Change::AddLink(link) => json("POST", &at("/consumers"), json!(link)),
        Change::RemoveLink(link) => json("DELETE", &at("/consumers"), json!(link)),
        Change::AddMember(member) => json("POST", &at("/secrets"), entry(host, member)),
        Change::RemoveMember(member) => json("DELETE", &at("/secrets"), entry(host, member)),
        Change::PutAcl(acl) => json(
            "PUT",
            &at("/acl"),
            json!({"read": {"project-access": acl.project_access, "users": acl.users}}),
        ),
        Change::PatchAcl(part) => {
            let part = match part {
                AclPart::ProjectAccess(access) => json!({ "project-access": access }),
                AclPart::Users(users) => json!({ "users": users }),
            };
            json("PATCH", &at("/acl"), json!({ "read": part }))
        }
        Change::DeleteAcl => bare("DELETE", &at("/acl")),
    }
}

pub(crate) fn status(change: &Change) -> u16 {
    match change {
        Change::CreateOrder(_) => 202,
        Change::Create(_)
        | Change::CreateContainer(_)
        | Change::AddMember(_)
        | Change::PutMetadata(_)
        | Change::PostMetadata(..) => 201,
        Change::Put(_) | Change::Delete | Change::DeleteMetadata(_) | Change::RemoveMember(_) => {
            204
        }
        Change::AddConsumer(_)
        | Change::RemoveConsumer(_)
        | Change::AddLink(_)
        | Change::RemoveLink(_)
        | Change::PutAcl(_)
        | Change::PatchAcl(_)
        | Change::DeleteAcl => 200,
    }
}

/// Whether the write was refused for a quota.
pub(crate) fn is_quota_reached(response: &Response) -> bool {
    response.status == 403 && response.text().contains("a quota has been reached")
}

/// The id in the ref of what was created; `None` for other writes.
pub(crate) fn created_id(op: &Op, response: &Response) -> Option<String> {
    let is_create = matches!(
        op.change,
        Change::Create(_) | Change::CreateContainer(_) | Change::CreateOrder(_)
    );
    let document = is_create.then(|| response.json().ok()).flatten()?;
    remote::id_of_ref(document.get(op.kind.reference())?.as_str()?)
}

fn secret_body(name: &str, payload: Option<&Payload>) -> Value {
    let content_type = payload.map(Payload::content_type);
    match payload {
        None => json!({ "name": name }),
        Some(Payload::Text(text)) => {
            json!({ "name": name, "payload": text, "payload_content_type": content_type })
        }
        Some(Payload::Bytes(bytes)) => json!({
            "name": name,
            "payload": Base64::encode_string(bytes),
            "payload_content_type": content_type,
            "payload_content_encoding": "base64"
        }),
    }
}

fn order_body(name: &str, spec: &Spec) -> Value {
    let kind = if spec.pair { "asymmetric" } else { "key" };
    let mut meta = json!({"name": name, "algorithm": spec.algorithm, "bit_length": spec.bits});
    if let (true, Some(meta)) = (spec.sealed, meta.as_object_mut()) {
        meta.insert("passphrase".to_owned(), json!(PASSPHRASE));
    }
    json!({ "type": kind, "meta": meta })
}

fn entry(host: &str, member: &Member) -> Value {
    json!({
        "name": member.name,
        "secret_ref": format!("http://{host}/v1/secrets/{}", member.secret)
    })
}

fn entries(host: &str, members: &BTreeSet<Member>) -> Vec<Value> {
    members.iter().map(|member| entry(host, member)).collect()
}
