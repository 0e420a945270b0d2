//! Repeats requests until they are done or their time is over.

use std::time::Duration;

use crate::error::{Error, Fate};
use crate::notice::Notice;
use crate::reply::Reply;
use crate::request::{Client, Request};
use crate::retry::{Backoff, Repeat};

/// The longest wait of one request. Proxies end a request that has no answer for 30 s (the usual limit of HAProxy and
/// of many cloud load balancers) or longer, so a longer wait consists of several requests.
pub const LONGEST_TURN: Duration = Duration::from_secs(25);

/// If a connection is lost after a request was held for this time, a proxy has closed it as idle and the server still
/// runs: the next request is sent at once. A server that is stopped answers the requests that it holds, and one that
/// was killed refuses the next connection.
const CUT_FOR_IDLENESS: Duration = Duration::from_secs(1);

/// If a wait is answered in less time than this without a result, the next request is sent after a pause, so that a
/// server or proxy that does not hold requests is not called in a tight loop.
const HELD: Duration = Duration::from_millis(500);

/// The result of one request.
pub(crate) enum Turn<T> {
    /// The requested result.
    Done(T),
    /// The state when the time of the request was over.
    NotYet(T),
}

/// A request that failed.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The pause that the server asked for.
    pub(crate) retry_after: Option<Duration>,
    /// The rule for repeating it.
    pub(crate) repeat: Repeat,
}

impl Failed {
    /// The failure for an answer that is not valid.
    pub(crate) fn broken(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
            repeat: Repeat::IfNotApplied,
        }
    }
}

impl Client {
    /// Sends a request, repeats it if that is safe and may help, and returns the successful answer.
    pub(crate) fn send(&self, request: &Request<'_>) -> Result<Reply, Error> {
        let mut uncertain = false;
        self.persist(self.retry_for(), |_| match self.once(request) {
            Ok(reply) => Ok(Turn::Done(reply)),
            Err(failed) => {
                uncertain |= failed.error.fate() == Fate::Unknown;
                Err(failed)
            }
        })
        .map_err(|error| error.after_lost_answer(uncertain))
    }

    /// Sends requests that the server holds, one after another, until one is done or the time is over. `ask` gets the
    /// time that the server may hold the request; `None` is for an answer at once.
    pub(crate) fn take_turns<T>(
        &self,
        within: Duration,
        mut ask: impl FnMut(Option<Duration>) -> Result<Turn<T>, Failed>,
    ) -> Result<T, Error> {
        let mut crowded = false;
        self.persist(within, |left| {
            // A server that can't hold more requests can still answer with the present state.
            let turn = (!crowded).then(|| whole_seconds(left).min(LONGEST_TURN));
            let turn = ask(turn);
            crowded = !crowded && turn.as_ref().is_err_and(|failed| failed.error.is_refusal());
            turn
        })
    }

    /// Sends a request once, and returns the successful answer.
    pub(crate) fn once(&self, request: &Request<'_>) -> Result<Reply, Failed> {
        let reply = self.try_once(request)?;
        self.judge(reply, request)
    }

    /// Sends a request once, and returns the answer of any status.
    pub(crate) fn try_once(&self, request: &Request<'_>) -> Result<Reply, Failed> {
        self.attempt(request).map_err(|error| Failed {
            error,
            retry_after: None,
            repeat: request.repeat,
        })
    }

    /// The answer if it is a success, else its failure.
    pub(crate) fn judge(&self, reply: Reply, request: &Request<'_>) -> Result<Reply, Failed> {
        let retry_after = reply.retry_after();
        let success = reply.success(request, self.url());
        success.map_err(|error| Failed {
            error: self.with_url_named(self.with_token_named(error)),
            retry_after,
            repeat: request.repeat,
        })
    }

    /// Repeats a request until it is done or the time is over. `ask` gets the time that is left.
    fn persist<T>(
        &self,
        within: Duration,
        mut ask: impl FnMut(Duration) -> Result<Turn<T>, Failed>,
    ) -> Result<T, Error> {
        let clock = self.clock();
        let began = clock.now();
        let left = || within.saturating_sub(clock.now().saturating_sub(began));
        let mut backoff = Backoff::new();
        let mut failing_since = None;
        loop {
            let asked = clock.now();
            let answer = ask(left());
            let took = clock.now().saturating_sub(asked);
            let failed = match answer {
                Ok(Turn::Done(found)) => return Ok(found),
                Ok(Turn::NotYet(found)) if left().is_zero() => return Ok(found),
                Ok(Turn::NotYet(_)) if took >= HELD => {
                    (backoff, failing_since) = (Backoff::new(), None);
                    continue;
                }
                Ok(Turn::NotYet(found)) => match backoff.pause(left(), None) {
                    Some(pause) => {
                        clock.sleep(pause);
                        continue;
                    }
                    None => return Ok(found),
                },
                Err(failed) => failed,
            };
            let Failed {
                error,
                retry_after,
                repeat,
            } = failed;
            let safe = repeat == Repeat::Safe || error.fate() == Fate::NotApplied;
            if !(safe && error.is_transient()) {
                return Err(error);
            }
            if took >= CUT_FOR_IDLENESS && error.is_lost_connection() && !left().is_zero() {
                (backoff, failing_since) = (Backoff::new(), None);
                continue;
            }
            let Some(pause) = backoff.pause(left(), retry_after) else {
                return Err(error.after_giving_up(retry_after, left()));
            };
            let since = *failing_since.get_or_insert(asked);
            self.notify(&error, (left(), pause), since);
            clock.sleep(pause);
        }
    }

    /// Sends a notice of a failure after which the request is repeated.
    pub(crate) fn notify(
        &self,
        error: &Error,
        (left, pause): (Duration, Duration),
        since: Duration,
    ) {
        let notice = Notice { error, left };
        self.tell(&notice, pause, since);
    }
}

/// The interface takes whole seconds, at least one.
fn whole_seconds(left: Duration) -> Duration {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}
