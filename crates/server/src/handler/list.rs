//! Listings and counts.

mod form;
mod parts;

use std::io;

use axum::BoxError;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use prominence_api::{Counted, ErrorCode, path};
use prominence_core::{Depth, Order, PageLimit, Prefix};
use tracing::Span;

pub(super) use form::revision_header;
use form::{Form, Lines, framing, respond};
use parts::{Pages, Parts};

use super::call::Call;
use super::compression::{self, Coding, Encoder};
use super::waiting_read;
use crate::failure::{Failure, Sampler};
use crate::request::conditional;
use crate::request::kinds::{Count, List};

/// Lines of the log about listings.
static BROKEN_OFF: Sampler = Sampler::new();

/// Names in each page of a listing without a limit: few, so that the request takes little memory, and enough for
/// the reads to cost little.
const STREAMED_NAMES: usize = 1_000;
/// The same with values of up to 16 KB each.
const STREAMED_ENTRIES: usize = 100;

/// Answers a listing of the prefix in the path.
///
/// The first page is read before the answer begins, so that an error has a status; a later error closes the
/// connection, which no client can mistake for the end of an array. Without a limit the answer goes on with further
/// pages. The revision is that of the first one: a watch from there has every change that later pages may or may
/// not show.
pub(super) async fn list(call: &Call, list: List) -> Result<Response, Failure> {
    let headers = &call.headers;
    conditional::refuse_all(headers, "does not go with ?list, whose answer has no ETag")?;
    let form = Form {
        values: list.values,
        detail: list.detail,
    };
    let depth = match (list.depth, list.counts) {
        (depth, None) => depth,
        (Depth::OneLevel, Some(at_most)) if list.detail => Depth::OneLevelCounted(at_most),
        (_, Some(_)) => {
            return Err(Failure::bad_request(
                "counts goes with delimiter=/ and detail, which show folders as objects",
            ));
        }
    };
    let pages = Pages {
        permit: call.app.gate.list(&call.who, call.target.prefix()?)?,
        limit: list.limit.unwrap_or_else(|| streamed(form)),
        order: list.order,
        depth,
        form,
        framing: framing(headers),
        meter: call.meter(),
    };
    let lines = Lines::new(form, pages.framing, call.app.clock.now());
    let value_bytes = call.app.bounds().value_bytes;
    let coding = Coding::accepted(headers);
    let for_coding = coding.map_or(0, Coding::memory);
    let most = pages.most_memory(value_bytes) + for_coding;
    let mut held = call.app.memory.take(&call.who.user, most).await?;
    let page = pages.read(list.after).await?;
    if list.limit.is_some() || page.next.is_none() {
        held.shrink(pages.memory_of(&page, value_bytes) + for_coding);
    }
    let (framing, revision) = (pages.framing, page.revision);
    let (link, next) = match (list.limit, page.next) {
        (Some(_), Some(next)) => (Some(link(&next, &pages)?), None),
        (_, next) => (None, next),
    };
    let parts = Parts::new((pages, lines), page.items, next, held);
    let (body, coding) = body_of(parts, coding).await?;
    let mut response = respond(framing, revision, body);
    if let Some(coding) = coding {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, coding.header());
    }
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The size of the pages of a listing without a limit.
fn streamed(form: Form) -> PageLimit {
    let items = match form.values {
        true => STREAMED_ENTRIES,
        false => STREAMED_NAMES,
    };
    PageLimit::new(items).unwrap_or(PageLimit::MAX)
}

/// The body of a listing, and its coding: at once if it is one part, so that its length is known, and a stream
/// otherwise.
async fn body_of(
    mut parts: Parts,
    coding: Option<Coding>,
) -> Result<(Body, Option<Coding>), Failure> {
    let first = parts.next().await.map_err(internal)?.unwrap_or_default();
    if parts.is_complete() {
        let (whole, coding) = compression::whole(coding, first).map_err(internal)?;
        return Ok((Body::from(whole), coding));
    }
    let mut encoded = EncodedParts {
        encoder: coding.map(Encoder::new).transpose().map_err(internal)?,
        parts,
    };
    let first = encoded.encode(first).map_err(internal)?;
    // The connection's task reads the stream, outside of this request's span.
    let span = Span::current();
    let rest = stream::try_unfold(encoded, move |mut encoded| {
        let span = span.clone();
        async move {
            let part = encoded.next().await;
            // The client sees a closed connection; the reason is only in the log.
            let part = part.inspect_err(|error| {
                span.in_scope(|| {
                    BROKEN_OFF.write(
                        |left_out| tracing::warn!(%error, left_out, "a listing was broken off"),
                    );
                });
            })?;
            Ok::<_, BoxError>(part.map(|part| (part, encoded)))
        }
    });
    let first = stream::iter([Ok(first)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    Ok((body, coding))
}

/// The parts of a listing in its coding.
struct EncodedParts {
    parts: Parts,
    encoder: Option<Encoder>,
}

impl EncodedParts {
    /// The next part; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        Ok(match self.parts.next().await? {
            Some(part) => Some(self.encode(part)?),
            None => self.encoder.take().map(Encoder::finish).transpose()?,
        })
    }

    fn encode(&mut self, part: Bytes) -> io::Result<Bytes> {
        match &mut self.encoder {
            Some(encoder) => encoder.part(&part),
            None => Ok(part),
        }
    }
}

/// Answers the number of keys, at once or when there are enough of them.
pub(super) async fn count(call: &Call, count: Count) -> Result<Response, Failure> {
    conditional::refuse_all(
        &call.headers,
        "does not go with ?count, whose answer has no ETag",
    )?;
    let prefix = call.target.prefix()?;
    let permit = call.app.gate.list(&call.who, prefix.clone())?;
    let count = match (count.at_least, count.wait, count.at_most) {
        (None, None, at_most) => permit.count(at_most).await?,
        (Some(at_least), Some(wait), None) => {
            waiting_read::count(call, (&permit, &prefix), at_least, wait).await?
        }
        (_, _, Some(_)) => {
            return Err(Failure::bad_request(
                "at_most does not go with at_least and wait, which need the whole count",
            ));
        }
        (Some(_), None, None) | (None, Some(_), None) => {
            return Err(Failure::bad_request(
                "at_least and wait go together: the number of keys to wait for, and for how long",
            ));
        }
    };
    call.meter().counted(count.keys);
    let body = Json(Counted {
        count: count.keys,
        more: count.more,
    });
    Ok((revision_header(count.revision), body).into_response())
}

/// The next page's address (RFC 8288), relative to this one's: the query alone. So it is right under any
/// path at which a proxy serves this interface.
fn link(next: &Prefix, pages: &Pages) -> Result<HeaderValue, Failure> {
    let mut address = format!(
        "?list&limit={}&after={}",
        pages.limit.get(),
        path::query_value(next.as_str()),
    );
    match pages.depth {
        Depth::All => {}
        Depth::OneLevel => address.push_str("&delimiter=/"),
        Depth::OneLevelCounted(at_most) => {
            address.push_str(&format!("&delimiter=/&counts={at_most}"));
        }
    }
    if pages.order == Order::Descending {
        address.push_str("&order=desc");
    }
    if pages.form.values {
        address.push_str("&values");
    }
    if pages.form.detail {
        address.push_str("&detail");
    }
    HeaderValue::try_from(format!("<{address}>; rel=\"next\"")).map_err(internal)
}

/// 500 for an error that can only be a bug.
fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal, error.to_string())
}
