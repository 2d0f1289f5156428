//! All keys.

use super::{
    Layer,
    value::{Kind, Source, Value},
};

/// A key of the configuration.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name in the file, with its table: `http.listen`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// As it would stand in a variable; `None` where there is no value unless
    /// one is given.
    pub(super) default: Option<&'static str>,
}

/// In the order in which people look at them; keys without a table first.
pub(super) const KEYS: &[Key] = &[
    key("data_dir", Kind::Text, Some("./donjon-data")),
    key("http.listen", Kind::List, Some("127.0.0.1:9311")),
    key("http.host_href", Kind::List, Some("")),
    key("http.trusted_proxies", Kind::List, Some("")),
    key("tls.cert", Kind::Text, None),
    key("tls.key", Kind::Text, None),
    key("tls.client_ca", Kind::Text, None),
    key("auth.modes", Kind::List, Some("tokens")),
    key("auth.keystone.auth_url", Kind::Text, None),
    key("auth.keystone.www_authenticate_uri", Kind::Text, None),
    key("auth.keystone.username", Kind::Text, None),
    key("auth.keystone.password", Kind::Secret, None),
    key("auth.keystone.password_file", Kind::Text, None),
    key("auth.keystone.project_name", Kind::Text, None),
    key(
        "auth.keystone.user_domain_name",
        Kind::Text,
        Some("Default"),
    ),
    key(
        "auth.keystone.project_domain_name",
        Kind::Text,
        Some("Default"),
    ),
    key("auth.keystone.application_credential_id", Kind::Text, None),
    key(
        "auth.keystone.application_credential_secret",
        Kind::Secret,
        None,
    ),
    key("auth.keystone.cafile", Kind::Text, None),
    key("auth.keystone.certfile", Kind::Text, None),
    key("auth.keystone.keyfile", Kind::Text, None),
    key("auth.keystone.interface", Kind::Text, None),
    key("auth.keystone.region_name", Kind::Text, None),
    key("auth.keystone.token_cache_time", Kind::Count, Some("300")),
    key(
        "auth.keystone.service_type",
        Kind::Text,
        Some("key-manager"),
    ),
    key(
        "auth.keystone.service_token_roles",
        Kind::List,
        Some("service"),
    ),
    key(
        "auth.keystone.service_token_roles_required",
        Kind::Flag,
        Some("false"),
    ),
    key("limits.secret_bytes", Kind::Count, Some("20000")),
    key("limits.tenant_secret_bytes", Kind::Count, Some("10000")),
    key("limits.request_bytes", Kind::Count, Some("25000")),
    key("limits.page_default", Kind::Count, Some("10")),
    key("limits.page_max", Kind::Count, Some("100")),
    key("limits.consumers", Kind::Count, Some("1000")),
    key("limits.container_secrets", Kind::Count, Some("1000")),
    key("quotas.secrets", Kind::Limit, Some("-1")),
    key("quotas.orders", Kind::Limit, Some("-1")),
    key("quotas.containers", Kind::Limit, Some("-1")),
    key("quotas.consumers", Kind::Limit, Some("-1")),
    key("quotas.cas", Kind::Limit, Some("-1")),
    key("secret_stores.multiple", Kind::Flag, Some("false")),
    key("clean_up.expired_kept_days", Kind::Limit, Some("90")),
    key("sweep.enabled", Kind::Flag, Some("false")),
    key("sweep.interval_s", Kind::Count, Some("3600")),
    key("sweep.delay_s", Kind::Count, Some("604800")),
    key("sweep.missing_percent_max", Kind::Count, Some("50")),
    key("cors.allowed_origin", Kind::List, Some("")),
    key("cors.allow_credentials", Kind::Flag, Some("true")),
    key("cors.max_age", Kind::Count, Some("3600")),
    key(
        "cors.allow_methods",
        Kind::List,
        Some("GET,PUT,POST,DELETE,PATCH"),
    ),
    key("cors.allow_headers", Kind::List, Some(CORS_HEADERS)),
    key("cors.expose_headers", Kind::List, Some(CORS_HEADERS)),
    key("orders.wait_ms", Kind::Count, Some("5000")),
    key("orders.workers", Kind::Count, None),
    key("orders.generate_in", Kind::Text, Some("software")),
    key("root_key.current", Kind::Text, None),
    key("root_key.passphrase_from", Kind::Text, None),
    key("root_key.previous", Kind::Text, None),
    key("root_key.previous_passphrase_from", Kind::Text, None),
    key("pkcs11.library_path", Kind::Text, None),
    key("pkcs11.token_serial_number", Kind::Text, None),
    key("pkcs11.token_labels", Kind::List, Some("")),
    key("pkcs11.slot_id", Kind::Count, None),
    key("pkcs11.login", Kind::Secret, None),
    key("pkcs11.login_from", Kind::Text, None),
    key("pkcs11.mkek_label", Kind::Text, None),
    key("pkcs11.hmac_label", Kind::Text, None),
    key("pkcs11.hmac_key_type", Kind::Text, None),
    key("pkcs11.key_wrap_mechanism", Kind::Text, None),
    key("pkcs11.rw_session", Kind::Flag, Some("true")),
    key("pkcs11.pkek_cache_limit", Kind::Count, Some("16384")),
    key("pkcs11.sessions", Kind::Count, Some("4")),
    key("pkcs11.timeout_ms", Kind::Count, Some("5000")),
    key("transit.url", Kind::Text, None),
    key("transit.mount", Kind::Text, Some("transit")),
    key("transit.key", Kind::Text, Some("donjon")),
    key("transit.key_version", Kind::Count, Some("1")),
    key("transit.namespace", Kind::Text, None),
    key("transit.token", Kind::Secret, None),
    key("transit.token_file", Kind::Text, None),
    key("transit.role_id", Kind::Text, None),
    key("transit.secret_id_file", Kind::Text, None),
    key("transit.approle_mount", Kind::Text, Some("approle")),
    key("transit.cafile", Kind::Text, None),
    key("transit.certfile", Kind::Text, None),
    key("transit.keyfile", Kind::Text, None),
    key("transit.timeout_ms", Kind::Count, Some("5000")),
    key("transit.pkek_cache_limit", Kind::Count, Some("16384")),
    key("rotation.rows_per_s", Kind::Count, Some("2000")),
    key("rotation.key_age_warn_days", Kind::Limit, Some("365")),
    key("rotation.key_rows_warn", Kind::Limit, Some("4294967296")),
    key("policy.defaults", Kind::Text, Some("secure-rbac")),
    key("policy.file", Kind::Text, None),
    key("log.format", Kind::Text, Some("text")),
    key("log.level", Kind::Text, Some("info")),
];

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>) -> Key {
    Key {
        path,
        kind,
        default,
    }
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a table that holds keys.
pub(super) fn is_table(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

pub(super) fn defaults() -> Layer {
    KEYS.iter()
        .filter_map(|key| Some((key.path, (key.default_value()?, Source::Default))))
        .collect()
}

impl Key {
    pub(super) const fn without_default(path: &'static str, kind: Kind) -> Self {
        key(path, kind, None)
    }

    /// The variable that sets it: `DONJON_HTTP__LISTEN`.
    pub(super) fn variable(&self) -> String {
        let name = self.path.replace('.', "__").to_uppercase();
        format!("{VARIABLE_PREFIX}{name}")
    }

    pub(super) fn default_value(&self) -> Option<Value> {
        self.kind.parse(self.default?)
    }
}

/// Barbican's.
const CORS_HEADERS: &str = "X-Auth-Token,X-Openstack-Request-Id,X-Project-Id,X-Identity-Status,\
     X-User-Id,X-Storage-Token,X-Domain-Id,X-User-Domain-Id,X-Project-Domain-Id,X-Roles";

pub(super) const VARIABLE_PREFIX: &str = "DONJON_";
