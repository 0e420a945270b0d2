//! The state that the two ends of a connection share: its stream, which sees bytes, and its service, which sees
//! requests.
//!
//! HTTP/1.1 answers one request of a connection after the other, so there is one state at a time.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use crate::request::log::LoggedRequest;

/// The state of one connection.
#[derive(Default)]
pub(crate) struct Exchange {
    /// Requests so far that were handed to the service.
    requests: AtomicU32,
    /// From the moment that a request is handed to the service until its answer is made.
    answering: AtomicBool,
    /// The number of the request whose head the stream has read last, with its framing.
    framed: AtomicU32,
    /// True if that head has both `Content-Length` and `Transfer-Encoding`.
    framed_twice: AtomicBool,
    /// True if bytes may still arrive that no request will read.
    linger: AtomicBool,
    /// The body of the current request, if its handler did not read it to the end.
    unread: Mutex<Option<Incoming>>,
}

/// The way in which the head of a request marks the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By one header, or there is no body.
    Once,
    /// By two headers; a proxy may have used the other one (RFC 9112, section 6.1).
    Twice,
    /// Not known: the head came together with an earlier request, so the stream did not scan it.
    Unknown,
}

impl Exchange {
    /// Notes that a request is handed to the service, and returns the framing that the stream saw.
    pub(crate) fn begin(&self) -> Framing {
        self.answering.store(true, Ordering::Release);
        let number = self.requests.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        if self.framed.load(Ordering::Acquire) != number {
            Framing::Unknown
        } else if self.framed_twice.load(Ordering::Acquire) {
            Framing::Twice
        } else {
            Framing::Once
        }
    }

    /// The number of requests that were handed to the service.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Acquire)
    }

    /// True if the service still makes an answer.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Acquire)
    }

    /// Notes the framing of the next request, whose head is arriving.
    pub(crate) fn frame(&self, twice: bool) {
        self.framed_twice.store(twice, Ordering::Release);
        let next = self.requests().wrapping_add(1);
        self.framed.store(next, Ordering::Release);
    }

    /// Has the connection read on for a while before it is closed.
    pub(crate) fn linger(&self) {
        self.linger.store(true, Ordering::Release);
    }

    /// True to read on before closing.
    pub(crate) fn lingers(&self) -> bool {
        self.linger.load(Ordering::Acquire)
    }

    /// Takes the body that a handler did not read to the end.
    pub(crate) fn take_unread(&self) -> Option<Incoming> {
        self.unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// A request's body. If a handler drops it unread it goes back to its connection, which has to read the rest or
/// close.
pub(crate) struct Returned {
    /// There until the body has ended.
    body: Option<Incoming>,
    exchange: Arc<Exchange>,
}

impl Returned {
    pub(crate) fn new(body: Incoming, exchange: Arc<Exchange>) -> Self {
        Self {
            body: Some(body),
            exchange,
        }
    }
}

impl HttpBody for Returned {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            let unread = &self.exchange.unread;
            *unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

/// An answer's body, which ends the answer when it is dropped.
pub(crate) struct Answering {
    body: Body,
    exchange: Arc<Exchange>,
    /// The line of the request, if it is logged.
    logged: Option<LoggedRequest>,
}

impl Answering {
    /// The answer, with the end of its body noted.
    pub(crate) fn of(
        mut response: Response<Body>,
        exchange: Arc<Exchange>,
        mut logged: Option<LoggedRequest>,
    ) -> Response<Self> {
        if let Some(logged) = &mut logged {
            logged.answered(&mut response);
        }
        response.map(|body| Self {
            body,
            exchange,
            logged,
        })
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(logged)) = (&frame, &mut self.logged) {
            logged.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.exchange.answering.store(false, Ordering::Release);
    }
}
