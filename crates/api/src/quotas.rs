//! Quotas: what is in force for the caller's project, and what is configured
//! for each project.

use bytes::Bytes;
use donjon_app::Action;
use donjon_domain::{ProjectId, ProjectQuotas, Quotas, Resource};
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::{
    json::Json,
    operation::Operation,
    paging::Listed,
    problem::Problem,
    request::{During as _, Request, empty, json},
    schema::Schema,
    service::wrong_method,
};

/// A value for each resource: a limit, or null where none is configured.
#[derive(Serialize)]
struct Limits<T> {
    secrets: T,
    orders: T,
    containers: T,
    consumers: T,
    cas: T,
}

#[derive(Serialize)]
struct InForce {
    quotas: Limits<i64>,
}

#[derive(Serialize)]
struct Configured {
    project_quotas: Limits<Option<i64>>,
}

#[derive(Serialize)]
struct ConfiguredProject<'a> {
    project_id: &'a str,
    project_quotas: Limits<Option<i64>>,
}

// === of the caller ===

pub(crate) async fn on_quotas(
    request: Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    if *method != Method::GET {
        return Err(wrong_method(&request, "GET"));
    }
    request.require_json_accepted()?;
    let quotas = request.app.quotas.effective(&request.actor).await;
    let quotas = Limits::in_force(&quotas.during(Operation::Quotas)?);
    json(StatusCode::OK, &InForce { quotas })
}

// === of projects ===

pub(crate) async fn on_collection(
    request: Request<'_>,
    method: &Method,
) -> Result<Response<Bytes>, Problem> {
    if *method != Method::GET {
        return Err(wrong_method(&request, "GET"));
    }
    request.require_json_accepted()?;
    request.authorize_project(Action::ProjectQuotasGet, OPERATION)?;
    let pages = request.limits.pages();
    let page = pages.read_with(&request.query, |text| Ok(ProjectId::new(text)))?;
    let limit = page.limit;
    let found = request.app.quotas.list(&request.actor, page).await;
    let found = found.during(OPERATION)?;
    // Barbican's links name a path that is not there, `project_quotas`.
    let url = format!("{}/project-quotas", request.root);
    json(
        StatusCode::OK,
        &Listed {
            plural: "project_quotas",
            url: &url,
            link_tail: "",
            limit,
            page: found.shown(ConfiguredProject::of),
        },
    )
}

pub(crate) async fn on_project(
    request: Request<'_>,
    method: &Method,
    project: &str,
) -> Result<Response<Bytes>, Problem> {
    let project = ProjectId::new(project);
    match *method {
        Method::GET => {
            request.require_json_accepted()?;
            let found = request.app.quotas.fetch(&request.actor, project).await;
            let project_quotas = Limits::configured(&found.during(OPERATION)?);
            json(StatusCode::OK, &Configured { project_quotas })
        }
        Method::PUT => put(request, project).await,
        Method::DELETE => {
            request.require_known_type_accepted()?;
            let removed = request.app.quotas.remove(&request.actor, project).await;
            removed.during(OPERATION)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(wrong_method(&request, "DELETE, GET, PUT")),
    }
}

async fn put(mut request: Request<'_>, project: ProjectId) -> Result<Response<Bytes>, Problem> {
    request.require_json_accepted()?;
    request.authorize_project(Action::ProjectQuotasPut, OPERATION)?;
    request.require_json_type()?;
    require_name(&project)?;
    let Some(body) = request.read_json_if_any().await? else {
        let text = "No data supplied to process.";
        return Err(Problem::issue(StatusCode::BAD_REQUEST, OPERATION, text));
    };
    let changes = read_changes(&body)?;
    let changed = request
        .app
        .quotas
        .change(&request.actor, project, changes)
        .await;
    changed.during(OPERATION)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What is configured stays, so a project that cannot be is none. Others may
/// still be asked for and removed.
fn require_name(project: &ProjectId) -> Result<(), Problem> {
    let name = project.as_str();
    let is_name = !name.trim().is_empty()
        && name.chars().nth(NAME_CHARS_MAX).is_none()
        && !name.contains(char::is_control);
    if is_name {
        return Ok(());
    }
    let text = "The name of a project has 1 to 255 characters, is not blank and has no control \
                characters";
    Err(Problem::issue(StatusCode::BAD_REQUEST, OPERATION, text))
}

fn read_changes(body: &Json) -> Result<ProjectQuotas, Problem> {
    let fields = Schema::ProjectQuota.object(body)?;
    fields.require_unnamed(KEY)?;
    fields.only(&[KEY])?;
    let mut changes = ProjectQuotas::default();
    let Some(limits) = fields.nested(KEY)? else {
        return Ok(changes);
    };
    limits.only(&Resource::ALL.map(Resource::as_str))?;
    for resource in Resource::ALL {
        let limit = limits.integer(resource.as_str())?;
        if limit == Some(i64::MAX) {
            // That, or more: numbers beyond 64 bits are read as the nearest.
            return Err(Schema::ProjectQuota.violation(Some(KEY), "a quota is too large"));
        }
        changes = changes.with(resource, limit);
    }
    Ok(changes)
}

const OPERATION: Operation = Operation::ProjectQuotas;
const KEY: &str = "project_quotas";
/// As in Barbican's and Keystone's tables.
const NAME_CHARS_MAX: usize = 255;

impl<T> Limits<T> {
    fn of(limit: impl Fn(Resource) -> T) -> Self {
        Self {
            secrets: limit(Resource::Secrets),
            orders: limit(Resource::Orders),
            containers: limit(Resource::Containers),
            consumers: limit(Resource::Consumers),
            cas: limit(Resource::Cas),
        }
    }
}

impl Limits<i64> {
    fn in_force(quotas: &Quotas) -> Self {
        Self::of(|resource| quotas.get(resource))
    }
}

impl Limits<Option<i64>> {
    fn configured(quotas: &ProjectQuotas) -> Self {
        Self::of(|resource| quotas.get(resource))
    }
}

impl<'a> ConfiguredProject<'a> {
    fn of((project, quotas): &'a (ProjectId, ProjectQuotas)) -> Self {
        Self {
            project_id: project.as_str(),
            project_quotas: Limits::configured(quotas),
        }
    }
}
