//! Releasing a lease: with repetitions while the server is away, and quickly after a signal, because then somebody
//! waits for the end of this process.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use prominence_client::{Client, Timeouts};

use super::signals::Signals;
use crate::output;

/// The longest time of a request after a signal: longer than a server needs, and about as long as a person waits
/// for a command to end.
pub(crate) const LAST_REQUEST: Duration = Duration::from_secs(1);

/// The delay of the end of a command that a person does not notice.
const UNNOTICED: Duration = Duration::from_millis(300);

/// Sends the requests that release a lease. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Releaser {
    /// Does not repeat requests by itself.
    pub(crate) client: Client,
    /// The longest time of repetitions while the server is away.
    pub(crate) retry_for: Duration,
    pub(crate) signals: Signals,
}

impl Releaser {
    /// Runs requests that release a lease, with a client that repeats them no longer than `left`. After a signal it
    /// repeats them for [`LAST_REQUEST`], and a warning says `what` is done if that takes long enough to be noticed.
    pub(crate) fn run<T>(
        &self,
        left: Duration,
        what: &str,
        requests: impl FnOnce(&Client) -> T,
    ) -> T {
        let retry_for = self.retry_for.min(left);
        if self.signals.asked_to_end().is_none() {
            return requests(&self.client.with_retry_for(retry_for));
        }
        let timeouts = Timeouts {
            connect: LAST_REQUEST,
            silence: LAST_REQUEST,
        };
        // Only the settings of TLS can be refused, and they were accepted before.
        let quick = self.client.with_timeouts(timeouts);
        let quick = quick.unwrap_or_else(|_| self.client.clone());
        let quick = quick.with_retry_for(retry_for.min(LAST_REQUEST));
        warn_if_slow(what, || requests(&quick))
    }
}

/// Does some work after a signal, and says on standard error `what` is done if it takes long enough to be noticed.
pub(super) fn warn_if_slow<T>(what: &str, work: impl FnOnce() -> T) -> T {
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
