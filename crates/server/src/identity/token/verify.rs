//! Verifying a token.

use std::time::Duration;

use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey};
use prominence_api::time::format_duration;
use prominence_core::permit::Principal;
use prominence_core::{Job, Namespace, Timestamp};
use serde_json::Value;

use super::claims::{Claims, unusable};
use super::header::{Header, Parts};
use super::{ISSUER, Secret};

/// Verifies tokens against the secrets that are accepted.
pub struct Verifier {
    keys: Vec<(Option<String>, DecodingKey)>,
    limits: TokenLimits,
}

/// How far ahead a token may be issued at least. A job's token is often used at once, on another machine than the one
/// that signed it, and the clocks of two machines are never quite the same.
const ISSUED_AHEAD: Duration = Duration::from_secs(30);

/// Limits on the times of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// Added to `exp`, and taken from `nbf` and `iat`, for clocks that disagree.
    pub leeway: Duration,
    /// The longest life of a token. A token that is revoked has to be remembered for so long.
    pub max_lifetime: Duration,
}

impl Default for TokenLimits {
    /// No leeway, and 30 days.
    fn default() -> Self {
        Self {
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Why a token is not accepted. The sentence is for its bearer and tells nothing about secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is longer than any token.
    #[error(
        "the token has more than {} bytes, which is the limit",
        super::header::MAX_BYTES
    )]
    TooLong,
    /// It is not a JSON Web Token.
    #[error("the token is not a well-formed JSON Web Token")]
    Malformed,
    /// It is a JSON Web Token whose claims can't be read.
    #[error("the token is encrypted, and only signed ones are accepted")]
    Encrypted,
    /// Its header asks for something that is not done here.
    #[error("the token's header can't be used: {0}")]
    Header(&'static str),
    /// It asks for another algorithm, `none` included.
    #[error("the token is not signed with HS256")]
    Algorithm,
    /// No accepted secret made the signature.
    #[error("the token's signature is not valid here")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lasts longer than tokens may.
    #[error("the token lasts longer than {}, which is the limit", format_duration(*.0))]
    TooLongLived(Duration),
    /// It was made for another purpose.
    #[error("this is not the access token, but another token of the same login or service")]
    NotAccessToken,
    /// It is good only together with a key of its owner.
    #[error("the token is bound to a key (cnf), so that it can't be used by itself")]
    Bound,
    /// A claim is missing or can't be used.
    #[error("the token's claims can't be used: {0}")]
    Claims(String),
}

impl Verifier {
    /// Accepts tokens that one of the secrets signed.
    #[must_use]
    pub fn new(secrets: &[Secret], limits: TokenLimits) -> Self {
        let keys = secrets.iter().filter_map(|secret| {
            // An empty secret, which no file gives, would verify what anybody signs.
            let key = DecodingKey::from_secret(&secret.key).ok()?;
            Some((secret.kid.clone(), key))
        });
        Self {
            keys: keys.collect(),
            limits,
        }
    }

    /// The principal of a token.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, Rejected> {
        let parts = Parts::of(token)?;
        self.check_signature(&parts)?;
        let claims = Claims::parse(&parts.payload)?;
        let (expires, issued) = self.check_times(&claims, now)?;
        claims.check_purpose()?;
        // Only its type matters: the secret says who issued the token.
        claims.text("iss")?;
        let user = claims.text("username")?;
        let user = user.ok_or_else(|| unusable("username is missing"))?;
        let user =
            Namespace::parse(user).map_err(|error| unusable(format_args!("username: {error}")))?;
        Ok(Principal {
            user,
            job: job(&claims)?,
            scopes: claims.scopes()?,
            expires,
            issued,
            issuer: ISSUER.to_owned(),
            id: digest_of(parts.signed),
        })
    }

    /// Whether a token that was accepted before still is: only its end can have come since.
    pub(super) fn is_current(&self, principal: &Principal, now: Timestamp) -> bool {
        !self.has_ended(principal.expires, now)
    }

    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        principal.expires.after(self.limits.leeway)
    }

    fn has_ended(&self, expires: Timestamp, now: Timestamp) -> bool {
        now >= expires.after(self.limits.leeway)
    }

    /// Checks when the token begins and ends, by the clock that was passed in. Answers its end and when it was issued.
    fn check_times(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>), Rejected> {
        let TokenLimits {
            leeway,
            max_lifetime,
        } = self.limits;
        let expires = claims.time("exp")?;
        let expires = expires.ok_or_else(|| unusable("exp is missing"))?;
        if self.has_ended(expires, now) {
            return Err(Rejected::Expired);
        }
        let issued = claims.time("iat")?;
        let starts = claims.time("nbf")?;
        let is_early =
            |start: Option<Timestamp>, leeway| start.is_some_and(|start| now.after(leeway) < start);
        if is_early(starts, leeway) || is_early(issued, leeway.max(ISSUED_AHEAD)) {
            return Err(Rejected::NotYetValid);
        }
        if expires > issued.unwrap_or(now).after(max_lifetime) {
            return Err(Rejected::TooLongLived(max_lifetime));
        }
        Ok((expires, issued))
    }

    /// Where the token names a secret by `kid`, that one alone is tried; otherwise all are.
    fn check_signature(&self, parts: &Parts<'_>) -> Result<(), Rejected> {
        let Header { alg, kid } = &parts.header;
        if *alg != "HS256" {
            return Err(Rejected::Algorithm);
        }
        let named = |name: &Option<String>| kid.is_some() && name == kid;
        let known = self.keys.iter().any(|(name, _)| named(name));
        let mut keys = self.keys.iter().filter(|(name, _)| !known || named(name));
        let signed = parts.signed.as_bytes();
        let is_valid = keys.any(|(_, key)| {
            let verified =
                jsonwebtoken::crypto::verify(parts.signature, signed, key, Algorithm::HS256);
            matches!(verified, Ok(true))
        });
        is_valid.then_some(()).ok_or(Rejected::Signature)
    }
}

/// The job of a token. Batch systems name jobs by numbers as well as by words.
fn job(claims: &Claims) -> Result<Option<Job>, Rejected> {
    let id = match claims.get("job") {
        None => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(unusable("job is not a string or a number")),
    };
    let job = Job::parse(&id).map_err(|error| unusable(format_args!("job: {error}")))?;
    Ok(Some(job))
}

/// The digest by which a token is named: of the signed text, because a signature can have a second valid form.
fn digest_of(signed: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, signed.as_bytes());
    let mut id = [0; 32];
    id.copy_from_slice(digest.as_ref());
    id
}

#[cfg(test)]
mod tests;
