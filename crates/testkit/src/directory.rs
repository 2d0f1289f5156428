//! A directory of projects without an identity service.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use donjon_domain::{
    ProjectId,
    ports::{BoxFuture, DirectoryError, Presence, ProjectDirectory},
};

/// `ProjectDirectory` for tests: has what it is told.
#[derive(Default)]
pub struct FakeDirectory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    answers: HashMap<String, Presence>,
    is_out: bool,
    asked: Vec<String>,
}

impl FakeDirectory {
    /// A directory without projects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on it says this of a project.
    pub fn set(&self, project: &str, presence: Presence) {
        self.lock().answers.insert(project.to_owned(), presence);
    }

    /// From now on it says nothing, or does again.
    pub fn set_out(&self, is_out: bool) {
        self.lock().is_out = is_out;
    }

    /// Whom it was asked about, in this order; forgets them.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProjectDirectory for FakeDirectory {
    fn look_up<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Presence, DirectoryError>> {
        Box::pin(async move {
            let mut inner = self.lock();
            inner.asked.push(project.to_string());
            if inner.is_out {
                return Err(DirectoryError::new("out"));
            }
            let text = project.as_str();
            let is_plausible = (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !is_plausible {
                return Ok(Presence::Unclear);
            }
            Ok(inner.answers.get(text).copied().unwrap_or(Presence::Absent))
        })
    }
}

impl fmt::Debug for FakeDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeDirectory").finish_non_exhaustive()
    }
}
