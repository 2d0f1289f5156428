//! Who is asking: what an authenticator found out about the caller.

use crate::{ProjectId, UserId};

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user, where the authenticator knows one. Without it nobody owns
    /// what is created, and neither ownership nor ACLs can match.
    pub user: Option<UserId>,
    /// The project on which the caller acts.
    pub project: ProjectId,
    /// Role names in lower case, for roles are compared without regard to case.
    pub roles: Vec<String>,
    /// What the credential is valid for.
    pub scope: Scope,
}

/// What a credential is valid for. Every rule of the API asks for a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One project.
    Project,
    /// A whole domain.
    Domain,
    /// The whole cloud.
    System,
}

impl Actor {
    /// Whether the caller has the role; `role` is in lower case.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}
