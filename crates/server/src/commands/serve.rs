//! `donjon serve`.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use donjon_api::{Api, ApiConfig, ApiParts};
use donjon_app::{App, KeyLimits, Policy};
use donjon_auth_keystone::Keystone;
use donjon_transport::{
    BindError, Config as TransportConfig, Limits, Listen, ListenAddr, Server, Tls,
};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    admin::{Admin, DepartureParts, socket::AdminSocket},
    assembly::{self, Installation},
    cli,
    config::{AuthMode, Config, LogFormat, Settings},
    data_dir::{DataDir, Stage},
    exit::{Exit, Failure, OrExit},
    frontend::{Frontend, OwnHosts},
    hardening, logging,
    mover::Mover,
    notify::{State, notify},
    policy,
    rotation::{self, Rotator},
    signals::{self, Reloaded, Stop, Stopper},
    sweep::Sweeper,
    welcome::{self, Endpoint, Welcome},
    workers::WorkerThreads,
};

/// Serves until asked to stop, or until storage stops.
///
/// # Errors
/// With an exit code for each cause, before the first request is taken.
pub(crate) fn serve(args: &cli::Serve) -> Result<Exit, Failure> {
    let config = Config::load(&args.overrides).or_exit(Exit::Config)?;
    let settings = &config.settings;
    check_addresses(settings, args.danger_noauth_on_any_address)?;
    check_sweep(settings)?;
    let _flusher =
        logging::start(settings.log_format, &settings.log_level).or_exit(Exit::Config)?;
    if !config.service_links.is_empty() {
        let variables = config.service_links.join(", ");
        tracing::info!("no settings, but Kubernetes' words about a service: {variables}");
    }
    hardening::raise_open_files();
    let tls = settings.tls.clone().map(Tls::load).transpose();
    let tls = tls.context("tls").or_exit(Exit::Config)?;
    let (policy, overrides) = policy::load(&settings.policy).or_exit(Exit::Config)?;
    if let (Some(path), Some(overrides)) = (&settings.policy.file, &overrides) {
        policy::warn(path, overrides);
        tracing::info!(rules = overrides.rules, "policy: {}", path.display());
    }
    let keystone = assembly::keystone(&settings.auth)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads to serve with")
        .or_exit(Exit::Other)?;
    let any_host = args.danger_noauth_on_any_address;
    let flags = welcome::flags(&args.overrides.place);
    let exit = runtime.block_on(run(settings, tls, policy, keystone, any_host, flags));
    runtime.shutdown_timeout(LEFTOVERS);
    exit
}

async fn run(
    settings: &Settings,
    tls: Option<Tls>,
    policy: Policy,
    keystone: Option<Keystone>,
    danger_any_host: bool,
    flags: String,
) -> Result<Exit, Failure> {
    let stopper = Stopper::new();
    let (stop, reload) = signals::listen().or_exit(Exit::Other)?;
    let mut tasks = Tasks::default();
    tasks.spawn(stop.obey(stopper.clone()));
    tasks.spawn(
        reload.obey(Reloaded {
            tls: tls.clone(),
            policy: settings
                .policy
                .file
                .clone()
                .map(|path| (policy.clone(), path)),
        }),
    );

    let data = DataDir::open_or_create_in_time(&settings.data_dir, &settings.root_key);
    let mut data = data.await?;
    let is_new = data.stage() != Stage::Whole;
    let mut installation = Installation::open(settings, &mut data).await?;
    let generator = installation.generator(settings).await?;
    let workers = WorkerThreads::start(settings.orders).context("no threads for orders");
    let workers = Arc::new(workers.or_exit(Exit::Other)?);
    let app = Arc::new(installation.app(settings, policy, generator, workers.clone()));
    // Whoever began them is gone.
    let leftovers = app.outbox.begin().await.or_exit(Exit::Storage)?;
    if leftovers > 0 {
        tracing::info!(
            leftovers,
            "puts into secret stores were cut off; what came of them is removed"
        );
    }
    let parts = Parts {
        settings,
        tls,
        data: &data,
        installation: &installation,
        app,
        workers,
        keystone,
        is_new,
        danger_any_host,
        flags,
    };
    let outcome = serve_from(parts, &stopper, tasks).await;
    let closed = installation.close().await;
    outcome?;
    closed
}

/// What a server is made of.
struct Parts<'a> {
    settings: &'a Settings,
    tls: Option<Tls>,
    data: &'a DataDir,
    installation: &'a Installation,
    app: Arc<App>,
    workers: Arc<WorkerThreads>,
    keystone: Option<Keystone>,
    is_new: bool,
    /// Whether pages of strangers may speak to a server without authentication.
    danger_any_host: bool,
    /// What names this place again.
    flags: String,
}

async fn serve_from(parts: Parts<'_>, stopper: &Stopper, mut tasks: Tasks) -> Result<(), Failure> {
    let Parts {
        settings,
        tls,
        data,
        installation,
        app,
        workers,
        keystone,
        is_new,
        danger_any_host,
        flags,
    } = parts;
    let limits = Limits::default();
    let api = api(settings, installation, Arc::clone(&app), keystone.as_ref());
    let is_guarded = settings.auth.has(AuthMode::NoAuth) && !danger_any_host;
    let own_hosts = is_guarded.then(|| OwnHosts::new(&settings.host_href));
    let frontend = Frontend::new(api, limits.request_timeout, own_hosts);
    let server = Server::bind(TransportConfig {
        listen: listen(settings, tls.as_ref()),
        trusted_proxies: settings.trusted_proxies.clone(),
        limits,
    });
    let server = match server.await {
        Ok(server) => server,
        Err(error) => {
            // The next start is not the first one any more.
            if is_new {
                welcome(settings, data, None, flags);
            }
            return Err(not_bound(error)).or_exit(Exit::Other);
        }
    };
    let socket = AdminSocket::bind(&data.admin_socket()).or_exit(Exit::DataFolder)?;
    let sweeper = keystone.clone().filter(|_| settings.sweep.is_enabled);
    let sweeper = sweeper.map(|keystone| Arc::new(Sweeper::new(keystone, settings.sweep)));
    let departures = keystone.map(|keystone| DepartureParts {
        directory: Arc::new(keystone),
        rules: settings.sweep.rules,
        sweeper: sweeper.clone(),
        is_served: true,
    });
    let rotator = Arc::new(Rotator::new(settings.rotation_rows_per_s));
    let mover = Arc::new(Mover::new(settings.rotation_rows_per_s));
    tasks.spawn(socket.serve(Admin {
        app: Arc::clone(&app),
        tokens: Arc::clone(&installation.tokens),
        clock: Arc::clone(&installation.clock),
        integrity: installation.integrity(),
        rotator: Some(Arc::clone(&rotator)),
        mover: Some(Arc::clone(&mover)),
        departures,
    }));
    if let Some(sweeper) = sweeper {
        tasks.spawn(sweep(sweeper, Arc::clone(&app)));
    }
    tasks.spawn(rotate(rotator, Arc::clone(&app)));
    tasks.spawn(flush_uses(installation.clone()));
    tasks.spawn(watch_keys(Arc::clone(&app), settings.key_limits));
    if !settings.stores.is_empty() {
        tasks.spawn(empty_outbox(Arc::clone(&app)));
        tasks.spawn(move_payloads(mover, Arc::clone(&app)));
    }
    tasks.spawn(resume_orders(app));
    tasks.spawn(signals::watch_storage(
        installation.stopped(),
        stopper.clone(),
    ));
    let is_tls = tls.is_some();
    if is_new {
        let addr = server.local_addrs().first();
        let endpoint = addr.map(|addr| Endpoint::of(addr, is_tls));
        welcome(settings, data, endpoint, flags);
    }
    announce(settings, server.local_addrs(), is_tls);
    notify(State::Ready);
    let drain = async {
        stopper.wait_for(Stop::Drain).await;
        notify(State::Stopping);
    };
    tokio::select! {
        summary = server.serve(Arc::new(frontend), drain) => tracing::info!(
            connections = summary.open,
            cut = summary.cut,
            ms = logging::milliseconds(summary.took),
            "stopped"
        ),
        () = stopper.wait_for(Stop::Now) => tracing::warn!("stopped at once"),
    }
    finish_orders(&workers, stopper).await;
    tasks.end().await;
    Ok(())
}

/// Lets the orders end that are being carried out, unless that takes long.
async fn finish_orders(workers: &WorkerThreads, stopper: &Stopper) {
    let ended = tokio::select! {
        ended = workers.stop(ORDERS_PATIENCE) => ended,
        () = stopper.wait_for(Stop::Now) => false,
    };
    if !ended {
        tracing::info!("orders that are not carried out yet follow after the next start");
    }
}

fn api(
    settings: &Settings,
    installation: &Installation,
    app: Arc<App>,
    keystone: Option<&Keystone>,
) -> Api {
    let limits = &settings.limits;
    let config = ApiConfig {
        host_href: settings.host_href.clone(),
        www_authenticate_uri: settings
            .auth
            .keystone
            .as_ref()
            .map(|keystone| keystone.www_authenticate_uri.clone()),
        limits: donjon_api::Limits {
            secret_bytes: limits.secret_bytes,
            tenant_secret_bytes: limits.tenant_secret_bytes,
            request_bytes: limits.request_bytes,
            page_default: limits.page_default,
            page_max: limits.page_max,
        },
        cors: settings.cors.clone(),
    };
    let repository = Arc::clone(&installation.repository);
    let parts = ApiParts {
        app,
        authenticator: installation.authenticator(&settings.auth.modes, keystone),
        clock: Arc::clone(&installation.clock),
        entropy: Arc::clone(&installation.entropy),
        health: Arc::new(move || repository.health()),
    };
    Api::new(config, parts)
}

// === addresses ===

/// Refuses to let everybody in from everywhere.
fn check_addresses(settings: &Settings, danger_noauth: bool) -> Result<(), Failure> {
    let far = settings.listen.iter().find(|addr| is_far(addr));
    match (settings.auth.has(AuthMode::NoAuth), far) {
        (true, Some(addr)) if !danger_noauth => Err(Failure::new(
            Exit::Config,
            anyhow!(
                "noauth lets in whoever can connect, and {addr} is reached from beyond this machine; \
                 listen on 127.0.0.1, [::1] or unix:PATH, or say --danger-noauth-on-any-address"
            ),
        )),
        _ => Ok(()),
    }
}

/// Refuses to sweep where nobody says what. Other verbs need not know the modes,
/// for which there is a flag of this one.
fn check_sweep(settings: &Settings) -> Result<(), Failure> {
    if settings.sweep.is_enabled && settings.auth.keystone.is_none() {
        let problem = anyhow!(
            "sweep.enabled is set, and only Keystone says which projects are deleted: auth.modes has to \
             have keystone"
        );
        return Err(Failure::new(Exit::Config, problem));
    }
    Ok(())
}

/// Whether an address is reached from other machines.
fn is_far(addr: &ListenAddr) -> bool {
    match addr {
        ListenAddr::Tcp(addr) => !addr.ip().to_canonical().is_loopback(),
        ListenAddr::Unix(_) => false,
    }
}

/// Says what to do where somebody else listens.
fn not_bound(error: BindError) -> anyhow::Error {
    if error.source.kind() == io::ErrorKind::AddrInUse {
        return anyhow!(
            "{error}: the address is in use; stop what listens there, or choose another one by --listen (http.listen)"
        );
    }
    error.into()
}

fn listen(settings: &Settings, tls: Option<&Tls>) -> Vec<Listen> {
    let one = |addr: &ListenAddr| {
        let plain = Listen::new(addr.clone());
        match tls {
            Some(tls) => plain.with_tls(tls.clone()),
            None => plain,
        }
    };
    settings.listen.iter().map(one).collect()
}

fn announce(settings: &Settings, addrs: &[ListenAddr], is_tls: bool) {
    for addr in addrs {
        match addr {
            ListenAddr::Unix(_) => tracing::info!("listening on {addr}"),
            ListenAddr::Tcp(_) if is_tls => tracing::info!("listening on https://{addr}"),
            ListenAddr::Tcp(_) => tracing::info!("listening on http://{addr}"),
        }
        if !is_far(addr) {
            continue;
        }
        if settings.auth.has(AuthMode::NoAuth) {
            tracing::warn!(
                "whoever reaches {addr} reads and deletes everything (--danger-noauth-on-any-address)"
            );
        } else if !is_tls {
            tracing::warn!(
                "tokens and secrets are readable on the way to {addr}; set tls.cert and tls.key, \
                 or listen on this machine alone behind a proxy with TLS"
            );
        }
    }
}

fn welcome(settings: &Settings, data: &DataDir, endpoint: Option<Endpoint>, flags: String) {
    let text = Welcome {
        data,
        root_key: data.root_key(&settings.root_key),
        endpoint,
        auth: &settings.auth,
        flags,
    }
    .to_string();
    match settings.log_format {
        // Whoever asked for JSON reads the log by a program.
        LogFormat::Json => tracing::info!("{text}"),
        // A log that cannot be written stops nobody from serving.
        LogFormat::Text => drop(io::stderr().write_all(text.as_bytes())),
    }
}

// === tasks ===

async fn flush_uses(installation: Installation) {
    let mut pulse = interval(USES_PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pulse.tick().await;
        installation.flush_uses().await;
    }
}

/// Warns of keys that should be changed, at once and daily.
async fn watch_keys(app: Arc<App>, limits: KeyLimits) {
    let mut pulse = interval(KEYS_PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pulse.tick().await;
        match rotation::worn_keys(&app, limits).await {
            Ok(lines) => lines.iter().for_each(|line| tracing::warn!("{line}")),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "keys that should be changed could not be looked for"
            ),
        }
    }
}

/// Removes from stores what is nobody's.
async fn empty_outbox(app: Arc<App>) {
    let mut pulse = interval(OUTBOX_PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pulse.tick().await;
        match app.outbox.step().await {
            Ok(swept) if swept.removed > 0 => {
                tracing::debug!(
                    removed = swept.removed,
                    "payloads are gone from their stores"
                );
                // There may be more, as after a move.
                pulse.reset_immediately();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what is nobody's in secret stores could not be looked for"
            ),
        }
    }
}

/// Starts the jobs of orders that a stop or a full queue left behind.
async fn resume_orders(app: Arc<App>) {
    let mut pulse = interval(ORDERS_PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pulse.tick().await;
        match app.orders.resume().await {
            Ok(0) => {}
            Ok(orders) => tracing::info!(orders, "carrying out orders that waited"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "waiting orders could not be looked for"
            ),
        }
    }
}

async fn sweep(sweeper: Arc<Sweeper>, app: Arc<App>) {
    sweeper.run(&app).await;
}

async fn move_payloads(mover: Arc<Mover>, app: Arc<App>) {
    mover.run(&app).await;
}

async fn rotate(rotator: Arc<Rotator>, app: Arc<App>) {
    rotator.run(&app).await;
}

/// What runs beside the server.
#[derive(Debug, Default)]
struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }

    /// Ends all of them, and waits until each has let go of what it holds.
    async fn end(self) {
        for task in self.0 {
            task.abort();
            drop(timeout(LEFTOVERS, task).await);
        }
    }
}

const USES_PULSE: Duration = Duration::from_secs(60);
const KEYS_PULSE: Duration = Duration::from_secs(86_400);
const OUTBOX_PULSE: Duration = Duration::from_secs(2);
const ORDERS_PULSE: Duration = Duration::from_secs(10);
/// Less than a service manager's patience; what is cut is begun anew.
const ORDERS_PATIENCE: Duration = Duration::from_secs(10);
const LEFTOVERS: Duration = Duration::from_secs(5);
