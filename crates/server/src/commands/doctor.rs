//! `donjon doctor`.

use anyhow::anyhow;
use donjon_app::Policy;

use super::ask;
use crate::{
    admin::{DiagnosisView, FoundView, Request, Response, StoreView},
    cli,
    exit::{Exit, Failure},
};

/// Asks the running server, or looks at the folder where there is none.
///
/// # Errors
/// [`Exit::Storage`] where the database is damaged, [`Exit::Other`] where something
/// else is not well; else as the folder, its root keys or storage says.
pub(crate) fn doctor(verb: &cli::Doctor) -> Result<Exit, Failure> {
    let settings = ask::load(&verb.place)?;
    let request = || {
        Ok(Request::Diagnose {
            is_repairing: verb.repair,
            is_reading: verb.payloads,
        })
    };
    // No rule decides about it, so a bad policy file is no obstacle.
    let policy = || Ok(Policy::new(settings.policy.defaults));
    let view = match ask::ask(&settings, request, policy)? {
        Response::Diagnosis(view) => view,
        other => return Err(ask::failure(other)),
    };
    ask::print(&text(&view))?;
    let problems = problems(&view);
    if view.damage.count > 0 {
        return Err(Failure::new(Exit::Storage, anyhow!(DAMAGED)));
    }
    if problems > 0 {
        return Err(Failure::new(
            Exit::Other,
            anyhow!("problems left: {problems}"),
        ));
    }
    Ok(Exit::Good)
}

fn problems(view: &DiagnosisView) -> u64 {
    let of_store = |store: &StoreView| {
        store.strays.count + store.lost.count + u64::from(store.trouble.is_some())
    };
    let of_stores: u64 = view.stores.iter().map(of_store).sum();
    of_stores + view.unreadable.count + view.damage.count
}

fn text(view: &DiagnosisView) -> String {
    let mut lines = Vec::new();
    if view.damage.count == 0 {
        lines.push("database: whole".to_owned());
    } else {
        lines.push(format!("database: {} faults", view.damage.count));
        list(&mut lines, &view.damage);
    }
    for store in &view.stores {
        lines_of(&mut lines, store);
    }
    if view.is_read && view.unreadable.count == 0 {
        lines.push("payloads: all can be read".to_owned());
    }
    if view.unreadable.count > 0 {
        lines.push(format!(
            "payloads: {} cannot be read; put back from a backup what has them, or delete these secrets",
            view.unreadable.count
        ));
        list(&mut lines, &view.unreadable);
    }
    lines.join("\n")
}

fn lines_of(lines: &mut Vec<String>, store: &StoreView) {
    lines.push(format!(
        "secret store {:?}: {} payloads, {} of secrets, {} under way or to be removed",
        store.name, store.payloads, store.secrets, store.waiting
    ));
    if store.removed > 0 {
        lines.push(format!(
            "  {} that were nobody's are removed",
            store.removed
        ));
    }
    if store.strays.count > 0 {
        lines.push(format!(
            "  {} are nobody's (SECRET.PUT); `donjon doctor --repair` removes them, and must not where this database \
             is a copy or was restored and another one may still need them",
            store.strays.count
        ));
        list(lines, &store.strays);
    }
    if store.lost.count > 0 {
        lines.push(format!(
            "  {} secrets have their payload here, and it is not there; put the store back from a backup, or delete \
             these secrets",
            store.lost.count
        ));
        list(lines, &store.lost);
    }
    if let Some(trouble) = &store.trouble {
        lines.push(format!(
            "  not looked at to the end: {trouble}; see that it answers, and repeat this"
        ));
    }
}

fn list(lines: &mut Vec<String>, found: &FoundView) {
    lines.extend(found.shown.iter().map(|line| format!("    {line}")));
    let more = found.count - found.shown.len() as u64;
    if more > 0 {
        lines.push(format!("    and {more} more"));
    }
}

const DAMAGED: &str = "the database is damaged; stop the server, keep the folder as it is, and restore a \
     backup (docs/backup.md)";
