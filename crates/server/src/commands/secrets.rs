//! `donjon secrets`.

use std::time::Duration;

use anyhow::anyhow;
use donjon_app::Policy;

use super::{ask, progress::Progress};
use crate::{
    admin::{MoveView, Request, Response},
    cli,
    config::Settings,
    exit::{Exit, Failure, OrExit},
};

/// Asks the running server, or works on the folder where there is none.
///
/// # Errors
/// [`Exit::Other`] where there is no such store, or something cannot be moved;
/// else as the folder, its root keys, storage or a store says.
pub(crate) fn secrets(verb: &cli::Secrets) -> Result<Exit, Failure> {
    let cli::Secrets::Move(args) = verb;
    let settings = ask::load(&args.place)?;
    let begin = || Request::SecretsMove {
        from: args.from.clone(),
        to: args.to.clone(),
        is_dry: args.dry_run,
    };
    // No rule decides about them, so a bad policy file is no obstacle.
    let policy = || Ok(Policy::new(settings.policy.defaults));
    let mut view = view(ask::ask(&settings, || Ok(begin()), policy)?)?;
    if args.dry_run {
        return ask::print(&dry_text(&view));
    }
    if args.wait {
        view = wait(&settings, view, begin)?;
    }
    ask::print(&text(&view))?;
    if view.stuck > 0 && view.is_done {
        return Err(Failure::new(Exit::Other, anyhow!(stuck_text(&view))));
    }
    Ok(Exit::Good)
}

/// Waits until it is done, and shows how far it is. A server that was started
/// again meanwhile knows nothing of it, and is asked anew.
fn wait(
    settings: &Settings,
    mut shown: MoveView,
    begin: impl Fn() -> Request,
) -> Result<MoveView, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .or_exit(Exit::Other)?;
    let mut progress = Progress::new(shown.left);
    let mut silences = 0;
    while !shown.is_done {
        let note = match &shown.trouble {
            Some(trouble) => format!(", held up: {trouble}"),
            None => String::new(),
        };
        progress.show(shown.left, &note)?;
        runtime.block_on(async { tokio::time::sleep(PULSE).await });
        match ask::ask_server(settings, &Request::SecretsMoveStatus {}) {
            Ok(Some(Response::NoMove {})) => {
                if let Ok(Some(response)) = ask::ask_server(settings, &begin()) {
                    shown = view(response)?;
                }
            }
            Ok(Some(response)) => {
                silences = 0;
                shown = view(response)?;
            }
            // It stops, or was killed while it answered.
            Ok(None) | Err(_) => {
                silences += 1;
                if silences >= SILENCES_MAX {
                    return Err(Failure::new(Exit::Other, anyhow!(SERVER_GONE)));
                }
            }
        }
    }
    Ok(shown)
}

fn view(response: Response) -> Result<MoveView, Failure> {
    match response {
        Response::Move(view) => Ok(*view),
        other => Err(ask::failure(other)),
    }
}

fn dry_text(view: &MoveView) -> String {
    let text = format!(
        "{} payloads would move from {:?} to {:?}",
        view.left, view.from, view.to
    );
    format!("{text}{}", still_filled(view))
}

fn text(view: &MoveView) -> String {
    let mut text = format!(
        "from {:?} to {:?}: {} moved, {} left",
        view.from, view.to, view.moved, view.left
    );
    if let Some(trouble) = &view.trouble {
        text.push_str(&format!(", held up: {trouble}"));
    }
    if view.is_done && view.left > view.stuck && view.trouble.is_none() {
        text.push_str(&format!(
            "\n{} came in meanwhile; repeat this to move them too",
            view.left - view.stuck
        ));
    }
    format!("{text}{}", still_filled(view))
}

fn still_filled(view: &MoveView) -> String {
    if view.is_from_default {
        format!(
            "\nnew payloads still go to {:?}, which is the global default",
            view.from
        )
    } else {
        String::new()
    }
}

fn stuck_text(view: &MoveView) -> String {
    let mut lines = vec![format!(
        "{} payloads cannot be moved, and stay in {:?}; the log of the server names all of them:",
        view.stuck, view.from
    )];
    let shown = view.shown.iter();
    lines.extend(shown.map(|stuck| format!("{}: {}", stuck.secret, stuck.error)));
    lines.join("\n")
}

const PULSE: Duration = Duration::from_millis(500);
/// Half a minute, and what asking takes.
const SILENCES_MAX: u32 = 60;
const SERVER_GONE: &str = "the server does not answer any more; what was moved stays so, and the rest \
     moves when this is repeated";
