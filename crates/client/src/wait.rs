//! Waits for a key, or for a number of keys.
//!
//! A wait consists of several requests, none of which is held for longer than proxies allow. A request that fails, for
//! example because the server is restarted, is repeated until the time is over.

use std::time::Duration;

use prominence_api::name::parameter;
use prominence_api::{Counted, path};
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Prefix, Revision};
use ureq::http::{StatusCode, header};

use crate::error::{Error, Fate};
use crate::persist::{Failed, Turn};
use crate::read::Entry;
use crate::reply::MAX_SMALL;
use crate::request::{Client, Request};

/// The event for which a read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The key exists.
    Exists,
    /// The key has another revision, or does not exist.
    Differs(Revision),
}

/// The result of a read that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The awaited entry.
    Entry(Entry),
    /// The key does not exist: it was deleted, or it was not created in time.
    Absent,
    /// The key still has the known revision.
    Unchanged,
}

impl Client {
    /// The value of a key as soon as it exists or differs, or its state when the time is over.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get_when(&self, key: &Key, until: Until, within: Duration) -> Result<Awaited, Error> {
        self.take_turns(within, |turn| {
            let target = with_wait(path::of_key(key), '?', turn);
            let mut request = Request::read(target, MAX_VALUE_BYTES as u64);
            if let Until::Differs(revision) = until {
                let tag = format!("\"{revision}\"");
                request.headers.push((header::IF_NONE_MATCH, tag));
            }
            request.held = turn.unwrap_or_default();
            let reply = self.try_once(&request)?;
            if reply.status == StatusCode::NOT_MODIFIED && reply.is_ours(&request) {
                return Ok(Turn::NotYet(Awaited::Unchanged));
            }
            let reply = match self.judge(reply, &request) {
                Ok(reply) => reply,
                Err(failed) if matches!(failed.error, Error::NoSuchKey(_)) => {
                    return Ok(match until {
                        Until::Exists => Turn::NotYet(Awaited::Absent),
                        Until::Differs(_) => Turn::Done(Awaited::Absent),
                    });
                }
                Err(failed) => return Err(failed),
            };
            let metadata = self.metadata(&reply, reply.body.len() as u64);
            let metadata = metadata.map_err(Failed::broken)?;
            let value = reply.body;
            Ok(Turn::Done(Awaited::Entry(Entry { value, metadata })))
        })
    }

    /// The number of keys that a listing of the prefix shows, as soon as it is large enough or when the time is over.
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
            let mut target = format!("{}?{}", path::of_prefix(prefix), parameter::COUNT);
            if turn.is_some() {
                target += &format!("&{}={at_least}", parameter::AT_LEAST);
            }
            let mut request = Request::read(with_wait(target, '&', turn), MAX_SMALL);
            request.held = turn.unwrap_or_default();
            let counted = self.once(&request)?.json::<Counted>();
            let Counted { count, .. } =
                counted.map_err(|what| Failed::broken(self.bad_answer(what, Fate::NotApplied)))?;
            Ok(if count >= at_least {
                Turn::Done(count)
            } else {
                Turn::NotYet(count)
            })
        })
    }
}

/// Adds the time for which the server may hold the request; with `None` it answers at once.
pub(crate) fn with_wait(target: String, separator: char, turn: Option<Duration>) -> String {
    match turn {
        Some(turn) => format!("{target}{separator}{}={}", parameter::WAIT, turn.as_secs()),
        None => target,
    }
}
