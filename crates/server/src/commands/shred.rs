//! `donjon shred`.

use anyhow::anyhow;
use donjon_app::Policy;

use super::{ask, progress::Progress, rotate};
use crate::{
    admin::{Request, Response, RotationView},
    cli,
    config::Settings,
    exit::{Exit, Failure},
};

/// Shreds a project, or everything that was ever deleted.
///
/// # Errors
/// [`Exit::Other`] where there is nothing to shred, it is not confirmed, or payloads
/// are left in a store; else as the folder, its root keys or storage says.
pub(crate) fn shred(verb: &cli::Shred) -> Result<Exit, Failure> {
    let settings = ask::load(&verb.place)?;
    match &verb.project {
        Some(project) => shred_project(&settings, project, verb.yes),
        None => shred_what_was_deleted(&settings),
    }
}

// === a project ===

fn shred_project(settings: &Settings, project: &str, is_meant: bool) -> Result<Exit, Failure> {
    let holdings = || Request::ProjectHoldings {
        project: project.to_owned(),
    };
    let (mut left, text) = purge(settings, holdings)?;
    if !is_meant {
        let message = format!(
            "this removes all that project {project:?} owns, and destroys its keys: {text}. Repeat it with --yes"
        );
        return Err(Failure::new(Exit::Other, anyhow!(message)));
    }
    let mut progress = Progress::new(left);
    while left > 0 {
        progress.show(left, "")?;
        let some = || Request::ProjectPurge {
            project: project.to_owned(),
        };
        (left, _) = purge(settings, some)?;
    }
    drop(progress);
    ask::print(&format!(
        "project {project}: all is removed, and its keys are destroyed ({text})."
    ))?;
    empty_stores(settings)?;
    ask::print(
        "Its secrets are unreadable from now on in whatever is left of this data; in a backup \
         they can be read by whoever has the root key of that backup, until `donjon shred`.",
    )
}

/// What is left, and in words.
fn purge(settings: &Settings, request: impl Fn() -> Request) -> Result<(u64, String), Failure> {
    let policy = || Ok(Policy::new(settings.policy.defaults));
    match ask::ask(settings, || Ok(request()), policy)? {
        Response::Holdings { left, text } => Ok((left, text)),
        other => Err(ask::failure(other)),
    }
}

// === payloads in stores ===

/// What was removed goes from stores outside too; waits for it as long as it gets
/// less.
fn empty_stores(settings: &Settings) -> Result<(), Failure> {
    let mut before = u64::MAX;
    loop {
        let policy = || Ok(Policy::new(settings.policy.defaults));
        let stores = match ask::ask(settings, || Ok(Request::OutboxEmpty {}), policy)? {
            Response::Leftovers { stores } => stores,
            other => return Err(ask::failure(other)),
        };
        let left = stores.iter().map(|(_, payloads)| payloads).sum();
        if left == 0 {
            return Ok(());
        }
        if left >= before {
            return Err(Failure::new(Exit::Other, anyhow!(leftovers(&stores))));
        }
        before = left;
    }
}

fn leftovers(stores: &[(String, u64)]) -> String {
    let mut lines: Vec<_> = stores
        .iter()
        .map(|(name, payloads)| {
            format!("{payloads} payloads that were removed still wait in secret store {name:?}")
        })
        .collect();
    lines.push(
        "they are readable there until the store takes their removal, which the server repeats until then; \
         `donjon doctor` shows how many are left"
            .to_owned(),
    );
    lines.join("\n")
}

// === everything that was deleted ===

/// Keys of projects change before the root key does: else a backup from the time
/// between would have the old ones, wrapped by the new root key.
fn shred_what_was_deleted(settings: &Settings) -> Result<Exit, Failure> {
    let status = || rotate::converse(settings, || Request::RotateStatus {});
    let before = status()?;
    if before.installed == before.current {
        return Err(Failure::new(Exit::Other, anyhow!(no_new_root_key(&before))));
    }
    let old = before.installed;
    note("1 of 2: new keys for all projects")?;
    let view = rotate::converse(settings, || Request::RotateProject { project: None })?;
    rotate::wait(settings, view)?;
    note("2 of 2: the new root key")?;
    let view = rotate::converse(settings, || Request::RotateRoot {})?;
    rotate::wait(settings, view)?;
    ask::print(&format!(
        "done. Now take root_key.previous out of the configuration, start the server again, and \
         destroy root key {old} wherever it is kept. From then on nobody reads what was deleted \
         before this, from no backup either."
    ))?;
    empty_stores(settings)?;
    Ok(Exit::Good)
}

fn no_new_root_key(view: &RotationView) -> String {
    let current = &view.current;
    let is_moving = view.root_keys.iter().any(|root| root.id != *current);
    if is_moving {
        return format!(
            "the change to root key {current} is under way already: `donjon rotate root --wait` waits for it. If a \
             shred that was cut off began it, nothing else is to be done"
        );
    }
    format!(
        "everything is under root key {current}, and shredding leaves it behind. Make another one \
         (`donjon root-key new`), name it as root_key.current and the present one as \
         root_key.previous, start the server again, and repeat this. If a shred that was cut off \
         has just moved everything to root key {current}, nothing else is to be done"
    )
}

fn note(line: &str) -> Result<(), Failure> {
    use std::io::Write as _;

    use crate::exit::OrExit as _;
    writeln!(std::io::stderr(), "{line}").or_exit(Exit::Other)
}
