//! The table: every route and method, and what each caller gets.

use serde_json::{Value, json};

/// A call, and what each caller gets: without a token, as reader, as member,
/// as admin, as member of another project, as admin of another project.
pub(super) struct Call {
    pub(super) method: &'static str,
    /// Below the secret; below the container or the order where it starts with
    /// `{container}` or `{order}`; from the root where it starts with a slash.
    /// `{tenant}` in front of it is the oldest form.
    pub(super) path: &'static str,
    pub(super) body: Body,
    pub(super) expected: [u16; 6],
}

pub(super) enum Body {
    None,
    Json(fn() -> Value),
    Text,
}

/// Who calls, in the order of [`Call::expected`].
pub(super) const TOKENS: [&str; 6] = ["", "reader", "member", "admin", "stranger", "foreign-admin"];

pub(super) const CALLS: &[Call] = &[
    call("GET", "/", Body::None, [300, 300, 300, 300, 300, 300]),
    call(
        "GET",
        "/healthcheck",
        Body::None,
        [200, 200, 200, 200, 200, 200],
    ),
    call("GET", "/v2", Body::None, [404, 404, 404, 404, 404, 404]),
    call("GET", "/v1", Body::None, [401, 200, 200, 200, 200, 200]),
    call(
        "GET",
        "/v1/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secrets",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/secrets",
        Body::Json(|| json!({})),
        [401, 403, 201, 201, 201, 201],
    ),
    call("GET", "", Body::None, [401, 403, 200, 200, 403, 200]),
    call("PUT", "", Body::Text, [401, 403, 409, 409, 403, 403]),
    call("DELETE", "", Body::None, [401, 403, 204, 204, 403, 204]),
    call("GET", "nothing", Body::None, [401, 404, 404, 404, 404, 404]),
    call("GET", "payload", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "GET",
        "metadata",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "metadata",
        Body::Json(|| json!({"metadata": {"a": "b"}})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "POST",
        "metadata",
        Body::Json(|| json!({"key": "x", "value": "y"})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "GET",
        "metadata/k",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "metadata/k",
        Body::Json(|| json!({"key": "k", "value": "y"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "metadata/k",
        Body::Json(|| json!({"key": "k", "value": "y"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "metadata/k",
        Body::None,
        [401, 403, 204, 204, 403, 403],
    ),
    call("GET", "acl", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "PUT",
        "acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PATCH",
        "acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call("DELETE", "acl", Body::None, [401, 403, 200, 200, 403, 403]),
    call(
        "GET",
        "consumers",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "consumers",
        Body::Json(consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "consumers",
        Body::Json(consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "/v1/orders",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/orders",
        Body::Json(key_order),
        [401, 403, 202, 202, 202, 202],
    ),
    call(
        "PUT",
        "/v1/orders",
        Body::Json(key_order),
        [401, 403, 405, 405, 405, 405],
    ),
    call("GET", "{order}", Body::None, [401, 403, 200, 200, 404, 404]),
    call(
        "DELETE",
        "{order}",
        Body::None,
        [401, 403, 204, 204, 404, 404],
    ),
    call(
        "GET",
        "{order}/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    // Ids of consumers are shown nowhere, so nobody finds one. The rule speaks
    // of containers, so of those who ask about a secret it knows admins only.
    call(
        "GET",
        "consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 403, 404, 403, 404],
    ),
    call(
        "GET",
        "/v1/containers",
        Body::None,
        [401, 403, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/containers",
        Body::Json(|| json!({"type": "generic"})),
        [401, 403, 201, 201, 201, 201],
    ),
    call(
        "GET",
        "{container}",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}",
        Body::None,
        [401, 403, 204, 204, 403, 403],
    ),
    call(
        "GET",
        "{container}/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "POST",
        "{container}/secrets",
        Body::Json(|| json!({"name": "other", "secret_ref": "{secret}"})),
        [401, 403, 201, 201, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/secrets",
        Body::Json(|| json!({"name": "e", "secret_ref": "{secret}"})),
        [401, 403, 204, 204, 403, 403],
    ),
    call(
        "GET",
        "{container}/acl",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PUT",
        "{container}/acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "PATCH",
        "{container}/acl",
        Body::Json(|| json!({"read": {"users": ["x"]}})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/acl",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "{container}/consumers",
        Body::None,
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "POST",
        "{container}/consumers",
        Body::Json(|| json!({"name": "other", "URL": "u"})),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "DELETE",
        "{container}/consumers",
        Body::Json(container_consumer),
        [401, 403, 200, 200, 403, 403],
    ),
    call(
        "GET",
        "{container}/consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 404, 404, 403, 404],
    ),
    // Where there is no choice; with one they are in `secret_stores`.
    call(
        "GET",
        "/v1/secret-stores",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/global-default",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/x",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "POST",
        "/v1/secret-stores/x/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "DELETE",
        "/v1/secret-stores/x/preferred",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/secret-stores/x/nothing",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "GET",
        "/v1/transport_keys",
        Body::None,
        [401, 200, 200, 200, 200, 200],
    ),
    call(
        "POST",
        "/v1/transport_keys",
        Body::Json(|| json!({"plugin_name": "p", "transport_key": "k"})),
        [401, 403, 403, 201, 403, 201],
    ),
    // The one that is not there: ids are chosen by the server.
    call(
        "GET",
        "/v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 404, 404, 404, 404, 404],
    ),
    call(
        "DELETE",
        "/v1/transport_keys/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        [401, 403, 403, 404, 403, 404],
    ),
    call(
        "GET",
        "/v1/quotas",
        Body::None,
        [401, 200, 200, 200, 200, 200],
    ),
    call(
        "GET",
        "/v1/project-quotas",
        Body::None,
        [401, 403, 403, 200, 403, 200],
    ),
    call(
        "GET",
        "/v1/project-quotas/p",
        Body::None,
        [401, 403, 403, 200, 403, 200],
    ),
    call(
        "PUT",
        "/v1/project-quotas/p",
        Body::Json(|| json!({"project_quotas": {"secrets": -1}})),
        [401, 403, 403, 204, 403, 204],
    ),
    call(
        "DELETE",
        "/v1/project-quotas/p",
        Body::None,
        [401, 403, 403, 204, 403, 204],
    ),
    // What Barbican has removed.
    call("GET", "/v1/cas", Body::None, NOTHING),
    call("GET", "/v1/cas/x", Body::None, NOTHING),
    call("GET", "/v1/verifications", Body::None, NOTHING),
    call("GET", "/v1/consumers/x/consumers", Body::None, NOTHING),
    call("GET", "/v1/transport-keys", Body::None, NOTHING),
    // The oldest form. What belongs to another tenant is not found at all.
    call(
        "GET",
        "/v1/p/secrets",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "POST",
        "/v1/p/secrets",
        Body::Json(|| json!({})),
        [401, 403, 201, 201, 404, 404],
    ),
    call(
        "GET",
        "{tenant}",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "PUT",
        "{tenant}",
        Body::Text,
        [401, 403, 409, 409, 404, 404],
    ),
    call(
        "DELETE",
        "{tenant}",
        Body::None,
        [401, 403, 204, 204, 404, 404],
    ),
    call("GET", "{tenant}payload", Body::None, NOTHING),
    call("GET", "{tenant}metadata", Body::None, NOTHING),
    call("GET", "{tenant}metadata/k", Body::None, NOTHING),
    call("GET", "{tenant}acl", Body::None, NOTHING),
    call("GET", "{tenant}consumers", Body::None, NOTHING),
    call(
        "GET",
        "/v1/p/containers",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "POST",
        "/v1/p/containers",
        Body::Json(|| json!({"type": "generic"})),
        [401, 403, 201, 201, 404, 404],
    ),
    call(
        "GET",
        "{tenant}{container}",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "DELETE",
        "{tenant}{container}",
        Body::None,
        [401, 403, 204, 204, 404, 404],
    ),
    call("GET", "{tenant}{container}/secrets", Body::None, NOTHING),
    call("GET", "{tenant}{container}/acl", Body::None, NOTHING),
    call(
        "GET",
        "{tenant}{container}/consumers",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "POST",
        "{tenant}{container}/consumers",
        Body::Json(container_consumer),
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "DELETE",
        "{tenant}{container}/consumers",
        Body::Json(container_consumer),
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "GET",
        "{tenant}{container}/consumers/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11",
        Body::None,
        NOTHING,
    ),
    call(
        "GET",
        "/v1/p/orders",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call(
        "POST",
        "/v1/p/orders",
        Body::Json(oldest_order),
        [401, 403, 201, 201, 404, 404],
    ),
    call(
        "GET",
        "{tenant}{order}",
        Body::None,
        [401, 403, 200, 200, 404, 404],
    ),
    call("GET", "{tenant}{order}/nothing", Body::None, NOTHING),
    call(
        "GET",
        "/v1/p/quotas",
        Body::None,
        [401, 200, 200, 200, 404, 404],
    ),
    call(
        "GET",
        "/v1/p/project-quotas",
        Body::None,
        [401, 403, 403, 200, 404, 404],
    ),
    call(
        "GET",
        "/v1/p/project-quotas/p",
        Body::None,
        [401, 403, 403, 200, 404, 404],
    ),
    call(
        "PUT",
        "/v1/p/project-quotas/p",
        Body::Json(|| json!({"project_quotas": {"secrets": -1}})),
        [401, 403, 403, 204, 404, 404],
    ),
    call(
        "DELETE",
        "/v1/p/project-quotas/p",
        Body::None,
        [401, 403, 403, 204, 404, 404],
    ),
];

const NOTHING: [u16; 6] = [401, 404, 404, 404, 404, 404];

const fn call(method: &'static str, path: &'static str, body: Body, expected: [u16; 6]) -> Call {
    Call {
        method,
        path,
        body,
        expected,
    }
}

pub(super) fn consumer() -> Value {
    json!({"service": "s", "resource_type": "t", "resource_id": "r"})
}

pub(super) fn container_consumer() -> Value {
    json!({"name": "n", "URL": "u"})
}

fn oldest_order() -> Value {
    json!({"secret": {"name": "n", "algorithm": "aes", "bit_length": 128}})
}

pub(super) fn key_order() -> Value {
    json!({"type": "key", "meta": {"algorithm": "aes", "bit_length": 128}})
}
