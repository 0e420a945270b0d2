//! How far a long command is, for a person who watches; nothing for anybody else.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What the bar looks like.
const TEMPLATE: &str = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";

/// A bar on standard error, where that is a terminal.
pub(crate) struct Progress(ProgressBar);

/// Whether to show any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Where there is a terminal.
    Progress,
    /// Never.
    Nothing,
}

impl Show {
    /// What the flag `--quiet` means.
    pub(crate) fn unless(quiet: bool) -> Self {
        if quiet { Self::Nothing } else { Self::Progress }
    }

    /// Whether anybody will see it.
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
