//! The form of `POST /token`, with the names of RFC 8693.

use std::borrow::Cow;

use axum::http::HeaderMap;
use prominence_api::ErrorCode;
use prominence_api::time::parse_duration;
use prominence_core::Job;
use prominence_core::permit::Scopes;

use crate::failure::Failure;
use crate::handler::account::demand_type;
use crate::identity::minting::Wanted;
use crate::request::query::Query;

/// Bytes of a note.
const MAX_NOTE_BYTES: usize = 256;

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Names of RFC 8693, sections 2.1 and 3.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The parameters of a request for a token.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form, which is parsed by its names")]
pub(super) struct TokenRequest {
    /// If given, `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: Option<String>,
    /// The token that the new one is made from; otherwise that of the header.
    subject_token: Option<String>,
    /// If given, `urn:ietf:params:oauth:token-type:access_token` or `…:jwt`.
    subject_token_type: Option<String>,
    /// The same.
    requested_token_type: Option<String>,
    /// Scopes, separated by spaces; otherwise those of the token that it is made from.
    scope: Option<String>,
    /// The job that it is for.
    job: Option<String>,
    /// Its lifetime: a duration, or a number of seconds; otherwise 12 hours.
    expires_in: Option<String>,
    /// Its purpose, in the user's words. A token with a note is always in the list of the user's tokens.
    note: Option<String>,
}

/// A parsed form.
pub(super) struct Form {
    pub(super) subject: Option<String>,
    pub(super) wanted: Wanted,
    pub(super) note: Option<String>,
}

impl Form {
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Failure> {
        if !body.is_empty() {
            demand_type(FORM, headers)?;
        }
        let text = std::str::from_utf8(body)
            .map_err(|_| Failure::bad_request("the form is not valid UTF-8"))?;
        let mut form = Query::parse(text.trim_ascii())?;
        for (parameter, allowed) in [
            ("grant_type", &[GRANT_TYPE][..]),
            ("subject_token_type", &[ACCESS_TOKEN, JWT][..]),
            ("requested_token_type", &[ACCESS_TOKEN, JWT][..]),
        ] {
            form.parsed(parameter, |text| match allowed.contains(&text) {
                true => Ok(()),
                false => Err(format!("it can be {}", allowed.join(" or "))),
            })?;
        }
        let wanted = Wanted {
            scopes: form.text("scope")?.as_deref().map(scopes).transpose()?,
            job: form.parsed("job", Job::parse)?,
            lifetime: form.parsed("expires_in", parse_duration)?,
        };
        let parsed = Self {
            subject: form.text("subject_token")?.map(Cow::into_owned),
            wanted,
            note: form.parsed("note", parse_note)?,
        };
        form.finish("POST /token")?;
        Ok(parsed)
    }
}

fn scopes(text: &str) -> Result<Scopes, Failure> {
    Scopes::asked_for(text)
        .map_err(|why| Failure::new(ErrorCode::InvalidScope, format!("scope: {why}")))
}

fn parse_note(text: &str) -> Result<String, String> {
    if text.len() > MAX_NOTE_BYTES || text.chars().any(char::is_control) {
        return Err(format!(
            "it can be at most {MAX_NOTE_BYTES} bytes without control characters"
        ));
    }
    Ok(text.to_owned())
}
