//! Moving payloads between stores.

use donjon_app::StoreEnd;

use super::{Admin, MoveView, Response, StuckView, failed, refused};
use crate::mover::{self, Run};

impl Admin {
    pub(super) async fn move_payloads(
        &self,
        from: &str,
        to: &str,
        is_dry: bool,
    ) -> Result<Response, Response> {
        let (from, to) = (self.store(from)?, self.store(to)?);
        if from == to {
            return Err(refused(format!(
                "{:?} is where the payloads are already",
                to.name
            )));
        }
        let is_wanted = |run: &Run| run.from == from && run.to == to;
        let under_way = self.mover.as_ref().and_then(|mover| mover.current());
        if let Some(run) = under_way.filter(|run| !run.is_done) {
            if is_wanted(&run) {
                return Ok(Response::Move(Box::new(view(&run))));
            }
            return Err(another(&run));
        }
        let fresh = Run::new(&self.app, from.clone(), to.clone()).await;
        let fresh = fresh.map_err(failed)?;
        for end in [&from, &to] {
            let answered = self.app.moves.check(end).await;
            answered.map_err(|error| {
                let text = super::text_of(&error);
                refused(format!("secret store {:?}: {text}", end.name))
            })?;
        }
        if is_dry {
            return Ok(Response::Move(Box::new(view(&fresh))));
        }
        let run = match &self.mover {
            None => mover::finish(&self.app, fresh).await.map_err(failed)?,
            Some(mover) => mover.begin(fresh),
        };
        if is_wanted(&run) {
            Ok(Response::Move(Box::new(view(&run))))
        } else {
            Err(another(&run))
        }
    }

    /// How far the move is that is under way, or was last.
    pub(super) fn moving(&self) -> Response {
        let run = self.mover.as_ref().and_then(|mover| mover.current());
        run.map_or(Response::NoMove {}, |run| {
            Response::Move(Box::new(view(&run)))
        })
    }

    fn store(&self, name: &str) -> Result<StoreEnd, Response> {
        let mut stores = self.app.moves.stores();
        stores.find(|store| store.name == name).ok_or_else(|| {
            let names: Vec<_> = self.app.moves.stores().collect();
            let names: Vec<_> = names.iter().map(|store| store.name.as_str()).collect();
            refused(format!(
                "there is no secret store {name:?}; [[secret_stores]] has: {}",
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            ))
        })
    }
}

fn another(run: &Run) -> Response {
    refused(format!(
        "payloads move from {:?} to {:?} at this time, and {} are left; wait for that",
        run.from.name, run.to.name, run.left
    ))
}

fn view(run: &Run) -> MoveView {
    MoveView {
        from: run.from.name.clone(),
        to: run.to.name.clone(),
        left: run.left,
        moved: run.moved,
        stuck: run.stuck,
        shown: run
            .shown
            .iter()
            .map(|(id, error)| StuckView {
                secret: id.to_string(),
                error: error.clone(),
            })
            .collect(),
        trouble: run.trouble.clone(),
        is_done: run.is_done,
        is_from_default: run.from.is_global_default,
    }
}
