//! What the values mean, and whether they make sense together.

use std::{
    num::NonZero,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use donjon_api::CorsConfig;
use donjon_app::{Bounds, DepartureRules, KeyLimits};
use donjon_domain::{Quotas, Resource, SecretBytes};
use donjon_oslo_policy::DefaultSet;
use donjon_transport::{IpRange, ListenAddr, TlsFiles};

use super::{
    Layer,
    keystone::KeystoneSettings,
    pkcs11,
    stores::StoreSettings,
    texts::{
        auth_mode, base_url, header_name, log_format, log_level, method, origin, path,
        policy_defaults,
    },
    transit,
    value::{Source, Value},
};
use crate::{
    data_dir,
    hsm::{HsmDraft, HsmToken},
    root_key::{PassphraseSource, RootKeySource, RootKeys},
    workers::WorkerSettings,
};

/// The configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    /// At least one.
    pub(crate) listen: Vec<ListenAddr>,
    /// URLs with scheme http or https, a host, and neither user nor query.
    pub(crate) host_href: Vec<String>,
    pub(crate) trusted_proxies: Vec<IpRange>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) auth: AuthSettings,
    pub(crate) limits: Limits,
    /// For projects without quotas of their own; none is below -1.
    pub(crate) quotas: Quotas,
    /// Whether clients see which secret stores there are.
    pub(crate) multiple_stores: bool,
    /// Those to choose from; none where there is the database alone.
    pub(crate) stores: Vec<StoreSettings>,
    /// Never both everybody and credentials.
    pub(crate) cors: CorsConfig,
    /// How long what expired stays in the database; `None` is for ever.
    pub(crate) expired_kept: Option<Duration>,
    /// What is done about projects that Keystone has deleted.
    pub(crate) sweep: SweepSettings,
    pub(crate) orders: WorkerSettings,
    pub(crate) root_key: RootKeys,
    /// What is known of an HSM, whether a root key is in it or not.
    #[cfg_attr(
        not(feature = "pkcs11"),
        expect(dead_code, reason = "for verbs that such a build has not")
    )]
    pub(crate) hsm: HsmDraft,
    /// The token that generates what orders ask for, if one does.
    pub(crate) generate_in: Option<HsmToken>,
    /// The pace of changes of keys.
    pub(crate) rotation_rows_per_s: NonZero<u32>,
    /// Past which keys should be changed.
    pub(crate) key_limits: KeyLimits,
    pub(crate) policy: PolicySettings,
    pub(crate) log_format: LogFormat,
    /// Directives that the log filter takes.
    pub(crate) log_level: String,
}

/// Who is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthSettings {
    /// At least one, none twice; `noauth` stands alone.
    pub(crate) modes: Vec<AuthMode>,
    /// There with the mode `keystone`.
    pub(crate) keystone: Option<KeystoneSettings>,
}

/// A way to tell who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// Holders of tokens that a Keystone issued.
    Keystone,
    /// Holders of tokens that this server issued.
    Tokens,
    /// The headers of each request.
    NoAuth,
}

/// Sizes that requests may have, each within its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) secret_bytes: usize,
    pub(crate) tenant_secret_bytes: usize,
    pub(crate) request_bytes: usize,
    pub(crate) page_default: u32,
    /// At least `page_default`.
    pub(crate) page_max: u32,
    /// Of one secret or container.
    pub(crate) consumers: NonZero<u32>,
    /// In one container.
    pub(crate) container_secrets: NonZero<u32>,
}

/// What is done about projects that Keystone has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SweepSettings {
    /// A server needs the mode `keystone` for it.
    pub(crate) is_enabled: bool,
    /// At least a second.
    pub(crate) interval: Duration,
    pub(crate) rules: DepartureRules,
}

/// Which rules apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicySettings {
    pub(crate) defaults: DefaultSet,
    /// A file with rules in place of defaults.
    pub(crate) file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl AuthSettings {
    pub(crate) fn has(&self, mode: AuthMode) -> bool {
        self.modes.contains(&mode)
    }
}

impl Limits {
    /// How much may hang on one secret or container. User metadata may be as
    /// large as one request could make it, so that what was read can be written.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            consumers: self.consumers,
            container_secrets: self.container_secrets,
            metadata_bytes: self.request_bytes,
        }
    }
}

impl Settings {
    pub(super) fn new(values: &Layer, stores: &[Layer]) -> Result<Self> {
        let stores = super::stores::stores(stores)?;
        let values = Values(values);
        let data_dir = values.each("data_dir", path)?;
        let data_dir = data_dir.context("data_dir has a default")?;
        let auth = auth(&values)?;
        Ok(Self {
            listen: listen(&values)?,
            host_href: values.list("http.host_href", base_url)?,
            trusted_proxies: values.list("http.trusted_proxies", |text| Ok(text.parse()?))?,
            tls: tls(&values)?,
            sweep: sweep(&values, &auth)?,
            auth,
            limits: limits(&values)?,
            quotas: quotas(&values),
            cors: cors(&values)?,
            multiple_stores: values.flag("secret_stores.multiple") || !stores.is_empty(),
            stores,
            expired_kept: expired_kept(&values)?,
            orders: orders(&values)?,
            root_key: root_key(&values, &data_dir)?,
            hsm: pkcs11::draft(&values)?,
            generate_in: pkcs11::generation(&values)?,
            rotation_rows_per_s: rotation(&values)?,
            key_limits: key_limits(&values)?,
            policy: PolicySettings {
                defaults: values
                    .each("policy.defaults", policy_defaults)?
                    .unwrap_or(DefaultSet::New),
                file: values.each("policy.file", path)?,
            },
            log_format: values
                .each("log.format", log_format)?
                .unwrap_or(LogFormat::Text),
            log_level: values.each("log.level", log_level)?.unwrap_or_default(),
            data_dir,
        })
    }
}

fn listen(values: &Values<'_>) -> Result<Vec<ListenAddr>> {
    let listen: Vec<ListenAddr> = values.list("http.listen", |text| Ok(text.parse()?))?;
    ensure!(
        !listen.is_empty(),
        "{}: name at least one address, such as 127.0.0.1:9311",
        values.place("http.listen")
    );
    Ok(listen)
}

fn tls(values: &Values<'_>) -> Result<Option<TlsFiles>> {
    let cert = values.each("tls.cert", path)?;
    let key = values.each("tls.key", path)?;
    let client_ca = values.each("tls.client_ca", path)?;
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles {
            cert,
            key,
            client_ca,
        })),
        (Some(_), None) => bail!("{}: set tls.key too", values.place("tls.cert")),
        (None, Some(_)) => bail!("{}: set tls.cert too", values.place("tls.key")),
        (None, None) if client_ca.is_some() => bail!(
            "{}: set tls.cert and tls.key too; without TLS nobody shows a certificate",
            values.place("tls.client_ca")
        ),
        (None, None) => Ok(None),
    }
}

fn auth(values: &Values<'_>) -> Result<AuthSettings> {
    let modes = values.list("auth.modes", auth_mode)?;
    let place = values.place("auth.modes");
    ensure!(
        !modes.is_empty(),
        "{place}: name a mode, keystone, tokens or noauth"
    );
    ensure!(
        modes == [AuthMode::NoAuth] || !modes.contains(&AuthMode::NoAuth),
        "{place}: noauth lets everybody in, so no other mode can stand beside it; name one of them"
    );
    let is_twice = |mode| modes.iter().filter(|other| *other == mode).count() > 1;
    ensure!(
        !modes.iter().any(is_twice),
        "{place}: the same mode twice; name it once"
    );
    let keystone = modes.contains(&AuthMode::Keystone);
    let keystone = keystone
        .then(|| KeystoneSettings::new(values))
        .transpose()?;
    Ok(AuthSettings { modes, keystone })
}

fn limits(values: &Values<'_>) -> Result<Limits> {
    let size = |key, range| values.count(key, range);
    let number = |key| {
        let count = u32::try_from(size(key, 1..=MEMBERS_MAX)?)?;
        NonZero::new(count).with_context(|| format!("{key} is at least 1"))
    };
    let limits = Limits {
        secret_bytes: usize::try_from(size("limits.secret_bytes", 1..=SECRET_BYTES_MAX)?)?,
        tenant_secret_bytes: usize::try_from(size(
            "limits.tenant_secret_bytes",
            1..=SECRET_BYTES_MAX,
        )?)?,
        request_bytes: usize::try_from(size("limits.request_bytes", 1_000..=REQUEST_BYTES_MAX)?)?,
        page_default: u32::try_from(size("limits.page_default", 1..=PAGE_MAX)?)?,
        page_max: u32::try_from(size("limits.page_max", 1..=PAGE_MAX)?)?,
        consumers: number("limits.consumers")?,
        container_secrets: number("limits.container_secrets")?,
    };
    ensure!(
        limits.page_default <= limits.page_max,
        "{}: more than limits.page_max, which is {}; raise that or lower this",
        values.place("limits.page_default"),
        limits.page_max
    );
    Ok(limits)
}

fn quotas(values: &Values<'_>) -> Quotas {
    let keys = [
        (Resource::Secrets, "quotas.secrets"),
        (Resource::Orders, "quotas.orders"),
        (Resource::Containers, "quotas.containers"),
        (Resource::Consumers, "quotas.consumers"),
        (Resource::Cas, "quotas.cas"),
    ];
    keys.into_iter()
        .fold(Quotas::UNLIMITED, |quotas, (resource, key)| {
            match values.limit(key) {
                Some(limit) => quotas.with(resource, limit),
                None => quotas,
            }
        })
}

fn cors(values: &Values<'_>) -> Result<CorsConfig> {
    let cors = CorsConfig {
        allowed_origin: values.list("cors.allowed_origin", origin)?,
        allow_credentials: values.flag("cors.allow_credentials"),
        max_age_s: values.count("cors.max_age", 0..=MAX_AGE_S_MAX)?,
        allow_methods: values.list("cors.allow_methods", method)?,
        allow_headers: values.list("cors.allow_headers", header_name)?,
        expose_headers: values.list("cors.expose_headers", header_name)?,
    };
    let everybody = cors.allowed_origin.iter().any(|origin| origin == "*");
    ensure!(
        !(everybody && cors.allow_credentials),
        "{}: * would let every page use the credentials of its reader; \
         name origins, or set cors.allow_credentials = false",
        values.place("cors.allowed_origin")
    );
    Ok(cors)
}

fn expired_kept(values: &Values<'_>) -> Result<Option<Duration>> {
    const KEY: &str = "clean_up.expired_kept_days";
    let Some(days) = values.limit(KEY).and_then(|days| u64::try_from(days).ok()) else {
        return Ok(None);
    };
    ensure!(
        days <= DAYS_MAX,
        "{}: has to be 0 to {DAYS_MAX}, or -1 for ever",
        values.place(KEY)
    );
    Ok(Some(Duration::from_secs(days * 86_400)))
}

fn sweep(values: &Values<'_>, auth: &AuthSettings) -> Result<SweepSettings> {
    let delay_s = values.count("sweep.delay_s", 0..=DAYS_MAX * 86_400)?;
    let percent = values.count("sweep.missing_percent_max", 0..=100)?;
    let interval_s = values.count("sweep.interval_s", 1..=INTERVAL_S_MAX)?;
    let settings = SweepSettings {
        is_enabled: values.flag("sweep.enabled"),
        interval: Duration::from_secs(interval_s),
        rules: DepartureRules {
            delay_s: i64::try_from(delay_s)?,
            missing_percent_max: u32::try_from(percent)?,
        },
    };
    let cached = auth
        .keystone
        .as_ref()
        .map(|keystone| keystone.token_cache_time);
    if settings.is_enabled
        && let Some(cached) = cached
    {
        // Nobody acts on a project any more when it goes.
        ensure!(
            Duration::from_secs(delay_s) > cached,
            "{}: has to be more than auth.keystone.token_cache_time, which is {}",
            values.place("sweep.delay_s"),
            cached.as_secs()
        );
    }
    Ok(settings)
}

fn orders(values: &Values<'_>) -> Result<WorkerSettings> {
    let threads = match values.0.get("orders.workers") {
        Some(_) => usize::try_from(values.count("orders.workers", 1..=WORKERS_MAX)?)?,
        // Requests keep a processor.
        None => available_parallelism().map_or(1, |all| (all.get() - 1).max(1)),
    };
    Ok(WorkerSettings {
        threads: NonZero::new(threads).context("orders.workers is at least 1")?,
        wait: Duration::from_millis(values.count("orders.wait_ms", 0..=WAIT_MS_MAX)?),
    })
}

fn root_key(values: &Values<'_>, data_dir: &Path) -> Result<RootKeys> {
    let current = key_source(values, "root_key.current", "root_key.passphrase_from")?;
    let previous = key_source(
        values,
        "root_key.previous",
        "root_key.previous_passphrase_from",
    )?;
    let is_default = current.is_none();
    let current = current.unwrap_or_else(|| RootKeySource::File(data_dir.join(data_dir::ROOT_KEY)));
    ensure!(
        previous.as_ref() != Some(&current),
        "{}: the same place as the current root key",
        values.place("root_key.previous")
    );
    Ok(RootKeys {
        current,
        is_default,
        previous,
    })
}

fn rotation(values: &Values<'_>) -> Result<NonZero<u32>> {
    const KEY: &str = "rotation.rows_per_s";
    let rows = u32::try_from(values.count(KEY, 1..=ROWS_PER_S_MAX)?)?;
    NonZero::new(rows).with_context(|| format!("{KEY} is at least 1"))
}

fn key_limits(values: &Values<'_>) -> Result<KeyLimits> {
    const AGE: &str = "rotation.key_age_warn_days";
    let days = values.limit(AGE).filter(|days| *days >= 0);
    ensure!(
        days.is_none_or(|days| days.unsigned_abs() <= DAYS_MAX),
        "{}: has to be 0 to {DAYS_MAX}, or -1 for never",
        values.place(AGE)
    );
    Ok(KeyLimits {
        age_s: days.map(|days| days * 86_400),
        rows: values
            .limit("rotation.key_rows_warn")
            .and_then(|rows| u64::try_from(rows).ok()),
    })
}

fn key_source(
    values: &Values<'_>,
    key: &str,
    passphrase_key: &str,
) -> Result<Option<RootKeySource>> {
    let source = values.each(key, |text| match text.split_once(':') {
        Some(("pkcs11", attributes)) => {
            let hsm = pkcs11::key(values, attributes)?;
            Ok(RootKeySource::Hsm(Box::new(hsm)))
        }
        Some(("transit", attributes)) => {
            let transit = transit::key(values, attributes)?;
            Ok(RootKeySource::Transit(Box::new(transit)))
        }
        _ => RootKeySource::parse(text),
    })?;
    let Some(passphrase) = values.each(passphrase_key, PassphraseSource::parse)? else {
        return Ok(source);
    };
    let source = source.and_then(|source| source.with_passphrase_from(passphrase));
    ensure!(
        source.is_some(),
        "{}: nothing asks for a passphrase; set {key} = \"passphrase:FILE\", or take this out",
        values.place(passphrase_key)
    );
    Ok(source)
}

// === Values ===

/// Values by key; errors say where a value stands.
pub(super) struct Values<'a>(&'a Layer);

impl<'a> Values<'a> {
    pub(super) fn of(layer: &'a Layer) -> Self {
        Self(layer)
    }

    /// The values, to change some of them.
    pub(super) fn layer(&self) -> Layer {
        self.0.clone()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The key and where its value stands.
    pub(super) fn place(&self, key: &str) -> String {
        match self.0.get(key) {
            Some((_, source)) if *source != Source::Default => format!("{source}: {key}"),
            _ => key.to_owned(),
        }
    }

    pub(super) fn each<T>(&self, key: &str, read: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        match self.0.get(key) {
            Some((Value::Text(text), _)) => {
                let read = read(text).with_context(|| self.place(key))?;
                Ok(Some(read))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn list<T>(&self, key: &str, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
        match self.0.get(key) {
            Some((Value::List(items), _)) => items
                .iter()
                .map(|item| read(item).with_context(|| self.place(key)))
                .collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// A text that nobody may see; an empty one is none.
    pub(super) fn secret(&self, key: &str) -> Option<Arc<SecretBytes>> {
        match self.0.get(key) {
            Some((Value::Secret(secret), _)) if !secret.is_empty() => Some(Arc::clone(secret)),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some((Value::Flag(true), _)))
    }

    /// A count of any size, if there is one.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some((Value::Count(count), _)) => Some(*count),
            _ => None,
        }
    }

    fn limit(&self, key: &str) -> Option<i64> {
        match self.0.get(key) {
            Some((Value::Limit(limit), _)) => Some(*limit),
            _ => None,
        }
    }

    pub(super) fn count(&self, key: &str, range: RangeInclusive<u64>) -> Result<u64> {
        match self.0.get(key) {
            Some((Value::Count(count), _)) if range.contains(count) => Ok(*count),
            _ => bail!(
                "{}: has to be {} to {}",
                self.place(key),
                range.start(),
                range.end()
            ),
        }
    }
}

/// A payload is held in memory several times while it is sealed, and a hundred
/// requests may do so at once.
const SECRET_BYTES_MAX: u64 = 1024 * 1024;
/// The largest payload in base64, and what stands around it.
const REQUEST_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// A century.
const DAYS_MAX: u64 = 36_525;
/// A day.
const INTERVAL_S_MAX: u64 = 86_400;
/// A day; browsers take no more.
const MAX_AGE_S_MAX: u64 = 86_400;
const PAGE_MAX: u64 = 10_000;
/// All of them are in one answer.
const MEMBERS_MAX: u64 = 100_000;
/// More than any machine has cores; what they do is nothing but computing.
const WORKERS_MAX: u64 = 256;
/// More than any disk takes.
const ROWS_PER_S_MAX: u64 = 1_000_000;
/// Well before the transport gives up on an answer.
const WAIT_MS_MAX: u64 = 20_000;
