//! Waiting until something holds, for as long as it may take and no longer.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How often it is looked: often enough that nobody notices, and little work for the machine.
const EVERY: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see.
///
/// # Errors
/// With what was awaited and what the last look failed of, once the time is over.
pub fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        let seen = look();
        if let Ok(Some(seen)) = seen {
            return Ok(seen);
        }
        if started.elapsed() > within {
            let why = seen.err().map(|error| format!(": {error:#}"));
            bail!(
                "{what} did not come within {within:?}{}",
                why.unwrap_or_default()
            );
        }
        std::thread::sleep(EVERY);
    }
}

/// Looks again and again until it holds.
///
/// # Errors
/// As [`until`].
pub fn holds(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    until(what, within, || Ok(look()?.then_some(())))
}
