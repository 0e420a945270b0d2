//! Reads of one key.

use std::time::{SystemTime, UNIX_EPOCH};

use prominence_api::time::parse_rfc3339;
use prominence_api::{name, path};
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{Key, Revision, Timestamp};
use ureq::http::{HeaderName, Method, header};

use crate::error::{Error, Fate};
use crate::reply::Reply;
use crate::request::{Client, Request};

/// A value and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Vec<u8>,
    /// The metadata.
    pub metadata: Metadata,
}

/// The metadata of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The commit that last wrote the entry.
    pub revision: Revision,
    /// Bytes of the value.
    pub size: u64,
    /// The time at which the key was created; `None` from an earlier server.
    pub created: Option<Timestamp>,
    /// The time at which the value was last set; in whole seconds from an earlier server.
    pub modified: Option<Timestamp>,
    /// The time from which on the entry counts as absent.
    pub expires: Option<Timestamp>,
    /// The job whose token wrote it.
    pub job: Option<String>,
    /// The end of the claim.
    pub claimed_until: Option<Timestamp>,
    /// The job of the claim, if the claim is live and its token named a job.
    pub claimed_by: Option<String>,
    /// The number of claims since the value was set.
    pub claims: u32,
    /// The time of the answer by the server's clock, in whole seconds.
    pub answered: Option<Timestamp>,
}

impl Client {
    /// The value of a key with its metadata, or `None` if the key does not exist.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get(&self, key: &Key) -> Result<Option<Entry>, Error> {
        let Some(reply) = self.look(key, Method::GET)? else {
            return Ok(None);
        };
        let metadata = self.metadata(&reply, reply.body.len() as u64)?;
        let value = reply.body;
        Ok(Some(Entry { value, metadata }))
    }

    /// The metadata of a key, or `None` if it does not exist.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn head(&self, key: &Key) -> Result<Option<Metadata>, Error> {
        let Some(reply) = self.look(key, Method::HEAD)? else {
            return Ok(None);
        };
        let size = reply.header(header::CONTENT_LENGTH.as_str());
        let size = size
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.bad_answer("it does not say how long it is", Fate::NotApplied))?;
        self.metadata(&reply, size).map(Some)
    }

    fn look(&self, key: &Key, method: Method) -> Result<Option<Reply>, Error> {
        let request = Request {
            method,
            ..Request::read(path::of_key(key), MAX_VALUE_BYTES as u64)
        };
        match self.send(&request) {
            Ok(reply) => Ok(Some(reply)),
            Err(Error::NoSuchKey(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata in the headers of an answer with a value.
    pub(crate) fn metadata(&self, reply: &Reply, size: u64) -> Result<Metadata, Error> {
        let tag = reply.header(header::ETAG.as_str());
        let revision = tag
            .and_then(|tag| tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"'))
            .and_then(|rest| rest.strip_suffix('"')?.parse().ok())
            .ok_or_else(|| self.bad_answer("it has no revision", Fate::NotApplied))?;
        let instant = |name| reply.header(name).and_then(parse_rfc3339);
        Ok(Metadata {
            revision: Revision::new(revision),
            size,
            modified: instant(name::MODIFIED).or_else(|| http_date(reply, header::LAST_MODIFIED)),
            created: instant(name::CREATED),
            expires: instant(name::EXPIRES),
            job: reply.header(name::JOB).map(str::to_owned),
            claimed_until: instant(name::CLAIMED_UNTIL),
            claimed_by: reply.header(name::CLAIMED_BY).map(str::to_owned),
            claims: reply
                .header(name::CLAIMS)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            answered: http_date(reply, header::DATE),
        })
    }
}

fn http_date(reply: &Reply, name: HeaderName) -> Option<Timestamp> {
    let text = reply.header(name.as_str())?;
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(since.as_secs()))
}
