//! A bounded queue of log lines, and the thread that writes them.
//!
//! The thread waits a few milliseconds after it was woken, and writes all that
//! came in meanwhile at once: at 20,000 lines a second that is one system call
//! for a hundred lines. With it, an access line takes about a twentieth of the
//! time of a request for a payload, most of that for putting its text together.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Takes lines. Cheap to clone; never blocks for longer than a copy of the line
/// takes.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

/// Writes what is left when dropped, for two seconds at most.
#[derive(Debug)]
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to do for the thread.
    work: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    /// Lines that found no room since the last write.
    lost: u64,
    is_idle: bool,
    is_closed: bool,
    has_ended: bool,
}

impl Queue {
    /// Starts the thread that writes to `sink`. `note_lost` makes the line that
    /// tells how many lines were lost.
    pub(super) fn start(
        sink: impl Write + Send + 'static,
        note_lost: fn(u64) -> String,
    ) -> (Self, Flusher) {
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || inside.write_to(sink, note_lost));
        // Without a thread at this point the process could not serve either.
        if thread.is_err() {
            shared.lock().has_ended = true;
        }
        let flusher = Flusher {
            shared: Arc::clone(&shared),
            thread: thread.ok(),
        };
        (Self(shared), flusher)
    }
}

impl Shared {
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let before = state.lines.len();
        if before + line.len() > QUEUE_BYTES_MAX {
            state.lost += 1;
            return;
        }
        state.lines.extend_from_slice(line);
        let is_half_full = before < HALF_FULL && state.lines.len() >= HALF_FULL;
        if state.is_idle || is_half_full {
            state.is_idle = false;
            self.work.notify_one();
        }
    }

    fn write_to(&self, mut sink: impl Write, note_lost: fn(u64) -> String) {
        let mut batch = Vec::new();
        while let Some(lost) = self.next(&mut batch) {
            if lost > 0 {
                batch.extend_from_slice(note_lost(lost).as_bytes());
            }
            // There is nobody to tell that the log cannot be written.
            drop(sink.write_all(&batch).and_then(|()| sink.flush()));
            batch.clear();
            batch.shrink_to(BATCH_BYTES_KEPT);
        }
        self.lock().has_ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines, takes all, and says how many were lost before; `None`
    /// where the queue is closed and empty.
    fn next(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        while state.lines.is_empty() && !state.is_closed {
            state.is_idle = true;
            state = wait(&self.work, state);
        }
        if !state.is_closed {
            let outcome = self.work.wait_timeout_while(state, GATHER, |state| {
                !state.is_closed && state.lines.len() < HALF_FULL
            });
            state = outcome.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(batch, &mut state.lines);
        let lost = std::mem::take(&mut state.lost);
        (!batch.is_empty()).then_some(lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.work.notify_one();
        let outcome = self
            .shared
            .ended
            .wait_timeout_while(state, FLUSH, |state| !state.has_ended);
        let state = outcome.unwrap_or_else(PoisonError::into_inner).0;
        let has_ended = state.has_ended;
        drop(state);
        // A thread that hangs in a write ends with the process.
        if has_ended && let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;
const HALF_FULL: usize = QUEUE_BYTES_MAX / 2;
const BATCH_BYTES_KEPT: usize = 64 * 1024;
const GATHER: Duration = Duration::from_millis(4);
const FLUSH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes what is written on to a channel; waits for leave before each write.
    struct Gate {
        written: mpsc::Sender<Vec<u8>>,
        leave: mpsc::Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.leave.recv().unwrap_or_default();
            self.written.send(bytes.to_vec()).unwrap_or_default();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Gate, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (written, writes) = mpsc::channel();
        let (give_leave, leave) = mpsc::channel();
        (Gate { written, leave }, give_leave, writes)
    }

    #[test]
    fn all_is_written_in_order_before_the_end() {
        let (gate, leave, writes) = gate();
        drop(leave);
        let (mut queue, flusher) = Queue::start(gate, |lost| format!("lost {lost}\n"));
        for n in 0..1_000 {
            queue.write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        drop(flusher);
        let all: Vec<u8> = writes.try_iter().flatten().collect();
        let expected: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    }

    #[test]
    fn a_stuck_reader_costs_lines_not_time() {
        let (gate, leave, writes) = gate();
        let (mut queue, flusher) = Queue::start(gate, |lost| format!("lost {lost}\n"));
        let line = [b'x'; 1024];
        let lines = 3 * QUEUE_BYTES_MAX / line.len();
        for _ in 0..lines {
            queue.write_all(&line).unwrap();
        }
        drop(leave);
        drop(flusher);
        let all: Vec<u8> = writes.try_iter().flatten().collect();
        let all = String::from_utf8(all).unwrap();
        let kept = all.matches('x').count();
        let lost: usize = all
            .split("lost ")
            .skip(1)
            .map(|rest| rest.split('\n').next().unwrap().parse::<usize>().unwrap())
            .sum();
        assert!(lost > 0);
        assert_eq!(kept + lost * line.len(), lines * line.len());
        // One queue is being written, one is full.
        assert!(kept <= 2 * QUEUE_BYTES_MAX, "{kept}");
    }
}
