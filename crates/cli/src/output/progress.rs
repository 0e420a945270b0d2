//! The progress of a long command, shown on a terminal only.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The form of the bar.
const TEMPLATE: &str = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";

/// A line that says what a command waits for, and how long it has waited.
const STATUS: &str = "{elapsed:>4} {wide_msg}";

/// The interval at which the time on that line is updated.
const TICK: Duration = Duration::from_secs(1);

/// The bar or line on standard error now. Other lines there have to be written around it.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to standard error while nothing is drawn there.
pub(super) fn around(write: impl FnOnce()) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn set_drawn(bar: Option<&ProgressBar>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bar.cloned();
}

/// A bar on standard error, if that is a terminal.
pub(crate) struct Progress(ProgressBar);

/// The output while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// On a terminal.
    Progress,
    /// Never.
    Nothing,
}

impl Show {
    /// The value for the flag `--quiet`.
    pub(crate) fn unless(quiet: bool) -> Self {
        if quiet { Self::Nothing } else { Self::Progress }
    }

    /// True if anybody will see it.
    pub(crate) fn is_seen(self) -> bool {
        self == Self::Progress && std::io::stderr().is_terminal()
    }
}

impl Progress {
    /// A bar of this length. It goes away at its end.
    pub(crate) fn new(show: Show, what: &'static str, length: u64) -> Self {
        if !show.is_seen() {
            return Self(ProgressBar::hidden());
        }
        let style =
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        set_drawn(Some(&bar));
        Self(bar.with_style(style).with_message(what))
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.steps(1);
    }

    /// So many more are done.
    pub(crate) fn steps(&self, count: u64) {
        self.0.inc(count);
    }
}

/// A line on a terminal that says what a command waits for. It goes away at
/// its end.
pub(crate) struct Status(StatusLine);

/// The same line for another thread, which may outlive the command.
#[derive(Clone)]
pub(crate) struct StatusLine(Option<ProgressBar>);

impl Status {
    /// A line, which is empty until something is shown on it.
    pub(crate) fn new(show: Show) -> Self {
        if !show.is_seen() {
            return Self(StatusLine(None));
        }
        let style = ProgressStyle::with_template(STATUS)
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        set_drawn(Some(&bar));
        Self(StatusLine(Some(bar.with_style(style))))
    }

    /// True if anybody sees it.
    pub(crate) fn is_seen(&self) -> bool {
        self.0.0.is_some()
    }

    /// Says this from now on.
    pub(crate) fn show(&self, what: impl fmt::Display) {
        self.0.show(what);
    }

    pub(crate) fn line(&self) -> StatusLine {
        self.0.clone()
    }
}

impl StatusLine {
    /// Says this from now on.
    pub(crate) fn show(&self, what: impl fmt::Display) {
        // The command may have ended, and the line with it.
        if let Some(bar) = self.0.as_ref().filter(|bar| !bar.is_finished()) {
            bar.set_message(super::one_line(&what.to_string()));
            bar.enable_steady_tick(TICK);
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if let Some(bar) = &self.0.0 {
            set_drawn(None);
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.0.is_hidden() {
            set_drawn(None);
        }
        self.0.finish_and_clear();
    }
}
