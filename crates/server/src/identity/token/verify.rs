//! Verifying a token.

use std::time::Duration;

use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey};
use prominence_api::time::format_duration;
use prominence_core::permit::Principal;
use prominence_core::{Job, Namespace, Timestamp};
use serde_json::Value;

use super::claims::{Claims, Window, unusable};
use super::header::{Header, Parts};
use super::{ISSUER, Secret};

/// Verifies tokens against the secrets that are accepted.
pub struct Verifier {
    keys: Vec<(Option<String>, DecodingKey)>,
    limits: TokenLimits,
}

/// The most characters of an issuer's name that a message repeats.
const MAX_SHOWN: usize = 100;

/// A token may be issued ahead of the clock by at least this time. A job's token is often used at once, on another machine
/// than the one that signed it, and the clocks of two machines are never quite the same.
const ISSUED_AHEAD: Duration = Duration::from_secs(30);

/// The most tokens that a token was made from, one after the other.
pub(in crate::identity) const MAX_MADE_FROM: usize = 8;

/// Limits on the times of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The reason why a token is not accepted. The sentence is for its bearer and tells nothing about secrets.
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
    /// Its scopes can't be parsed.
    #[error("the token's scopes can't be used: {0}")]
    Scopes(String),
    /// It is signed with a secret and names an issuer that has keys of its own.
    #[error("the token names an issuer that does not sign with the secret of this service")]
    ForeignIssuer,
    /// It names an issuer whose tokens are not accepted.
    #[error("the issuer of the token, {0:?}, is not one of those that are accepted here")]
    UnknownIssuer(String),
    /// Its issuer may not use this algorithm.
    #[error("the token is not signed by an algorithm that its issuer uses here")]
    IssuerAlgorithm,
    /// Its issuer does not publish the key.
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// It is for another service.
    #[error("the token is not meant for this service (aud, azp or client_id)")]
    Audience,
    /// Its user can't have this name here.
    #[error("the token's user can't be named here: {0}")]
    Name(String),
    /// Its issuer says that it does not count.
    #[error("the issuer of the token says that it is not valid")]
    Inactive,
    /// Its user is known and may not use this service.
    #[error("you may not use this service: {0}")]
    NotAdmitted(String),
    /// Its name belongs to another subject of its issuer.
    #[error("you may not use this service: {0}")]
    Pinned(String),
    /// No more names can be given to subjects.
    #[error("the service has as many users as it can keep the names of; ask the operator")]
    Full,
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The records of the service can't be read.
    #[error("it can't be told just now whether the token was revoked")]
    Unconfirmed,
    /// Its issuer can't be asked.
    #[error("the issuer of the token can't be asked just now")]
    Unavailable(Duration),
}

impl Rejected {
    /// The rejection of a token of this issuer, whose name is shown within bounds.
    pub(in crate::identity) fn unknown_issuer(issuer: &str) -> Self {
        Self::UnknownIssuer(issuer.chars().take(MAX_SHOWN).collect())
    }
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
        let (principal, _) = self.verify_parts(&Parts::of(token)?, |_| false, now)?;
        Ok(principal)
    }

    /// The principal of a token that was taken apart, and whether the service made it for a caller. One that names an
    /// issuer whose tokens are signed with its own keys is refused.
    pub(in crate::identity) fn verify_parts(
        &self,
        parts: &Parts<'_>,
        is_issuer: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<(Principal, bool), Rejected> {
        self.check_signature(parts)?;
        let claims = Claims::parse(&parts.payload)?;
        let window = Window {
            leeway: self.limits.leeway,
            issued_ahead: self.limits.leeway.max(ISSUED_AHEAD),
            max_lifetime: self.limits.max_lifetime,
        };
        let (expires, issued) = window.times(&claims, now)?;
        claims.check_purpose()?;
        // The secret says who issued the token, whatever this names.
        if claims.text("iss")?.is_some_and(is_issuer) {
            return Err(Rejected::ForeignIssuer);
        }
        let user = claims.text("username")?;
        let user = user.ok_or_else(|| unusable("username is missing"))?;
        let user =
            Namespace::parse(user).map_err(|error| unusable(format_args!("username: {error}")))?;
        let is_own = claims.get("via").is_some();
        let since = |name| match is_own {
            true => Ok(claims.time(name)?.or(issued)),
            false => Ok(issued),
        };
        let principal = Principal {
            user,
            job: job(&claims)?,
            scopes: claims.scopes()?,
            expires,
            issued,
            since: since("since")?,
            job_since: since("job_since")?,
            issuer: ISSUER.to_owned(),
            id: digest_of(parts.signed),
            made_from: if is_own {
                made_from(&claims)?
            } else {
                Vec::new()
            },
        };
        Ok((principal, is_own))
    }

    /// The longest life of a token.
    pub(crate) fn max_lifetime(&self) -> Duration {
        self.limits.max_lifetime
    }

    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        principal.expires.after(self.limits.leeway)
    }

    /// If the token names a secret by `kid`, that one alone is tried; otherwise all are.
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

/// The digest in a token's name, which has 64 hexadecimal digits.
pub(crate) fn parse_id(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

/// Bytes as lowercase digits, as a token is named.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

/// The tokens that a token of this service was made from.
fn made_from(claims: &Claims) -> Result<Vec<[u8; 32]>, Rejected> {
    let unusable = || unusable("from is not a list of the names of tokens");
    match claims.get("from") {
        None => Ok(Vec::new()),
        Some(Value::Array(names)) if names.len() <= MAX_MADE_FROM => names
            .iter()
            .map(|name| name.as_str().and_then(parse_id).ok_or_else(unusable))
            .collect(),
        Some(_) => Err(unusable()),
    }
}

/// The digest by which a token is named: of the signed text, because a signature can have a second valid form.
pub(in crate::identity) fn digest_of(signed: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, signed.as_bytes());
    let mut id = [0; 32];
    id.copy_from_slice(digest.as_ref());
    id
}

#[cfg(test)]
mod tests;
