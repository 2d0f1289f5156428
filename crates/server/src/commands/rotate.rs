//! `donjon rotate`.

use std::time::Duration;

use donjon_app::Policy;
use serde::Serialize;

use super::{ask, progress::Progress};
use crate::{
    admin::{Request, Response, RotationView},
    cli,
    config::Settings,
    exit::{Exit, Failure, OrExit},
};

/// Asks the running server, or works on the folder where there is none.
///
/// # Errors
/// [`Exit::Other`] where there is nothing to change; else as the folder, its
/// root keys or storage says.
pub(crate) fn rotate(verb: &cli::Rotate) -> Result<Exit, Failure> {
    let (place, is_waiting) = match verb {
        cli::Rotate::Root(root) => (&root.place, root.wait),
        cli::Rotate::Project(project) => (&project.place, project.wait),
        cli::Rotate::Status(status) => (&status.place, false),
        cli::Rotate::Pause(place) | cli::Rotate::Resume(place) => (place, false),
    };
    let settings = ask::load(place)?;
    let mut view = converse(&settings, || request(verb))?;
    if is_waiting {
        view = wait(&settings, view)?;
    }
    let mut lines = text(&view);
    if let cli::Rotate::Status(status) = verb {
        let worn = worn(&settings)?;
        if status.json {
            return ask::print(&json(view, &worn)?);
        }
        // What is left stays the last line.
        lines.splice(..0, worn);
    }
    ask::print(&lines.join("\n"))
}

/// Keys past their limits, a line each.
fn worn(settings: &Settings) -> Result<Vec<String>, Failure> {
    let policy = || Ok(Policy::new(settings.policy.defaults));
    let limits = settings.key_limits;
    let request = || {
        Ok(Request::KeysWorn {
            age_s: limits.age_s,
            rows: limits.rows,
        })
    };
    match ask::ask(settings, request, policy)? {
        Response::KeysWorn { lines } => Ok(lines),
        other => Err(ask::failure(other)),
    }
}

/// Waits until nothing is left, and shows how far it is.
pub(super) fn wait(settings: &Settings, mut view: RotationView) -> Result<RotationView, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .or_exit(Exit::Other)?;
    let mut progress = Progress::new(view.left);
    while view.left > 0 {
        let note = if view.is_paused {
            ", paused: `donjon rotate resume` goes on"
        } else {
            ""
        };
        progress.show(view.left, note)?;
        runtime.block_on(async { tokio::time::sleep(PULSE).await });
        view = converse(settings, || Request::RotateStatus {})?;
    }
    Ok(view)
}

/// Asks for something that is answered with how far changes of keys are.
pub(super) fn converse(
    settings: &Settings,
    request: impl Fn() -> Request,
) -> Result<RotationView, Failure> {
    // No rule decides about keys, so a bad policy file is no obstacle.
    let policy = || Ok(Policy::new(settings.policy.defaults));
    match ask::ask(settings, || Ok(request()), policy)? {
        Response::Rotation(view) => Ok(*view),
        other => Err(ask::failure(other)),
    }
}

fn request(verb: &cli::Rotate) -> Request {
    match verb {
        cli::Rotate::Root(_) => Request::RotateRoot {},
        cli::Rotate::Project(project) => Request::RotateProject {
            project: project.project.clone(),
        },
        cli::Rotate::Status(_) => Request::RotateStatus {},
        cli::Rotate::Pause(_) => Request::RotatePause {},
        cli::Rotate::Resume(_) => Request::RotateResume {},
    }
}

/// Keys that a change of the root key will wrap anew which nobody has begun.
/// Without them "0 left" would say that the previous root key may go.
fn not_begun(view: &RotationView) -> u64 {
    if view.installed == view.current {
        return 0;
    }
    let others = view.root_keys.iter().filter(|root| root.id != view.current);
    others.map(|root| root.keys).sum()
}

/// For programs: the same, counters beside it.
fn json(mut view: RotationView, worn: &[String]) -> Result<String, Failure> {
    view.left += not_begun(&view);
    serde_json::to_string(&Watched { view: &view, worn }).or_exit(Exit::Other)
}

#[derive(Serialize)]
struct Watched<'a> {
    #[serde(flatten)]
    view: &'a RotationView,
    /// Keys past their limits.
    worn: &'a [String],
}

fn text(view: &RotationView) -> Vec<String> {
    let mut lines = Vec::new();
    for root in &view.root_keys {
        let role = if root.id == view.current {
            "current"
        } else {
            "previous"
        };
        lines.push(format!("root key {} ({role}): {} keys", root.id, root.keys));
    }
    if view.installed != view.current {
        lines.push(format!(
            "root key {} waits to be taken into use: `donjon rotate root`",
            view.current
        ));
    }
    for project in &view.retired {
        lines.push(format!(
            "project {}, key {}: {} left",
            project.project, project.generation, project.rows
        ));
    }
    let others = view.retired_keys.saturating_sub(view.retired.len() as u64);
    if others > 0 {
        lines.push(format!("and {others} retired keys of projects more"));
    }
    let note = if view.is_paused { ", paused" } else { "" };
    lines.push(format!("{} left{note}", view.left + not_begun(view)));
    lines
}

const PULSE: Duration = Duration::from_millis(500);
