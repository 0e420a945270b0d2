//! `POST /token/revoke`: a token, the tokens of a job, or those of a user end before their time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use prominence_api::time::{parse_rfc3339, rfc3339};
use prominence_api::{ErrorCode, RevokeTokens, Revoked, name};
use prominence_core::{Job, Namespace, Timestamp};

use super::{demand_everything, read, shown};
use crate::app::App;
use crate::failure::Failure;
use crate::handler::account::demand_type;
use crate::handler::call::Call;
use crate::handler::responses;
use crate::identity::auth;
use crate::identity::records::{REMEMBERED_LONGER, Share, Target};
use crate::identity::token::{ISSUER, Rejected, parse_id};
use crate::request::body;
use crate::request::kinds::PostRevocation;
use crate::request::log::Effect;
use crate::wait::connection::Standing;

/// The scope of a token that the operator signs to revoke the tokens of any user.
const MAY_REVOKE: &str = "prominence.revoke";

/// Revokes tokens. When it is answered, they are refused here, and requests of theirs that waited have ended; other servers
/// that share the store follow within 5 seconds.
#[utoipa::path(post, path = "/prominence/v1/token/revoke", tag = "account",
    request_body(content = RevokeTokens, content_type = "application/json"),
    responses(
        (status = 200, description = "they are revoked, durably", body = Revoked),
        responses::OfRevocation,
    ),
    security((), ("token" = [])))]
pub(crate) async fn revoke(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let PostRevocation::RevokeToken(_) =
        PostRevocation::parse(parts.uri.query().unwrap_or_default())?;
    let bytes = read(&app, &parts.headers, body).await?;
    demand_type(name::JSON, &parts.headers)?;
    let asked: RevokeTokens = body::object(&bytes)?;
    // Nobody has to show a token here, so the client's address is what limits the questions to issuers.
    let standing = parts.extensions.get::<Arc<Standing>>();
    let from = standing.map(|standing| standing.client(&parts.headers));
    let (revoked, effect) = match asked {
        RevokeTokens {
            token: Some(token),
            id: None,
            job: None,
            user: None,
            before: None,
        } => revoke_token(&app, &token, from).await?,
        asked => {
            let call = Call::from_request_parts(&mut parts, &app).await?;
            revoke_others(&call, asked).await?
        }
    };
    let answer = ([(header::CACHE_CONTROL, "no-store")], Json(revoked));
    Ok((effect.map(Extension), answer).into_response())
}

/// Revokes the token that is shown. Whoever has it could use it, and so may end it (RFC 7009, section 2.1).
async fn revoke_token(
    app: &App,
    token: &str,
    from: Option<IpAddr>,
) -> Result<(Revoked, Option<Effect>), Failure> {
    let wall = app.clock.wall();
    let revoked = "token".to_owned();
    let verifier = app.verifier.load_full();
    let verified = verifier.verify(token, from, wall).await;
    let who = match verified {
        Ok(who) => who,
        // It would be accepted later, as if nobody had revoked it.
        Err(Rejected::NotYetValid | Rejected::TooLongLived(_)) => {
            let message = "the token is not accepted yet and may be later, so it can't be revoked by itself; revoke \
                           the tokens of its job or user";
            return Err(Failure::bad_request(message));
        }
        Err(rejected) => {
            let failure = auth::failure(rejected);
            if failure.status().is_server_error() {
                return Err(failure);
            }
            // It is not accepted anyway (RFC 7009, section 2.2).
            let nothing = Revoked {
                revoked,
                before: None,
                until: None,
            };
            return Ok((nothing, None));
        }
    };
    app.rate.load().admit(&who.user, Instant::now())?;
    let target = Target::Token {
        id: who.id,
        of: Some(who.user.clone()),
    };
    let until = verifier.end_of(&who).after(REMEMBERED_LONGER);
    let effect = revoke_until(app, target, None, until, Share::of(&who.scopes)).await?;
    let revoked = Revoked {
        revoked,
        before: None,
        until: Some(rfc3339(until)),
    };
    Ok((revoked, Some(effect)))
}

/// Revokes other tokens than the one that is shown.
async fn revoke_others(
    call: &Call,
    asked: RevokeTokens,
) -> Result<(Revoked, Option<Effect>), Failure> {
    let who = &call.who;
    let is_site = who.issuer == ISSUER && who.scopes.has_word(MAY_REVOKE);
    if !is_site {
        demand_everything(who)?;
    }
    let user = asked.user.as_deref().map(Namespace::parse).transpose();
    let user = user.map_err(|why| Failure::bad_request(format!("user: {why}")))?;
    if !is_site && user.as_ref().is_some_and(|user| *user != who.user) {
        let message = "only the operator can revoke the tokens of another user";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    }
    // A user reaches tokens of its own alone, also where it names nobody.
    let of = match is_site {
        true => user.clone(),
        false => Some(who.user.clone()),
    };
    let target = match (asked.token, asked.id, asked.job, user) {
        (None, Some(id), None, None) if asked.before.is_none() => {
            let id = parse_id(&id)
                .ok_or_else(|| Failure::bad_request("id has to be 64 hexadecimal digits"))?;
            Target::Token { id, of }
        }
        (None, None, Some(job), _) => {
            let job =
                Job::parse(&job).map_err(|why| Failure::bad_request(format!("job: {why}")))?;
            Target::Job { job, of }
        }
        (None, None, None, Some(user)) => Target::User(user),
        _ => {
            let message = "name one of token, id, job and user, or job and user; before goes with job and user";
            return Err(Failure::bad_request(message));
        }
    };
    let revoked = target.kind().to_owned();
    let share = match is_site {
        true => Share::Operator,
        false => Share::Whole,
    };
    let revocation = revoke_now(&call.app, target, asked.before.as_deref(), share);
    let (before, until, effect) = revocation.await?;
    let revoked = Revoked {
        revoked,
        before: before.map(rfc3339),
        until: Some(rfc3339(until)),
    };
    Ok((revoked, Some(effect)))
}

/// Revokes what a user named. Answers the instant before which tokens were issued, and the end of the record.
async fn revoke_now(
    app: &App,
    target: Target,
    before: Option<&str>,
    share: Share,
) -> Result<(Option<Timestamp>, Timestamp, Effect), Failure> {
    let now = app.clock.wall();
    let lasts = app.verifier.load().max_lifetime() + REMEMBERED_LONGER;
    if matches!(target, Target::Token { .. }) {
        let until = now.after(lasts);
        let effect = revoke_until(app, target, None, until, share).await?;
        return Ok((None, until, effect));
    }
    let before = match before {
        // Tokens tell whole seconds, so this one is over only at its end.
        None => Timestamp::from_secs(now.as_secs() + 1),
        Some(text) => match parse_rfc3339(text) {
            // Records and tokens tell whole seconds, and the answer must not promise more than is remembered.
            Some(instant) if instant <= now => {
                Timestamp::from_secs(instant.as_millis().div_ceil(1_000))
            }
            Some(_) => return Err(Failure::bad_request("before is in the future")),
            None => {
                let message = "before has to be a time such as 2026-01-31T12:00:00Z";
                return Err(Failure::bad_request(message));
            }
        },
    };
    let until = before.after(lasts);
    let effect = revoke_until(app, target, Some(before), until, share).await?;
    // A token of a job that is made after the answer has to be good.
    let left = before
        .as_millis()
        .saturating_sub(app.clock.wall().as_millis());
    tokio::time::sleep(Duration::from_millis(left)).await;
    Ok((Some(before), until, effect))
}

async fn revoke_until(
    app: &App,
    target: Target,
    before: Option<Timestamp>,
    until: Timestamp,
    share: Share,
) -> Result<Effect, Failure> {
    let now = app.clock.wall();
    let lasts = until.as_millis().saturating_sub(now.as_millis());
    let about = match &target {
        Target::Token { id, .. } | Target::Account { id, .. } => shown(id),
        Target::Job { job, .. } => job.to_string(),
        Target::User(user) => user.to_string(),
    };
    let kind = target.kind();
    app.records
        .revoke(target, before, Duration::from_millis(lasts), share)
        .await?;
    tracing::info!(kind, about, "tokens were revoked");
    Ok(Effect(format!("revoked {kind} {about}")))
}
