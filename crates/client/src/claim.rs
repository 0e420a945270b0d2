//! Claims: taking, renewing and releasing them.

use std::time::Duration;

use prominence_api::name::{self, parameter};
use prominence_api::time::{format_duration, parse_rfc3339};
use prominence_api::{Released, Renewed, path};
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Prefix, Revision, Timestamp};
use ureq::http::{Method, StatusCode};

use crate::error::{Error, Fate};
use crate::persist::{Failed, Turn};
use crate::read::Entry;
use crate::reply::Reply;
use crate::request::{Client, Request};
use crate::retry::Repeat;
use crate::wait::with_wait;
use crate::write::if_match;

/// A claimed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The key.
    pub key: Key,
    /// Its value and metadata. A renewal, a release or the final deletion has to name the revision.
    pub entry: Entry,
}

/// A renewed claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The revision that the next renewal, the release or the final deletion has to name.
    pub revision: Revision,
    /// The end of the claim.
    pub until: Timestamp,
}

impl Client {
    /// Claims the first free key under a prefix for `hold` (whole seconds), and waits for one for at most `wait`.
    /// `None` if no key became free.
    ///
    /// It is repeated even if an answer was lost: a key that the lost claim has taken is free again when that claim
    /// ends.
    ///
    /// The claim begins at some time between the call and its return; see [`Held::until`] and
    /// [`Metadata::claimed_until`](crate::Metadata::claimed_until) for its end.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn claim(
        &self,
        prefix: &Prefix,
        hold: Duration,
        wait: Option<Duration>,
    ) -> Result<Option<Claimed>, Error> {
        let hold = format_duration(hold);
        let target = format!("{}?{}={hold}", path::of_prefix(prefix), parameter::CLAIM);
        let request = |turn: Option<Duration>| Request {
            held: turn.unwrap_or_default(),
            limit: MAX_VALUE_BYTES as u64,
            ..Request::change(
                Method::POST,
                with_wait(target.clone(), '&', turn),
                Repeat::Safe,
            )
        };
        let Some(wait) = wait else {
            let reply = self.send(&request(None))?;
            return self.claimed(reply);
        };
        self.take_turns(wait, |turn| {
            let reply = self.once(&request(turn))?;
            let claimed = self.claimed(reply).map_err(Failed::broken)?;
            Ok(match claimed {
                Some(claimed) => Turn::Done(Some(claimed)),
                None => Turn::NotYet(None),
            })
        })
    }

    /// The claim in an answer; `None` if no key was free.
    fn claimed(&self, reply: Reply) -> Result<Option<Claimed>, Error> {
        if reply.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let name = reply.header(name::KEY);
        let key = name.and_then(|name| path::decode(name).ok());
        let key = key
            .and_then(|key| Key::from_bytes(&key).ok())
            .ok_or_else(|| self.bad_answer("it does not name the key", Fate::Unknown))?;
        let metadata = self.metadata(&reply, reply.body.len() as u64)?;
        let value = reply.body;
        let entry = Entry { value, metadata };
        Ok(Some(Claimed { key, entry }))
    }

    /// Sets the end of a claim to `hold` (whole seconds) from now.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if the claim has ended or another worker has the key; see [`Error`] for the
    /// others.
    pub fn renew(&self, key: &Key, revision: Revision, hold: Duration) -> Result<Held, Error> {
        let hold = format_duration(hold);
        let target = format!("{}?{}={hold}", path::of_key(key), parameter::RENEW);
        let reply = self.send(&Request {
            headers: vec![if_match(revision)],
            ..Request::change(Method::POST, target, Repeat::IfNotApplied)
        })?;
        let renewed: Renewed = self.acknowledged(&reply)?;
        let until = parse_rfc3339(&renewed.claimed_until)
            .ok_or_else(|| self.bad_answer("it does not say until when", Fate::Unknown))?;
        Ok(Held {
            revision: Revision::new(renewed.revision),
            until,
        })
    }

    /// Ends a claim, so that another worker can claim the key, and returns the revision.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if the claim has ended or another worker has the key; see [`Error`] for the
    /// others.
    pub fn release(&self, key: &Key, revision: Revision) -> Result<Revision, Error> {
        let target = format!("{}?{}", path::of_key(key), parameter::RELEASE);
        let reply = self.send(&Request {
            headers: vec![if_match(revision)],
            ..Request::change(Method::POST, target, Repeat::IfNotApplied)
        })?;
        let Released { revision, .. } = self.acknowledged(&reply)?;
        Ok(Revision::new(revision))
    }
}
