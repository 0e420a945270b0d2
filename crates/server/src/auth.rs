//! `Authorization` becomes a principal.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use prominence_api::ErrorCode;
use prominence_core::Principal;

use crate::app::App;
use crate::failure::Failure;

/// The caller, verified and within its rate.
///
/// Handlers take it before anything else, so that a request without a good token learns nothing
/// about the rest of what it asked.
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let token = bearer(&parts.headers)?;
        let principal = app
            .verifier
            .verify(token, app.clock.wall())
            .map_err(|rejected| {
                Failure::unauthenticated(&format!("{rejected}; get a new one"), true)
            })?;
        admit(app, &principal)?;
        Ok(Self(principal))
    }
}

/// Takes one request from the caller's rate.
pub(crate) fn admit(app: &App, who: &Principal) -> Result<(), Failure> {
    let Some(rate) = &app.rate else {
        return Ok(());
    };
    rate.admit(&who.user).map_err(|wait| {
        let limit = app.bounds.requests_per_second;
        let message = format!("more than {limit} requests a second");
        Failure::new(ErrorCode::RateLimited, message).retry_after(wait)
    })
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let missing = "a token is needed; send it as \"Authorization: Bearer TOKEN\"";
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else {
        return Err(Failure::unauthenticated(missing, false));
    };
    if headers.next().is_some() {
        let message = "the header Authorization is there more than once; send it once";
        return Err(Failure::bad_request(message));
    }
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .and_then(|(scheme, token)| {
            scheme
                .eq_ignore_ascii_case("bearer")
                .then(|| token.trim_matches(' '))
        });
    match token {
        Some(token) if !token.is_empty() => Ok(token),
        _ => Err(Failure::unauthenticated(missing, true)),
    }
}
