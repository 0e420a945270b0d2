//! The cursor at which a watch starts.

use prominence_core::{Cursor, Extent, StoreError};

use crate::failure::Failure;

/// The start of a watch: after the events that the reader has seen, or now.
///
/// # Errors
/// 410 if later changes are no longer kept, and 400 if the revision does not exist yet.
pub(super) fn start(since: Option<Cursor>, extent: Extent) -> Result<Cursor, Failure> {
    let Some(since) = since else {
        return Ok(Cursor::after(extent.latest));
    };
    // No change has revision 0, so every cursor within it is the beginning.
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
    use prominence_core::Revision;

    use super::*;

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
