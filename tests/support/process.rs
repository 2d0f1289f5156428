//! A child process that ends with its test, and whose stderr is kept in a file and can be waited for.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::PATIENCE;

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: Arc<Log>,
    ended: Option<ExitStatus>,
}

#[derive(Debug, Default)]
struct Log {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    text: String,
    is_complete: bool,
}

impl Process {
    /// Starts `command`; its stderr is appended to the file `log`.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = child.stderr.take().unwrap();
        let file = File::options().create(true).append(true).open(log).unwrap();
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        // Ends with the process, which closes its end of the pipe.
        std::thread::spawn(move || shared.follow(stderr, file));
        Self {
            child,
            log,
            ended: None,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the log holds what `find` looks for.
    ///
    /// # Panics
    /// If the program ends, or much time passes, before that.
    pub(crate) fn wait_for_log<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut seen = self.log.seen();
        loop {
            if let Some(found) = find(&seen.text) {
                return found;
            }
            assert!(!seen.is_complete, "it ended:\n{}", seen.text);
            let (next, waited) = self.log.changed.wait_timeout(seen, PATIENCE).unwrap();
            seen = next;
            assert!(!waited.timed_out(), "nothing more comes:\n{}", seen.text);
        }
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not end soon.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let seen = self.log.seen();
        let (seen, waited) = self
            .log
            .changed
            .wait_timeout_while(seen, PATIENCE, |seen| !seen.is_complete)
            .unwrap();
        assert!(!waited.timed_out(), "it does not end:\n{}", seen.text);
        drop(seen);
        let status = self.child.wait().unwrap();
        self.ended = Some(status);
        status
    }

    /// What this process wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.seen().text.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        // It may have ended by itself; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- stderr of the server\n{}", self.log());
        }
    }
}

impl Log {
    /// A test that fails while it looks poisons nothing.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, stderr: ChildStderr, mut file: File) {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        while stderr
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            file.write_all(&line).unwrap();
            self.seen().text.push_str(&String::from_utf8_lossy(&line));
            self.changed.notify_all();
            line.clear();
        }
        self.seen().is_complete = true;
        self.changed.notify_all();
    }
}
