//! Giving back what is held: with patience where only the server is away, and quickly where somebody has
//! asked this process to end and waits for that.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use prominence_client::{Client, Timeouts};

use super::signals::Signals;
use crate::output;

/// How long a request is tried after a signal has asked to end: longer than a server takes, and about as long
/// as a person waits for a command to end.
pub(crate) const LAST_REQUEST: Duration = Duration::from_secs(1);

/// After this time a person wonders why a command does not end.
const UNNOTICED: Duration = Duration::from_millis(300);

/// How what is held is given back. Cheap to clone.
#[derive(Clone)]
pub(crate) struct GivingBack {
    /// Repeats nothing by itself.
    pub(crate) client: Client,
    /// How long to try while the server is away.
    pub(crate) patience: Duration,
    pub(crate) signals: Signals,
}

impl GivingBack {
    /// Runs the requests that give something back, with a client that tries no longer than `left`. After a
    /// signal it tries for [`LAST_REQUEST`], and `what` is told where that takes long enough to be noticed.
    pub(crate) fn run<T>(
        &self,
        left: Duration,
        what: &str,
        requests: impl FnOnce(&Client) -> T,
    ) -> T {
        let patience = self.patience.min(left);
        if self.signals.asked_to_end().is_none() {
            return requests(&self.client.with_retry_for(patience));
        }
        let timeouts = Timeouts {
            connect: LAST_REQUEST,
            silence: LAST_REQUEST,
        };
        // Only the settings of TLS could be wrong, which were right before.
        let quick = self.client.with_timeouts(timeouts);
        let quick = quick.unwrap_or_else(|_| self.client.clone());
        let quick = quick.with_retry_for(patience.min(LAST_REQUEST));
        told_if_slow(what, || requests(&quick))
    }
}

/// Does something after a signal has asked to end, and says on standard error what is done where it takes
/// long enough to be noticed.
pub(super) fn told_if_slow<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    let what = what.to_owned();
    std::thread::spawn(move || {
        if ended.recv_timeout(UNNOTICED) == Err(RecvTimeoutError::Timeout) {
            output::warn(format_args!("{what}; press Ctrl-C again to end at once"));
        }
    });
    let result = work();
    drop(done);
    result
}
