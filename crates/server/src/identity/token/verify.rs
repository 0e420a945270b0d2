//! Verifying a token.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use prominence_core::permit::{Principal, Scopes};
use prominence_core::{Job, Namespace, Timestamp};
use serde::Deserialize;

use super::{ISSUER, Secret};

/// Verifies tokens against the secrets that are accepted.
pub struct Verifier {
    keys: Vec<(Option<String>, DecodingKey)>,
    /// Added to `exp` and taken from `nbf`, for clocks that disagree.
    leeway: Duration,
    validation: Validation,
}

/// Why a token is not accepted. The sentence is for its bearer and tells nothing about secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is no JSON Web Token.
    #[error("the token is not a well-formed JSON Web Token")]
    Malformed,
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
    /// A claim is missing or can't be used.
    #[error("the token's claims can't be used: {0}")]
    Claims(String),
}

#[derive(Deserialize)]
struct Claims {
    username: String,
    /// RFC 7519, section 2: a NumericDate may have a fraction.
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
    scope: Option<String>,
    job: Option<JobClaim>,
}

/// Batch systems name jobs by numbers as well as by words.
#[derive(Deserialize)]
#[serde(untagged)]
enum JobClaim {
    Text(String),
    Number(u64),
}

impl Verifier {
    /// Accepts what one of the secrets signed.
    #[must_use]
    pub fn new(secrets: &[Secret], leeway: Duration) -> Self {
        let keys = secrets
            .iter()
            .map(|secret| (secret.kid.clone(), DecodingKey::from_secret(&secret.key)))
            .collect();
        // The library would read the system's clock; the times are checked here, with the clock
        // that was passed in.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            keys,
            leeway,
            validation,
        }
    }

    /// The principal of a token.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, Rejected> {
        let claims = self.decode(token)?;
        let unusable = |what: &dyn std::fmt::Display| Rejected::Claims(what.to_string());

        let expires = numeric_date(claims.exp).ok_or_else(|| unusable(&"exp is not a time"))?;
        if self.has_ended(expires, now) {
            return Err(Rejected::Expired);
        }
        if let Some(nbf) = claims.nbf {
            let starts = numeric_date(nbf).ok_or_else(|| unusable(&"nbf is not a time"))?;
            if now.after(self.leeway) < starts {
                return Err(Rejected::NotYetValid);
            }
        }
        let user = Namespace::parse(&claims.username)
            .map_err(|error| unusable(&format_args!("username: {error}")))?;
        let job = match claims.job {
            None => None,
            Some(JobClaim::Number(number)) => Some(number.to_string()),
            Some(JobClaim::Text(text)) => Some(text).filter(|text| !text.is_empty()),
        };
        let job = job
            .map(|id| Job::parse(&id))
            .transpose()
            .map_err(|error| unusable(&format_args!("job: {error}")))?;
        let scopes = Scopes::parse(claims.scope.as_deref().unwrap_or_default())
            .map_err(|error| unusable(&error))?;
        let issuer = claims.iss.unwrap_or_else(|| ISSUER.to_owned());
        Ok(Principal {
            user,
            job,
            scopes,
            expires,
            issuer,
        })
    }

    /// Whether a token that was accepted before still is: only its end can have come since.
    pub(super) fn is_current(&self, principal: &Principal, now: Timestamp) -> bool {
        !self.has_ended(principal.expires, now)
    }

    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        principal.expires.after(self.leeway)
    }

    fn has_ended(&self, expires: Timestamp, now: Timestamp) -> bool {
        now >= expires.after(self.leeway)
    }

    /// Where the token names a secret by `kid`, that one alone is tried; otherwise all are.
    fn decode(&self, token: &str) -> Result<Claims, Rejected> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| reject(&error))?;
        if header.alg != Algorithm::HS256 {
            return Err(Rejected::Algorithm);
        }
        let named = |kid: &Option<String>| header.kid.is_some() && *kid == header.kid;
        let known = self.keys.iter().any(|(kid, _)| named(kid));
        let mut rejected = Rejected::Signature;
        for (_, key) in self.keys.iter().filter(|(kid, _)| !known || named(kid)) {
            match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => rejected = reject(&error),
            }
            if rejected != Rejected::Signature {
                break;
            }
        }
        Err(rejected)
    }
}

fn reject(error: &jsonwebtoken::errors::Error) -> Rejected {
    match error.kind() {
        ErrorKind::InvalidSignature => Rejected::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Rejected::Algorithm,
        // The library can't even name the algorithm `none`.
        ErrorKind::Json(error) if error.to_string().contains("unknown variant `none`") => {
            Rejected::Algorithm
        }
        ErrorKind::Json(error) if error.is_data() => Rejected::Claims(error.to_string()),
        _ => Rejected::Malformed,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::token::{NewToken, mint};
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn secret(kid: Option<&str>, key: &[u8]) -> Secret {
        Secret::new(kid, key)
    }

    fn verifier(secrets: &[Secret]) -> Verifier {
        Verifier::new(secrets, Duration::ZERO)
    }

    fn sign(claims: &Value, key: &[u8]) -> String {
        jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(key)).unwrap()
    }

    #[test]
    fn a_minted_token_says_who_its_bearer_is() {
        let secret = secret(None, b"one");
        let token = NewToken {
            user: Namespace::parse("a/b 🦀").unwrap(),
            job: Some(Job::parse("17").unwrap()),
            groups: vec!["g".into()],
            scopes: Scopes::parse("storage.read:/in").unwrap(),
            lifetime: Duration::from_secs(60),
        };
        let text = mint(&secret, &token, NOW).unwrap();
        let who = verifier(&[secret]).verify(&text, NOW).unwrap();
        assert_eq!(
            (who.user, who.job, who.scopes),
            (token.user, token.job, token.scopes)
        );
        assert_eq!(who.expires, Timestamp::from_secs(1_000_060));
    }

    #[test]
    fn a_token_ends_at_its_exp_and_begins_at_its_nbf_give_or_take_the_leeway() {
        let token = sign(
            &json!({"username": "a", "exp": 1_000_060, "nbf": 1_000_000.5}),
            b"k",
        );
        let at = |verifier: &Verifier, secs| verifier.verify(&token, Timestamp::from_secs(secs));
        let strict = verifier(&[secret(None, b"k")]);
        assert_eq!(at(&strict, 1_000_000), Err(Rejected::NotYetValid));
        assert!(at(&strict, 1_000_001).is_ok());
        assert!(at(&strict, 1_000_059).is_ok());
        assert_eq!(at(&strict, 1_000_060), Err(Rejected::Expired));
        let lenient = Verifier::new(&[secret(None, b"k")], Duration::from_secs(5));
        assert!(at(&lenient, 999_996).is_ok());
        assert!(at(&lenient, 1_000_064).is_ok());
        assert_eq!(at(&lenient, 1_000_065), Err(Rejected::Expired));
    }

    #[test]
    fn secrets_are_chosen_by_kid_or_by_trial() {
        let both = verifier(&[secret(Some("new"), b"n"), secret(Some("old"), b"o")]);
        let claims = json!({"username": "a", "exp": 2_000_000});
        assert!(both.verify(&sign(&claims, b"o"), NOW).is_ok());
        assert_eq!(
            both.verify(&sign(&claims, b"x"), NOW),
            Err(Rejected::Signature)
        );
        let header = Header {
            kid: Some("new".into()),
            ..Header::default()
        };
        let named = |key| jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key));
        assert!(both.verify(&named(b"n").unwrap(), NOW).is_ok());
        assert_eq!(
            both.verify(&named(b"o").unwrap(), NOW),
            Err(Rejected::Signature)
        );
    }

    #[test]
    fn claims_that_cannot_be_used_are_named() {
        let verifier = verifier(&[secret(None, b"k")]);
        for (claims, word) in [
            (json!({"exp": 2_000_000}), "username"),
            (json!({"username": "a"}), "exp"),
            (json!({"username": "", "exp": 2_000_000}), "username"),
            (
                json!({"username": "x".repeat(10_240), "exp": 2_000_000}),
                "10240",
            ),
            (json!({"username": "a", "exp": -1}), "exp"),
            (json!({"username": 7, "exp": 2_000_000}), "string"),
            (
                json!({"username": "a", "exp": 2_000_000, "scope": "storage.x:/"}),
                "storage.x",
            ),
            (
                json!({"username": "a", "exp": 2_000_000, "job": "a\nb"}),
                "job",
            ),
        ] {
            match verifier.verify(&sign(&claims, b"k"), NOW) {
                Err(Rejected::Claims(why)) => assert!(why.contains(word), "{why}"),
                other => panic!("{claims}: {other:?}"),
            }
        }
    }

    #[test]
    fn unsigned_and_garbled_tokens_are_rejected() {
        let verifier = verifier(&[secret(None, b"k")]);
        // {"alg":"none","typ":"JWT"} and {"username":"a","exp":2000000}
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VybmFtZSI6ImEiLCJleHAiOjIwMDAwMDB9.";
        assert_eq!(verifier.verify(none, NOW), Err(Rejected::Algorithm));
        let good = sign(&json!({"username": "a", "exp": 2_000_000}), b"k");
        assert!(verifier.verify(&good, NOW).is_ok());
        for garbled in [
            "",
            "x",
            "a.b.c",
            &good[1..],
            &good[..good.len() - 2],
            &format!("{good}."),
        ] {
            assert!(verifier.verify(garbled, NOW).is_err(), "{garbled}");
        }
    }

    #[test]
    fn a_job_is_named_by_a_number_or_a_word() {
        let verifier = verifier(&[secret(None, b"k")]);
        for (job, id) in [
            (json!(17), Some("17")),
            (json!("j-1"), Some("j-1")),
            (json!(""), None),
        ] {
            let token = sign(
                &json!({"username": "a", "exp": 2_000_000, "job": job}),
                b"k",
            );
            let who = verifier.verify(&token, NOW).unwrap();
            assert_eq!(who.job.as_ref().map(Job::as_str), id);
        }
    }
}
