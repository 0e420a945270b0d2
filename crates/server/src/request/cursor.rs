//! Cursors in the log as text: the ids of events, which readers send back to resume a watch.
//!
//! The id of a commit's last event is the commit's revision, `7`. The events before it also have their index in
//! the commit, `7.0`, `7.1`: a commit can change many keys, and a reader that loses its connection between two of
//! them must neither miss nor repeat one.

use std::fmt;

use axum::http::HeaderMap;
use prominence_api::name;
use prominence_core::{Cursor, Revision};

use crate::failure::Failure;

/// A cursor as the id of an event.
pub(crate) struct EventId(pub(crate) Cursor);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at) = self;
        if at.is_past(at.revision) {
            write!(f, "{}", at.revision)
        } else {
            write!(f, "{}.{}", at.revision, at.index)
        }
    }
}

/// The cursor of an event's id.
pub(crate) fn parse(text: &str) -> Result<Cursor, String> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let read = match text.split_once('.') {
        None => number(text).map(|revision| Cursor::after(Revision::new(revision))),
        Some((revision, index)) => {
            number(revision)
                .zip(number(index))
                .and_then(|(revision, index)| {
                    Some(Cursor {
                        revision: Revision::new(revision),
                        index: u32::try_from(index).ok()?,
                    })
                })
        }
    };
    read.ok_or_else(|| {
        format!("\"{text}\" is neither a revision, such as 7, nor an event's id, such as 7.0")
    })
}

/// The last event that a reader has seen, by `Last-Event-ID`; an empty one says that it has seen none.
pub(crate) fn last_event(headers: &HeaderMap) -> Result<Option<Cursor>, Failure> {
    let Some(value) = headers.get(name::LAST_EVENT_ID) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    if text.is_empty() {
        return Ok(None);
    }
    parse(&text)
        .map(Some)
        .map_err(|why| Failure::bad_request(format!("Last-Event-ID is not valid: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_parsed_as_the_cursor_that_it_was_made_of() {
        let within = Cursor {
            revision: Revision::new(7),
            index: 2,
        };
        for (at, id) in [
            (Cursor::after(Revision::new(7)), "7"),
            (within, "7.2"),
            (Cursor::START, "0"),
        ] {
            assert_eq!(EventId(at).to_string(), id);
            assert_eq!(parse(id), Ok(at));
        }
        for odd in [
            "",
            "-1",
            "+1",
            "7.",
            ".7",
            "7.2.1",
            "1e3",
            "x",
            "7.4294967296",
            "99999999999999999999",
        ] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }
}
