//! The header `Authorization`, and the principal that its token stands for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use prominence_api::ErrorCode;
use prominence_core::{Principal, Timestamp};

use crate::failure::Failure;
use crate::identity::cache::CachingVerifier;
use crate::identity::token::Rejected;

/// `Retry-After` while the records of the service can't be read. They are asked for every two seconds.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// The principal of a token that a client at this address has sent.
///
/// # Errors
/// 401 if the token is not accepted, 403 if its user may not use this service, and 503 if its issuer can't be asked,
/// each with the reason.
pub(crate) async fn verify(
    verifier: &CachingVerifier,
    token: &str,
    from: Option<IpAddr>,
    now: Timestamp,
) -> Result<Arc<Principal>, Failure> {
    let verified = verifier.verify(token, from, now).await;
    verified.map_err(failure)
}

/// The answer to a token that is not accepted.
pub(crate) fn failure(rejected: Rejected) -> Failure {
    match rejected {
        // The person is known; to sign in again would not help.
        Rejected::NotAdmitted(_) | Rejected::Pinned(_) => {
            Failure::new(ErrorCode::Forbidden, rejected.to_string())
        }
        Rejected::Full => Failure::new(ErrorCode::QuotaExceeded, rejected.to_string()),
        Rejected::Unconfirmed => {
            let message = format!("{rejected}; nothing was changed");
            Failure::new(ErrorCode::Unavailable, message).retry_after(ASK_AGAIN)
        }
        Rejected::Unavailable(wait) => {
            let message = format!("{rejected}; nothing was changed");
            Failure::new(ErrorCode::Unavailable, message).retry_after(wait)
        }
        rejected => Failure::unauthenticated(&format!("{rejected}; get a new one"), true),
    }
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
