//! What one process knows of the changes of keys that are under way, so that it
//! looks at nothing twice. Nothing is lost with it: the rows say what is left.

use std::collections::{HashMap, HashSet, VecDeque};

use donjon_domain::{KekId, Timestamp, WrappedKek, ports::SealedObject};

/// A walk over retired KEKs by id, pass by pass, and over the rows of each.
#[derive(Default)]
pub(super) struct Walk {
    /// KEKs that this process retired, and those that it found empty.
    known: HashMap<KekId, Known>,
    /// How often a change of the root key was begun, and when keys were last
    /// found to be all wrapped by the current one.
    roots_begun: u64,
    wrapped_at: Option<u64>,
    queue: VecDeque<WrappedKek>,
    /// The last row that was looked at under the first KEK of the queue.
    row: Option<SealedObject>,
    /// The last KEK that was read into the queue in this pass.
    read: Option<KekId>,
    is_waiting: bool,
    /// Whether something changed in this pass, so that another one is due.
    is_moving: bool,
}

#[derive(Default)]
struct Known {
    /// When it was retired here: requests on the way may hold what it sealed.
    retired: Option<Timestamp>,
    is_empty: bool,
}

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Another one is due.
    Again,
    /// Some KEKs have to be kept for a while.
    Waiting,
    /// There are no retired KEKs.
    Nothing,
}

impl Walk {
    // === root keys ===

    pub(super) fn begin_root(&mut self) {
        self.roots_begun += 1;
    }

    /// `None` where all keys are known to be wrapped by the current root key;
    /// else what [`Self::all_are_wrapped`] wants.
    pub(super) fn look_at_keys(&self) -> Option<u64> {
        (self.wrapped_at != Some(self.roots_begun)).then_some(self.roots_begun)
    }

    /// No key was left under another root key after so many beginnings.
    pub(super) fn all_are_wrapped(&mut self, at: u64) {
        self.wrapped_at = Some(at);
    }

    // === retired KEKs ===

    pub(super) fn retire(&mut self, kek: KekId, now: Timestamp) {
        self.known.entry(kek).or_default().retired = Some(now);
        self.is_moving = true;
    }

    /// The KEK to go on with, and behind which row.
    pub(super) fn front(&self) -> Option<(WrappedKek, Option<SealedObject>)> {
        self.queue.front().map(|kek| (kek.clone(), self.row))
    }

    /// Behind which KEK more are to be read when the queue is empty.
    pub(super) fn read_behind(&self) -> Option<KekId> {
        self.read
    }

    pub(super) fn push(&mut self, keks: Vec<WrappedKek>) {
        self.read = keks.last().map(|kek| kek.id).or(self.read);
        self.queue.extend(keks);
    }

    pub(super) fn has_walked_to(&mut self, row: SealedObject) {
        self.row = Some(row);
        self.is_moving = true;
    }

    /// Nothing is behind the last row; the walk may have begun behind rows that
    /// came in meanwhile.
    pub(super) fn start_over(&mut self) {
        self.row = None;
    }

    /// Whether a KEK, sealing nothing, has to be kept: requests on the way may
    /// hold what it sealed.
    pub(super) fn is_kept(&self, kek: KekId, now: Timestamp, in_flight_s: i64) -> bool {
        let retired = self.known.get(&kek).and_then(|known| known.retired);
        retired.is_some_and(|at| now < at.plus_seconds(in_flight_s))
    }

    pub(super) fn is_empty(&self, kek: KekId) -> bool {
        self.known.get(&kek).is_some_and(|known| known.is_empty)
    }

    /// The KEKs that were found empty.
    pub(super) fn empty(&self) -> HashSet<KekId> {
        let empty = self.known.iter().filter(|(_, known)| known.is_empty);
        empty.map(|(kek, _)| *kek).collect()
    }

    /// The first KEK seals nothing and waits; on to the next one.
    pub(super) fn leave_waiting(&mut self) {
        if let Some(kek) = self.next() {
            self.known.entry(kek.id).or_default().is_empty = true;
        }
        self.is_waiting = true;
    }

    /// The first KEK is gone, or not what it was; on to the next one.
    pub(super) fn leave(&mut self) {
        if let Some(kek) = self.next() {
            self.known.remove(&kek.id);
        }
        self.is_moving = true;
    }

    /// The queue is empty, and nothing is behind it.
    pub(super) fn end_pass(&mut self) -> Pass {
        self.read = None;
        match (
            std::mem::take(&mut self.is_moving),
            std::mem::take(&mut self.is_waiting),
        ) {
            (true, _) => Pass::Again,
            (false, true) => Pass::Waiting,
            (false, false) => {
                self.known.clear();
                Pass::Nothing
            }
        }
    }

    fn next(&mut self) -> Option<WrappedKek> {
        self.row = None;
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use donjon_domain::{KekScope, KekState, ProjectId, RootKeyId, SecretId};

    use super::*;

    fn kek(number: u8) -> WrappedKek {
        WrappedKek {
            id: KekId::from_bytes([number; 16]),
            scope: KekScope::Project(ProjectId::new("p")),
            generation: 1,
            state: KekState::Retired,
            root: RootKeyId::from_bytes([0; 16]),
            wrapped: vec![1],
            created: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn what_changed_makes_another_pass() {
        let mut walk = Walk::default();
        assert_eq!(walk.end_pass(), Pass::Nothing);
        walk.push(vec![kek(1), kek(2)]);
        assert_eq!(walk.read_behind(), Some(kek(2).id));
        walk.leave();
        walk.leave_waiting();
        assert_eq!(walk.front(), None);
        assert_eq!(walk.end_pass(), Pass::Again);
        assert_eq!(walk.read_behind(), None);
        walk.push(vec![kek(2)]);
        walk.leave_waiting();
        assert_eq!(walk.end_pass(), Pass::Waiting);
        // One that is retired behind the back of a pass is found by the next.
        walk.retire(kek(1).id, Timestamp::from_micros(0));
        assert_eq!(walk.end_pass(), Pass::Again);
        assert_eq!(walk.end_pass(), Pass::Nothing);
    }

    #[test]
    fn a_row_belongs_to_the_key_at_the_front() {
        let mut walk = Walk::default();
        walk.push(vec![kek(1), kek(2)]);
        let row = SealedObject::Secret(SecretId::from_bytes([7; 16]));
        walk.has_walked_to(row);
        assert_eq!(walk.front(), Some((kek(1), Some(row))));
        walk.leave();
        assert_eq!(walk.front(), Some((kek(2), None)));
    }

    #[test]
    fn only_what_this_process_retired_is_kept() {
        let mut walk = Walk::default();
        let at = |seconds| Timestamp::from_micros(0).plus_seconds(seconds);
        walk.retire(kek(1).id, at(0));
        assert!(walk.is_kept(kek(1).id, at(44), 45));
        assert!(!walk.is_kept(kek(1).id, at(45), 45));
        assert!(!walk.is_kept(kek(2).id, at(0), 45));
    }

    /// A change that begins while the keys are looked at is not taken for done.
    #[test]
    fn a_root_key_that_changes_meanwhile_is_looked_at() {
        let mut walk = Walk::default();
        let at = walk.look_at_keys().unwrap();
        walk.begin_root();
        walk.all_are_wrapped(at);
        let at = walk.look_at_keys().unwrap();
        walk.all_are_wrapped(at);
        assert_eq!(walk.look_at_keys(), None);
        walk.begin_root();
        assert!(walk.look_at_keys().is_some());
    }
}
