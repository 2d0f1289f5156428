//! Scans that wait, and whose turn it is.
//!
//! A scan may take seconds, and a project may ask for as many as it likes. So
//! projects take turns, none has all threads at a time, and what the server asks
//! for itself has a thread of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, PoisonError},
};

use donjon_domain::ports::{RepositoryErrorKind, Turn};

use crate::readers::lock;

/// Jobs by whose they are. Shared by those who ask and the threads that run.
pub(crate) struct Turns<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    limits: Limits,
}

/// How much a project may have.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Jobs that wait.
    waiting: usize,
    /// Jobs that run.
    running: usize,
}

/// Which jobs a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of projects.
    Projects,
    /// Those of the server.
    Server,
}

struct State<J> {
    waiting: HashMap<Turn, VecDeque<J>>,
    /// Whose jobs wait, in the order in which they are next.
    order: VecDeque<Turn>,
    running: HashMap<Turn, usize>,
    /// Jobs of projects that wait.
    count: usize,
    is_closed: bool,
}

/// So many projects may have all the jobs waiting that one may have.
const PROJECTS_FULL: usize = 16;

impl<J> Turns<J> {
    /// For so many threads that run jobs of projects; a project may have up to
    /// `waiting_max` jobs waiting, and leaves one of the threads to others, if
    /// there are several.
    pub(crate) fn new(threads: usize, waiting_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: HashMap::new(),
                order: VecDeque::new(),
                running: HashMap::new(),
                count: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
            limits: Limits {
                waiting: waiting_max.max(1),
                running: threads.saturating_sub(1).max(1),
            },
        }
    }

    /// Lets a job wait for its turn.
    ///
    /// # Errors
    /// [`RepositoryErrorKind::Overloaded`] where too many wait,
    /// [`RepositoryErrorKind::Unavailable`] once it was closed.
    pub(crate) fn push(&self, turn: Turn, job: J) -> Result<(), RepositoryErrorKind> {
        let mut state = lock(&self.state);
        let state_ref = &mut *state;
        if state_ref.is_closed {
            return Err(RepositoryErrorKind::Unavailable);
        }
        let waiting = state_ref.waiting.get(&turn).map_or(0, VecDeque::len);
        let is_of_project = lane_of(turn) == Lane::Projects;
        let all_max = self.limits.waiting.saturating_mul(PROJECTS_FULL);
        if waiting >= self.limits.waiting || (is_of_project && state_ref.count >= all_max) {
            return Err(RepositoryErrorKind::Overloaded);
        }
        if waiting == 0 {
            state_ref.order.push_back(turn);
        }
        state_ref.waiting.entry(turn).or_default().push_back(job);
        state_ref.count += usize::from(is_of_project);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The job whose turn it is, when there is one; `None` once it was closed and
    /// nothing waits for this lane. [`Turns::finish`] has to follow.
    pub(crate) fn next(&self, lane: Lane) -> Option<(Turn, J)> {
        let mut state = lock(&self.state);
        loop {
            if let Some(next) = state.take(lane, self.limits.running) {
                return Some(next);
            }
            if state.is_closed && !state.order.iter().any(|turn| lane_of(*turn) == lane) {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job of theirs has ended.
    pub(crate) fn finish(&self, turn: Turn) {
        let mut state = lock(&self.state);
        if let Some(running) = state.running.get_mut(&turn) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&turn);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Takes no more jobs. Those that wait still run.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.changed.notify_all();
    }
}

impl<J> State<J> {
    fn take(&mut self, lane: Lane, running_max: usize) -> Option<(Turn, J)> {
        let is_next = |turn: &Turn| {
            let running = self.running.get(turn).copied().unwrap_or(0);
            lane_of(*turn) == lane && running < running_max
        };
        let at = self.order.iter().position(is_next)?;
        let turn = self.order.remove(at)?;
        let waiting = self.waiting.get_mut(&turn)?;
        let job = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&turn);
        } else {
            self.order.push_back(turn);
        }
        self.count -= usize::from(lane == Lane::Projects);
        *self.running.entry(turn).or_default() += 1;
        Some((turn, job))
    }
}

fn lane_of(turn: Turn) -> Lane {
    if turn == Turn::SERVER {
        Lane::Server
    } else {
        Lane::Projects
    }
}

#[cfg(test)]
mod tests {
    use donjon_domain::ProjectId;

    use super::*;

    fn turn(project: &str) -> Turn {
        Turn::of(&ProjectId::new(project))
    }

    #[test]
    fn projects_take_turns() {
        let turns = Turns::new(9, 8);
        for (project, number) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)] {
            turns.push(turn(project), number).unwrap();
        }
        let order: Vec<_> = (0..6)
            .map(|_| turns.next(Lane::Projects).unwrap().1)
            .collect();
        assert_eq!(order, [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn nobody_has_all_threads() {
        let turns = Turns::new(2, 8);
        for number in 1..4 {
            turns.push(turn("a"), number).unwrap();
        }
        turns.push(turn("b"), 4).unwrap();
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        assert_eq!(turns.next(Lane::Projects), Some((turn("b"), 4)));
        turns.finish(turn("b"));
        turns.push(turn("c"), 5).unwrap();
        // The first is at work for "a" still.
        assert_eq!(turns.next(Lane::Projects), Some((turn("c"), 5)));
        turns.finish(turn("a"));
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 2)));
    }

    #[test]
    fn who_asks_too_much_is_refused_alone() {
        let turns = Turns::new(2, 2);
        turns.push(turn("a"), 1).unwrap();
        turns.push(turn("a"), 2).unwrap();
        let refused = turns.push(turn("a"), 3).unwrap_err();
        assert_eq!(refused, RepositoryErrorKind::Overloaded);
        turns.push(turn("b"), 4).unwrap();
        for number in 0..29 {
            turns.push(turn(&format!("more {number}")), number).unwrap();
        }
        let refused = turns.push(turn("one too many"), 0).unwrap_err();
        assert_eq!(refused, RepositoryErrorKind::Overloaded);
        turns.push(Turn::SERVER, 5).unwrap();
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        turns.push(turn("one too many"), 0).unwrap();
    }

    #[test]
    fn the_server_waits_for_nobody() {
        let turns = Turns::new(1, 8);
        turns.push(turn("a"), 1).unwrap();
        turns.push(Turn::SERVER, 2).unwrap();
        assert_eq!(turns.next(Lane::Server), Some((Turn::SERVER, 2)));
        turns.close();
        assert_eq!(turns.next(Lane::Server), None);
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        assert_eq!(turns.next(Lane::Projects), None);
        let refused = turns.push(turn("a"), 3).unwrap_err();
        assert_eq!(refused, RepositoryErrorKind::Unavailable);
    }
}
