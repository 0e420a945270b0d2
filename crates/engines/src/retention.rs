//! How long changes are kept for those who read them late.

use std::time::Duration;

/// How long changes are kept for those who read them late.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Changes of each namespace; up to a sixteenth more are kept, as they are trimmed together.
    pub changes: u64,
    /// Older changes are forgotten within minutes.
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
