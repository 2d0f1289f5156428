//! What becomes of each key of `barbican.conf`.

use super::{
    specials::{self, Special},
    stores,
};

/// What a key becomes.
#[derive(Clone, Copy)]
pub(super) enum Becomes {
    /// The value of this key.
    Key(&'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
    /// What this says.
    By(Special),
}

use Becomes::{By, Key, Nothing};

/// By section, then by key. Of two that become the same the later one counts.
pub(super) const RULES: &[(&str, &[(&str, Becomes)])] = &[
    (
        "DEFAULT",
        &[
            ("host_href", By(specials::host_href)),
            ("bind_host", By(specials::bind)),
            ("bind_port", By(specials::bind)),
            (
                "max_allowed_request_size_in_bytes",
                Key("limits.request_bytes"),
            ),
            ("max_allowed_secret_in_bytes", Key("limits.secret_bytes")),
            ("default_limit_paging", Key("limits.page_default")),
            ("max_limit_paging", Key("limits.page_max")),
            ("debug", By(specials::debug)),
            ("use_json", By(specials::use_json)),
            ("admin_role", Nothing(ROLES)),
            ("allow_anonymous_access", By(specials::anonymous)),
            ("db_auto_create", Nothing(DATABASE)),
            ("sql_connection", Nothing(DATABASE)),
            ("sql_idle_timeout", Nothing(DATABASE)),
            ("sql_pool_class", Nothing(DATABASE)),
            ("sql_pool_logging", Nothing(DATABASE)),
            ("sql_pool_max_overflow", Nothing(DATABASE)),
            ("sql_pool_size", Nothing(DATABASE)),
            ("backlog", Nothing(CONNECTIONS)),
            ("workers", Nothing(CONNECTIONS)),
            ("api_paste_config", Nothing(CONNECTIONS)),
            ("client_socket_timeout", Nothing(CONNECTIONS)),
            ("max_header_line", Nothing(CONNECTIONS)),
            ("tcp_keepidle", Nothing(CONNECTIONS)),
            ("tcp_keepalive", Nothing(CONNECTIONS)),
            ("wsgi_default_pool_size", Nothing(CONNECTIONS)),
            ("wsgi_keep_alive", Nothing(CONNECTIONS)),
            ("wsgi_log_format", Nothing(LOG)),
            ("wsgi_server_debug", Nothing(LOG)),
            ("control_exchange", Nothing(QUEUE)),
            ("executor_thread_pool_size", Nothing(QUEUE)),
            ("rpc_ping_enabled", Nothing(QUEUE)),
            ("rpc_response_timeout", Nothing(QUEUE)),
            ("run_external_periodic_tasks", Nothing(QUEUE)),
            ("transport_url", Nothing(QUEUE)),
            ("default_log_levels", Nothing(LOG)),
            ("fatal_deprecations", Nothing(LOG)),
            ("instance_format", Nothing(LOG)),
            ("instance_uuid_format", Nothing(LOG)),
            ("log_color", Nothing(LOG)),
            ("log_config", Nothing(LOG)),
            ("log_config_append", Nothing(LOG)),
            ("log_date_format", Nothing(LOG)),
            ("graceful_shutdown_timeout", Nothing(CONNECTIONS)),
            ("log_options", Nothing(LOG)),
            ("log_dir", Nothing(LOG)),
            ("log_file", Nothing(LOG)),
            ("log_rotate_interval", Nothing(LOG)),
            ("log_rotate_interval_type", Nothing(LOG)),
            ("log_rotation_type", Nothing(LOG)),
            ("logdir", Nothing(LOG)),
            ("logfile", Nothing(LOG)),
            ("logging_context_format_string", Nothing(LOG)),
            ("logging_debug_format_suffix", Nothing(LOG)),
            ("logging_default_format_string", Nothing(LOG)),
            ("logging_exception_prefix", Nothing(LOG)),
            ("logging_user_identity_format", Nothing(LOG)),
            ("max_logfile_count", Nothing(LOG)),
            ("max_logfile_size_mb", Nothing(LOG)),
            ("publish_errors", Nothing(LOG)),
            ("rate_limit_burst", Nothing(LOG)),
            ("rate_limit_except_level", Nothing(LOG)),
            ("rate_limit_interval", Nothing(LOG)),
            ("syslog_log_facility", Nothing(LOG)),
            ("use_journal", Nothing(LOG)),
            ("use_stderr", Nothing(LOG)),
            ("use_syslog", Nothing(LOG)),
            ("verbose", Nothing(LOG)),
            ("watch_log_file", Nothing(LOG)),
        ],
    ),
    (
        "keystone_authtoken",
        &[
            ("auth_plugin", By(specials::auth_type)),
            ("auth_type", By(specials::auth_type)),
            (
                "auth_section",
                Nothing("what stands in that section is converted"),
            ),
            ("identity_uri", By(specials::auth_url)),
            ("auth_url", By(specials::auth_url)),
            ("auth_uri", Key("auth.keystone.www_authenticate_uri")),
            (
                "www_authenticate_uri",
                Key("auth.keystone.www_authenticate_uri"),
            ),
            ("admin_user", Key("auth.keystone.username")),
            ("user_name", Key("auth.keystone.username")),
            ("username", Key("auth.keystone.username")),
            ("admin_password", Key("auth.keystone.password")),
            ("password", Key("auth.keystone.password")),
            ("admin_tenant_name", Key("auth.keystone.project_name")),
            ("tenant_name", Key("auth.keystone.project_name")),
            ("project_name", Key("auth.keystone.project_name")),
            ("default_domain_id", By(specials::domain_id)),
            ("default_domain_name", By(specials::domain_name)),
            ("user_domain_id", By(specials::domain_id)),
            ("user_domain_name", Key("auth.keystone.user_domain_name")),
            ("project_domain_id", By(specials::domain_id)),
            (
                "project_domain_name",
                Key("auth.keystone.project_domain_name"),
            ),
            ("user_id", By(specials::by_name)),
            ("project_id", By(specials::by_name)),
            ("tenant_id", By(specials::by_name)),
            ("application_credential_name", By(specials::by_name)),
            (
                "application_credential_id",
                Key("auth.keystone.application_credential_id"),
            ),
            (
                "application_credential_secret",
                Key("auth.keystone.application_credential_secret"),
            ),
            ("cafile", Key("auth.keystone.cafile")),
            ("certfile", Key("auth.keystone.certfile")),
            ("keyfile", Key("auth.keystone.keyfile")),
            ("insecure", By(specials::insecure)),
            ("interface", Key("auth.keystone.interface")),
            ("region_name", Key("auth.keystone.region_name")),
            ("token_cache_time", By(specials::token_cache_time)),
            ("service_type", Key("auth.keystone.service_type")),
            (
                "service_token_roles",
                Key("auth.keystone.service_token_roles"),
            ),
            (
                "service_token_roles_required",
                Key("auth.keystone.service_token_roles_required"),
            ),
            ("delay_auth_decision", By(specials::anonymous)),
            ("auth_version", Nothing("it is version 3")),
            (
                "http_connect_timeout",
                Nothing("an answer takes 3 seconds at most, whatever Keystone does"),
            ),
            (
                "http_request_max_retries",
                Nothing("an answer takes 3 seconds at most, whatever Keystone does"),
            ),
            (
                "enforce_token_bind",
                Nothing("tokens of Keystone are not bound any more"),
            ),
            (
                "include_service_catalog",
                Nothing("the catalog is left out, and nothing needs it"),
            ),
            ("cache", Nothing(TOKEN_CACHE)),
            ("memcache_password", Nothing(TOKEN_CACHE)),
            ("memcache_pool_conn_get_timeout", Nothing(TOKEN_CACHE)),
            ("memcache_pool_dead_retry", Nothing(TOKEN_CACHE)),
            ("memcache_pool_maxsize", Nothing(TOKEN_CACHE)),
            ("memcache_pool_socket_timeout", Nothing(TOKEN_CACHE)),
            ("memcache_pool_unused_timeout", Nothing(TOKEN_CACHE)),
            ("memcache_sasl_enabled", Nothing(TOKEN_CACHE)),
            ("memcache_secret_key", Nothing(TOKEN_CACHE)),
            ("memcache_security_strategy", Nothing(TOKEN_CACHE)),
            ("memcache_servers", Nothing(TOKEN_CACHE)),
            ("memcache_tls_allowed_ciphers", Nothing(TOKEN_CACHE)),
            ("memcache_tls_cafile", Nothing(TOKEN_CACHE)),
            ("memcache_tls_certfile", Nothing(TOKEN_CACHE)),
            ("memcache_tls_enabled", Nothing(TOKEN_CACHE)),
            ("memcache_tls_keyfile", Nothing(TOKEN_CACHE)),
            ("memcache_use_advanced_pool", Nothing(TOKEN_CACHE)),
            ("memcache_username", Nothing(TOKEN_CACHE)),
            ("memcached_servers", Nothing(TOKEN_CACHE)),
            ("signing_dir", Nothing(TOKEN_CACHE)),
        ],
    ),
    (
        "cors",
        &[
            ("allowed_origin", Key("cors.allowed_origin")),
            ("allow_credentials", Key("cors.allow_credentials")),
            ("max_age", Key("cors.max_age")),
            ("allow_methods", Key("cors.allow_methods")),
            ("allow_headers", Key("cors.allow_headers")),
            ("expose_headers", Key("cors.expose_headers")),
        ],
    ),
    (
        "quotas",
        &[
            ("quota_secrets", By(specials::quota)),
            ("quota_orders", By(specials::quota)),
            ("quota_containers", By(specials::quota)),
            ("quota_consumers", By(specials::quota)),
            ("quota_cas", By(specials::quota)),
        ],
    ),
    (
        "oslo_policy",
        &[
            ("policy_file", By(specials::policy_file)),
            ("enforce_new_defaults", By(specials::new_defaults)),
            (
                "enforce_scope",
                Nothing("the scope of a token always counts, as in Barbican 23"),
            ),
            ("policy_dirs", By(specials::policy_dirs)),
            ("policy_default_rule", By(specials::policy_default_rule)),
            ("remote_content_type", Nothing(REMOTE)),
            ("remote_ssl_ca_crt_file", Nothing(REMOTE)),
            ("remote_ssl_client_crt_file", Nothing(REMOTE)),
            ("remote_ssl_client_key_file", Nothing(REMOTE)),
            ("remote_ssl_verify_server_crt", Nothing(REMOTE)),
            ("remote_timeout", Nothing(REMOTE)),
        ],
    ),
    (
        "secretstore",
        &[
            ("enable_multiple_secret_stores", By(stores::multiple)),
            ("enabled_secretstore_plugins", By(stores::plugins)),
            ("stores_lookup_suffix", By(stores::suffix)),
            ("namespace", Nothing("nothing is loaded by a name")),
        ],
    ),
    (
        "crypto",
        &[
            ("enabled_crypto_plugins", By(stores::crypto_plugins)),
            ("namespace", Nothing("nothing is loaded by a name")),
        ],
    ),
    (
        "simple_crypto_plugin",
        &[
            ("kek", By(specials::kek)),
            ("plugin_name", By(stores::plugin_name)),
        ],
    ),
    (
        "p11_crypto_plugin",
        &[
            ("library_path", By(stores::hsm)),
            ("token_serial_number", By(stores::hsm)),
            ("token_label", By(stores::hsm)),
            ("token_labels", By(stores::hsm)),
            ("slot_id", By(stores::hsm)),
            ("login", By(stores::hsm)),
            ("mkek_label", By(stores::hsm)),
            ("hmac_label", By(stores::hsm)),
            ("hmac_key_type", By(stores::hsm)),
            ("hmac_mechanism", By(stores::hsm)),
            ("key_wrap_mechanism", By(stores::hsm)),
            ("rw_session", By(stores::hsm)),
            ("plugin_name", By(stores::plugin_name)),
            ("mkek_length", Nothing(HSM_KEYS)),
            ("hmac_keygen_mechanism", Nothing(HSM_KEYS)),
            ("pkek_length", Nothing(PROJECT_KEYS)),
            ("encryption_mechanism", Nothing(PROJECT_KEYS)),
            ("aes_gcm_generate_iv", Nothing(PROJECT_KEYS)),
            ("key_wrap_generate_iv", Nothing(PROJECT_KEYS)),
            ("always_set_cka_sensitive", Nothing(PROJECT_KEYS)),
            ("pkek_cache_ttl", Nothing(PROJECT_KEY_CACHE)),
            ("pkek_cache_limit", Nothing(PROJECT_KEY_CACHE)),
            ("seed_file", Nothing(SEED)),
            ("seed_length", Nothing(SEED)),
            ("os_locking_ok", Nothing("the module may always lock")),
        ],
    ),
    (
        "kmip_plugin",
        &[
            ("username", By(stores::kmip)),
            ("password", By(stores::kmip)),
            ("host", By(stores::kmip)),
            ("port", By(stores::kmip)),
            ("ssl_version", By(stores::kmip)),
            ("ca_certs", By(stores::kmip)),
            ("certfile", By(stores::kmip)),
            ("keyfile", By(stores::kmip)),
            ("plugin_name", By(stores::plugin_name)),
        ],
    ),
    (
        "vault_plugin",
        &[
            ("root_token_id", By(stores::vault)),
            ("approle_role_id", By(stores::vault)),
            ("approle_secret_id", By(stores::vault)),
            ("kv_mountpoint", By(stores::vault)),
            ("kv_path", By(stores::vault)),
            ("kv_version", By(stores::vault)),
            ("vault_url", By(stores::vault)),
            ("ssl_ca_crt_file", By(stores::vault)),
            ("use_ssl", By(stores::vault)),
            ("namespace", By(stores::vault)),
        ],
    ),
    (
        "oslo_middleware",
        &[
            ("enable_proxy_headers_parsing", By(specials::proxy_headers)),
            (
                "max_request_body_size",
                Nothing("limits.request_bytes alone holds"),
            ),
            (
                "secure_proxy_ssl_header",
                Nothing("it is X-Forwarded-Proto, or Forwarded"),
            ),
        ],
    ),
    (
        "keystone_notifications",
        &[("enable", By(specials::notifications))],
    ),
    (
        "ssl",
        &[
            ("cert_file", Key("tls.cert")),
            ("key_file", Key("tls.key")),
            ("ca_file", Key("tls.client_ca")),
            ("version", Nothing("it is TLS 1.2 or 1.3")),
            (
                "ciphers",
                Nothing("they are those of TLS 1.3, and the good ones of 1.2"),
            ),
        ],
    ),
];

/// Sections whose keys are all alike. Behind a name that ends in `*` anything may
/// follow.
pub(super) const SECTIONS: &[(&str, Becomes)] = &[
    ("database", Nothing(DATABASE)),
    (
        "queue",
        Nothing("orders are carried out by the server itself: orders.workers and orders.wait_ms"),
    ),
    (
        "retry_scheduler",
        Nothing("orders that wait are looked for every 10 seconds"),
    ),
    (
        "keystone_notifications",
        Nothing("nothing is listened to: [sweep] asks Keystone for the projects that it has"),
    ),
    (
        "healthcheck",
        Nothing("/healthcheck answers as Barbican's does, without settings"),
    ),
    ("dogtag_plugin", Nothing("there is no Dogtag behind it")),
    ("secretstore:*", By(stores::of_one)),
    (
        "cors.*",
        Nothing("origins have no settings of their own; name all in cors.allowed_origin"),
    ),
    ("audit_middleware_notifications", Nothing(QUEUE)),
    ("oslo_messaging_*", Nothing(QUEUE)),
    (
        "oslo_concurrency",
        Nothing("a lock in the data folder does that"),
    ),
    ("oslo_reports", Nothing("there are none")),
    ("oslo_versionedobjects", Nothing("there are none")),
    ("certificate", Nothing(CERTIFICATES)),
    ("certificate_event", Nothing(CERTIFICATES)),
    ("snakeoil_ca_plugin", Nothing(CERTIFICATES)),
    ("symantec_plugin", Nothing(CERTIFICATES)),
    ("profiler", Nothing("there is none")),
];

const DATABASE: &str =
    "the database is a file in data_dir; what Barbican's holds is not taken over";
const QUEUE: &str = "there is no message queue";
const LOG: &str = "log lines go to stderr, from which the service manager takes them; see [log]";
const CONNECTIONS: &str = "connections are handled without settings";
const ROLES: &str = "roles stand in policy rules: `donjon policy show`";
const REMOTE: &str = "checks by http: and https: are refused";
const TOKEN_CACHE: &str = "what Keystone says about tokens is kept in memory";
const HSM_KEYS: &str = "the keys in the HSM are there, and are used as they are";
const PROJECT_KEYS: &str =
    "keys of projects are made by the server, which seals payloads with them in software";
const PROJECT_KEY_CACHE: &str =
    "keys of projects are kept until the server stops: pkcs11.pkek_cache_limit";
const SEED: &str = "nothing is fed into the HSM";
const CERTIFICATES: &str = "certificate orders are gone from Barbican too";
