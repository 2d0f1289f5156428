//! Which projects Keystone has.

use donjon_domain::{
    ProjectId,
    ports::{BoxFuture, DirectoryError, Presence, ProjectDirectory},
};
use donjon_http_client::Reply;
use http::StatusCode;
use serde::Deserialize;

use crate::{Keystone, KeystoneError};

/// The service has to be allowed to read all projects: then Keystone says of one
/// that is not there that it is not there, and otherwise that it is forbidden.
impl ProjectDirectory for Keystone {
    fn look_up<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Presence, DirectoryError>> {
        Box::pin(async move {
            let id = project.as_str();
            if !is_plausible(id) {
                return Ok(Presence::Unclear);
            }
            let asked = self.project(format!("/projects/{id}"), |reply| read(id, reply));
            asked.await.map_err(DirectoryError::new)
        })
    }
}

fn read(id: &str, reply: &Reply) -> Result<Presence, KeystoneError> {
    match reply.status {
        StatusCode::OK => {
            let found: Result<Document, _> = serde_json::from_slice(&reply.body);
            // The error itself may show what stands in the answer.
            let found = found.map_err(|_source| KeystoneError::Garbled("no JSON of a project"))?;
            // Some databases compare without regard to case.
            Ok(if found.project.id == id {
                Presence::Present
            } else {
                Presence::Unclear
            })
        }
        StatusCode::NOT_FOUND if is_about(id, &reply.body) => Ok(Presence::Absent),
        StatusCode::FORBIDDEN => Err(KeystoneError::ProjectsNotAllowed),
        status => Err(KeystoneError::Status(status.as_u16())),
    }
}

/// Whether it is Keystone that says so, and of this project: a server that has no
/// such address at all answers with the same status.
fn is_about(id: &str, json: &[u8]) -> bool {
    let refusal: Result<Refusal, _> = serde_json::from_slice(json);
    refusal.is_ok_and(|refusal| refusal.error.code == 404 && refusal.error.message.contains(id))
}

/// Ids are those that Keystone makes, or an operator chose: nothing that means
/// something in an address.
fn is_plausible(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// As in Keystone's table.
const ID_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
struct Document {
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: u16,
    message: String,
}
