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
    refusal.is_ok_and(|refusal| refusal.error.code == 404 && names(&refusal.error.message, id))
}

/// Whether a text names an id as a whole word: `p` is not in "project". Where the id
/// could be one of the words themselves, it has to stand where Keystone puts it.
fn names(message: &str, id: &str) -> bool {
    if id.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return message.ends_with(&format!(": {id}."));
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    message.split(|c| !is_part(c)).any(|word| word == id)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_as_a_whole() {
        const NO_ROUTE: &str = "The requested URL was not found on the server 404. If you entered the \
                                URL manually please check your spelling and try again.";
        const OTHER: &str = "Could not find project: 40-4a_b.";
        for id in [
            "p", "e", "URL", "server", "found", "project", "40", "4a", "b", "a_b",
        ] {
            assert!(!names(NO_ROUTE, id), "{id}");
            assert!(!names(OTHER, id), "{id}");
        }
        for id in [
            "7f3c1f6e0b1d4c599d0a3a5f6e2b7c11",
            "p",
            "project",
            "p-1",
            "1",
            "a_b",
            "default",
        ] {
            assert!(names(&format!("Could not find project: {id}."), id), "{id}");
            assert!(
                !names(&format!("Could not find project: {id}x."), id),
                "{id}"
            );
            assert!(
                !names(&format!("Could not find project: x-{id}."), id),
                "{id}"
            );
        }
        let digits = "0123456789abcdef0123456789abcdef";
        let elsewhere = format!("Projekt {digits} konnte nicht gefunden werden.");
        assert!(names(&elsewhere, digits));
    }
}
