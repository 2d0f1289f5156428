//! `docs/openapi.yaml` against the routes: the same paths, the same methods.
//! Whether answers are as it says is for `cargo xtask conformance schemathesis`.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use saphyr_parser::{Event, Parser};
use serde_json::{Value, json};

use super::{
    Rig,
    route_table::{methods, resources},
    shown,
};
use crate::route::{Resource, Route};

const DOCUMENT: &str = include_str!("../../../../docs/openapi.yaml");

/// What Barbican has no longer. It is in the document as an example of what is
/// not there.
const REMOVED: [&str; 1] = ["/v1/cas"];

/// All that a path may have in an OpenAPI document, but `OPTIONS` and `HEAD`.
const METHODS: [&str; 6] = ["GET", "PUT", "POST", "PATCH", "DELETE", "TRACE"];

/// The path in today's form, or `None` where there is nothing to document.
fn path(resource: &Resource<'_>) -> Option<&'static str> {
    Some(match resource {
        Resource::Version => "/v1",
        Resource::Secrets => "/v1/secrets",
        Resource::Secret(_) => "/v1/secrets/{secret_id}",
        Resource::Payload(_) => "/v1/secrets/{secret_id}/payload",
        Resource::Metadata(_) => "/v1/secrets/{secret_id}/metadata",
        Resource::Metadatum(..) => "/v1/secrets/{secret_id}/metadata/{key}",
        Resource::Acl(_) => "/v1/secrets/{secret_id}/acl",
        Resource::Consumers(_) => "/v1/secrets/{secret_id}/consumers",
        Resource::Consumer(..) => "/v1/secrets/{secret_id}/consumers/{consumer_id}",
        Resource::Quotas => "/v1/quotas",
        Resource::ProjectQuotas => "/v1/project-quotas",
        Resource::ProjectQuota(_) => "/v1/project-quotas/{project_id}",
        Resource::SecretStores => "/v1/secret-stores",
        Resource::GlobalDefaultStore => "/v1/secret-stores/global-default",
        Resource::PreferredStore => "/v1/secret-stores/preferred",
        Resource::SecretStore(_) => "/v1/secret-stores/{store_id}",
        Resource::StorePreference(_) => "/v1/secret-stores/{store_id}/preferred",
        Resource::TransportKeys => "/v1/transport_keys",
        Resource::TransportKey(_) => "/v1/transport_keys/{transport_key_id}",
        Resource::Orders => "/v1/orders",
        Resource::Order(_) => "/v1/orders/{order_id}",
        Resource::Containers => "/v1/containers",
        Resource::Container(_) => "/v1/containers/{container_id}",
        Resource::ContainerSecrets(_) => "/v1/containers/{container_id}/secrets",
        Resource::ContainerAcl(_) => "/v1/containers/{container_id}/acl",
        Resource::ContainerConsumers(_) => "/v1/containers/{container_id}/consumers",
        Resource::ContainerConsumer(..) => "/v1/containers/{container_id}/consumers/{consumer_id}",
        Resource::BelowSecret(_)
        | Resource::BelowSecretStore(_)
        | Resource::BelowOrder(_)
        | Resource::BelowContainer(_)
        | Resource::Nothing { .. } => return None,
    })
}

/// The paths of all routes with their methods.
fn routes() -> BTreeMap<String, BTreeSet<String>> {
    let owned = |methods: &[&str]| methods.iter().map(|method| (*method).to_owned()).collect();
    let mut routes = BTreeMap::from([
        ("/".to_owned(), owned(&["GET"])),
        ("/healthcheck".to_owned(), owned(&["GET"])),
    ]);
    for resource in resources() {
        let Some(today) = path(&resource) else {
            continue;
        };
        assert_eq!(
            kind(today),
            Some(std::mem::discriminant(&resource)),
            "{today}"
        );
        routes.insert(today.to_owned(), owned(methods(&resource)));
        let below = today.strip_prefix("/v1").unwrap();
        let oldest = format!("/v1/{{tenant}}{below}");
        if kind(&oldest) == Some(std::mem::discriminant(&resource)) {
            let methods = match resource {
                Resource::Orders => &["GET", "POST"][..],
                Resource::Order(_) => &["GET"],
                _ => methods(&resource),
            };
            routes.insert(oldest, owned(methods));
        }
    }
    routes
}

/// What kind of resource a path names, with any values for its parameters.
fn kind(path: &str) -> Option<std::mem::Discriminant<Resource<'_>>> {
    match Route::of(path) {
        Route::V1(_, Resource::Nothing { .. }) => None,
        Route::V1(_, resource) => Some(std::mem::discriminant(&resource)),
        _ => None,
    }
}

#[test]
fn the_document_has_the_paths_and_methods_of_the_routes() {
    let mut documented = documented();
    for path in REMOVED {
        assert_eq!(kind(path), None, "{path} is there");
        assert!(documented.remove(path).is_some(), "{path} is not mentioned");
    }
    let routes = routes();
    for (path, methods) in &routes {
        assert_eq!(documented.get(path), Some(methods), "{path}");
    }
    let unknown: Vec<_> = documented
        .keys()
        .filter(|path| !routes.contains_key(*path))
        .collect();
    assert!(unknown.is_empty(), "there is no route for {unknown:?}");
}

/// The routes are asked for every method: those that the document does not have
/// are refused, the others are not.
#[test]
fn other_methods_are_refused() {
    // What any method does the same with, as in Barbican.
    const ANY: [&str; 3] = [
        "/healthcheck",
        "/v1/secret-stores/global-default",
        "/v1/secret-stores/preferred",
    ];
    let rig = Rig::with_stores();
    for (path, documented) in documented() {
        for method in METHODS {
            if ANY.contains(&path.as_str()) && !documented.contains(method) {
                continue;
            }
            let line = format!("{method} {}", Objects::made(&rig).path(&path));
            let response = rig.json("admin", &line, &json!({}));
            let refused = match response.status() {
                StatusCode::METHOD_NOT_ALLOWED => true,
                StatusCode::NOT_FOUND => REMOVED.contains(&path.as_str()) && method != "GET",
                _ => false,
            };
            // It has a rule and nothing behind it.
            let expected = !documented.contains(method) || line == "PUT /v1/orders";
            assert_eq!(refused, expected, "{line}: {}", shown(&response));
        }
    }
}

/// The ids of one thing of each kind.
struct Objects(BTreeMap<&'static str, String>);

impl Objects {
    fn made(rig: &Rig) -> Self {
        let id = |path: String| path.rsplit('/').next().unwrap().to_owned();
        let made = |line: &str, body: Value| -> String {
            let response = rig.json("admin", line, &body);
            id(super::header(&response, "location").to_owned())
        };
        let stores: Value = super::parsed(&rig.get("admin", "/v1/secret-stores"));
        let store = stores["secret_stores"][0]["secret_store_ref"].as_str();
        let key = json!({"plugin_name": "p", "transport_key": "k"});
        let order = json!({"type": "key", "meta": {"algorithm": "aes", "bit_length": 128}});
        Self(BTreeMap::from([
            ("tenant", "p".to_owned()),
            ("project_id", "p".to_owned()),
            ("key", "k".to_owned()),
            (
                "consumer_id",
                "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11".to_owned(),
            ),
            ("secret_id", id(rig.stored("hush"))),
            ("container_id", id(rig.contained(&[]))),
            ("order_id", made("POST /v1/orders", order)),
            ("transport_key_id", made("POST /v1/transport_keys", key)),
            ("store_id", id(store.unwrap().to_owned())),
        ]))
    }

    /// The path with ids in place of its parameters.
    fn path(&self, template: &str) -> String {
        let fill =
            |path: String, (name, id): (&&str, &String)| path.replace(&format!("{{{name}}}"), id);
        self.0.iter().fold(template.to_owned(), fill)
    }
}

#[test]
fn references_in_the_document_lead_somewhere() {
    let document = document();
    let mut references = BTreeSet::new();
    document.references(&mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let path = reference.strip_prefix("#/").unwrap();
        let found = path
            .split('/')
            .try_fold(&document, |node, key| node.get(key));
        assert!(found.is_some(), "{reference}");
    }
}

// === the document ===

/// A node of a YAML document. Every scalar is a text.
#[derive(Debug)]
enum Node {
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = document();
    let Some(Node::Map(paths)) = document.get("paths") else {
        panic!("no paths");
    };
    let methods = |node: &Node| match node {
        Node::Map(entries) => entries.iter().map(|(key, _)| key.to_uppercase()).collect(),
        other => panic!("{other:?} in place of methods"),
    };
    paths
        .iter()
        .map(|(path, node)| (path.clone(), methods(node)))
        .collect()
}

fn document() -> Node {
    let mut parser = Parser::new_from_str(DOCUMENT);
    loop {
        if let Event::DocumentStart(_) = next(&mut parser) {
            let start = next(&mut parser);
            return Node::read(start, &mut parser);
        }
    }
}

fn next<'a>(parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>) -> Event<'a> {
    parser.next_event().unwrap().unwrap().0
}

impl Node {
    fn read<'a>(start: Event<'a>, parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>) -> Self {
        match start {
            Event::Scalar(text, ..) => Self::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match next(parser) {
                        Event::SequenceEnd => return Self::List(items),
                        item => items.push(Self::read(item, parser)),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries: Vec<(String, Self)> = Vec::new();
                loop {
                    let key = match next(parser) {
                        Event::MappingEnd => return Self::Map(entries),
                        Event::Scalar(key, ..) => key.into_owned(),
                        other => panic!("{other:?} in place of a key"),
                    };
                    assert!(
                        !entries.iter().any(|(known, _)| *known == key),
                        "{key} twice"
                    );
                    let value = next(parser);
                    entries.push((key, Self::read(value, parser)));
                }
            }
            other => panic!("{other:?} in place of a value"),
        }
    }

    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let mut found = entries.iter().filter(|(own, _)| own == key);
                found.next().map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn references(&self, found: &mut BTreeSet<String>) {
        match self {
            Self::Text(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.references(found)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    match value {
                        Self::Text(target) if key == "$ref" => {
                            found.insert(target.clone());
                        }
                        value => value.references(found),
                    }
                }
            }
        }
    }
}
