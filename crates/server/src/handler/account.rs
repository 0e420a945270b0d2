//! The caller's account: logging in, and the tokens of its user.

pub(crate) mod login;
pub(crate) mod token;

use axum::http::{HeaderMap, header};

use crate::failure::Failure;

/// Demands that a body has this media type.
fn demand_type(expected: &str, headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the body is sent with Content-Type: {expected} (here it is \"{given}\")"
    )))
}
