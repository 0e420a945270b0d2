//! Listings and counts.

mod form;
mod parts;

use axum::BoxError;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use prominence_api::{Counted, ErrorCode, path};
use prominence_core::{Depth, PageLimit, Prefix};
use tracing::Span;

pub(super) use form::revision_header;
use form::{Form, Lines, framing, respond};
use parts::{Pages, Parts};

use super::call::Call;
use super::waiting_read;
use crate::failure::Failure;
use crate::request::conditional;
use crate::request::kinds::{Count, List};

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
    let pages = Pages {
        permit: call.app.gate.list(&call.who, call.target.prefix()?)?,
        limit: list.limit.unwrap_or_else(|| streamed(form)),
        depth: list.depth,
        form,
        framing: framing(headers),
    };
    let lines = Lines::new(form, pages.framing, call.app.clock.now());
    let value_bytes = call.app.bounds.value_bytes;
    let most = pages.most_memory(value_bytes);
    let mut held = call.app.memory.take(&call.who.user, most).await?;
    let page = pages.read(list.after).await?;
    if list.limit.is_some() || page.next.is_none() {
        held.shrink(pages.memory_of(&page, value_bytes));
    }
    let (framing, revision) = (pages.framing, page.revision);
    let (link, next) = match (list.limit, page.next) {
        (Some(limit), Some(next)) => (Some(link(&next, limit, list.depth, form)?), None),
        (_, next) => (None, next),
    };
    let parts = Parts::new((pages, lines), page.items, next, held);
    let mut response = respond(framing, revision, body_of(parts).await?);
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

/// The body of a listing: at once if it is one part, so that its length is known, and a stream otherwise.
async fn body_of(mut parts: Parts) -> Result<Body, Failure> {
    let first = parts.next().await.map_err(internal)?.unwrap_or_default();
    if parts.is_complete() {
        return Ok(Body::from(first));
    }
    // The connection's task reads the stream, outside of this request's span.
    let span = Span::current();
    let rest = stream::try_unfold(parts, move |mut parts| {
        let span = span.clone();
        async move {
            let part = parts.next().await;
            // The client sees a closed connection; the reason is only in the log.
            let part = part.inspect_err(|error| {
                span.in_scope(|| tracing::warn!(%error, "a listing was broken off"));
            })?;
            Ok::<_, BoxError>(part.map(|part| (part, parts)))
        }
    });
    let first = stream::iter([Ok(first)]);
    Ok(Body::from_stream(futures_util::StreamExt::chain(
        first, rest,
    )))
}

/// Answers the number of keys, at once or when there are enough of them.
pub(super) async fn count(call: &Call, count: Count) -> Result<Response, Failure> {
    conditional::refuse_all(
        &call.headers,
        "does not go with ?count, whose answer has no ETag",
    )?;
    let prefix = call.target.prefix()?;
    let permit = call.app.gate.list(&call.who, prefix.clone())?;
    let count = match (count.at_least, count.wait) {
        (None, None) => permit.count().await?,
        (Some(at_least), Some(wait)) => {
            waiting_read::count(call, (&permit, &prefix), at_least, wait).await?
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(Failure::bad_request(
                "at_least and wait go together: the number of keys to wait for, and for how long",
            ));
        }
    };
    let body = Json(Counted { count: count.keys });
    Ok((revision_header(count.revision), body).into_response())
}

/// The next page's address (RFC 8288), relative to this one's: the query alone. So it is right under any
/// path at which a proxy serves this interface.
fn link(next: &Prefix, limit: PageLimit, depth: Depth, form: Form) -> Result<HeaderValue, Failure> {
    let mut address = format!(
        "?list&limit={}&after={}",
        limit.get(),
        path::query_value(next.as_str()),
    );
    if depth == Depth::OneLevel {
        address.push_str("&delimiter=/");
    }
    if form.values {
        address.push_str("&values");
    }
    if form.detail {
        address.push_str("&detail");
    }
    HeaderValue::try_from(format!("<{address}>; rel=\"next\"")).map_err(internal)
}

/// 500 for an error that can only be a bug.
fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal, error.to_string())
}
