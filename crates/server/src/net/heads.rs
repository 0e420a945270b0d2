//! The scan of request heads, before hyper parses them.
//!
//! hyper answers a head that it can't parse by itself, with an empty body, and never hands it to the
//! service; and of a head with two framings it shows one. So this stream scans the bytes: it replaces the answers that
//! hyper makes by itself by errors like all others, and reports a second framing to the service. While no request is
//! being answered, sent bytes are hyper's own, and arriving bytes are the next head.
//!
//! hyper keeps a head in memory until it is complete. One that is larger than usual takes its memory from what there is
//! for all heads, by source; where that is used up, the connection ends.

mod scan;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::{HeaderMap, Method, StatusCode};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use prominence_api::body::MAX_BATCH_BYTES;
use prominence_api::{ErrorCode, name};
use prominence_core::value::TOO_LARGE_ADVICE;
use prominence_engines::fair_permits::Permit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::failure::Failure;
use crate::http::exchange::Exchange;
use crate::identity::source::Source;
use crate::net::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::request::id;
use crate::wait::connection::Standing;
use scan::{Fault, Scan};

/// Bytes of a head that is not complete which are not counted: more than most heads have, and what hyper reads at a
/// time.
const USUAL_HEAD_BYTES: usize = 8 << 10;

/// Bytes of a request line's target; hyper's own limit.
const MAX_TARGET_BYTES: usize = 65_534;

/// A stream that scans heads.
pub(super) struct Heads<S> {
    stream: S,
    exchange: Arc<Exchange>,
    /// The number of requests that had been handed to the service when the last answer was sent completely.
    settled: u32,
    scan: Scan,
    standing: Arc<Standing>,
    /// Bytes of the head that arrives.
    head_bytes: usize,
    /// The memory of that head, if it is larger than usual.
    memory: Option<Permit<Source>>,
    /// Bytes that a value can have, for the message about a length that is beyond it.
    value_limit: usize,
    /// The answer that is written instead of hyper's.
    refusal: Option<Refusal>,
}

struct Refusal {
    bytes: Vec<u8>,
    written: usize,
}

impl<S> Heads<S> {
    pub(super) fn new(
        stream: S,
        exchange: Arc<Exchange>,
        standing: Arc<Standing>,
        value_limit: usize,
    ) -> Self {
        Self {
            stream,
            exchange,
            settled: 0,
            scan: Scan::default(),
            standing,
            head_bytes: 0,
            memory: None,
            value_limit,
            refusal: None,
        }
    }

    /// True if every request so far is answered, and the answers are sent.
    fn is_settled(&self) -> bool {
        self.exchange.requests() == self.settled
    }

    /// Scans bytes that arrived.
    ///
    /// # Errors
    /// If there is no memory for the head.
    fn scan(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_settled() {
            return Ok(());
        }
        if self.scan.feed(bytes) {
            self.exchange.frame(self.scan.is_framed_twice());
        }
        self.head_bytes += bytes.len();
        if self.head_bytes <= USUAL_HEAD_BYTES || self.scan.is_complete() || self.memory.is_some() {
            return Ok(());
        }
        self.memory = self.standing.memory_for_head(MAX_HEAD_BYTES);
        match self.memory {
            Some(_) => Ok(()),
            None => {
                let reason = "there is no memory for the large head of a request";
                Err(io::Error::new(io::ErrorKind::OutOfMemory, reason))
            }
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
            let bytes = refusal(status, &self.scan, self.value_limit);
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

/// The status of an answer that hyper makes by itself; `None` for other answers.
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
fn refusal(status: StatusCode, scan: &Scan, value_limit: usize) -> Vec<u8> {
    let method = &scan.method();
    let failure = failure(status, scan.fault(), value_limit);
    let status = failure.status();
    let id = id::request_id(&HeaderMap::new());
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

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_idle = read.is_pending() && self.is_settled();
        self.standing.set_idle(is_idle);
        ready!(read)?;
        Poll::Ready(self.scan(&buffer.filled()[before..]))
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
            (self.head_bytes, self.memory) = (0, None);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What still arrives is no request.
        self.standing.set_idle(true);
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The reason that a head can't be parsed. hyper tells its status; the header comes from the scan.
fn failure(status: StatusCode, fault: Option<Fault>, value_limit: usize) -> Failure {
    match (fault, status) {
        (_, StatusCode::URI_TOO_LONG) => Failure::new(
            ErrorCode::UriTooLong,
            format!(
                "the request's address has more than {MAX_TARGET_BYTES} bytes, which is the limit; shorten \
                 the key or the parameters"
            ),
        ),
        (Some(Fault::LengthBeyondCounting), _) => Failure::new(
            ErrorCode::ValueTooLarge,
            format!(
                "Content-Length is larger than any body can be; a value has at most {value_limit} bytes, \
                 and a batch {MAX_BATCH_BYTES}; {TOO_LARGE_ADVICE}"
            ),
        ),
        (_, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => Failure::new(
            ErrorCode::HeadTooLarge,
            format!(
                "the request line and headers have more than {MAX_HEAD_BYTES} bytes, or there are more \
                 than {MAX_HEADERS} headers, which are the limits; send fewer or shorter headers"
            ),
        ),
        (Some(Fault::LengthsDiffer), _) => Failure::bad_request(
            "the header Content-Length is there more than once, with different numbers; send it once, \
             with the number of bytes of the body",
        ),
        (Some(Fault::NoLength), _) => Failure::bad_request(
            "the header Content-Length is not a number of digits alone; send the number of bytes of the \
             body, as in Content-Length: 5",
        ),
        (Some(Fault::Coding), _) => Failure::bad_request(
            "the header Transfer-Encoding can only be chunked, and only in HTTP/1.1; send \
             Transfer-Encoding: chunked, or Content-Length instead",
        ),
        (None, _) => Failure::bad_request(
            "the request line or a header, such as Content-Length or Transfer-Encoding, is not HTTP/1.1 \
             (RFC 9112); use an HTTP client, and percent-encode the address",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::wait::connection::{Connections, PlaceLimits, Proxies};

    /// A connection on which these bytes arrive, and the first read of them.
    async fn arriving(
        connections: &Connections,
        bytes: &str,
    ) -> (Heads<DuplexStream>, io::Result<usize>) {
        let (ours, mut theirs) = duplex(MAX_HEAD_BYTES);
        theirs.write_all(bytes.as_bytes()).await.unwrap();
        let standing = connections.open(Ipv4Addr::LOCALHOST.into()).await;
        let mut heads = Heads::new(ours, Arc::default(), Arc::new(standing), 100);
        let read = heads.read(&mut vec![0; MAX_HEAD_BYTES]).await;
        (heads, read)
    }

    #[tokio::test]
    async fn large_heads_have_so_much_memory_until_they_are_complete() {
        let connections = Connections::new(PlaceLimits {
            proxies: Proxies::default(),
            users: 64,
            head_memory: 2 * MAX_HEAD_BYTES,
            lifetime: Duration::MAX,
        });
        let rest = "x".repeat(2 * USUAL_HEAD_BYTES);
        let unfinished = format!("GET /{rest}");
        let (first, read) = arriving(&connections, &unfinished).await;
        assert!(read.is_ok());
        // One source has half of the memory.
        let (_, read) = arriving(&connections, &unfinished).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        for usual in [
            "GET / HTTP/1.1\r\n",
            &format!("PUT / HTTP/1.1\r\n\r\n{rest}"),
        ] {
            assert!(arriving(&connections, usual).await.1.is_ok(), "{usual}");
        }
        drop(first);
        assert!(arriving(&connections, &unfinished).await.1.is_ok());
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
