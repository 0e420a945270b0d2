//! Listings and counts.

mod form;

use axum::BoxError;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use prominence_api::{Counted, ErrorCode, path};
use prominence_core::permit::ListPermit;
use prominence_core::{Depth, Page, PageLimit, Prefix, Timestamp};
use tracing::Span;

pub(super) use form::revision_header;
use form::{Form, Framing, Lines, framing, respond};

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
pub(super) async fn list(call: &Call, list: List) -> Result<Response, Failure> {
    let headers = &call.headers;
    conditional::refuse_all(headers, "does not go with ?list, whose answer has no ETag")?;
    let List {
        values,
        detail,
        depth,
        limit,
        after,
    } = list;
    let form = Form { values, detail };
    let permit = call.app.gate.list(&call.who, call.target.prefix()?)?;
    let framing = framing(headers);
    let now = call.app.clock.now();
    let Some(limit) = limit else {
        return stream(permit, after, depth, form, (framing, now)).await;
    };
    let page = permit.page(after, limit, depth, form.projection()).await?;
    let mut body = framing.open().to_vec();
    let mut lines = Lines::new(form, framing, call.app.clock.now());
    lines.write(&mut body, page.items).map_err(internal)?;
    body.extend_from_slice(framing.close());
    let mut response = respond(framing, page.revision, Body::from(body));
    if let Some(next) = page.next {
        response
            .headers_mut()
            .insert(header::LINK, link(&next, limit, depth, form)?);
    }
    Ok(response)
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

/// Streams every page, one after another. The first page is read before the answer begins, so that an error has
/// a status; a later error closes the connection, which no client can mistake for the end of an array. The
/// revision is that of the first page: a watch from there has every change that later pages may or may not show.
async fn stream(
    permit: ListPermit,
    after: Option<Prefix>,
    depth: Depth,
    form: Form,
    (framing, now): (Framing, Timestamp),
) -> Result<Response, Failure> {
    let names = if form.values {
        STREAMED_ENTRIES
    } else {
        STREAMED_NAMES
    };
    let limit = PageLimit::new(names).unwrap_or(PageLimit::MAX);
    let first = permit.page(after, limit, depth, form.projection()).await?;
    let revision = first.revision;
    let lines = Lines::new(form, framing, now);
    // The connection's task reads the stream, outside of this request's span.
    let span = Span::current();

    let chunks = stream::try_unfold(
        (permit, lines, Some(Next::Ready(first))),
        move |(permit, mut lines, next)| {
            let span = span.clone();
            async move {
                let page = match next {
                    None => return Ok(None),
                    Some(Next::Ready(page)) => page,
                    Some(Next::After(at)) => {
                        let page = permit.page(Some(at), limit, depth, form.projection()).await;
                        // The client sees a closed connection; the reason is only in the log.
                        page.inspect_err(|error| {
                            span.in_scope(|| tracing::warn!(%error, "a listing was broken off"));
                        })?
                    }
                };
                let mut chunk = Vec::new();
                if lines.first {
                    chunk.extend_from_slice(framing.open());
                }
                lines.write(&mut chunk, page.items)?;
                lines.first = false;
                let next = page.next.map(Next::After);
                if next.is_none() {
                    chunk.extend_from_slice(framing.close());
                }
                Ok::<_, BoxError>(Some((Bytes::from(chunk), (permit, lines, next))))
            }
        },
    );
    Ok(respond(framing, revision, Body::from_stream(chunks)))
}

/// The next page of a stream.
enum Next {
    Ready(Page),
    After(Prefix),
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
