//! What happens to requests' heads before they are requests.
//!
//! hyper answers a head that it can't parse by itself, with an empty body, and never hands it to the
//! service; and of a head with two framings it shows one. So this stream looks at bytes: it writes the
//! answers that hyper makes by itself as errors like all others, and tells the service of a second
//! framing. Bytes are known to be hyper's own, or the next head's, while no request is being answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::{HeaderMap, Method, StatusCode};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use prominence_api::{ErrorCode, name};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::middleware;

/// Bytes of a request line's target; hyper's own limit.
const MAX_TARGET_BYTES: usize = 65_534;

/// A stream that looks at heads.
pub(super) struct Heads<S> {
    stream: S,
    exchange: Arc<Exchange>,
    /// How many requests had been handed to the service when everything before was answered and sent.
    settled: u32,
    scan: Scan,
    /// The answer that is written instead of hyper's.
    refusal: Option<Refusal>,
}

struct Refusal {
    bytes: Vec<u8>,
    written: usize,
}

impl<S> Heads<S> {
    pub(super) fn new(stream: S, exchange: Arc<Exchange>) -> Self {
        Self {
            stream,
            exchange,
            settled: 0,
            scan: Scan::default(),
            refusal: None,
        }
    }

    /// Whether every request so far is answered, and the answers are sent.
    fn is_settled(&self) -> bool {
        self.exchange.requests() == self.settled
    }

    /// Looks at bytes that arrived.
    fn look(&mut self, bytes: &[u8]) {
        if self.is_settled() && self.scan.feed(bytes) {
            self.exchange.frame(self.scan.is_framed_twice());
        }
    }
}

impl<S: AsyncWrite + Unpin> Heads<S> {
    /// Writes an error instead of the answer that hyper made by itself; `None` where these bytes are
    /// something else.
    fn poll_refuse(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<()>>> {
        if self.refusal.is_none() {
            let is_own = self.is_settled() && !self.exchange.is_answering();
            let status = is_own.then(|| own_status(bytes)).flatten()?;
            // The rest of what can't be parsed is on its way.
            self.exchange.linger();
            let bytes = refusal(status, &self.scan.method());
            self.refusal = Some(Refusal { bytes, written: 0 });
        }
        let refusal = self.refusal.as_mut()?;
        while let Some(rest) = refusal
            .bytes
            .get(refusal.written..)
            .filter(|rest| !rest.is_empty())
        {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => {
                    return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(written)) => refusal.written += written,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.refusal = None;
        Some(Poll::Ready(Ok(())))
    }
}

/// The status of an answer that hyper makes by itself; `None` where there is none that it makes.
fn own_status(bytes: &[u8]) -> Option<StatusCode> {
    let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let status = StatusCode::from_bytes(status).ok()?;
    let own = [
        StatusCode::BAD_REQUEST,
        StatusCode::URI_TOO_LONG,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    ];
    own.contains(&status).then_some(status)
}

/// The answer to a head that hyper can't parse, after which the connection ends.
fn refusal(status: StatusCode, method: &Method) -> Vec<u8> {
    let failure = match status {
        StatusCode::URI_TOO_LONG => Failure::new(
            ErrorCode::UriTooLong,
            format!(
                "the request's address has more than {MAX_TARGET_BYTES} bytes, which is the limit"
            ),
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Failure::new(
            ErrorCode::HeadTooLarge,
            format!(
                "the request line and headers have more than {MAX_HEAD_BYTES} bytes, or there are more \
                 than {MAX_HEADERS} headers, which are the limits; send fewer or shorter headers"
            ),
        ),
        _ => Failure::bad_request(
            "the request line or a header is not HTTP/1.1 (RFC 9112); use an HTTP client, and \
             percent-encode the address",
        ),
    };
    let id = middleware::request_id(&HeaderMap::new());
    let id = id.to_str().unwrap_or_default();
    let body = failure
        .render(method, id)
        .into_body()
        .collect()
        .now_or_never();
    let body = body.and_then(Result::ok).unwrap_or_default().to_bytes();
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\
         {}: {id}\r\nx-content-type-options: nosniff\r\ndate: {date}\r\n\r\n",
        name::JSON,
        body.len(),
        name::REQUEST_ID,
    );
    let mut bytes = head.into_bytes();
    if *method != Method::HEAD {
        bytes.extend_from_slice(&body);
    }
    bytes
}

/// Looks for headers that say where a body ends, byte by byte as they arrive.
#[derive(Default)]
struct Scan {
    /// The beginning of the current line.
    line: [u8; TRANSFER_ENCODING.len()],
    /// How many bytes the current line has, up to those that are kept.
    filled: usize,
    /// Whether a line came before this one.
    has_lines: bool,
    has_length: bool,
    has_coding: bool,
    progress: Progress,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Progress {
    /// Nothing has arrived.
    #[default]
    Waiting,
    /// The head is arriving.
    Reading,
    /// The head is complete.
    Done,
    /// The head is that of a `GET`, and needs no look.
    Get,
    /// The head is that of a `HEAD`, and needs no look.
    Head,
}

const CONTENT_LENGTH: &[u8] = b"content-length:";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding:";

impl Scan {
    /// Takes the next bytes; answers whether they complete a head.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        if self.progress == Progress::Waiting {
            // Most requests are reads. Those have no body, and one that claims to have one in chunks
            // is refused whatever else it claims.
            self.progress = match bytes {
                [b'G', b'E', b'T', b' ', ..] => Progress::Get,
                [b'H', b'E', b'A', b'D', b' ', ..] => Progress::Head,
                _ => Progress::Reading,
            };
        }
        if self.progress != Progress::Reading {
            return false;
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), true),
                None => (part, false),
            };
            let room = self.line.len() - self.filled;
            let kept = &text[..text.len().min(room)];
            self.line[self.filled..self.filled + kept.len()].copy_from_slice(kept);
            self.filled += kept.len();
            if ends && self.end_line() {
                self.progress = Progress::Done;
                return true;
            }
        }
        false
    }

    /// Ends a line; answers whether it was the empty one after the headers.
    fn end_line(&mut self) -> bool {
        let line = &self.line[..self.filled];
        let begins = |name: &[u8]| {
            line.get(..name.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        self.has_length |= begins(CONTENT_LENGTH);
        self.has_coding |= begins(TRANSFER_ENCODING);
        let is_empty = matches!(line, [] | [b'\r']);
        self.filled = 0;
        // Empty lines before a request line don't count (RFC 9112, section 2.2).
        let is_end = is_empty && self.has_lines;
        self.has_lines |= !is_empty;
        is_end
    }

    fn is_framed_twice(&self) -> bool {
        self.has_length && self.has_coding
    }

    /// The method, or one that changes something where it is not a read.
    fn method(&self) -> Method {
        match self.progress {
            Progress::Get => Method::GET,
            Progress::Head => Method::HEAD,
            Progress::Waiting | Progress::Reading | Progress::Done => Method::POST,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.look(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(refused) = self.poll_refuse(context, bytes) {
            return refused.map_ok(|()| bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // An answer of hyper's own is one part.
        let first = parts.first().map_or(&[][..], |part| part);
        if let Some(refused) = self.poll_refuse(context, first) {
            return refused.map_ok(|()| first.len());
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // hyper flushes once all that it has made is written.
        let requests = self.exchange.requests();
        if requests != self.settled && !self.exchange.is_answering() {
            self.settled = requests;
            self.scan = Scan::default();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(head: &str, at_a_time: usize) -> (bool, bool) {
        let mut scan = Scan::default();
        let parts: Vec<_> = head.as_bytes().chunks(at_a_time).collect();
        let complete = parts.into_iter().filter(|part| scan.feed(part)).count();
        (complete == 1, scan.is_framed_twice())
    }

    #[test]
    fn both_framings_are_found_however_the_head_is_written_and_arrives() {
        for (head, twice) in [
            (
                "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                true,
            ),
            (
                "\r\nPUT / HTTP/1.1\ntransfer-encoding:chunked\nCONTENT-LENGTH:1\n\n",
                true,
            ),
            (
                "PUT / HTTP/1.1\r\nContent-Length: 1\r\n\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "PUT / HTTP/1.1\r\nX-Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "PUT / HTTP/1.1\r\nTransfer-Encodings: 1\r\nContent-Length: 1\r\n\r\n",
                false,
            ),
        ] {
            for at_a_time in [1, 2, 3, 7, 1_000] {
                assert_eq!(
                    scanned(head, at_a_time),
                    (true, twice),
                    "{head} {at_a_time}"
                );
            }
        }
        let cut = "PUT / HTTP/1.1\r\nContent-Length: 1\r\n";
        assert_eq!(scanned(cut, 5), (false, false));
    }

    #[test]
    fn only_the_answers_that_hyper_makes_by_itself_are_replaced() {
        assert_eq!(
            own_status(b"HTTP/1.1 431 Request"),
            StatusCode::from_u16(431).ok()
        );
        assert_eq!(
            own_status(b"HTTP/1.0 400 Bad"),
            Some(StatusCode::BAD_REQUEST)
        );
        for other in [
            &b"HTTP/1.1 100 Continue"[..],
            b"HTTP/1.1 200 OK",
            b"HTTP/1.1 4",
            b"",
            b"x",
        ] {
            assert_eq!(own_status(other), None);
        }
    }
}
