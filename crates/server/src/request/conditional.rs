//! Conditional requests (RFC 9110, section 13). An entity tag is a revision in quotes.
//!
//! A condition is evaluated or refused with 400; it is never dropped, because its request would then
//! do what its sender wanted to rule out. The one exception is RFC 9110's own: beside `If-Match` the
//! header `If-Unmodified-Since` does not count, and beside `If-None-Match` not `If-Modified-Since`.

mod tags;
mod write_id;

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use prominence_api::ErrorCode;
use prominence_api::time::{DAY_SECONDS, time_of_day};
use prominence_core::error::Mismatch;
use prominence_core::{Entry, Metadata, Precondition, Revision, StoreError, Timestamp};

use crate::failure::Failure;
use tags::Tags;

pub(crate) use write_id::{no_write_id, write_id};

/// The headers that make a request conditional, as they are written in messages.
const CONDITIONS: [(HeaderName, &str); 4] = [
    (IF_MATCH, "If-Match"),
    (IF_NONE_MATCH, "If-None-Match"),
    (IF_MODIFIED_SINCE, "If-Modified-Since"),
    (IF_UNMODIFIED_SINCE, "If-Unmodified-Since"),
];

/// The most bytes of an entity tag: a number of 20 digits in quotes.
const TAG_BYTES: usize = 22;

/// Bytes of the part of a date before the time of day, such as `Tue, 14 Nov 2023 `.
const DATE_BYTES: usize = 17;

thread_local! {
    /// The day that this thread wrote last, in days since 1970, and its date: nearly all dates that are
    /// written are of one day, and the calendar costs more than all the rest.
    static LAST_DATE: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((u64::MAX, [0; DATE_BYTES])) };
}

/// The entity tag of a revision.
pub(crate) fn etag(revision: Revision) -> HeaderValue {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(revision.get()).as_bytes();
    let mut tag = [b'"'; TAG_BYTES];
    let end = 1 + digits.len();
    tag[1..end].copy_from_slice(digits);
    // Digits and quotes are always a valid header.
    HeaderValue::from_bytes(&tag[..=end]).unwrap_or(HeaderValue::from_static("\"\""))
}

/// An instant as HTTP writes dates, to the second.
pub(crate) fn http_date(instant: Timestamp) -> HeaderValue {
    let day = instant.as_secs() / DAY_SECONDS;
    let (last, mut date) = LAST_DATE.get();
    if last != day {
        let midnight = UNIX_EPOCH + Duration::from_secs(day * DAY_SECONDS);
        let text = httpdate::fmt_http_date(midnight);
        // An instant's year has four digits, so its date has this many bytes.
        date.copy_from_slice(&text.as_bytes()[..DATE_BYTES]);
        LAST_DATE.set((day, date));
    }
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..DATE_BYTES].copy_from_slice(&date);
    text[DATE_BYTES..DATE_BYTES + 8].copy_from_slice(&time_of_day(instant));
    // Letters and digits are always a valid header.
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

/// True if a request has any of the headers that make it conditional. Most have none, and looking at each
/// of their names once costs less than looking for each of these.
fn has_conditions(headers: &HeaderMap) -> bool {
    let is_condition = |name: &HeaderName| CONDITIONS.iter().any(|(other, _)| name == other);
    headers.keys().any(is_condition)
}

/// Refuses every condition of a request that can't be conditional; `why` completes a sentence that
/// begins with the header's name.
pub(crate) fn refuse_all(headers: &HeaderMap, why: &str) -> Result<(), Failure> {
    let given = CONDITIONS
        .iter()
        .find(|(name, _)| headers.contains_key(name));
    given.map_or(Ok(()), |(_, name)| {
        Err(Failure::bad_request(format!("{name} {why}")))
    })
}

/// The condition that a write's headers put on its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteCondition {
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match` with tags: the key has one of these revisions. Empty if none of the tags can
    /// ever have been given out.
    OneOf(Vec<Revision>),
}

impl WriteCondition {
    /// Reads the condition of a write.
    ///
    /// # Errors
    /// 400 if a header is malformed, or if this write can't depend on it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        if !has_conditions(headers) {
            return Ok(None);
        }
        let matches = Tags::of(headers, IF_MATCH, "If-Match")?;
        let none_match = Tags::of(headers, IF_NONE_MATCH, "If-None-Match")?;
        if matches.is_none() && headers.contains_key(IF_UNMODIFIED_SINCE) {
            return Err(Failure::bad_request(
                "If-Unmodified-Since can't protect a write: its date has whole seconds, and a key may \
                 change more often; send If-Match with the ETag of the last read or write",
            ));
        }
        if none_match.is_none() && headers.contains_key(IF_MODIFIED_SINCE) {
            return Err(Failure::bad_request(
                "If-Modified-Since is a condition of GET and HEAD only; leave it out, or send If-Match \
                 with the ETag of the last read or write",
            ));
        }
        match (matches, none_match) {
            (None, None) => Ok(None),
            (None, Some(Tags::Any)) => Ok(Some(Self::Absent)),
            (None, Some(Tags::Revisions(_))) => Err(Failure::bad_request(
                "If-None-Match of a write can only be *, to create a key that does not exist; \
                 to replace one revision send If-Match with its ETag",
            )),
            (Some(Tags::Any), None) => Ok(Some(Self::Present)),
            (Some(Tags::Revisions(revisions)), None) => Ok(Some(Self::OneOf(revisions))),
            (Some(_), Some(_)) => Err(Failure::bad_request(
                "If-Match and If-None-Match do not go together in a write; send one of them",
            )),
        }
    }

    /// The precondition to try first. Of several revisions it is the latest, which is the likeliest.
    pub(crate) fn first(&self) -> Precondition {
        match self {
            Self::Absent => Precondition::Absent,
            Self::Present => Precondition::Present,
            Self::OneOf(revisions) => {
                let latest = revisions.iter().max().copied();
                // No entry has revision 0, so this never holds.
                Precondition::Revision(latest.unwrap_or(Revision::ZERO))
            }
        }
    }

    /// True if there may be another precondition to try when the first one fails.
    pub(crate) fn has_others(&self) -> bool {
        matches!(self, Self::OneOf(revisions) if revisions.len() > 1)
    }

    /// The precondition to try after one failed with this error: the key has another revision, and
    /// the caller named that one too.
    ///
    /// The store compares with one revision at a time. Each further try is for a later revision, so
    /// there are no more tries than tags.
    pub(crate) fn next(&self, failed: &StoreError) -> Option<Precondition> {
        let StoreError::PreconditionFailed { reason, .. } = failed else {
            return None;
        };
        match (self, reason) {
            (Self::OneOf(revisions), Mismatch::Revision(current))
                if revisions.contains(current) =>
            {
                Some(Precondition::Revision(*current))
            }
            _ => None,
        }
    }
}

/// The conditions of a read. By default there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadConditions {
    matches: Option<Tags>,
    none_match: Option<Tags>,
    /// In seconds since 1970, the resolution of `Last-Modified`.
    unmodified_since: Option<u64>,
    modified_since: Option<u64>,
}

impl ReadConditions {
    /// Reads the conditions of a `GET` or `HEAD` of a key.
    ///
    /// # Errors
    /// 400 if a header that counts is malformed.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        if !has_conditions(headers) {
            return Ok(Self::default());
        }
        let matches = Tags::of(headers, IF_MATCH, "If-Match")?;
        let none_match = Tags::of(headers, IF_NONE_MATCH, "If-None-Match")?;
        let unmodified_since = match matches {
            Some(_) => None,
            None => date(headers, IF_UNMODIFIED_SINCE, "If-Unmodified-Since")?,
        };
        let modified_since = match none_match {
            Some(_) => None,
            None => date(headers, IF_MODIFIED_SINCE, "If-Modified-Since")?,
        };
        Ok(Self {
            matches,
            none_match,
            unmodified_since,
            modified_since,
        })
    }

    /// Refuses what a read that waits can't be told: a date has whole seconds, so the wait would
    /// sleep through a second change within one.
    pub(crate) fn may_wait(&self) -> Result<(), Failure> {
        if self.modified_since.is_none() {
            return Ok(());
        }
        Err(Failure::bad_request(
            "If-Modified-Since does not go with the parameter \"wait\", because its date has whole \
             seconds; send If-None-Match with the ETag of the last read",
        ))
    }

    /// Refuses an entry that the caller does not want.
    ///
    /// # Errors
    /// 412 with the entry's revision, or with the date that is compared with the caller's.
    pub(crate) fn hold(&self, current: &Metadata) -> Result<(), Failure> {
        let unmet = |message| Err(Failure::new(ErrorCode::PreconditionFailed, message));
        let matches = self.matches.as_ref();
        if matches.is_some_and(|tags| !tags.contain(current.revision)) {
            return unmet(format!(
                "the key has revision {}, which If-Match does not name; read the key again",
                current.revision
            ));
        }
        if self
            .unmodified_since
            .is_some_and(|date| date < current.modified.as_secs())
        {
            let modified = http_date(current.modified);
            let modified = modified.to_str().unwrap_or_default();
            return unmet(format!(
                "the value was set on {modified}, later than If-Unmodified-Since; read the key again"
            ));
        }
        Ok(())
    }

    /// True if the caller already has the entry; 304 then.
    pub(crate) fn unchanged(&self, current: &Metadata) -> bool {
        match &self.none_match {
            Some(tags) => tags.contain(current.revision),
            None => self
                .modified_since
                .is_some_and(|date| current.modified.as_secs() <= date),
        }
    }

    /// True if a wait is over: the key exists or, if the caller has a revision of it, has another one or is gone.
    pub(crate) fn are_met_by(&self, entry: Option<&Entry>) -> bool {
        match entry {
            Some(entry) => !self.unchanged(&entry.metadata),
            None => self.none_match.is_some(),
        }
    }
}

/// The seconds since 1970 of a header that holds a date.
fn date(headers: &HeaderMap, name: HeaderName, shown: &str) -> Result<Option<u64>, Failure> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let date = line.to_str().ok().filter(|_| lines.next().is_none());
    let date = date.and_then(|text| httpdate::parse_http_date(text.trim()).ok());
    let since = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    match since {
        Some(since) => Ok(Some(since.as_secs())),
        None => Err(Failure::bad_request(format!(
            "{shown} is not one date as HTTP writes it (RFC 9110, section 5.6.7); send what \
             Last-Modified said, as in {shown}: Tue, 14 Nov 2023 22:13:20 GMT"
        ))),
    }
}

#[cfg(test)]
mod tests;
