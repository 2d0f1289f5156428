//! Jobs that wait, and whose turn it is.
//!
//! A scan or an order may take seconds, and a project may ask for as many as it
//! likes. So projects take turns, none has all threads at a time, and what the
//! server asks for itself has a lane of its own. For adapters that have threads.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::ProjectId;

/// For whom a job is: one who asks for many waits for itself, not the others
/// for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn(u64);

/// Jobs by whose they are. Shared by those who ask and the threads that run.
#[derive(Debug)]
pub struct Turns<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    limits: Limits,
}

/// How much a project may have, and all of them.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Jobs that wait.
    waiting: usize,
    /// Jobs of all projects that wait.
    waiting_in_all: usize,
    /// Jobs that run.
    running: usize,
}

/// Which jobs a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those of projects.
    Projects,
    /// Those of the server.
    Server,
}

/// Why a job does not wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    /// Too many jobs wait.
    #[error("too many jobs wait")]
    Full,
    /// It was closed.
    #[error("no more jobs are taken")]
    Closed,
}

#[derive(Debug)]
struct State<J> {
    waiting: HashMap<Turn, VecDeque<J>>,
    /// Whose jobs wait; who waits for longest since its last job is the first.
    order: VecDeque<Turn>,
    running: HashMap<Turn, usize>,
    /// Jobs of projects that wait.
    count: usize,
    is_closed: bool,
}

// === impl Turn ===

impl Turn {
    /// What the server and its operator ask for, which no project delays.
    pub const SERVER: Self = Self(0);

    /// What somebody of this project asks for. Two projects may share a turn,
    /// which is unlikely and does little harm.
    #[must_use]
    pub fn of(project: &ProjectId) -> Self {
        let mut hasher = DefaultHasher::new();
        project.as_str().hash(&mut hasher);
        Self(hasher.finish().max(1))
    }
}

// === impl Turns ===

impl<J> Turns<J> {
    /// For so many threads that run jobs of projects; a project may have up to
    /// `waiting_max` jobs waiting, `full_max` projects as many, and all together
    /// no more than these. A project leaves one of the threads to others, if
    /// there are several.
    #[must_use]
    pub fn new(threads: usize, waiting_max: usize, full_max: usize) -> Self {
        let waiting_max = waiting_max.max(1);
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
                waiting: waiting_max,
                waiting_in_all: waiting_max.saturating_mul(full_max.max(1)),
                running: threads.saturating_sub(1).max(1),
            },
        }
    }

    /// Lets a job wait for its turn. Never blocks for long.
    ///
    /// # Errors
    /// [`NoTurn`]; the job is dropped then.
    pub fn push(&self, turn: Turn, job: J) -> Result<(), NoTurn> {
        let mut state = lock(&self.state);
        let state_ref = &mut *state;
        if state_ref.is_closed {
            return Err(NoTurn::Closed);
        }
        let waiting = state_ref.waiting.get(&turn).map_or(0, VecDeque::len);
        let is_of_project = lane_of(turn) == Lane::Projects;
        let is_full = is_of_project && state_ref.count >= self.limits.waiting_in_all;
        if waiting >= self.limits.waiting || is_full {
            return Err(NoTurn::Full);
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

    /// The job whose turn it is: one of those of whom the fewest run, among them
    /// of who waits for longest. Blocks until there is one; `None` once it was
    /// closed and nothing waits for this lane. [`Turns::finish`] has to follow.
    pub fn next(&self, lane: Lane) -> Option<(Turn, J)> {
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

    /// A job of theirs has ended. Who came while it ran is before them.
    pub fn finish(&self, turn: Turn) {
        let mut state = lock(&self.state);
        if let Some(at) = state.order.iter().position(|waits| *waits == turn) {
            state.order.remove(at);
            state.order.push_back(turn);
        }
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
    pub fn close(&self) {
        lock(&self.state).is_closed = true;
        self.changed.notify_all();
    }
}

impl<J> State<J> {
    fn take(&mut self, lane: Lane, running_max: usize) -> Option<(Turn, J)> {
        let running = |turn: &Turn| self.running.get(turn).copied().unwrap_or(0);
        let may_run = |turn: &Turn| lane_of(*turn) == lane && running(turn) < running_max;
        let candidates = self.order.iter().enumerate();
        let (at, _) = candidates
            .filter(|(_, turn)| may_run(turn))
            .min_by_key(|(_, turn)| running(turn))?;
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

fn lock<J>(state: &Mutex<State<J>>) -> MutexGuard<'_, State<J>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(project: &str) -> Turn {
        Turn::of(&ProjectId::new(project))
    }

    #[test]
    fn projects_take_turns() {
        let turns = Turns::new(9, 8, 16);
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
        let turns = Turns::new(2, 8, 16);
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

    /// However many wait of one: who has none running is the next.
    #[test]
    fn who_comes_while_others_run_is_next() {
        let turns = Turns::new(1, 8, 16);
        for number in 1..=3 {
            turns.push(turn("a"), number).unwrap();
        }
        let next = || {
            let (turn, number) = turns.next(Lane::Projects).unwrap();
            turns.finish(turn);
            number
        };
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        turns.push(turn("b"), 4).unwrap();
        turns.push(turn("b"), 5).unwrap();
        turns.finish(turn("a"));
        assert_eq!([next(), next(), next(), next()], [4, 2, 5, 3]);

        let turns = Turns::new(3, 8, 16);
        for number in 1..=3 {
            turns.push(turn("a"), number).unwrap();
        }
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        turns.push(turn("b"), 4).unwrap();
        // Two threads are free, and the first of them is for "b".
        assert_eq!(turns.next(Lane::Projects), Some((turn("b"), 4)));
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 2)));
    }

    #[test]
    fn who_asks_too_much_is_refused_alone() {
        let turns = Turns::new(2, 2, 16);
        turns.push(turn("a"), 1).unwrap();
        turns.push(turn("a"), 2).unwrap();
        let refused = turns.push(turn("a"), 3).unwrap_err();
        assert_eq!(refused, NoTurn::Full);
        turns.push(turn("b"), 4).unwrap();
        for number in 0..29 {
            turns.push(turn(&format!("more {number}")), number).unwrap();
        }
        let refused = turns.push(turn("one too many"), 0).unwrap_err();
        assert_eq!(refused, NoTurn::Full);
        turns.push(Turn::SERVER, 5).unwrap();
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        turns.push(turn("one too many"), 0).unwrap();
    }

    #[test]
    fn the_server_waits_for_nobody() {
        let turns = Turns::new(1, 8, 16);
        turns.push(turn("a"), 1).unwrap();
        turns.push(Turn::SERVER, 2).unwrap();
        assert_eq!(turns.next(Lane::Server), Some((Turn::SERVER, 2)));
        turns.close();
        assert_eq!(turns.next(Lane::Server), None);
        assert_eq!(turns.next(Lane::Projects), Some((turn("a"), 1)));
        assert_eq!(turns.next(Lane::Projects), None);
        let refused = turns.push(turn("a"), 3).unwrap_err();
        assert_eq!(refused, NoTurn::Closed);
    }
}
