//! How far long work is: a bar at a terminal, lines elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::{Exit, Failure, OrExit};

/// Shows on stderr how much is left. What is there at first is all there is to
/// do, unless more comes in.
#[derive(Debug)]
pub(super) struct Progress {
    all: u64,
    /// What was shown last.
    shown: Option<(u64, String)>,
    /// None where nobody looks at it.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(left: u64) -> Self {
        let all = left.max(1);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self {
            all,
            shown: None,
            bar,
        }
    }

    /// `note` stands behind what is left.
    ///
    /// # Errors
    /// stderr is gone.
    pub(super) fn show(&mut self, left: u64, note: &str) -> Result<(), Failure> {
        let now = (left, note.to_owned());
        if self.shown.as_ref() == Some(&now) {
            return Ok(());
        }
        self.shown = Some(now);
        self.all = self.all.max(left);
        let done = self.all - left;
        let text = format!("{left} left{note}");
        if let Some(bar) = &self.bar {
            bar.set_length(self.all);
            bar.set_message(text);
            bar.set_position(done);
            return Ok(());
        }
        let percent = done.saturating_mul(100) / self.all;
        writeln!(std::io::stderr(), "{percent:3} %, {text}").or_exit(Exit::Other)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

const TEMPLATE: &str = "[{bar:40}] {percent:>3} %, {msg}";
