//! The projects that all clients share: their quotas, and what is in them after a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::model::{Kind, State};
use super::remote::Remote;
use super::verify::{Finding, judge_list};
use crate::kit::http::{self, Request};

/// Secrets, containers and consumers.
const PROJECT: &str = "crash-limited";
/// Orders have one of their own: the keys that they make count as secrets, yet are not refused.
const ORDERS_PROJECT: &str = "crash-limited-orders";
/// What may be there of each.
const LIMITS: [(&str, usize); 4] = [
    ("secrets", 20),
    ("containers", 12),
    ("orders", 12),
    ("consumers", 4),
];
const ANSWER_WAIT: Duration = Duration::from_secs(10);

pub(crate) fn project(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret | Kind::Container => PROJECT,
        Kind::Order => ORDERS_PROJECT,
    }
}

/// Sets the quotas.
///
/// # Errors
/// They are refused.
pub(crate) fn set(host: &str) -> Result<()> {
    for project in [PROJECT, ORDERS_PROJECT] {
        let request = operator("PUT", project)
            .header("Content-Type", "application/json")
            .body(json!({ "project_quotas": quotas(project) }).to_string());
        let response = http::once(host, &request, ANSWER_WAIT)?;
        ensure!(
            response.status == 204,
            "setting quotas: {} {}",
            response.status,
            response.text()
        );
    }
    Ok(())
}

/// Compares what is in the shared projects with what all clients wrote, and with the quotas. To be called when no client has
/// a pending write.
///
/// # Errors
/// The server does not answer.
pub(crate) fn check(host: &str, clients: &[Client]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for project in [PROJECT, ORDERS_PROJECT] {
        let response = http::once(host, &operator("GET", project), ANSWER_WAIT)?;
        let kept = response.json()?.get("project_quotas").cloned();
        let wanted = quotas(project);
        let is_kept = kept.as_ref().is_some_and(|kept| {
            wanted.as_object().is_some_and(|wanted| {
                wanted
                    .iter()
                    .all(|(name, limit)| kept.get(name) == Some(limit))
            })
        });
        if !is_kept {
            findings.push(Finding::Lost(format!("quotas of {project}: {kept:?}")));
        }
    }
    let mut remote = Remote::open(host)?;
    let mut consumers = BTreeMap::new();
    for (kind, project) in [
        (Kind::Secret, PROJECT),
        (Kind::Container, PROJECT),
        (Kind::Secret, ORDERS_PROJECT),
        (Kind::Order, ORDERS_PROJECT),
    ] {
        let (total, ids) = remote.list(project, kind)?;
        let what = format!("{} of {project}", kind.plural());
        findings.extend(judge_list(
            &what,
            expected(clients, kind, project),
            total,
            &ids,
        ));
        if self::project(kind) != project {
            continue;
        }
        findings.extend(judge_limit(&what, kind.plural(), total));
        findings.extend(judge_limit(&what, kind.plural(), ids.len()));
        for id in ids {
            *consumers.entry(kind).or_default() += match remote.observe(project, kind, &id)? {
                Some(State::Secret(secret)) => secret.consumers.len(),
                Some(State::Container(container)) => container.links.len(),
                Some(State::Order(_)) | None => 0,
            };
        }
    }
    for (kind, count) in consumers {
        let what = format!("consumers of {}", kind.plural());
        findings.extend(judge_limit(&what, "consumers", count));
    }
    Ok(findings)
}

/// How often each quota has refused a write.
pub(crate) fn refusals(clients: &[Client]) -> BTreeMap<&'static str, u64> {
    let mut refusals = BTreeMap::from(LIMITS.map(|(name, _)| (name, 0)));
    for (name, count) in clients.iter().flat_map(|client| &client.model.refused) {
        *refusals.entry(name).or_default() += count;
    }
    refusals
}

/// More than the quota of `counted` allows.
pub(crate) fn judge_limit(what: &str, counted: &str, count: usize) -> Option<Finding> {
    let (_, limit) = LIMITS.into_iter().find(|(name, _)| *name == counted)?;
    (count > limit).then(|| Finding::Passed(format!("{count} {what}, {limit} are allowed")))
}

/// Names by ids of what all clients have in a shared project.
fn expected(clients: &[Client], kind: Kind, project: &str) -> BTreeMap<String, String> {
    let of_client = |client: &Client| {
        if project == self::project(kind) {
            client.model.written(kind, true)
        } else {
            client.model.made(kind, true)
        }
    };
    clients.iter().flat_map(of_client).collect()
}

fn quotas(project: &str) -> Value {
    let is_here = |name: &str| (name == "orders") == (project == ORDERS_PROJECT);
    let limits = LIMITS.into_iter().filter(|(name, _)| is_here(name));
    limits
        .map(|(name, limit)| (name.to_owned(), json!(limit)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn operator(method: &str, project: &str) -> Request {
    Request::new(method, &format!("/v1/project-quotas/{project}"))
        .header("X-Project-Id", "crash-operator")
        .header("X-User-Id", "crash")
        .header("X-Roles", "admin,key-manager:service-admin,reader")
        .header("Accept", "application/json")
}
