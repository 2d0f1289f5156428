//! What verbs have in common that ask the running server, or work on the folder
//! where there is none.

use std::{
    io::{ErrorKind, Write},
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;
use donjon_app::Policy;

use crate::{
    admin::{Admin, DepartureParts, Request, Response, client},
    assembly::{self, Installation},
    cli::{Overrides, Place},
    config::{Config, Settings},
    data_dir::{self, DataDir},
    exit::{Exit, Failure, OrExit},
    workers::NoWorkers,
};

pub(super) fn load(place: &Place) -> Result<Settings, Failure> {
    let overrides = Overrides {
        place: place.clone(),
        ..Overrides::default()
    };
    Ok(Config::load(&overrides).or_exit(Exit::Config)?.settings)
}

/// Asks the server under its rules, or works on the folder under `policy`. A
/// server that starts or stops holds the lock and does not listen; it is given
/// some time.
pub(super) fn ask(
    settings: &Settings,
    request: impl Fn() -> Result<Request, Failure>,
    policy: impl FnOnce() -> Result<Policy, Failure>,
) -> Result<Response, Failure> {
    let socket = settings.data_dir.join(data_dir::ADMIN_SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Other)?;
    runtime.block_on(async {
        for attempt in 0.. {
            let answered = client::ask(&socket, &request()?).or_exit(Exit::DataFolder)?;
            if let Some(response) = answered {
                return Ok(response);
            }
            if attempt >= ATTEMPTS_MAX || !DataDir::is_in_use(&settings.data_dir) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        work_on_the_folder(settings, request()?, policy()?).await
    })
}

/// Asks the running server; `None` where nobody listens.
pub(super) fn ask_server(
    settings: &Settings,
    request: &Request,
) -> Result<Option<Response>, Failure> {
    let socket = settings.data_dir.join(data_dir::ADMIN_SOCKET);
    client::ask(&socket, request).or_exit(Exit::DataFolder)
}

async fn work_on_the_folder(
    settings: &Settings,
    request: Request,
    policy: Policy,
) -> Result<Response, Failure> {
    let mut data = DataDir::open_whole(&settings.data_dir, &settings.root_key)?;
    let installation = Installation::open(settings, &mut data).await?;
    let departures = match request {
        // Who has not configured it well can do all the rest.
        Request::ProjectsSweep { .. } => departures(settings)?,
        _ => None,
    };
    let admin = Admin {
        // Who carries out no orders makes no keys.
        app: Arc::new(installation.app(
            settings,
            policy,
            installation.software_generator(),
            Arc::new(NoWorkers),
        )),
        tokens: installation.tokens.clone(),
        clock: installation.clock.clone(),
        integrity: installation.integrity(),
        rotator: None,
        mover: None,
        departures,
    };
    let response = admin.handle(request).await;
    drop(admin);
    installation.close().await?;
    Ok(response)
}

fn departures(settings: &Settings) -> Result<Option<DepartureParts>, Failure> {
    let keystone = assembly::keystone(&settings.auth)?;
    Ok(keystone.map(|keystone| DepartureParts {
        directory: Arc::new(keystone),
        rules: settings.sweep.rules,
        sweeper: None,
        is_served: false,
    }))
}

/// What an answer means that is not the one that was asked for.
pub(super) fn failure(response: Response) -> Failure {
    match response {
        Response::Refused { message } => Failure::new(Exit::Other, anyhow!(message)),
        Response::Failed { message } => Failure::new(Exit::Storage, anyhow!(message)),
        _ => Failure::new(
            Exit::Other,
            anyhow!(
                "the server answers something else than what was asked; is it another version?"
            ),
        ),
    }
}

pub(super) fn print(text: &str) -> Result<Exit, Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        // Whoever read has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Good),
        written => written.map(|()| Exit::Good).or_exit(Exit::Other),
    }
}

const ATTEMPTS_MAX: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);
