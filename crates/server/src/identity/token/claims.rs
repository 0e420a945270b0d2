//! The claims of a token whose signature is valid.

use std::time::Duration;

use prominence_core::Timestamp;
use prominence_core::permit::Scopes;
use serde_json::Value;

use super::Rejected;
use super::members::{Members, NotMembers};

/// Claims, each of which is read as the type that it must have.
pub(in crate::identity) struct Claims(Members);

impl Claims {
    pub(in crate::identity) fn parse(payload: &[u8]) -> Result<Self, Rejected> {
        let members = Members::parse(payload).map_err(|error| match error {
            NotMembers::Malformed => Rejected::Malformed,
            NotMembers::Repeated(_) => unusable("a claim occurs twice"),
        })?;
        Ok(Self(members))
    }

    /// Claims that the issuer has told.
    pub(in crate::identity) fn of(members: Members) -> Self {
        Self(members)
    }

    pub(in crate::identity) fn members(&self) -> &Members {
        &self.0
    }

    /// A claim, whatever its type.
    pub(in crate::identity) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is a string, if there is one.
    pub(in crate::identity) fn text(&self, name: &str) -> Result<Option<&str>, Rejected> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(unusable(format_args!("{name} is not a string"))),
        }
    }

    /// A claim that is a number of seconds since 1970, with or without a fraction (RFC 7519, section 2).
    pub(in crate::identity) fn time(&self, name: &str) -> Result<Option<Timestamp>, Rejected> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let time = value.as_f64().and_then(numeric_date);
        match time {
            Some(time) => Ok(Some(time)),
            None => Err(unusable(format_args!("{name} is not a time"))),
        }
    }

    /// The words of `scope` and `scp` together: each a string, or an array of strings.
    pub(in crate::identity) fn scopes(&self) -> Result<Scopes, Rejected> {
        let mut words = Vec::new();
        for name in ["scope", "scp"] {
            let not_words =
                || Rejected::Scopes(format!("{name} is not a string or an array of them"));
            match self.0.get(name) {
                None => {}
                Some(Value::String(text)) => words.extend(text.split_ascii_whitespace()),
                Some(Value::Array(texts)) => {
                    for text in texts {
                        let text = text.as_str().ok_or_else(not_words)?;
                        words.extend(text.split_ascii_whitespace());
                    }
                }
                Some(_) => return Err(not_words()),
            }
        }
        Scopes::of_words(words).map_err(|error| Rejected::Scopes(error.to_string()))
    }

    /// Refuses a token that was made for another purpose than to be shown by whoever has it.
    pub(in crate::identity) fn check_purpose(&self) -> Result<(), Rejected> {
        // OpenID Connect Core, section 3.1.3.6, and the types that Keycloak gives its tokens.
        let is_id_token = self.0.has("at_hash") || self.0.has("c_hash");
        let is_other = matches!(self.text("typ")?, Some("ID" | "Refresh" | "Offline"));
        // RFC 8417, section 2.2.
        let is_event = self.0.has("events");
        if is_id_token || is_other || is_event {
            return Err(Rejected::NotAccessToken);
        }
        // RFC 7800, section 3.1.
        if self.0.has("cnf") {
            return Err(Rejected::Bound);
        }
        Ok(())
    }
}

/// When a token counts.
#[derive(Clone, Copy, Debug)]
pub(in crate::identity) struct Window {
    /// Added to `exp`, and taken from `nbf`, for clocks that disagree.
    pub(in crate::identity) leeway: Duration,
    /// The longest time ahead of the clock at which a token may be issued.
    pub(in crate::identity) issued_ahead: Duration,
    /// The longest life of a token.
    pub(in crate::identity) max_lifetime: Duration,
}

impl Window {
    /// Checks when a token begins and ends, by the clock that was passed in. Answers its end and when it was issued.
    pub(in crate::identity) fn times(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>), Rejected> {
        let expires = claims.time("exp")?;
        let expires = expires.ok_or_else(|| unusable("exp is missing"))?;
        if now >= expires.after(self.leeway) {
            return Err(Rejected::Expired);
        }
        let issued = claims.time("iat")?;
        let starts = claims.time("nbf")?;
        let is_early =
            |start: Option<Timestamp>, leeway| start.is_some_and(|start| now.after(leeway) < start);
        if is_early(starts, self.leeway) || is_early(issued, self.issued_ahead) {
            return Err(Rejected::NotYetValid);
        }
        if expires > issued.unwrap_or(now).after(self.max_lifetime) {
            return Err(Rejected::TooLongLived(self.max_lifetime));
        }
        Ok((expires, issued))
    }
}

/// The rejection of a token for its claims.
pub(in crate::identity) fn unusable(why: impl std::fmt::Display) -> Rejected {
    Rejected::Claims(why.to_string())
}

/// Seconds since the epoch; `None` if the number is not a time, such as a negative one.
fn numeric_date(seconds: f64) -> Option<Timestamp> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    // A float becomes the nearest integer in range; far futures become the last instant.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and negative numbers were refused above"
    )]
    let millis = (seconds * 1_000.0) as u64;
    Some(Timestamp::from_millis(millis))
}
