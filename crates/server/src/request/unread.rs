//! Bodies that no handler read, because the head of the request determined the answer.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// A body of at most so many bytes is read and discarded, so that its connection can be used again: a new connection
/// costs the client about as much as sending them.
const MAX_BYTES: u64 = 256 << 10;

/// The longest delay of the answer by that. The body follows its head, so it usually has arrived.
const WITHIN: Duration = Duration::from_millis(500);

/// True if the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1). hyper sends that
/// when a handler reads the body.
pub(crate) fn awaits_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads a small body to its end; `false` if the end was not reached.
pub(crate) async fn drain(mut body: Incoming) -> bool {
    if body.size_hint().lower() > MAX_BYTES {
        return false;
    }
    let read = async {
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            seen += frame.data_ref().map_or(0, |data| data.len() as u64);
            if seen > MAX_BYTES {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(WITHIN, read).await.unwrap_or(false)
}
