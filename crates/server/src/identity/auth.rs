//! The header `Authorization`, and the principal that its token stands for.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use prominence_core::{Principal, Timestamp};

use crate::failure::Failure;
use crate::identity::token::CachingVerifier;

/// The principal of a token.
///
/// # Errors
/// 401 if the token is not accepted, with the reason.
pub(crate) fn verify(
    verifier: &CachingVerifier,
    token: &str,
    now: Timestamp,
) -> Result<Arc<Principal>, Failure> {
    verifier
        .verify(token, now)
        .map_err(|rejected| Failure::unauthenticated(&format!("{rejected}; get a new one"), true))
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
