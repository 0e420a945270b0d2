//! Places in the log as text: the ids of events, and what readers send back to go on.
//!
//! The id of a commit's last event is the commit's revision, `7`. Events before it have the place
//! within the commit as well, `7.0`, `7.1`: a commit can change many keys, and a reader that loses
//! its connection between two of them must neither miss nor repeat one.

use axum::http::HeaderMap;
use prominence_api::name;
use prominence_core::{Cursor, Extent, Revision, StoreError};

use crate::failure::Failure;

/// A place as the id of an event.
pub(super) fn text(at: Cursor) -> String {
    if at.is_past(at.revision) {
        at.revision.to_string()
    } else {
        format!("{}.{}", at.revision, at.index)
    }
}

/// The place that an id names.
pub(super) fn parse(text: &str) -> Result<Cursor, String> {
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
        format!("\"{text}\" is no revision, such as 7, and no event's id, such as 7.0")
    })
}

/// The last event that a reader says it has seen; an empty one says that it has seen none.
pub(super) fn last_event(headers: &HeaderMap) -> Result<Option<Cursor>, Failure> {
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

/// Where a watch starts: after what the reader has seen, or now.
///
/// # Errors
/// 410 where later changes are no longer kept, and 400 where there can't be any yet.
pub(super) fn start(since: Option<Cursor>, extent: Extent) -> Result<Cursor, Failure> {
    let Some(since) = since else {
        return Ok(Cursor::after(extent.latest));
    };
    // No change has revision 0, so every place within it is the beginning.
    let since = since.max(Cursor::START);
    if since.revision > extent.latest {
        let message = format!(
            "revision {} has not happened yet: the latest is {}; a revision means something only \
             to the server and the user that it came from",
            since.revision, extent.latest
        );
        return Err(Failure::bad_request(message));
    }
    if since < extent.oldest {
        let oldest = extent.oldest.revision;
        return Err(StoreError::Compacted { oldest }.into());
    }
    Ok(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_the_place_that_it_names() {
        let within = Cursor {
            revision: Revision::new(7),
            index: 2,
        };
        for (at, id) in [
            (Cursor::after(Revision::new(7)), "7"),
            (within, "7.2"),
            (Cursor::START, "0"),
        ] {
            assert_eq!(text(at), id);
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

    #[test]
    fn a_watch_starts_where_the_log_reaches_and_nowhere_else() {
        let after = |number| Cursor::after(Revision::new(number));
        let extent = Extent {
            oldest: after(5),
            latest: Revision::new(9),
        };
        let status = |since| match start(since, extent) {
            Ok(at) => Ok(at),
            Err(failure) => Err(failure.status().as_u16()),
        };
        assert_eq!(status(None), Ok(after(9)));
        assert_eq!(status(Some(after(5))), Ok(after(5)));
        assert_eq!(status(Some(after(9))), Ok(after(9)));
        assert_eq!(status(Some(after(10))), Err(400));
        assert_eq!(status(Some(after(4))), Err(410));
        assert_eq!(status(Some(Cursor::START)), Err(410));
    }
}
