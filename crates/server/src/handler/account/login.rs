//! Logging in: where, and the exchange of a code for a token, on behalf of the page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use prominence_api::{ErrorCode, LoginCode, LoginToken, ProtectedResource, name};
use serde_json::Value;

use super::demand_type;
use crate::app::App;
use crate::failure::Failure;
use crate::handler::responses;
use crate::identity::issuer::{Code, CodeError};
use crate::identity::login::Login;
use crate::request::body::{self, BodyLimits};
use crate::request::kinds::PostCode;
use crate::wait::connection::Standing;

/// Bytes of a code and what goes with it.
const MAX_BODY_BYTES: usize = 8 << 10;

/// Bytes of a code verifier (RFC 7636, section 4.1).
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// Says where people log in (RFC 9728). Public, because it is asked for before there is a token.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource/prominence/v1", tag = "account",
    responses(
        (status = 200, description = "where people log in", body = ProtectedResource),
        responses::OfLogin,
    ))]
pub(crate) async fn metadata(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    let metadata = known(&app)?.metadata().clone();
    Ok(([(header::CACHE_CONTROL, "max-age=300")], Json(metadata)))
}

/// Exchanges the code of an issuer for a token, for the page.
#[utoipa::path(post, path = "/prominence/v1/login/code", tag = "account",
    request_body(content = LoginCode, content_type = "application/json"),
    responses(
        (status = 200, description = "the token", body = LoginToken),
        responses::OfLogin,
    ))]
pub(crate) async fn exchange(
    State(app): State<App>,
    request: Request,
) -> Result<impl IntoResponse, Failure> {
    let (parts, body) = request.into_parts();
    let PostCode::ExchangeCode(_) = PostCode::parse(parts.uri.query().unwrap_or_default())?;
    let login = known(&app)?;
    let standing = parts.extensions.get::<Arc<Standing>>();
    let from = standing.map(|standing| standing.client(&parts.headers));
    let _place = login.admit(from)?;
    demand_type(name::JSON, &parts.headers)?;
    let limits = BodyLimits {
        bytes: MAX_BODY_BYTES,
        within: app.bounds().body_within,
    };
    let bytes = body::read(&parts.headers, body, limits, "body").await?;
    let asked: LoginCode = body::object(&bytes)?;
    check(&asked)?;
    let code = Code {
        code: &asked.code,
        verifier: &asked.code_verifier,
        redirect_uri: login.page(),
    };
    let issuers = Arc::clone(app.verifier.load().issuers());
    let answer = issuers.exchange(&asked.issuer, &code, from).await;
    let answer = answer.map_err(failure)?;
    let Some(token) = answer.get("access_token").and_then(Value::as_str) else {
        return Err(failure(CodeError::Refused));
    };
    // The page keeps no refresh token, so it does not get one.
    let token = LoginToken {
        access_token: token.to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: answer.get("expires_in").and_then(Value::as_u64),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(token)))
}

/// Refuses what no browser comes back with, so that the issuer is not asked about it.
fn check(asked: &LoginCode) -> Result<(), Failure> {
    if asked.code.is_empty() {
        return Err(Failure::bad_request(
            "code is empty; send the one that the issuer gave",
        ));
    }
    // RFC 7636, section 4.1.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !VERIFIER_BYTES.contains(&asked.code_verifier.len())
        || !asked.code_verifier.bytes().all(is_allowed)
    {
        let message = "code_verifier has to be 43 to 128 letters, digits and -._~";
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

fn known(app: &App) -> Result<Arc<Login>, Failure> {
    app.login.load_full().ok_or_else(|| {
        let message = "the operator has not said where people log in (public-url)";
        Failure::new(ErrorCode::NotFound, message)
    })
}

fn failure(error: CodeError) -> Failure {
    match error {
        CodeError::NoSuchIssuer => {
            let message = "there is no issuer of this name at which the page can log in";
            Failure::new(ErrorCode::NotFound, message)
        }
        CodeError::Refused => Failure::bad_request(
            "the issuer does not accept this login, or not any more; sign in again",
        ),
        CodeError::Unavailable(wait) => {
            let message = "the issuer can't be asked just now; nothing was changed";
            Failure::new(ErrorCode::Unavailable, message).retry_after(wait)
        }
    }
}
