//! What a caller awaits while a thread of the device works for it.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use zeroize::Zeroizing;

use crate::DeviceError;

/// What comes of a call: bytes, which may be a key.
pub(crate) type Outcome = Result<Zeroizing<Vec<u8>>, DeviceError>;

/// Resolves when the slot is filled. May be dropped before.
#[derive(Debug)]
pub(crate) struct Answer(Arc<Slot>);

/// Filled once, by whoever works for the caller or gives the call up.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Slot {
    pub(crate) fn fill(&self, outcome: Outcome) {
        let waker = {
            let mut state = self.lock();
            state.outcome = Some(outcome);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole at every point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    pub(crate) fn of(slot: &Arc<Slot>) -> Self {
        Self(Arc::clone(slot))
    }

    /// One that is there already.
    pub(crate) fn ready(outcome: Outcome) -> Self {
        let slot = Slot::default();
        slot.fill(outcome);
        Self(Arc::new(slot))
    }

    /// Blocks until it is there, which the device's patience bounds.
    pub(crate) fn wait(self) -> Outcome {
        let mut answer = pin!(self);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match answer.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Future for Answer {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.lock();
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
