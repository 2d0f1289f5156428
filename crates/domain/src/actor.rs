//! Who is asking: what an authenticator found out about the caller.

use std::sync::Arc;

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
    /// What an identity service tells besides; `None` where there is none.
    pub identity: Option<Arc<Identity>>,
}

/// What an identity service knows of a caller and only rules of operators ask
/// for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The domain of the user.
    pub user_domain: Option<String>,
    /// The domain of the project.
    pub project_domain: Option<String>,
    /// Whether the project is the one whose admins are admins of the cloud.
    pub is_admin_project: bool,
    /// The service that passes the request on, where it showed its own token.
    pub service: Option<ServiceCaller>,
}

/// A service that passes a user's request on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceCaller {
    /// Its user.
    pub user: Option<String>,
    /// The domain of its user.
    pub user_domain: Option<String>,
    /// The project on which it acts.
    pub project: Option<String>,
    /// The domain of that project.
    pub project_domain: Option<String>,
    /// Its role names in lower case.
    pub roles: Vec<String>,
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
