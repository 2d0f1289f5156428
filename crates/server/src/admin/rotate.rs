//! Changing keys.

use donjon_app::{Begun, KeyLimits, RotationStatus};
use donjon_domain::ProjectId;

use super::{Admin, KeyCount, ProjectLeft, Response, RotationView, failed, refused};
use crate::rotation;

impl Admin {
    pub(super) async fn rotate_root(&self) -> Result<Response, Response> {
        let begun = self.app.rotation.begin_root().await.map_err(failed)?;
        if begun == Begun::Nothing {
            let status = self.app.rotation.status().await.map_err(failed)?;
            return Err(refused(format!(
                "everything is under the current root key {} already. To change to another one: make it \
                 (`donjon root-key new`), name it as root_key.current and the present one as \
                 root_key.previous, start the server again, and repeat this",
                status.current
            )));
        }
        self.go_on().await
    }

    /// Of one project, or of all.
    pub(super) async fn rotate_project(
        &self,
        project: Option<String>,
    ) -> Result<Response, Response> {
        match project {
            Some(name) => {
                let project = ProjectId::new(name.as_str());
                let begun = self.app.rotation.begin_project(&project).await;
                if begun.map_err(failed)? == Begun::Nothing {
                    return Err(refused(format!("project {name:?} has no key yet")));
                }
            }
            None => {
                let mut after = None;
                loop {
                    let projects = self.app.rotation.projects(after, PAGE).await;
                    let projects = projects.map_err(failed)?;
                    for project in &projects {
                        let begun = self.app.rotation.begin_project(project).await;
                        begun.map_err(failed)?;
                    }
                    after = projects.into_iter().next_back();
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        self.go_on().await
    }

    pub(super) async fn rotation(&self) -> Result<Response, Response> {
        let status = self.app.rotation.status().await.map_err(failed)?;
        let mut view = view(&status);
        if let Some(rotator) = &self.rotator {
            view.is_paused = rotator.is_paused();
            view.changed = rotator.changed();
            view.failed_steps = rotator.failed_steps();
        }
        Ok(Response::Rotation(Box::new(view)))
    }

    pub(super) async fn worn_keys(&self, limits: KeyLimits) -> Result<Response, Response> {
        let worn = rotation::worn_keys(&self.app, limits).await;
        let lines = worn.map_err(failed)?;
        Ok(Response::KeysWorn { lines })
    }

    pub(super) async fn pause_rotation(&self, is_paused: bool) -> Result<Response, Response> {
        let Some(rotator) = &self.rotator else {
            return Err(refused(
                "no server runs; changes of keys go on when one starts",
            ));
        };
        rotator.pause(is_paused);
        self.rotation().await
    }

    async fn go_on(&self) -> Result<Response, Response> {
        match &self.rotator {
            Some(rotator) => rotator.wake(),
            None => rotation::finish(&self.app).await.map_err(failed)?,
        }
        self.rotation().await
    }
}

fn view(status: &RotationStatus) -> RotationView {
    let root_keys = status.root_keys.iter().map(|(id, keys)| KeyCount {
        id: id.to_string(),
        keys: *keys,
    });
    let retired = status
        .retired
        .iter()
        .map(|(project, generation, rows)| ProjectLeft {
            project: project.to_string(),
            generation: *generation,
            rows: *rows,
        });
    RotationView {
        current: status.current.to_string(),
        installed: status.installed.to_string(),
        root_keys: root_keys.collect(),
        retired: retired.collect(),
        retired_keys: status.retired_keys,
        retired_rows: status.retired_rows,
        left: status.left(),
        is_paused: false,
        changed: 0,
        failed_steps: 0,
    }
}

const PAGE: u32 = 100;
