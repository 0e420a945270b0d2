//! Bodies that nobody read, because the head of the request settled its answer.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// A body of at most so many bytes is read and thrown away, so that its connection can be used again:
/// a new connection costs the client about as much as sending them.
const MAX_BYTES: u64 = 256 << 10;

/// How long that may delay an answer: the body is on its way behind its head.
const WITHIN: Duration = Duration::from_millis(500);

/// Whether the client sends the body only when it is told to go on (RFC 9110, section 10.1.1). It is
/// told when a handler reads the body, and not otherwise.
pub(crate) fn awaits_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads a small body to its end; answers whether it came to it.
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
