//! Sets of a value, and additions to a number.

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use prominence_api::name::{self, parameter};
use prominence_api::time::format_duration;
use prominence_api::{Added, Set, path};
use prominence_core::{Key, Precondition, Revision, WriteId};
use ureq::http::{HeaderName, Method, StatusCode, header};

use crate::error::{Error, Fate};
use crate::reply::Reply;
use crate::request::{Client, Request};
use crate::retry::Repeat;

/// The options of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetOptions {
    /// The lifetime.
    pub lifetime: Lifetime,
    /// The condition on the key.
    pub condition: Option<Precondition>,
    /// An id of this one set, by which the server recognizes a repetition and returns the same answer. Only with a
    /// condition. By default the client makes one; a caller needs its own only to repeat a set with another client.
    pub write_id: Option<WriteId>,
}

/// The lifetime of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the value is deleted.
    Permanent,
    /// This time, in whole seconds.
    For(Duration),
    /// Until the end of the token that writes it.
    Job,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The commit.
    pub revision: Revision,
    /// The state of the key before. A write that was repeated may find the result of its own first try.
    pub stored: Stored,
}

/// The state of a key before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The key did not exist.
    Created,
    /// The key existed.
    Replaced,
}

impl Client {
    /// Stores a value; when this returns, it is on disk.
    ///
    /// It is repeated after transient errors although its first try may have been executed: a set without a condition
    /// leaves the same value, and one with a condition has an id by which the server recognizes the repetition.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set(&self, key: &Key, value: &[u8], options: &SetOptions) -> Result<Written, Error> {
        let mut target = path::of_key(key);
        match options.lifetime {
            Lifetime::Permanent => {}
            Lifetime::Job => add_parameter(&mut target, parameter::TTL, "job"),
            Lifetime::For(duration) => {
                add_parameter(&mut target, parameter::TTL, &format_duration(duration));
            }
        }
        let mut headers = Vec::new();
        match &options.condition {
            None => {}
            Some(Precondition::Absent) => headers.push((header::IF_NONE_MATCH, "*".to_owned())),
            Some(Precondition::Present) => headers.push((header::IF_MATCH, "*".to_owned())),
            Some(Precondition::Revision(revision)) => headers.push(if_match(*revision)),
            Some(Precondition::Value(value)) => {
                let value = percent_encode(value.as_bytes(), NON_ALPHANUMERIC).to_string();
                add_parameter(&mut target, parameter::PREV, &value);
            }
        }
        let repeat = match &options.condition {
            None => Repeat::Safe,
            Some(_) => match options.write_id.clone().or_else(new_write_id) {
                Some(id) => {
                    headers.push((HeaderName::from_static(name::WRITE_ID), id.to_string()));
                    Repeat::Safe
                }
                None => Repeat::IfNotApplied,
            },
        };
        let reply = self.send(&Request {
            headers,
            body: Some(value),
            ..Request::change(Method::PUT, target, repeat)
        })?;
        let set: Set = self.acknowledged(&reply)?;
        Ok(Written {
            revision: Revision::new(set.revision),
            stored: if reply.status == StatusCode::CREATED {
                Stored::Created
            } else {
                Stored::Replaced
            },
        })
    }

    /// Adds to a decimal integer in one atomic step, and returns the sum; an absent key counts as 0. Not repeated if it
    /// may have been executed.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn add(&self, key: &Key, by: i64) -> Result<Added, Error> {
        let mut target = path::of_key(key);
        add_parameter(&mut target, parameter::ADD, &by.to_string());
        let reply = self.send(&Request::change(Method::POST, target, Repeat::IfNotApplied))?;
        self.acknowledged(&reply)
    }

    /// The body of the answer to a change. If it can't be read, the fate of the change is unknown.
    pub(crate) fn acknowledged<T: serde::de::DeserializeOwned>(
        &self,
        reply: &Reply,
    ) -> Result<T, Error> {
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::Unknown))
    }
}

impl Default for SetOptions {
    /// Permanent, without a condition.
    fn default() -> Self {
        Self {
            lifetime: Lifetime::Permanent,
            condition: None,
            write_id: None,
        }
    }
}

/// A unique id of a write; `None` on a machine without a source of random numbers.
fn new_write_id() -> Option<WriteId> {
    let (high, low) = (getrandom::u64().ok()?, getrandom::u64().ok()?);
    WriteId::parse(format!("{high:016x}{low:016x}").as_bytes()).ok()
}

/// The header with the condition that the key has this revision (RFC 9110, section 13.1.1).
pub(crate) fn if_match(revision: Revision) -> (HeaderName, String) {
    (header::IF_MATCH, format!("\"{revision}\""))
}

fn add_parameter(target: &mut String, name: &str, value: &str) {
    let separator = if target.contains('?') { '&' } else { '?' };
    // Writing to a string can't fail.
    let _ = write!(target, "{separator}{name}={value}");
}
