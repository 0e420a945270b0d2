//! Long polls: requests that are not answered before something happens. Waits for a key, barriers, waits for
//! a claim, and watches.
//!
//! A long poll keeps a connection, so their number is limited, for each user and in all. It ends when its
//! event has happened, when its time is over, when its token ends or is revoked, when the server stops, or when the client
//! closes the connection, which drops the handler with everything that it holds.
//!
//! A handler takes a [`LongPoll`] and then repeats these steps:
//!
//! ```text
//! let mut poll = call.long_poll(LongPollKind::Key, wait)?;
//! loop {
//!     let signal = permit.listen().await?;          // before the read: a change between the two is signalled
//!     if let Some(found) = read().await? { return found }
//!     match poll.sleep(signal, None).await? {
//!         Woken::Changed => {}                      // read again
//!         Woken::TimedOut => return nothing_yet,
//!     }
//! }
//! ```

mod deadline;
mod limit;

use std::sync::Arc;
use std::time::Duration;

use prominence_api::ErrorCode;
use prominence_core::{Namespace, Signal, Timestamp};

use crate::failure::Failure;
use crate::identity::cache::Revocation;
use crate::request::parameters::Wait;
use crate::wait::clock::{Timer, from_wall};
use deadline::Paused;
use limit::{Slot, Slots};

pub(crate) use deadline::RequestDeadline;
pub(crate) use limit::LongPollKind;
pub use limit::LongPollLimits;

/// `Retry-After` of long polls that a stopping server ends: about the time of a restart.
const RETRY_AFTER_STOP: Duration = Duration::from_secs(2);

/// `Retry-After` of long polls over the limit.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(5);

/// Starts long polls within their limits, and ends them when the server stops.
pub(crate) struct LongPolls {
    slots: Slots,
    clock: Arc<dyn Timer>,
}

/// The caller of a long poll.
pub(crate) struct LongPollCaller<'a> {
    /// The limit for each user counts by this.
    pub(crate) user: &'a Namespace,
    /// The most long polls of this user, if that is not as usual.
    pub(crate) own_limit: Option<usize>,
    /// When the token ends, by the machine's own clock.
    pub(crate) token_ends: Timestamp,
    /// Comes when the token is revoked.
    pub(crate) revocation: Revocation,
}

/// A long poll. Dropping it frees its slot.
pub(crate) struct LongPoll {
    slot: Slot,
    clock: Arc<dyn Timer>,
    deadline: Timestamp,
    /// When the caller's token ends, by the server's own clock.
    token_ends: Timestamp,
    revocation: Revocation,
    /// Pauses the request's own deadline until it is dropped.
    _paused: Option<Paused>,
}

/// The reason why a long poll goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something may have changed.
    Changed,
    /// Its time is over.
    TimedOut,
}

impl LongPolls {
    pub(crate) fn new(limits: LongPollLimits, clock: Arc<dyn Timer>) -> Self {
        Self {
            slots: Slots::new(limits),
            clock,
        }
    }

    /// Uses these limits for the long polls to come; none that has begun ends.
    pub(crate) fn set_limits(&self, limits: LongPollLimits) {
        self.slots.set_limits(limits);
    }

    /// Starts a long poll whose answer begins when it ends. Meanwhile the deadline of its request is paused.
    ///
    /// # Errors
    /// When there are too many long polls, or the server stops.
    pub(crate) fn start(
        &self,
        kind: LongPollKind,
        caller: LongPollCaller<'_>,
        wait: Wait,
        request: RequestDeadline,
    ) -> Result<LongPoll, Failure> {
        // Counted from here on: waiting for nothing else shortens the time.
        let deadline = self.clock.now().after(wait.0);
        let mut poll = self.take(kind, caller)?;
        poll.deadline = deadline;
        poll._paused = Some(request.pause());
        Ok(poll)
    }

    /// Starts a watch, whose answer begins at once and goes on until the token ends.
    ///
    /// # Errors
    /// When there are too many long polls, or the server stops.
    pub(crate) fn start_watch(&self, caller: LongPollCaller<'_>) -> Result<LongPoll, Failure> {
        self.take(LongPollKind::Watch, caller)
    }

    fn take(&self, kind: LongPollKind, caller: LongPollCaller<'_>) -> Result<LongPoll, Failure> {
        let slot = self.slots.take((caller.user, caller.own_limit), kind)?;
        // A slot that is taken after the stop was announced would not hear of it again.
        if slot.is_stopping() {
            return Err(stopping());
        }
        Ok(LongPoll {
            slot,
            clock: Arc::clone(&self.clock),
            deadline: Timestamp::MAX,
            token_ends: from_wall(&*self.clock, caller.token_ends),
            revocation: caller.revocation,
            _paused: None,
        })
    }

    /// Their number.
    pub(crate) fn count(&self) -> usize {
        self.slots.taken()
    }

    /// The number of long polls of this kind.
    pub(crate) fn count_of(&self, kind: LongPollKind) -> usize {
        self.slots.taken_for(kind)
    }

    /// Ends all of them, because the server stops.
    pub(crate) fn stop(&self) {
        self.slots.stop();
    }
}

impl LongPoll {
    /// Sleeps until the signal comes, or this instant, or the end of the time.
    ///
    /// # Errors
    /// When the server stops (503), or the token ends or is revoked (401) meanwhile.
    pub(crate) async fn sleep(
        &mut self,
        signal: Signal,
        wake_at: Option<Timestamp>,
    ) -> Result<Woken, Failure> {
        match self.race(signal, wake_at).await? {
            First::Work(()) | First::WakeTime => Ok(Woken::Changed),
            First::Deadline => Ok(Woken::TimedOut),
        }
    }

    /// Does some work; `None` if the time is over before the work is done.
    ///
    /// # Errors
    /// As [`LongPoll::sleep`].
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Failure> {
        match self.race(work, None).await? {
            First::Work(done) => Ok(Some(done)),
            First::WakeTime | First::Deadline => Ok(None),
        }
    }

    async fn race<T>(
        &mut self,
        work: impl Future<Output = T>,
        wake_at: Option<Timestamp>,
    ) -> Result<First<T>, Failure> {
        let end = self.deadline.min(self.token_ends);
        let instant = wake_at.map_or(end, |at| at.min(end));
        // In this order: after a stop, a revocation or the end of a token nothing is answered as if it were still valid.
        tokio::select! {
            biased;
            () = self.slot.stopped() => return Err(stopping()),
            () = self.revocation.revoked() => {
                let message = "the token was revoked while the request was waiting";
                return Err(Failure::unauthenticated(message, true));
            }
            () = self.clock.reach(instant) => {}
            done = work => return Ok(First::Work(done)),
        }
        let now = self.clock.now();
        if now >= self.token_ends {
            let message = "the token ended while the request was waiting; get a new one";
            return Err(Failure::unauthenticated(message, true));
        }
        Ok(if now >= self.deadline {
            First::Deadline
        } else {
            First::WakeTime
        })
    }
}

/// The first of the events that a long poll waits for.
enum First<T> {
    /// The work is done.
    Work(T),
    /// The instant to wake at is reached.
    WakeTime,
    /// The time is over.
    Deadline,
}

/// Answered while the process still runs: a signal that comes later would be lost with it. The answer ends the
/// connection too, because the connection's own task may hear of the stop only after this answer is written.
fn stopping() -> Failure {
    let message = "the server is stopping; nothing was changed, so repeat the request";
    Failure::new(ErrorCode::Unavailable, message)
        .retry_after(RETRY_AFTER_STOP)
        .hang_up()
}
