//! What every `Workers` has to do. The facts want a pool that runs one job at
//! a time, in which a hundred jobs of a project at the most wait, and in which a request
//! waits for 10 seconds or more.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use donjon_domain::ports::{BoxFuture, QueueFull, Turn, Workers};

use crate::{block_on, sample};

/// Makes a test of each fact. The expression makes a pointer to a [`Workers`].
#[macro_export]
macro_rules! workers_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            workers {
                whoever_waits_learns_of_the_end,
                jobs_run_in_their_order_though_nobody_waits,
                a_full_queue_refuses_and_drops,
                who_has_none_running_is_next,
                a_full_queue_has_room_for_others,
            }
        }
    };
}

/// A job has run when its result resolves.
pub fn whoever_waits_learns_of_the_end(workers: &dyn Workers) {
    let log = Log::default();
    block_on(workers.start(turn("a"), log.job(1)).expect("there is room"));
    assert_eq!(log.read(), [1]);
}

/// Dropping the result leaves the job alone.
pub fn jobs_run_in_their_order_though_nobody_waits(workers: &dyn Workers) {
    let log = Log::default();
    for number in 1..=3 {
        drop(
            workers
                .start(turn("a"), log.job(number))
                .expect("there is room"),
        );
    }
    block_on(workers.start(turn("a"), log.job(4)).expect("there is room"));
    assert_eq!(log.read(), [1, 2, 3, 4]);
}

/// Jobs beyond the bound are refused, dropped, and never run; when the queue
/// has emptied there is room again.
pub fn a_full_queue_refuses_and_drops(workers: &dyn Workers) {
    let (gate, log) = (Gate::default(), Log::default());
    let mut accepted = Vec::new();
    let refused = loop {
        let number = u32::try_from(accepted.len()).expect("the queue has a bound");
        match workers.start(turn("a"), gate.job(&log, number)) {
            Ok(done) => accepted.push(done),
            Err(refused) => break refused,
        }
        assert!(number < 200, "the queue has a bound");
    };
    assert_eq!(refused, QueueFull);
    gate.open();
    let expected: Vec<u32> = (0..1_000).take(accepted.len()).chain([1_000]).collect();
    accepted.into_iter().for_each(block_on);
    block_on(
        workers
            .start(turn("a"), log.job(1_000))
            .expect("there is room again"),
    );
    assert_eq!(log.read(), expected);
    assert_eq!(Arc::strong_count(&log.0), 1, "the refused job is dropped");
}

/// However many jobs of a project wait, that of another is the next; then they
/// take turns.
pub fn who_has_none_running_is_next(workers: &dyn Workers) {
    let (gate, log) = (Gate::default(), Log::default());
    let mut waits = Vec::new();
    let numbered = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("c", 6)];
    for (project, number) in numbered {
        let started = workers.start(turn(project), gate.job(&log, number));
        waits.push(started.expect("there is room"));
    }
    gate.open();
    waits.into_iter().for_each(block_on);
    assert_eq!(log.read(), [1, 4, 6, 2, 5, 3]);
}

/// Where too many jobs of one project wait, another one's is taken and is the
/// next.
pub fn a_full_queue_has_room_for_others(workers: &dyn Workers) {
    let (gate, log) = (Gate::default(), Log::default());
    let mut waits = Vec::new();
    while let Ok(wait) = workers.start(turn("a"), gate.job(&log, 1)) {
        waits.push(wait);
        assert!(waits.len() < 200, "the queue has a bound");
    }
    let other = workers.start(turn("b"), gate.job(&log, 2));
    waits.push(other.expect("there is room for others"));
    gate.open();
    waits.into_iter().for_each(block_on);
    assert_eq!(log.read().get(..3), Some([1, 2, 1].as_slice()));
}

fn turn(project: &str) -> Turn {
    Turn::of(&sample::project(project))
}

/// What ran, in this order.
#[derive(Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn job(&self, number: u32) -> BoxFuture<'static, ()> {
        let log = Self(Arc::clone(&self.0));
        Box::pin(async move { log.add(number) })
    }

    fn add(&self, number: u32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(number);
    }

    fn read(&self) -> Vec<u32> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Blocks jobs until it is opened.
#[derive(Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn job(&self, log: &Log, number: u32) -> BoxFuture<'static, ()> {
        let (gate, log) = (Arc::clone(&self.0), Log(Arc::clone(&log.0)));
        Box::pin(async move {
            let (is_open, opened) = &*gate;
            let is_open = is_open.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = opened.wait_while(is_open, |is_open| !*is_open);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            log.add(number);
        })
    }

    fn open(&self) {
        let (is_open, opened) = &*self.0;
        *is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        opened.notify_all();
    }
}
