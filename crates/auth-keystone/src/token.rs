//! What Keystone says about a token, read from its JSON.

use std::sync::Arc;

use donjon_domain::{Actor, Identity, ProjectId, Scope, ServiceCaller, Timestamp, UserId};
use serde::Deserialize;

use crate::{AccessRule, AccessRules, KeystoneError};

/// A token that Keystone found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Id of the user.
    pub user: String,
    /// Id of the user's domain.
    pub user_domain: Option<String>,
    /// What the token is valid for.
    pub scope: TokenScope,
    /// Role names, in lower case.
    pub roles: Vec<String>,
    /// Whether the project is the one whose admins are admins of the cloud;
    /// true where Keystone sets none apart.
    pub is_admin_project: bool,
    /// From when on it is not valid.
    pub expires: Timestamp,
    /// What limits it, if it comes from a limited application credential.
    pub access_rules: Option<AccessRules>,
    pub(crate) identity: Arc<Identity>,
}

/// What a token is valid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenScope {
    /// One project.
    Project {
        /// Its id.
        id: String,
        /// Id of its domain.
        domain: Option<String>,
    },
    /// A domain, by its id.
    Domain(String),
    /// The whole cloud.
    System,
    /// Nothing.
    None,
}

/// The own token, without its text.
pub(crate) struct Issued {
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    catalog: Vec<Service>,
}

impl Token {
    /// Reads the answer of `GET /v3/auth/tokens`.
    pub(crate) fn read(json: &[u8]) -> Result<Self, KeystoneError> {
        let Document { token } = parse(json)?;
        let user = token.user.ok_or(KeystoneError::Garbled("no user"))?;
        let scope = match (token.project, token.domain, token.system) {
            (Some(project), None, None) => TokenScope::Project {
                id: name(project.id)?,
                domain: project.domain.map(|domain| name(domain.id)).transpose()?,
            },
            (None, Some(domain), None) => TokenScope::Domain(name(domain.id)?),
            (None, None, Some(system)) if system.all => TokenScope::System,
            (None, None, None) => TokenScope::None,
            _ => return Err(KeystoneError::Garbled("several scopes")),
        };
        let user_domain = user.domain.map(|domain| name(domain.id)).transpose()?;
        let roles = token.roles.unwrap_or_default().into_iter();
        let roles = roles.map(|role| name(role.name).map(|name| name.to_lowercase()));
        let is_admin_project = token.is_admin_project.unwrap_or(true);
        let catalog = token.catalog.unwrap_or_default();
        let rules = token
            .application_credential
            .and_then(|credential| credential.access_rules);
        Ok(Self {
            user: name(user.id)?,
            roles: roles.collect::<Result<_, _>>()?,
            is_admin_project,
            expires: time(&token.expires_at)?,
            access_rules: rules.map(|rules| AccessRules {
                rules: rules.into_iter().map(Rule::into_access_rule).collect(),
                catalog: catalog.into_iter().map(|service| service.kind).collect(),
            }),
            identity: Arc::new(Identity {
                user_domain: user_domain.clone(),
                project_domain: match &scope {
                    TokenScope::Project { domain, .. } => domain.clone(),
                    _ => None,
                },
                is_admin_project,
                service: None,
            }),
            user_domain,
            scope,
        })
    }

    /// The caller, if the token is valid for a project.
    pub(crate) fn actor(&self, service: Option<&Self>) -> Option<Actor> {
        let TokenScope::Project { id, .. } = &self.scope else {
            return None;
        };
        let identity = match service {
            None => Arc::clone(&self.identity),
            Some(service) => Arc::new(Identity {
                service: Some(service.service_caller()),
                ..(*self.identity).clone()
            }),
        };
        Some(Actor {
            user: Some(UserId::new(self.user.as_str())),
            project: ProjectId::new(id.as_str()),
            roles: self.roles.clone(),
            scope: Scope::Project,
            identity: Some(identity),
        })
    }

    fn service_caller(&self) -> ServiceCaller {
        let (project, project_domain) = match &self.scope {
            TokenScope::Project { id, domain } => (Some(id.clone()), domain.clone()),
            _ => (None, None),
        };
        ServiceCaller {
            user: Some(self.user.clone()),
            user_domain: self.user_domain.clone(),
            project,
            project_domain,
            roles: self.roles.clone(),
        }
    }

    pub(crate) fn has_one_of(&self, roles: &[String]) -> bool {
        self.roles.iter().any(|own| roles.contains(own))
    }
}

impl Issued {
    /// Reads the answer of `POST /v3/auth/tokens`.
    pub(crate) fn read(json: &[u8]) -> Result<Self, KeystoneError> {
        let Document { token } = parse(json)?;
        let issued = token.issued_at.as_deref();
        Ok(Self {
            issued: time(issued.ok_or(KeystoneError::Garbled("no time of issue"))?)?,
            expires: time(&token.expires_at)?,
            catalog: token.catalog.unwrap_or_default(),
        })
    }

    /// The URL of Keystone itself in the catalog.
    pub(crate) fn identity_url(&self, interface: &str, region: Option<&str>) -> Option<&str> {
        let identity = self
            .catalog
            .iter()
            .find(|service| service.kind == "identity")?;
        let is_meant = |endpoint: &&CatalogEndpoint| {
            let own = endpoint.region_id.as_ref().or(endpoint.region.as_ref());
            endpoint.interface == interface
                && region.is_none_or(|region| own.is_some_and(|own| own == region))
        };
        let endpoint = identity.endpoints.iter().find(is_meant)?;
        Some(&endpoint.url)
    }
}

/// Whether an answer with status 404 comes from Keystone, and not from another
/// server that happens to listen there.
pub(crate) fn is_not_found(json: &[u8]) -> bool {
    let refusal: Result<Refusal, _> = serde_json::from_slice(json);
    refusal.is_ok_and(|refusal| refusal.error.code == 404)
}

fn parse(json: &[u8]) -> Result<Document, KeystoneError> {
    // The error itself may show what stands in the answer.
    serde_json::from_slice(json).map_err(|_source| KeystoneError::Garbled("no JSON of a token"))
}

/// As in Keystone's tables.
fn name(text: String) -> Result<String, KeystoneError> {
    if text.is_empty() || text.chars().nth(NAME_CHARS_MAX).is_some() {
        return Err(KeystoneError::Garbled(
            "an id or a name is empty or too long",
        ));
    }
    Ok(text)
}

fn time(text: &str) -> Result<Timestamp, KeystoneError> {
    Timestamp::parse_iso8601(text).map_err(|_source| KeystoneError::Garbled("a time"))
}

const NAME_CHARS_MAX: usize = 255;

#[derive(Deserialize)]
struct Document {
    token: Body,
}

#[derive(Deserialize)]
struct Body {
    user: Option<Owner>,
    expires_at: String,
    issued_at: Option<String>,
    roles: Option<Vec<Role>>,
    project: Option<Owner>,
    domain: Option<Id>,
    system: Option<System>,
    is_admin_project: Option<bool>,
    application_credential: Option<ApplicationCredential>,
    catalog: Option<Vec<Service>>,
}

/// A user or a project.
#[derive(Deserialize)]
struct Owner {
    id: String,
    domain: Option<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

#[derive(Deserialize)]
struct System {
    all: bool,
}

#[derive(Deserialize)]
struct ApplicationCredential {
    access_rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    service: String,
    method: String,
    path: String,
}

impl Rule {
    fn into_access_rule(self) -> AccessRule {
        AccessRule {
            service: self.service,
            method: self.method,
            path: self.path,
        }
    }
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<CatalogEndpoint>,
}

#[derive(Deserialize)]
struct CatalogEndpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: u16,
}
