//! What the process takes from itself before it touches a key.

use anyhow::{Context, Result, ensure};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit, umask},
};

/// Nobody else may read what this process writes, and its memory is never
/// written to a core file. Blocks for microseconds.
///
/// # Errors
/// The system refuses; a server with core files would leak keys.
pub(crate) fn harden() -> Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    forbid_dumps().context("core dumps cannot be switched off (PR_SET_DUMPABLE)")?;
    setrlimit(Resource::Core, NO_CORE)
        .context("core dumps cannot be switched off (RLIMIT_CORE)")?;
    ensure!(
        getrlimit(Resource::Core) == NO_CORE,
        "core dumps stay on although the system said they were off"
    );
    Ok(())
}

/// Asks for as many open files as the administrator allows, up to what all
/// connections together may need. More than a refusal of some connections
/// does not come of it where the system says no.
pub(crate) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

/// Also keeps other processes of the same user from attaching to this one.
#[cfg(target_os = "linux")]
fn forbid_dumps() -> Result<()> {
    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    ensure!(
        dumpable_behavior()? == DumpableBehavior::NotDumpable,
        "the process is dumpable although the system said it was not"
    );
    Ok(())
}

/// Other systems have no such switch; the limit of core files has to do.
#[cfg(not(target_os = "linux"))]
fn forbid_dumps() -> Result<()> {
    Ok(())
}

const NO_CORE: Rlimit = Rlimit {
    current: Some(0),
    maximum: Some(0),
};

/// Four thousand connections, storage, and some.
const OPEN_FILES: u64 = 8_192;
