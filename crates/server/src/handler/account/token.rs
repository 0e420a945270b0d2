//! Tokens: made for jobs and other people, listed, and revoked.

mod form;
pub(crate) mod revoke;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use prominence_api::time::rfc3339;
use prominence_api::{ErrorCode, ListedToken, MadeToken};
use prominence_core::permit::{Principal, Scopes};
use prominence_core::{Job, Timestamp};

use crate::app::App;
use crate::failure::Failure;
use crate::handler::call::Call;
use crate::handler::responses;
use crate::identity::auth;
use crate::identity::minting::{Made, Via};
use crate::identity::records::{Share, TokenRecord};
use crate::identity::token::{ISSUER, MAX_TOKEN_BYTES, hexadecimal};
use crate::request::body::{self, BodyLimits};
use crate::request::conditional;
use crate::request::kinds::{GetToken, PostToken};
use crate::request::log::Effect;

use form::{Form, JWT};

/// Bytes of a body: a token of the longest kind, and what stands around it.
const MAX_BODY_BYTES: usize = MAX_TOKEN_BYTES + (8 << 10);

/// The digits of a token's name that the log has.
const SHOWN_DIGITS: usize = 16;

/// Makes a token that allows no more than the caller's (RFC 8693).
#[utoipa::path(post, path = "/prominence/v1/token", tag = "account",
    request_body(content = form::TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "the token", body = MadeToken),
        responses::OfMakingToken,
    ),
    security(("token" = [])))]
pub(crate) async fn make(call: Call, body: Body) -> Result<Response, Failure> {
    let PostToken::MakeToken(_) = PostToken::parse(call.target.query())?;
    conditional::refuse_all(&call.headers, "does not go with POST /token")?;
    let Some(minter) = call.app.minter.load_full() else {
        let message = "this service makes no tokens; ask the operator for one";
        return Err(Failure::new(ErrorCode::NotFound, message));
    };
    let bytes = read(&call.app, &call.headers, body).await?;
    let form = Form::parse(&call.headers, &bytes)?;
    let wall = call.app.clock.wall();
    let verifier = call.app.verifier.load_full();
    let subject = match &form.subject {
        Some(token) => token.as_str(),
        None => auth::bearer(&call.headers)?,
    };
    // An old answer of an issuer is not enough: the new token may last much longer than it.
    let verified = verifier.verify_fresh(subject, call.from, wall).await;
    let subject = verified.map_err(auth::failure)?;
    let (name, may_mint) = match verifier.issuers().minting_of(&subject.issuer) {
        Some(minting) => minting,
        None => (ISSUER, true),
    };
    let leeway = verifier.issuers().leeway_of(&subject.issuer);
    let via = Via {
        name,
        may_mint,
        leeway: leeway.unwrap_or_default(),
    };
    let made = minter.make(&subject, &via, form.wanted, wall)?;
    call.app.metrics.made_token(via.name);
    let listed = list_made(&call.app, &subject, &made, form.note).await?;
    let scope = made.scopes.words().join(" ");
    let effect = format!(
        "made token {} of {} via {}, job {}, scope {scope}, until {}",
        shown(&made.id),
        subject.user,
        via.name,
        made.job.as_ref().map_or("none", Job::as_str),
        rfc3339(Timestamp::from_secs(made.ends)),
    );
    tracing::info!(user = %subject.user, "{effect}");
    let answer = Json(MadeToken {
        access_token: made.token,
        issued_token_type: JWT.to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: made.ends - made.made,
        scope,
        id: hexadecimal(&made.id),
        listed,
    });
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((Extension(Effect(effect)), headers, answer).into_response())
}

/// Puts a token into the list of its user's tokens. A user with very many jobs can have more tokens than the list has
/// room for; those with a note are for people, and have to be found again.
async fn list_made(
    app: &App,
    subject: &Principal,
    made: &Made,
    note: Option<String>,
) -> Result<bool, Failure> {
    let share = Share::of(&subject.scopes);
    let has_note = note.is_some();
    let record = TokenRecord {
        version: 1,
        job: made.job.as_ref().map(ToString::to_string),
        scopes: made.scopes.words(),
        note,
        from: made.from.clone(),
        made: made.made,
        ends: made.ends,
        used: None,
    };
    let listing = app
        .records
        .list_token(&subject.user, &made.id, &record, share);
    let is_listed = listing.await?;
    if is_listed || !has_note {
        return Ok(is_listed);
    }
    let most = share.of_listed();
    let advice = match share {
        Share::Operator | Share::Whole => {
            "which is the limit; revoke some, or wait until some have ended"
        }
        Share::Half => {
            "which is the limit for a token with scopes; leave the note out, or use a token without scopes"
        }
    };
    let message = format!("{most} tokens are listed already, {advice}");
    Err(Failure::new(ErrorCode::QuotaExceeded, message))
}

/// Lists the tokens that were made here for the caller's user and have neither ended nor been revoked.
#[utoipa::path(get, path = "/prominence/v1/token", tag = "account",
    responses(
        (status = 200, description = "the tokens, the newest first", body = Vec<ListedToken>),
        responses::OfAccount,
    ),
    security(("token" = [])))]
pub(crate) async fn list(call: Call) -> Result<Json<Vec<ListedToken>>, Failure> {
    let GetToken::ListTokens(_) = GetToken::parse(call.target.query())?;
    conditional::refuse_all(
        &call.headers,
        "does not go with /token, whose answer has no ETag",
    )?;
    demand_everything(&call.who)?;
    let tokens = call.app.records.tokens_of(&call.who.user);
    let listed = tokens.await?.into_iter().map(|(id, record)| ListedToken {
        id,
        job: record.job,
        scopes: record.scopes,
        note: record.note,
        made: rfc3339(Timestamp::from_secs(record.made)),
        ends: rfc3339(Timestamp::from_secs(record.ends)),
        last_used: record.used.map(|day| {
            let day = rfc3339(Timestamp::from_secs(day));
            day.split('T').next().unwrap_or_default().to_owned()
        }),
    });
    Ok(Json(listed.collect()))
}

/// A token with limits must not reach what it is limited from by way of other tokens of its user.
fn demand_everything(who: &Principal) -> Result<(), Failure> {
    if who.scopes == Scopes::Unrestricted {
        return Ok(());
    }
    let message = "a token with scopes can revoke itself alone and list none; use a token without scopes, such as that of a login";
    Err(Failure::new(ErrorCode::Forbidden, message))
}

async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let limits = BodyLimits {
        bytes: MAX_BODY_BYTES,
        within: app.bounds().body_within,
    };
    body::read(headers, body, limits, "body").await
}

/// The part of a token's name that the log has.
fn shown(id: &[u8; 32]) -> String {
    hexadecimal(id).chars().take(SHOWN_DIGITS).collect()
}
