//! The callers and entities for which Barbican's rules are compared.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value as Json, json};

use super::ask::Setup;
use crate::kit::workspace;

const ROLES: &[&[&str]] = &[
    &[],
    &["reader"],
    &["Member", "reader"],
    &["ADMIN"],
    &["admin", "member", "reader"],
    &["creator"],
    &["observer"],
    &["audit"],
    &["key-manager:service-admin"],
    &["creator", "audit", "unrelated"],
];

/// What a credential may be valid for: project, domain, system, and several at once.
const SCOPES: &[(Option<&str>, Option<&str>)] = &[
    (None, None),
    (Some("domain"), None),
    (None, Some("all")),
    (Some("domain"), Some("all")),
];

/// Who is in the ACL, and whether the project has access; `None` for an entity without ACL.
const ACLS: &[Option<(&[&str], bool)>] = &[
    None,
    Some((&[], true)),
    Some((&[], false)),
    Some((&["friend", "asker"], true)),
    Some((&["friend", "asker"], false)),
    Some((&["friend"], false)),
];

/// The rules of the table must be those that Barbican registers.
///
/// # Errors
/// The names that only one of both has.
pub(super) fn same_names(registered: &[Json], table: &str) -> Result<()> {
    let path = workspace::root().join(table);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let rules = text.lines().filter(|line| !line.starts_with('#'));
    let ours: BTreeSet<&str> = rules
        .filter_map(|line| line.split('|').next())
        .map(str::trim)
        .collect();
    let ours: BTreeSet<&str> = ours.into_iter().filter(|name| !name.is_empty()).collect();
    let theirs: BTreeSet<&str> = registered.iter().filter_map(Json::as_str).collect();
    let odd: Vec<_> = ours.symmetric_difference(&theirs).collect();
    ensure!(
        odd.is_empty(),
        "rules that only the table or only Barbican has: {odd:?}"
    );
    Ok(())
}

/// Every caller with every entity.
pub(super) fn setup(new_defaults: bool) -> Setup {
    let mut contexts = Vec::new();
    for entity in entities() {
        for roles in ROLES {
            for (domain, system) in SCOPES {
                for user in ["asker", "owner"] {
                    for project in ["home", "elsewhere"] {
                        let creds = json!({
                            "user_id": user,
                            "project_id": project,
                            "roles": roles,
                            "domain_id": domain,
                            "system_scope": system,
                        });
                        let target = target(&entity, user, new_defaults);
                        contexts.push(json!({"creds": creds, "entity": entity, "target": target}));
                    }
                }
            }
        }
    }
    Setup(json!({"contexts": contexts}))
}

/// Nothing, an order, and secrets and containers with every ACL; all of `owner` in `home`.
fn entities() -> Vec<Json> {
    let mut entities = vec![
        json!({}),
        json!({"kind": "order", "project": "home", "creator": "owner"}),
    ];
    for kind in ["secret", "container"] {
        entities.extend(ACLS.iter().map(|acl| {
            let acl = acl.map(|(users, access)| json!({"users": users, "project_access": access}));
            json!({"kind": kind, "project": "home", "creator": "owner", "acl": acl})
        }));
    }
    entities
}

/// What rules see of an entity.
fn target(entity: &Json, user: &str, new_defaults: bool) -> Json {
    let mut target = Map::new();
    target.insert("enforce_new_defaults".to_owned(), new_defaults.into());
    if let Some(kind) = entity.get("kind").and_then(Json::as_str) {
        let mut put = |name: &str, value: Option<&Json>| {
            if let Some(value) = value {
                target.insert(format!("target.{kind}.{name}"), value.clone());
            }
        };
        put("project_id", entity.get("project"));
        put("creator_id", entity.get("creator"));
        if let Some(acl) = entity.get("acl") {
            let users = acl.get("users").and_then(Json::as_array);
            let is_named = users.is_some_and(|users| users.iter().any(|own| own == user));
            put("read", is_named.then(|| json!("read")).as_ref());
            put(
                "read_project_access",
                Some(acl.get("project_access").unwrap_or(&json!(true))),
            );
        }
    }
    target.into()
}
