//! What happened to a log between two looks at it.

use std::path::Path;

use crate::layout::{self, Manifest};

/// How often each happened while processes ran that were killed. What a process did while its store
/// was opened counts as well.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Runs in which memtables were written out.
    written_out: u64,
    segments_begun: u64,
    segments_collected: u64,
}

/// The manifest of the log, where there is one.
pub(super) fn look(folder: &Path) -> Option<Manifest> {
    layout::manifest(folder)
}

impl Progress {
    pub(super) fn add(&mut self, before: &Option<Manifest>, after: &Option<Manifest>) {
        let Some(after) = after else {
            return;
        };
        let before = before.clone().unwrap_or_default();
        let is_new = |segment: &&u32| !before.segments.contains(segment);
        let is_gone = |segment: &&u32| !after.segments.contains(segment);
        let first = before.segments.last().copied().unwrap_or_default() + 1;
        let made_and_gone = after.segments.last().map_or(0, |last| {
            (first..=*last)
                .filter(|segment| !after.segments.contains(segment))
                .count()
        });
        let new = after.segments.iter().filter(is_new).count();
        let gone = before.segments.iter().filter(is_gone).count();
        self.written_out += u64::from(after.indexed > before.indexed);
        self.segments_begun += (new + made_and_gone) as u64;
        self.segments_collected += (gone + made_and_gone) as u64;
    }

    pub(super) fn assert_everything_happened(&self) {
        assert!(self.written_out > 0, "{self:?}");
        assert!(self.segments_begun > 0, "{self:?}");
        assert!(self.segments_collected > 0, "{self:?}");
    }
}
