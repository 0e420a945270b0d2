//! Watches: the changes under a prefix as server-sent events (WHATWG, HTML, section 9.2).
//!
//! A watch reads the log part by part, as fast as its client reads the stream. Nothing is queued for it, so a slow
//! client costs no more than a fast one.

mod event;
mod start;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use prominence_api::name;
use prominence_core::limits::MAX_KEY_BYTES;
use prominence_core::permit::ListPermit;
use prominence_core::{Changes, Cursor, Namespace, StoreError, Timestamp};

use tracing::Span;

use super::call::Call;
use crate::failure::{Failure, Sampler};
use crate::identity::rate::Meter;
use crate::request::{conditional, cursor, kinds};
use crate::wait::budget::{Held, MemoryBudget};
use crate::wait::clock::Timer;
use crate::wait::long_poll::LongPoll;
use event::Events;

/// Lines of the log about watches.
static BROKEN_OFF: Sampler = Sampler::new();

/// A comment line is sent after this time without an event: proxies close connections that are silent for a
/// minute, and a client can tell a dead connection from a prefix without changes.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Bytes after which a part of the stream is sent. It limits the memory of a client that stops reading: at most a
/// few parts are made and not sent.
const PART_BYTES: usize = 32 << 10;

/// Bytes that JSON makes of one, and that a text has beyond its content as it grows.
const JSON_GROWTH: usize = 8;

/// Bytes of an event beside its key and value.
const EVENT_BYTES: usize = 512;

/// Asks proxies such as nginx not to buffer the answer.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers a watch of the prefix in the path.
pub(super) async fn answer(call: &Call, asked: kinds::Watch) -> Result<Response, Failure> {
    conditional::refuse_all(
        &call.headers,
        "does not go with ?watch; send since or Last-Event-ID",
    )?;
    // A client that reconnects repeats the URL, and sends the last event that it has seen in the header.
    let since = cursor::last_event(&call.headers)?.or(asked.since);

    let permit = call.app.gate.list(&call.who, call.target.prefix()?)?;
    let poll = call.start_watch()?;
    let extent = permit.extent().await?;
    let at = start::start(since, extent)?;
    let first = Events::default().mark(at).into_part();
    let values = if asked.values {
        Values::Sent
    } else {
        Values::LeftOut
    };
    let value_bytes = match values {
        Values::Sent => call.app.bounds().value_bytes,
        Values::LeftOut => 0,
    };
    let watch = Watch {
        memory: call.app.memory.clone(),
        meter: call.meter(),
        user: call.who.user.clone(),
        part_memory: PART_BYTES + JSON_GROWTH * (EVENT_BYTES + MAX_KEY_BYTES + value_bytes),
        held: None,
        permit: Arc::new(permit),
        poll,
        clock: Arc::clone(&call.app.clock),
        values,
        at,
        last_sent: call.app.clock.now(),
        read: None,
        span: Span::current(),
    };
    let rest = stream::unfold(watch, |mut watch| async {
        let part = loop {
            let part = watch.part().await?;
            if !part.is_empty() {
                break part;
            }
        };
        Some((Ok::<_, StoreError>(part), watch))
    });
    let first = stream::iter([Ok(first)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    Ok((
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static(name::EVENT_STREAM),
            ),
            (NO_BUFFERING, HeaderValue::from_static("no")),
            (
                HeaderName::from_static(name::REVISION),
                HeaderValue::from(at.revision.get()),
            ),
        ],
        body,
    )
        .into_response())
}

/// The values of events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Sent,
    LeftOut,
}

/// A watch that is being answered.
struct Watch {
    memory: MemoryBudget,
    meter: Meter,
    user: Namespace,
    /// The most memory that the making of a part takes.
    part_memory: usize,
    /// The memory for the next part, if the watch had to wait for it.
    held: Option<Held>,
    permit: Arc<ListPermit>,
    poll: LongPoll,
    clock: Arc<dyn Timer>,
    values: Values,
    /// Everything up to here has been sent.
    at: Cursor,
    last_sent: Timestamp,
    /// The read of the next changes. It goes on over heartbeats, since a new one would read the log again.
    read: Option<BoxFuture<'static, Result<Changes, StoreError>>>,
    /// The span of the request. The connection's task reads the stream, outside of it.
    span: Span,
}

impl Watch {
    /// The next part of the stream, which is empty if it had to wait for memory; or `None` at its end: when the token
    /// ends, the server stops, or the store can't answer. The client reconnects, and then gets the error or resumes.
    async fn part(&mut self) -> Option<Bytes> {
        let permit = Arc::clone(&self.permit);
        let at = self.at;
        let read = self
            .read
            .get_or_insert_with(|| Box::pin(async move { permit.changes(at).await }));
        let beat = self.last_sent.after(HEARTBEAT);
        let never = Box::pin(std::future::pending());
        let found = tokio::select! {
            biased;
            slept = self.poll.sleep(never, Some(beat)) => {
                slept.ok()?;
                None
            }
            found = read => Some(found),
        };
        let part = match found {
            None => Events::default().comment().into_part(),
            Some(found) => {
                self.read = None;
                let held = self.held.take();
                let held = held.or_else(|| self.memory.try_take(&self.user, self.part_memory));
                let Some(mut held) = held else {
                    // The changes are read again later; meanwhile they would take memory, too.
                    drop(found);
                    self.held = Some(self.memory_for_a_part().await?);
                    return Some(Bytes::new());
                };
                let events = self.events(found).await;
                if let Err(error) = &events {
                    let _entered = self.span.enter();
                    BROKEN_OFF.write(
                        |left_out| tracing::warn!(%error, left_out, "a watch was broken off"),
                    );
                }
                let part = events.ok()?.into_part();
                self.meter.items(part.len() / EVENT_BYTES, part.len());
                held.shrink(part.len());
                held.of(part)
            }
        };
        self.last_sent = self.clock.now();
        Some(part)
    }

    /// Waits for the memory of the next part; `None` if the stream ends meanwhile.
    async fn memory_for_a_part(&mut self) -> Option<Held> {
        let never = Box::pin(std::future::pending());
        tokio::select! {
            biased;
            _ended = self.poll.sleep(never, None) => None,
            held = self.memory.take(&self.user, self.part_memory) => held.ok(),
        }
    }

    /// The events of as many changes as fit into a part; the others are read again when the part has been sent, so
    /// that they take no memory meanwhile.
    async fn events(&mut self, found: Result<Changes, StoreError>) -> Result<Events, StoreError> {
        let mut events = Events::default();
        let Changes { changes, next } = match found {
            Ok(changes) => changes,
            Err(StoreError::Compacted { .. }) => {
                let latest = self.permit.extent().await?.latest;
                self.at = Cursor::after(latest);
                return Ok(events.reset(latest));
            }
            Err(error) => return Err(error),
        };
        let mut changes = changes.iter().peekable();
        while let Some(change) = changes.next() {
            // The id of a commit's last change is that of the whole commit.
            let follower = changes.peek().map_or(next, |follower| follower.at);
            let commit = change.at.revision;
            let is_last =
                follower.revision > commit || next.is_past(commit) && changes.peek().is_none();
            self.at = if is_last {
                Cursor::after(commit)
            } else {
                change.at
            };
            let entry = match self.values {
                Values::Sent => self.permit.get(&change.key).await?,
                Values::LeftOut => None,
            };
            // A later change has an event with its own value.
            let entry = entry.filter(|entry| entry.metadata.revision == commit);
            events = events.change(change, self.at, entry.as_ref().map(|entry| &entry.value));
            if events.len() >= PART_BYTES {
                return Ok(events);
            }
        }
        self.at = self.at.max(next);
        Ok(events)
    }
}
