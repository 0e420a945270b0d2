//! Listings and counts.

mod form;

use axum::BoxError;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use prominence_api::name::parameter;
use prominence_api::{Counted, ErrorCode, path};
use prominence_core::limits::MAX_PAGE_KEYS;
use prominence_core::permit::{ListPermit, Principal};
use prominence_core::{Count, Depth, Page, PageLimit, Prefix, Timestamp};

pub(super) use form::revision_header;
use form::{Form, Framing, Lines, framing, respond};

use super::wait;
use crate::app::App;
use crate::conditional;
use crate::failure::Failure;
use crate::hold::{Holder, Wait};
use crate::query::Query;
use crate::target::Target;

/// Names read from the store at a time while a listing without a limit is streamed: few enough
/// to keep a request's memory small, many enough to make the asking cheap.
const STREAMED_NAMES: usize = 1_000;
/// The same with values, of which each can have 16 KB.
const STREAMED_ENTRIES: usize = 100;

/// What kind of listing is asked for.
pub(crate) enum Listing {
    /// How many.
    Count,
    /// Which.
    Items(Form),
}

impl Listing {
    /// Takes the parameters that choose a listing; `None` where none is asked for.
    pub(crate) fn asked_for(query: &mut Query<'_>) -> Result<Option<Self>, Failure> {
        let list = query.flag(parameter::LIST)?;
        if query.flag(parameter::COUNT)? {
            return Ok(Some(Self::Count));
        }
        if !list {
            return Ok(None);
        }
        let values = query.flag(parameter::VALUES)?;
        let detail = query.flag(parameter::DETAIL)?;
        Ok(Some(Self::Items(Form { values, detail })))
    }
}

/// Answers a listing of the prefix that the path names.
pub(crate) async fn answer(
    app: &App,
    who: &Principal,
    target: &Target,
    listing: Listing,
    mut query: Query<'_>,
    headers: &HeaderMap,
    holder: Holder,
) -> Result<Response, Failure> {
    let Listing::Items(form) = listing else {
        conditional::refuse_all(headers, "does not go with ?count, whose answer has no ETag")?;
        let count = count(app, who, target, query, holder).await?;
        let body = Json(Counted { count: count.keys });
        return Ok((revision_header(count.revision), body).into_response());
    };
    let depth = match query.text(parameter::DELIMITER)?.as_deref() {
        None => Depth::All,
        Some("/") => Depth::OneLevel,
        Some(_) => {
            return Err(Failure::bad_request(
                "the parameter \"delimiter\" can only be /",
            ));
        }
    };
    let limit = query.parsed(parameter::LIMIT, |text| {
        text.parse()
            .ok()
            .and_then(PageLimit::new)
            .ok_or(format!("it can be 1 to {MAX_PAGE_KEYS}"))
    })?;
    let after = match query.text(parameter::AFTER)? {
        None => None,
        Some(text) => Some(Prefix::parse(&text).map_err(crate::target::bad_key)?),
    };
    query.finish("?list")?;
    conditional::refuse_all(headers, "does not go with ?list, whose answer has no ETag")?;

    let prefix = target.prefix()?;
    let permit = app.gate.list(who, prefix)?;
    let framing = framing(headers);
    let Some(limit) = limit else {
        return stream(permit, after, depth, form, (framing, app.clock.now())).await;
    };
    let page = permit.page(after, limit, depth, form.projection()).await?;
    let mut body = framing.open().to_vec();
    let mut lines = Lines::new(form, framing, app.clock.now());
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

/// Counts the keys, at once or when there are enough of them.
async fn count(
    app: &App,
    who: &Principal,
    target: &Target,
    mut query: Query<'_>,
    holder: Holder,
) -> Result<Count, Failure> {
    let wait = Wait::asked_for(&mut query)?;
    let at_least = query.parsed(parameter::AT_LEAST, |text| {
        let number = text.parse::<u64>().ok().filter(|number| *number > 0);
        number.ok_or("it can be 1 or more")
    })?;
    query.finish("?count")?;
    let prefix = target.prefix()?;
    let permit = app.gate.list(who, prefix.clone())?;
    match (at_least, wait) {
        (None, None) => Ok(permit.count().await?),
        (Some(at_least), Some(wait)) => {
            wait::count(app, who, (&permit, &prefix), at_least, (holder, wait)).await
        }
        (Some(_), None) | (None, Some(_)) => Err(Failure::bad_request(
            "at_least and wait go together: the number of keys to wait for, and for how long",
        )),
    }
}

/// Streams every page, one after another. The first is read before the answer begins, so that
/// what is wrong from the start has a status of its own; a later failure breaks the connection
/// off, which no client can take for the end of an array. The revision is the first page's: a
/// watch from there tells every change that a later page may or may not show.
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

    let chunks = stream::try_unfold(
        (permit, lines, Some(Next::Ready(first))),
        move |(permit, mut lines, next)| async move {
            let page = match next {
                None => return Ok(None),
                Some(Next::Ready(page)) => page,
                Some(Next::After(at)) => {
                    let page = permit.page(Some(at), limit, depth, form.projection()).await;
                    // The caller sees a broken connection; the reason stands only here.
                    page.inspect_err(|error| tracing::warn!(%error, "a listing was broken off"))?
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
        },
    );
    Ok(respond(framing, revision, Body::from_stream(chunks)))
}

/// Where a stream goes on.
enum Next {
    Ready(Page),
    After(Prefix),
}

/// The next page's address (RFC 8288), relative to this one's: the query alone. So it holds wherever
/// a proxy has put this interface.
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

/// What can only be a bug.
fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal, error.to_string())
}
