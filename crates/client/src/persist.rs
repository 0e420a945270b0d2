//! Asking again until it is done or the time is over.

use std::time::Duration;

use crate::error::{Error, Fate};
use crate::notice::Notice;
use crate::reply::Reply;
use crate::request::{Client, Request};
use crate::retry::{Backoff, Repeat};

/// The longest that one request asks to be held. Proxies end a request that has been without an
/// answer for 30 s (HAProxy's and many cloud load balancers' usual limit) or longer, so a longer
/// wait is made of several requests.
pub const LONGEST_TURN: Duration = Duration::from_secs(25);

/// A connection that breaks off after a request was held for this long was cut for being idle, and
/// the server is there: the next request is sent at once. A server that is stopped answers what it
/// holds, and one that is killed refuses the next connection.
const CUT_FOR_IDLENESS: Duration = Duration::from_secs(1);

/// An answer that leaves a wait unfinished came too early if it took less than this, and the next
/// request is sent after a pause: a server or proxy that does not hold requests is not asked in a
/// tight loop.
const HELD: Duration = Duration::from_millis(500);

/// The result of one request.
pub(crate) enum Turn<T> {
    /// The result that was asked for.
    Done(T),
    /// The state when the request's time was over.
    NotYet(T),
}

/// A request that failed.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The pause that the server asked for before the next.
    pub(crate) retry_after: Option<Duration>,
    /// The rule for repeating it.
    pub(crate) repeat: Repeat,
}

impl Failed {
    /// An answer that makes no sense.
    pub(crate) fn broken(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
            repeat: Repeat::IfNotApplied,
        }
    }
}

impl Client {
    /// Sends a request, and again where that is safe and may help, and answers its success.
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

    /// Asks in turns, each of which the server holds for as long as it is given, until it is done
    /// or the time is over. A turn of `None` is to be answered at once.
    pub(crate) fn take_turns<T>(
        &self,
        within: Duration,
        mut ask: impl FnMut(Option<Duration>) -> Result<Turn<T>, Failed>,
    ) -> Result<T, Error> {
        let mut crowded = false;
        self.persist(within, |left| {
            // A server that holds no more requests can still be asked how things are.
            let turn = (!crowded).then(|| whole_seconds(left).min(LONGEST_TURN));
            let turn = ask(turn);
            crowded = !crowded && turn.as_ref().is_err_and(|failed| failed.error.is_refusal());
            turn
        })
    }

    /// Sends a request once, and answers its success.
    pub(crate) fn once(&self, request: &Request<'_>) -> Result<Reply, Failed> {
        let reply = self.try_once(request)?;
        self.judge(reply, request)
    }

    /// Sends a request once, and answers whatever comes.
    pub(crate) fn try_once(&self, request: &Request<'_>) -> Result<Reply, Failed> {
        self.attempt(request).map_err(|error| Failed {
            error,
            retry_after: None,
            repeat: request.repeat,
        })
    }

    /// An answer where it is a success, and otherwise the failure that it tells of.
    pub(crate) fn judge(&self, reply: Reply, request: &Request<'_>) -> Result<Reply, Failed> {
        let retry_after = reply.retry_after();
        let success = reply.success(request, self.url());
        success.map_err(|error| Failed {
            error: self.with_url_named(self.with_token_named(error)),
            retry_after,
            repeat: request.repeat,
        })
    }

    /// Asks again and again until it is done or the time is over. `ask` is told how much is left.
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

    /// Tells of a failure that is got over.
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

/// The interface takes whole seconds, one at least.
fn whole_seconds(left: Duration) -> Duration {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}
