//! Claims: taking the next key, keeping it for longer, giving it back.

mod attempt;

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name;
use prominence_api::path;
use prominence_api::time::{format_duration, rfc3339};
use prominence_api::{Released, Renewed};
use prominence_core::{Committed, Key, Operation, Outcome, Prefix};
use tracing::{Instrument as _, debug, info_span};

use self::attempt::{Found, Taken, attempt};
use super::call::Call;
use super::commit::{self, Expected};
use super::kv;
use crate::failure::Failure;
use crate::request::body;
use crate::request::conditional::{self, ReadConditions, WriteCondition};
use crate::request::kinds::{Claim, Renew};
use crate::request::parameters::Wait;
use crate::wait::long_poll::{LongPollKind, Woken};

/// Claims the first key under the prefix that has no live claim.
pub(super) async fn take(call: &Call, claim: Claim, body: Body) -> Result<Response, Failure> {
    let Claim { duration, wait } = claim;
    let (app, headers) = (&call.app, &call.headers);
    let prefix = call.target.prefix()?;
    conditional::no_write_id(headers, "?claim")?;
    conditional::refuse_all(
        headers,
        "does not go with ?claim, which takes whatever is free",
    )?;
    body::none(headers, body, app.bounds().body_within, "?claim").await?;
    let taken = match wait {
        None => match attempt(app, &call.who, &prefix, duration).await? {
            Found::Work(taken) => Some(taken),
            Found::Nothing(_) => None,
        },
        Some(wait) => take_or_wait(call, &prefix, duration, wait).await?,
    };
    let Some(taken) = taken else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    // From here on nothing waits, so the answer is made and the claim is the caller's.
    let (key, entry) = taken.keep();
    let conditions = ReadConditions::default();
    let mut response = kv::render(entry, &conditions, &*app.clock, app.clock.wall())?;
    // Percent-encoded text is always a valid header.
    let name = HeaderValue::try_from(path::encoded(&key)).map_err(|_| Failure::surprised())?;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(name::KEY), name);
    Ok(response)
}

/// Makes a claim last longer.
pub(super) async fn renew(call: &Call, renew: Renew, body: Body) -> Result<Response, Failure> {
    let key = call.target.key()?;
    let renew = Operation::Renew {
        key: key.clone(),
        hold: renew.duration,
    };
    let committed = change(call, (&key, renew), body, "?renew").await?;
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
pub(super) async fn release(call: &Call, body: Body) -> Result<Response, Failure> {
    let key = call.target.key()?;
    let release = Operation::Release { key: key.clone() };
    let committed = change(call, (&key, release), body, "?release").await?;
    let revision = committed.revision;
    let answer = Json(Released {
        key: key.to_string(),
        revision: revision.get(),
    });
    Ok(([(header::ETAG, conditional::etag(revision))], answer).into_response())
}

/// Renews or releases. Only the worker that claimed the key knows the revision that `If-Match` has to name.
async fn change(
    call: &Call,
    (key, operation): (&Key, Operation),
    body: Body,
    request: &str,
) -> Result<Committed, Failure> {
    let headers = &call.headers;
    conditional::no_write_id(headers, request)?;
    let condition = WriteCondition::of(headers)?;
    if !matches!(condition, Some(WriteCondition::OneOf(_))) {
        return Err(Failure::bad_request(format!(
            "{request} needs If-Match with the ETag that the claim, or its last renewal, answered"
        )));
    }
    body::none(headers, body, call.app.bounds().body_within, request).await?;
    let expected = Expected {
        headers: condition,
        ..Expected::default()
    };
    commit::apply(&call.app, &call.who, key, expected, operation).await
}

/// Claims a key as soon as there is one; `None` at the end of the wait.
async fn take_or_wait(
    call: &Call,
    prefix: &Prefix,
    duration: Duration,
    wait: Wait,
) -> Result<Option<Box<Taken>>, Failure> {
    let (app, who) = (&call.app, &call.who);
    // While no other claim waits for this prefix there may well be a free key, so the first attempt is made at once.
    // Otherwise the claim queues: one new key then costs one commit and one or two attempts, not one of each waiter.
    if !app.claim_queues.has_waiters(&who.user, prefix)
        && let Found::Work(taken) = attempt(app, who, prefix, duration).await?
    {
        return Ok(Some(taken));
    }
    let span = info_span!("claim_wait", wait = %format_duration(wait.0));
    wait_in_queue(call, prefix, duration, wait)
        .instrument(span)
        .await
}

/// Waits in the queue of the prefix until there is a key to claim; `None` at the end of the wait.
async fn wait_in_queue(
    call: &Call,
    prefix: &Prefix,
    duration: Duration,
    wait: Wait,
) -> Result<Option<Box<Taken>>, Failure> {
    let (app, who) = (&call.app, &call.who);
    let permit = app.gate.list(who, prefix.clone())?;
    let queued = app.claim_queues.join(&who.user, prefix);
    let mut poll = call.long_poll(LongPollKind::Claim, wait)?;
    debug!("the claim is queued");
    loop {
        // Only the first claim of the queue listens and tries; each of the others would cost a commit in vain.
        let (signal, until) = if queued.is_first() {
            // Before the attempt: a key that becomes free between the two is signalled.
            let signal = permit.listen().await?;
            match attempt(app, who, prefix, duration).await? {
                Found::Work(taken) => {
                    debug!("the first claim of the queue found work");
                    queued.leave_with_work();
                    return Ok(Some(taken));
                }
                Found::Nothing(until) => (signal, until),
            }
        } else {
            (queued.notified(), None)
        };
        // `until` is the end of the earliest claim under the prefix: nothing signals that a claim ran out.
        if poll.sleep(signal, until).await? == Woken::TimedOut {
            debug!("the wait of the claim timed out");
            return Ok(None);
        }
        // The notification came from a claim that found work, so there may be more. The first claim of the queue
        // tries again at the top, after it has listened.
        if !queued.is_first()
            && let Found::Work(taken) = attempt(app, who, prefix, duration).await?
        {
            debug!("a notified claim found work");
            queued.leave_with_work();
            return Ok(Some(taken));
        }
    }
}
