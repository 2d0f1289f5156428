//! Drives one future on the calling thread, without a runtime.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// Runs a future to its end. Parks the thread while the future waits, so
/// whatever the future waits for has to happen on another thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_may_wait_for_another_thread() {
        let mut waits = true;
        let future = std::future::poll_fn(|context| {
            if std::mem::take(&mut waits) {
                let waker = context.waker().clone();
                thread::spawn(move || waker.wake());
                Poll::Pending
            } else {
                Poll::Ready(7)
            }
        });
        assert_eq!(block_on(future), 7);
    }
}
