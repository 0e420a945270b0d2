//! Claims: taking the next piece of work, keeping it for longer, giving it back.

mod attempt;

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name::{self, parameter};
use prominence_api::path;
use prominence_api::time::{format_duration, parse_duration, rfc3339};
use prominence_api::{Released, Renewed};
use prominence_core::limits::MAX_CLAIM;
use prominence_core::{Committed, Key, Operation, Outcome, Prefix, Principal};

use self::attempt::{Found, Taken, attempt};
use super::commit::{self, Expected};
use super::{kv, value};
use crate::app::App;
use crate::conditional::{self, ReadConditions, WriteCondition};
use crate::failure::Failure;
use crate::hold::{Held, Holder, Wait, Woken};
use crate::query::Query;
use crate::target::Target;

/// Takes the first key under the prefix that nobody holds a live claim on.
pub(super) async fn take(
    app: &App,
    who: &Principal,
    target: &Target,
    (mut query, holder): (Query<'_>, Holder),
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let Some(hold) = query.parsed(parameter::CLAIM, duration)? else {
        return Err(Failure::surprised());
    };
    let wait = Wait::asked_for(&mut query)?;
    query.finish("?claim")?;
    let prefix = target.prefix()?;
    conditional::no_write_id(headers, "?claim")?;
    conditional::refuse_all(
        headers,
        "does not go with ?claim, which takes whatever is free",
    )?;
    value::none(headers, body, &app.bounds, "?claim").await?;
    let taken = match wait {
        None => match attempt(app, who, &prefix, hold).await? {
            Found::Work(taken) => Some(taken),
            Found::Nothing(_) => None,
        },
        Some(wait) => take_or_wait(app, who, &prefix, hold, (holder, wait)).await?,
    };
    let Some((key, entry)) = taken.and_then(|taken| taken.keep()) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut response = kv::render(
        entry,
        &ReadConditions::default(),
        &*app.clock,
        app.clock.wall(),
    )?;
    // Percent-encoded text is always a valid header.
    let name = HeaderValue::try_from(path::encoded(&key)).map_err(|_| Failure::surprised())?;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(name::KEY), name);
    Ok(response)
}

/// Makes a claim last longer.
pub(super) async fn renew(
    app: &App,
    who: &Principal,
    target: &Target,
    mut query: Query<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let Some(hold) = query.parsed(parameter::RENEW, duration)? else {
        return Err(Failure::surprised());
    };
    query.finish("?renew")?;
    let key = target.key()?;
    let renew = Operation::Renew {
        key: key.clone(),
        hold,
    };
    let committed = change(app, who, (&key, renew), headers, body, "?renew").await?;
    let Some(Outcome::Renewed(until)) = committed.outcomes.first() else {
        return Err(Failure::surprised());
    };
    let revision = committed.revision;
    let answer = Json(Renewed {
        key: key.to_string(),
        revision: revision.get(),
        claimed_until: rfc3339(*until),
    });
    let tag = (header::ETAG, conditional::etag(revision));
    Ok(([tag], answer).into_response())
}

/// Ends a claim, so that another worker can take the key.
pub(super) async fn release(
    app: &App,
    who: &Principal,
    target: &Target,
    query: Query<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    query.finish("?release")?;
    let key = target.key()?;
    let release = Operation::Release { key: key.clone() };
    let committed = change(app, who, (&key, release), headers, body, "?release").await?;
    let revision = committed.revision;
    let answer = Json(Released {
        key: key.to_string(),
        revision: revision.get(),
    });
    Ok(([(header::ETAG, conditional::etag(revision))], answer).into_response())
}

/// Renews or releases, for whoever knows the revision of the claim: who took the key and nobody
/// else.
async fn change(
    app: &App,
    who: &Principal,
    (key, operation): (&Key, Operation),
    headers: &HeaderMap,
    body: Body,
    what: &str,
) -> Result<Committed, Failure> {
    conditional::no_write_id(headers, what)?;
    let condition = WriteCondition::of(headers)?;
    if !matches!(condition, Some(WriteCondition::OneOf(_))) {
        return Err(Failure::bad_request(format!(
            "{what} needs If-Match with the ETag that the claim, or its last renewal, answered"
        )));
    }
    value::none(headers, body, &app.bounds, what).await?;
    let expected = Expected {
        headers: condition,
        ..Expected::default()
    };
    commit::apply(app, who, key, expected, operation).await
}

/// Takes something, as soon as there is something to take. `None` where the time is over.
///
/// Where nobody waits for the same prefix yet, there may well be something, so whoever comes tries
/// at once. Those who found nothing stand in line, and one new key costs one commit and a look or
/// two, not one of each.
async fn take_or_wait(
    app: &App,
    who: &Principal,
    prefix: &Prefix,
    hold: Duration,
    (holder, wait): (Holder, Wait),
) -> Result<Option<Box<Taken>>, Failure> {
    if !app.lines.is_waited_for(&who.user, prefix)
        && let Found::Work(taken) = attempt(app, who, prefix, hold).await?
    {
        return Ok(Some(taken));
    }
    let permit = app.gate.list(who, prefix.clone())?;
    let place = app.lines.join(&who.user, prefix);
    let mut held = holder.hold(app, who, Held::Claim, wait)?;
    loop {
        let (signal, until) = if place.is_first() {
            // Listening before looking, so that nothing is slept through.
            let signal = permit.listen().await?;
            match attempt(app, who, prefix, hold).await? {
                Found::Work(taken) => {
                    place.served();
                    return Ok(Some(taken));
                }
                Found::Nothing(until) => (signal, until),
            }
        } else {
            (place.told(), None)
        };
        if held.sleep(signal, until).await? == Woken::Late {
            return Ok(None);
        }
        // Others have found something, and there may be more.
        if !place.is_first()
            && let Found::Work(taken) = attempt(app, who, prefix, hold).await?
        {
            place.served();
            return Ok(Some(taken));
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let hold = parse_duration(text).map_err(|error| error.to_string())?;
    if hold > MAX_CLAIM {
        let limit = format_duration(MAX_CLAIM);
        return Err(format!(
            "\"{text}\" is longer than the limit of {limit}; renew the claim while you work"
        ));
    }
    Ok(hold)
}
