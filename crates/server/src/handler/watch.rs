//! Watches: the changes under a prefix as server-sent events (WHATWG, HTML, section 9.2).
//!
//! A watch is read from the log part by part, as fast as its reader takes it. Nothing is queued
//! for it meanwhile, so a slow one costs no more than a fast one.

mod event;
mod place;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use prominence_api::name::{self, parameter};
use prominence_core::permit::{ListPermit, Principal};
use prominence_core::{Changes, Cursor, StoreError, Timestamp};

use crate::app::App;
use crate::clock::Timer;
use crate::conditional;
use crate::failure::Failure;
use crate::hold::{Hold, Holder};
use crate::query::Query;
use crate::target::Target;
use event::Events;

/// A comment line is sent after this long without an event: proxies close what is silent for a
/// minute, and a reader can tell a dead connection from a quiet prefix.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Bytes after which a part of the stream is sent. It bounds what a reader that doesn't read
/// costs: what has been made and not sent is at most a few of these.
const PART_BYTES: usize = 32 << 10;

/// Asked of proxies that keep answers until they are whole (nginx).
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers a watch of the prefix that the path names.
pub(super) async fn answer(
    app: &App,
    who: &Principal,
    target: &Target,
    mut query: Query<'_>,
    headers: &HeaderMap,
    holder: Holder,
) -> Result<Response, Failure> {
    let values = Values::asked_for(&mut query)?;
    let since = query.parsed(parameter::SINCE, place::parse)?;
    query.finish("?watch")?;
    conditional::refuse_all(
        headers,
        "does not go with ?watch; send since or Last-Event-ID",
    )?;
    // A reader that reconnects sends the same address again, and where it has come to beside it.
    let since = place::last_event(headers)?.or(since);

    let permit = app.gate.list(who, target.prefix()?)?;
    let hold = holder.stream(app, who)?;
    let extent = permit.extent().await?;
    let at = place::start(since, extent)?;
    let first = Events::default().mark(at).into_part();
    let watch = Watch {
        permit: Arc::new(permit),
        hold,
        clock: Arc::clone(&app.clock),
        values,
        at,
        last_sent: app.clock.now(),
        looking: None,
    };
    let rest = stream::unfold(watch, |mut watch| async {
        let part = watch.part().await?;
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

/// Whether a watch tells values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Told,
    LeftOut,
}

/// A watch that goes on.
struct Watch {
    permit: Arc<ListPermit>,
    hold: Hold,
    clock: Arc<dyn Timer>,
    values: Values,
    /// Up to where the reader has been told everything.
    at: Cursor,
    last_sent: Timestamp,
    /// The next changes. Kept over heartbeats, since asking for them costs a look into the log.
    looking: Option<BoxFuture<'static, Result<Changes, StoreError>>>,
}

impl Values {
    fn asked_for(query: &mut Query<'_>) -> Result<Self, Failure> {
        Ok(if query.flag(parameter::VALUES)? {
            Self::Told
        } else {
            Self::LeftOut
        })
    }
}

impl Watch {
    /// The next part of the stream, or `None` at its end: when the token ends, the server stops,
    /// or the store can't answer. The reader comes back and hears the reason, or goes on.
    async fn part(&mut self) -> Option<Bytes> {
        let permit = Arc::clone(&self.permit);
        let at = self.at;
        let looking = self
            .looking
            .get_or_insert_with(|| Box::pin(async move { permit.changes(at).await }));
        let beat = self.last_sent.after(HEARTBEAT);
        let never = Box::pin(std::future::pending());
        let found = tokio::select! {
            biased;
            slept = self.hold.sleep(never, Some(beat)) => {
                slept.ok()?;
                None
            }
            found = looking => Some(found),
        };
        let part = match found {
            None => Events::default().comment(),
            Some(found) => {
                self.looking = None;
                self.tell(found)
                    .await
                    .map_err(|error| {
                        tracing::warn!(%error, "a watch was broken off");
                    })
                    .ok()?
            }
        };
        self.last_sent = self.clock.now();
        Some(part.into_part())
    }

    /// As many of the changes as fit into a part; the others are read again when it has been
    /// sent, so that they take no memory meanwhile.
    async fn tell(&mut self, found: Result<Changes, StoreError>) -> Result<Events, StoreError> {
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
            // The last of a commit's changes stands for the whole of it.
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
                Values::Told => self.permit.get(&change.key).await?,
                Values::LeftOut => None,
            };
            // A later change will tell of its own value.
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
