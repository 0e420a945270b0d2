//! Waiting for a key, or for a number of keys.
//!
//! The server holds a request for ten minutes at the most, so that a longer wait is several
//! requests. One that breaks off, because the server is restarted, say, is sent again.

use std::time::{Duration, Instant};

use prominence_api::name::parameter;
use prominence_api::{Counted, path};
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Prefix, Revision};
use ureq::http::{StatusCode, header};

use crate::error::{Error, Fate};
use crate::read::Entry;
use crate::reply::{MAX_SMALL, Reply};
use crate::request::{Client, Request};
use crate::retry::{Backoff, MAX_TOTAL};

/// The longest that one request asks to be held; the server's limit.
const LONGEST_TURN: Duration = Duration::from_secs(600);

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// That the key exists.
    Exists,
    /// That the key has another revision, or is gone.
    Differs(Revision),
}

/// What a read that waited found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The key, as it was waited for.
    Entry(Entry),
    /// No such key: it has been deleted or, where it was to appear, it has not in time.
    Absent,
    /// The key still has the revision that was known.
    Unchanged,
}

/// What one request found.
enum Turn<T> {
    /// What was waited for.
    Done(T),
    /// How it was when the request's time was over.
    NotYet(T),
}

impl Client {
    /// The value of a key once it exists or differs, or how it is when the time is over.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get_when(&self, key: &Key, until: Until, within: Duration) -> Result<Awaited, Error> {
        self.take_turns(within, |turn| {
            let target = format!(
                "{}?{}={}",
                path::of_key(key),
                parameter::WAIT,
                turn.as_secs()
            );
            let mut request = Request::read(target, MAX_VALUE_BYTES as u64);
            if let Until::Differs(revision) = until {
                let tag = format!("\"{revision}\"");
                request.headers.push((header::IF_NONE_MATCH, tag));
            }
            request.held = turn;
            let reply = self.attempt(&request).map_err(Refused::broken)?;
            if reply.status == StatusCode::NOT_MODIFIED {
                return Ok(Turn::NotYet(Awaited::Unchanged));
            }
            match Refused::unless_success(self, &request, reply) {
                Ok(reply) => {
                    let metadata = self.metadata(&reply, reply.body.len() as u64);
                    let metadata = metadata.map_err(Refused::broken)?;
                    let value = reply.body;
                    Ok(Turn::Done(Awaited::Entry(Entry { value, metadata })))
                }
                Err(refused) if matches!(refused.error, Error::NoSuchKey(_)) => Ok(match until {
                    Until::Exists => Turn::NotYet(Awaited::Absent),
                    Until::Differs(_) => Turn::Done(Awaited::Absent),
                }),
                Err(refused) => Err(refused),
            }
        })
    }

    /// How many keys a listing of the prefix shows, once there are so many or when the time is
    /// over.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count_when(
        &self,
        prefix: &Prefix,
        at_least: u64,
        within: Duration,
    ) -> Result<u64, Error> {
        self.take_turns(within, |turn| {
            let target = format!(
                "{}?{}&{}={at_least}&{}={}",
                path::of_prefix(prefix),
                parameter::COUNT,
                parameter::AT_LEAST,
                parameter::WAIT,
                turn.as_secs(),
            );
            let mut request = Request::read(target, MAX_SMALL);
            request.held = turn;
            let reply = self.attempt(&request).map_err(Refused::broken)?;
            let reply = Refused::unless_success(self, &request, reply)?;
            let counted = reply.json::<Counted>();
            let Counted { count } =
                counted.map_err(|what| Refused::broken(self.bad_answer(what, Fate::NotApplied)))?;
            Ok(if count >= at_least {
                Turn::Done(count)
            } else {
                Turn::NotYet(count)
            })
        })
    }

    /// Asks again and again until it is done or the time is over.
    fn take_turns<T>(
        &self,
        within: Duration,
        ask: impl Fn(Duration) -> Result<Turn<T>, Refused>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let left = within.saturating_sub(began.elapsed());
            let started = Instant::now();
            let refused = match ask(whole_seconds(left).min(LONGEST_TURN)) {
                Ok(Turn::Done(found)) => return Ok(found),
                Ok(Turn::NotYet(found)) if began.elapsed() >= within => return Ok(found),
                Ok(Turn::NotYet(_)) => {
                    backoff = Backoff::new();
                    continue;
                }
                Err(refused) => refused,
            };
            let mut took = started.elapsed();
            if took > MAX_TOTAL {
                // It was held for a while, so the server was there, and this is a new failure.
                backoff = Backoff::new();
                took = Duration::ZERO;
            }
            if !refused.error.is_transient() {
                return Err(refused.error);
            }
            match backoff.pause(took, refused.retry_after) {
                Some(pause) => self.rest(pause),
                None => return Err(refused.error),
            }
        }
    }
}

/// A request that failed, and how long the server asked to wait.
struct Refused {
    error: Error,
    retry_after: Option<Duration>,
}

impl Refused {
    fn broken(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }

    fn unless_success(client: &Client, request: &Request<'_>, reply: Reply) -> Result<Reply, Self> {
        let retry_after = reply.retry_after();
        reply
            .success(request, client.url())
            .map_err(|error| Self { error, retry_after })
    }
}

/// The interface takes whole seconds, one at least.
fn whole_seconds(left: Duration) -> Duration {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}
