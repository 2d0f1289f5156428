//! `donjon projects`.

use donjon_app::Policy;

use super::ask;
use crate::{
    admin::{DepartedView, Request, Response, SweepView},
    cli,
    exit::{Exit, Failure},
};

/// Asks the running server, or looks at the folder where there is none.
///
/// # Errors
/// [`Exit::Other`] where Keystone does not say, or nothing may be removed; else as
/// the folder, its root keys or storage says.
pub(crate) fn projects(verb: &cli::Projects) -> Result<Exit, Failure> {
    let cli::Projects::Sweep(sweep) = verb;
    let settings = ask::load(&sweep.place)?;
    let request = || {
        Ok(Request::ProjectsSweep {
            is_dry: sweep.dry_run,
        })
    };
    // No rule decides about them, so a bad policy file is no obstacle.
    let policy = || Ok(Policy::new(settings.policy.defaults));
    match ask::ask(&settings, request, policy)? {
        Response::Sweep(view) => ask::print(&text(&view)),
        Response::SweepBegun {} => ask::print("a sweep begins; the log tells what it does"),
        other => Err(ask::failure(other)),
    }
}

fn text(view: &SweepView) -> String {
    let mut lines = vec![format!(
        "{} projects that own something here are known to Keystone, {} are missed",
        view.known,
        view.departed.len()
    )];
    lines.extend(view.departed.iter().map(line));
    if view.unclear > 0 {
        lines.push(format!("{} with an answer that says nothing", view.unclear));
    }
    if !view.others.is_empty() {
        lines.push(format!(
            "{} were never known to Keystone, and stay: {}",
            view.others.len(),
            view.others.join(", ")
        ));
    }
    if view.is_implausible {
        lines.push(
            "too many are missed at once, so nothing would be removed (sweep.missing_percent_max)"
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn line(departed: &DepartedView) -> String {
    let since = match &departed.since {
        Some(since) => format!("missed since {since}"),
        None => "missed now".to_owned(),
    };
    let goes = match (&departed.goes, departed.has_token) {
        (_, true) => "stays while a local token acts on it".to_owned(),
        (Some(goes), _) => format!("goes at {goes} or later"),
        (None, _) => "goes with the next sweep".to_owned(),
    };
    let what = [
        (departed.secrets, "secrets"),
        (departed.containers, "containers"),
        (departed.orders, "orders"),
        (departed.consumers, "registrations elsewhere"),
        (departed.keys, "keys"),
    ];
    let what: Vec<_> = what
        .into_iter()
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    format!("{}: {since}, {goes}: {}", departed.project, what.join(", "))
}
