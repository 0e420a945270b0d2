//! The limits of a log of changes.

use std::time::Duration;

/// The limits of a log. Readers that come later than that have to list the keys again.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Changes of each namespace. Up to a sixteenth more are kept, since many are trimmed at once.
    pub changes: u64,
    /// Older changes are trimmed within minutes.
    pub age: Duration,
}

impl Default for Retention {
    /// A day for a watcher to come back, and some 10 MiB a namespace at the most.
    fn default() -> Self {
        Self {
            changes: 100_000,
            age: Duration::from_hours(24),
        }
    }
}
