//! From a path to what it names. Slashes may be doubled or trail; letter case
//! counts. The oldest form has the tenant in front of the collection.

use std::borrow::Cow;

use crate::query::decode_percent;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// The list of versions.
    Versions,
    /// The health check.
    Health,
    /// Something of version 1.
    V1(Form<'a>, Resource<'a>),
    /// Nothing, outside of version 1. With `true` the last segment looks like
    /// a file name.
    Nothing { file: bool },
}

/// In which form a path of version 1 is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// `/v1/secrets`
    Today,
    /// `/v1/{tenant}/secrets`
    Tenant(Cow<'a, str>),
}

/// What a path of version 1 names. Ids are as they came, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// The document of version 1.
    Version,
    Secrets,
    Secret(Cow<'a, str>),
    Payload(Cow<'a, str>),
    Metadata(Cow<'a, str>),
    Metadatum(Cow<'a, str>, Cow<'a, str>),
    Acl(Cow<'a, str>),
    Consumers(Cow<'a, str>),
    Consumer(Cow<'a, str>, Cow<'a, str>),
    /// What is in force for the caller's project.
    Quotas,
    /// All projects with quotas of their own.
    ProjectQuotas,
    /// The quotas of one project.
    ProjectQuota(Cow<'a, str>),
    SecretStores,
    GlobalDefaultStore,
    PreferredStore,
    SecretStore(Cow<'a, str>),
    /// Whether the project prefers this store.
    StorePreference(Cow<'a, str>),
    /// Something below a secret store that is not there.
    BelowSecretStore(Cow<'a, str>),
    TransportKeys,
    TransportKey(Cow<'a, str>),
    Orders,
    Order(Cow<'a, str>),
    /// Something below an order that is not there.
    BelowOrder(Cow<'a, str>),
    /// Something below a secret that is not there.
    BelowSecret(Cow<'a, str>),
    Containers,
    Container(Cow<'a, str>),
    ContainerSecrets(Cow<'a, str>),
    ContainerAcl(Cow<'a, str>),
    ContainerConsumers(Cow<'a, str>),
    ContainerConsumer(Cow<'a, str>, Cow<'a, str>),
    /// Something below a container that is not there.
    BelowContainer(Cow<'a, str>),
    /// Nothing. With `true` the name is one that no resource may have.
    Nothing {
        reserved: bool,
    },
}

/// First segments of today's paths. A second segment that is none of these may
/// be a tenant.
const COLLECTIONS: [&str; 7] = [
    "secrets",
    "containers",
    "orders",
    "quotas",
    "project-quotas",
    "secret-stores",
    "transport_keys",
];

/// What may follow a tenant.
const TENANT_COLLECTIONS: [&str; 5] = [
    "secrets",
    "orders",
    "containers",
    "quotas",
    "project-quotas",
];

impl<'a> Route<'a> {
    pub(crate) fn of(path: &'a str) -> Self {
        let segments: Vec<Cow<'a, str>> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode_percent)
            .collect();
        let words: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        match words.as_slice() {
            [] => Self::Versions,
            ["healthcheck"] => Self::Health,
            ["v1", tenant, collection, ..]
                if !COLLECTIONS.contains(tenant) && TENANT_COLLECTIONS.contains(collection) =>
            {
                let form = Form::Tenant(segments.get(1).cloned().unwrap_or_default());
                Self::V1(form, tenant_resource(segments.get(2..).unwrap_or_default()))
            }
            ["v1", ..] => Self::V1(Form::Today, resource(segments.get(1..).unwrap_or_default())),
            [.., last] => Self::Nothing {
                file: is_file_name(last),
            },
        }
    }
}

fn resource<'a>(segments: &[Cow<'a, str>]) -> Resource<'a> {
    let words: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let segment = |index: usize| segments.get(index).cloned().unwrap_or_default();
    match words.as_slice() {
        [] | ["index"] => Resource::Version,
        ["secrets" | "secrets.json"] | ["secrets", "index"] => Resource::Secrets,
        ["secrets", _] => Resource::Secret(without_json_extension(segment(1))),
        ["secrets", _, "index"] => Resource::Secret(segment(1)),
        ["secrets", _, "payload"] => Resource::Payload(segment(1)),
        ["secrets", _, "metadata"] => Resource::Metadata(segment(1)),
        ["secrets", _, "metadata", _] => Resource::Metadatum(segment(1), segment(3)),
        ["secrets", _, "acl"] => Resource::Acl(segment(1)),
        ["secrets", _, "consumers"] => Resource::Consumers(segment(1)),
        ["secrets", _, "consumers", _] => Resource::Consumer(segment(1), segment(3)),
        ["secrets", ..] => Resource::BelowSecret(segment(1)),
        ["containers" | "containers.json"] | ["containers", "index"] => Resource::Containers,
        ["containers", _] => Resource::Container(without_json_extension(segment(1))),
        ["containers", _, "index"] => Resource::Container(segment(1)),
        // What follows is ignored, as in Barbican.
        ["containers", _, "secrets", ..] => Resource::ContainerSecrets(segment(1)),
        ["containers", _, "acl"] => Resource::ContainerAcl(segment(1)),
        ["containers", _, "consumers"] => Resource::ContainerConsumers(segment(1)),
        ["containers", _, "consumers", _] => Resource::ContainerConsumer(segment(1), segment(3)),
        ["containers", ..] => Resource::BelowContainer(segment(1)),
        ["quotas" | "quotas.json"] | ["quotas", "index"] => Resource::Quotas,
        ["project-quotas" | "project-quotas.json"] | ["project-quotas", "index"] => {
            Resource::ProjectQuotas
        }
        ["project-quotas", _] => Resource::ProjectQuota(without_json_extension(segment(1))),
        ["project-quotas", _, "index"] => Resource::ProjectQuota(segment(1)),
        ["secret-stores" | "secret-stores.json"] | ["secret-stores", "index"] => {
            Resource::SecretStores
        }
        ["secret-stores", "global-default"] => Resource::GlobalDefaultStore,
        ["secret-stores", "preferred"] => Resource::PreferredStore,
        ["secret-stores", "global-default" | "preferred", ..] => {
            Resource::Nothing { reserved: false }
        }
        ["secret-stores", _] => Resource::SecretStore(without_json_extension(segment(1))),
        ["secret-stores", _, "index"] => Resource::SecretStore(segment(1)),
        ["secret-stores", _, "preferred"] => Resource::StorePreference(segment(1)),
        ["secret-stores", ..] => Resource::BelowSecretStore(segment(1)),
        ["transport_keys" | "transport_keys.json"] | ["transport_keys", "index"] => {
            Resource::TransportKeys
        }
        ["transport_keys", _] => Resource::TransportKey(without_json_extension(segment(1))),
        ["transport_keys", _, "index"] => Resource::TransportKey(segment(1)),
        ["orders" | "orders.json"] | ["orders", "index"] => Resource::Orders,
        ["orders", _] => Resource::Order(without_json_extension(segment(1))),
        ["orders", _, "index"] => Resource::Order(segment(1)),
        ["orders", ..] => Resource::BelowOrder(segment(1)),
        [first, ..] => Resource::Nothing {
            reserved: first.starts_with("on_")
                || (is_file_name(first) && !first.ends_with(".json")),
        },
    }
}

/// The oldest form knows secrets, containers and orders as collections and one
/// by one, the consumers of containers, and quotas.
fn tenant_resource<'a>(segments: &[Cow<'a, str>]) -> Resource<'a> {
    match resource(segments) {
        known @ (Resource::Secrets
        | Resource::Secret(_)
        | Resource::Containers
        | Resource::Container(_)
        | Resource::ContainerConsumers(_)
        | Resource::Quotas
        | Resource::ProjectQuotas
        | Resource::ProjectQuota(_)
        | Resource::Orders
        | Resource::Order(_)) => known,
        _ => Resource::Nothing { reserved: false },
    }
}

fn without_json_extension(segment: Cow<'_, str>) -> Cow<'_, str> {
    match segment.strip_suffix(".json") {
        Some(stem) => Cow::Owned(stem.to_owned()),
        None => segment,
    }
}

/// Whether the name ends like one of a file that browsers ask for.
fn is_file_name(segment: &str) -> bool {
    const EXTENSIONS: [&str; 12] = [
        "css", "gif", "html", "ico", "jpg", "js", "json", "php", "png", "svg", "txt", "xml",
    ];
    segment
        .rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Route<'_>) {
        assert_eq!(Route::of(path), expected, "{path}");
    }

    fn today(resource: Resource<'_>) -> Route<'_> {
        Route::V1(Form::Today, resource)
    }

    #[test]
    fn slashes_do_not_count() {
        for path in [
            "/v1/secrets",
            "/v1/secrets/",
            "//v1/secrets",
            "/v1//secrets",
            "/v1/secrets//",
        ] {
            check(path, today(Resource::Secrets));
        }
        for path in ["/", "//", ""] {
            check(path, Route::Versions);
        }
        for path in ["/v1", "/v1/"] {
            check(path, today(Resource::Version));
        }
    }

    #[test]
    fn resources_of_a_secret() {
        check("/v1/secrets/x", today(Resource::Secret("x".into())));
        check("/v1/secrets/x.json", today(Resource::Secret("x".into())));
        check("/v1/secrets/%7Bx%7D", today(Resource::Secret("{x}".into())));
        check(
            "/v1/secrets/x/payload",
            today(Resource::Payload("x".into())),
        );
        check(
            "/v1/secrets/x/metadata/k",
            today(Resource::Metadatum("x".into(), "k".into())),
        );
        check(
            "/v1/secrets/x/consumers/c",
            today(Resource::Consumer("x".into(), "c".into())),
        );
        for below in ["foo", "Payload", "payload/x", "acl/read", "metadata/k/x"] {
            check(
                &format!("/v1/secrets/x/{below}"),
                today(Resource::BelowSecret("x".into())),
            );
        }
    }

    #[test]
    fn quotas() {
        for path in ["/v1/quotas", "/v1/quotas/", "/v1/quotas.json"] {
            check(path, today(Resource::Quotas));
        }
        for path in ["/v1/project-quotas", "/v1/project-quotas/index"] {
            check(path, today(Resource::ProjectQuotas));
        }
        for path in ["/v1/project-quotas/p", "/v1/project-quotas/p.json"] {
            check(path, today(Resource::ProjectQuota("p".into())));
        }
        for path in ["/v1/quotas/foo", "/v1/project-quotas/p/x"] {
            check(path, today(Resource::Nothing { reserved: false }));
        }
        check(
            "/v1/12345/quotas",
            Route::V1(Form::Tenant("12345".into()), Resource::Quotas),
        );
        check(
            "/v1/12345/project-quotas/p",
            Route::V1(
                Form::Tenant("12345".into()),
                Resource::ProjectQuota("p".into()),
            ),
        );
    }

    #[test]
    fn orders() {
        for path in ["/v1/orders", "/v1/orders/", "/v1/orders/index"] {
            check(path, today(Resource::Orders));
        }
        for path in ["/v1/orders/x", "/v1/orders/x.json", "/v1/orders/x/index"] {
            check(path, today(Resource::Order("x".into())));
        }
        for path in ["/v1/orders/x/foo", "/v1/orders/x/acl"] {
            check(path, today(Resource::BelowOrder("x".into())));
        }
    }

    #[test]
    fn tenants_are_what_is_no_collection() {
        check(
            "/v1/12345/secrets",
            Route::V1(Form::Tenant("12345".into()), Resource::Secrets),
        );
        check(
            "/v1/12345/secrets/x",
            Route::V1(Form::Tenant("12345".into()), Resource::Secret("x".into())),
        );
        let nothing = Resource::Nothing { reserved: false };
        check(
            "/v1/12345/secrets/x/payload",
            Route::V1(Form::Tenant("12345".into()), nothing.clone()),
        );
        check(
            "/v1/12345/orders",
            Route::V1(Form::Tenant("12345".into()), Resource::Orders),
        );
        check(
            "/v1/12345/orders/x",
            Route::V1(Form::Tenant("12345".into()), Resource::Order("x".into())),
        );
        check("/v1/12345/acl", today(nothing.clone()));
        check(
            "/v1/secrets/secrets",
            today(Resource::Secret("secrets".into())),
        );
        check("/v1/consumers/x/consumers", today(nothing));
    }

    #[test]
    fn what_is_nothing() {
        for path in [
            "/v2",
            "/V1/secrets",
            "/v1.0/secrets",
            "/v1x/secrets",
            "/secrets",
        ] {
            check(path, Route::Nothing { file: false });
        }
        check("/favicon.ico", Route::Nothing { file: true });
        for path in ["/v1/foo", "/v1/Secrets", "/v1/secrets-x"] {
            check(path, today(Resource::Nothing { reserved: false }));
        }
        for path in ["/v1/on_get", "/v1/secrets.xml"] {
            check(path, today(Resource::Nothing { reserved: true }));
        }
        check("/v1/foo.json", today(Resource::Nothing { reserved: false }));
    }
}
