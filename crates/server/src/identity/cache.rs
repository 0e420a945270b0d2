//! Tokens verified lately.
//!
//! A job sends the same token with every request, and verifying it costs more than the rest of a
//! small read. What was verified is kept for as long as the token lasts, within a bound of memory.
//! Only a token that was accepted is kept, under its whole text: the entry of a token is found only with that token.

use std::net::IpAddr;
use std::sync::Arc;

use prominence_core::Timestamp;
use prominence_core::permit::Principal;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::issuer::{Accepted, Issuers, Origin};
use super::token::{Parts, Rejected, Verifier};

/// Bytes of tokens kept. Some ten thousand of the usual size, which is more jobs than send
/// requests at any one time.
const MAX_BYTES: u64 = 16 << 20;

/// Bytes of an entry beside its token: the principal and the cache's own structure.
const OVERHEAD: usize = 512;

/// A token's usual length, from which the cache guesses how many there will be.
const USUAL_BYTES: usize = 400;

/// A verifier that remembers.
pub(crate) struct CachingVerifier {
    verifier: Verifier,
    issuers: Issuers,
    accepted: Cache<Box<str>, Accepted, ByBytes>,
}

/// Weighs an entry by its memory.
#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<str>, Accepted> for ByBytes {
    fn weight(&self, token: &Box<str>, accepted: &Accepted) -> u64 {
        let scopes = accepted.principal.scopes.bytes();
        (token.len() + scopes + OVERHEAD) as u64
    }
}

impl CachingVerifier {
    /// Puts a memory in front of what verifies tokens: those that are signed with a secret, and those of issuers.
    #[must_use]
    pub(crate) fn new(verifier: Verifier, issuers: Issuers) -> Self {
        let usual = (USUAL_BYTES + OVERHEAD) as u64;
        let entries = usize::try_from(MAX_BYTES / usual).unwrap_or(usize::MAX);
        Self {
            verifier,
            issuers,
            accepted: Cache::with_weighter(entries, MAX_BYTES, ByBytes),
        }
    }

    /// The principal of a token that a client at this address has sent.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub(crate) async fn verify(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Rejected> {
        if let Some(principal) = self.remembered(token, now) {
            return Ok(principal);
        }
        let accepted = match self.verify_anew(token, from, now).await {
            Ok(accepted) => accepted,
            Err(Rejected::Unavailable(wait)) => {
                return self.stale(token, now).ok_or(Rejected::Unavailable(wait));
            }
            Err(rejected) => {
                // Not, or no longer: then it is forgotten here.
                self.accepted.remove(token);
                return Err(rejected);
            }
        };
        let principal = Arc::clone(&accepted.principal);
        self.accepted.insert(token.into(), accepted);
        Ok(principal)
    }

    /// The bearer of a token that was verified lately and is still good.
    pub(crate) fn remembered(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let accepted = self.accepted.get(token)?;
        let is_good = now < accepted.fresh_until && self.issuers.is_current(accepted.origin);
        is_good.then_some(accepted.principal)
    }

    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        match self.issuers.leeway_of(&principal.issuer) {
            Some(leeway) => principal.expires.after(leeway),
            None => self.verifier.end_of(principal),
        }
    }

    /// The issuers.
    pub(crate) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// The bearer of a token about which its issuer told not long ago, and can't be asked now.
    fn stale(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let accepted = self.accepted.get(token)?;
        let is_good = now < accepted.stale_until && self.issuers.is_current(accepted.origin);
        is_good.then_some(accepted.principal)
    }

    async fn verify_anew(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let parts = match Parts::of(token) {
            Err(Rejected::Malformed) if !self.issuers.is_empty() && is_bearer_token(token) => {
                return self.issuers.verify_opaque(token, from, now).await;
            }
            parts => parts?,
        };
        if !self.issuers.is_empty() && parts.header.alg != "HS256" {
            return self.issuers.verify_signed((token, parts), from, now).await;
        }
        // A secret is never tried for a token of an issuer.
        let is_issuer = |iss: &str| self.issuers.has(iss);
        let principal = self.verifier.verify_parts(&parts, is_issuer, now)?;
        let end = self.verifier.end_of(&principal);
        Ok(Accepted {
            principal: Arc::new(principal),
            fresh_until: end,
            stale_until: end,
            origin: Origin::SECRET,
        })
    }
}

/// Whether a text can be a token at all (RFC 6750, section 2.1).
fn is_bearer_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::token::{NewToken, Secret, TokenLimits, mint};
    use prominence_core::Namespace;
    use prominence_core::permit::Scopes;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn token(secret: &Secret, user: &str) -> String {
        let token = NewToken {
            user: Namespace::parse(user).unwrap(),
            job: None,
            groups: Vec::new(),
            scopes: Scopes::Unrestricted,
            lifetime: Duration::from_secs(60),
        };
        mint(secret, &token, NOW).unwrap()
    }

    fn verifier(secret: &Secret) -> CachingVerifier {
        let secrets = std::slice::from_ref(secret);
        CachingVerifier::new(
            Verifier::new(secrets, TokenLimits::default()),
            Issuers::default(),
        )
    }

    #[tokio::test]
    async fn what_is_remembered_ends_with_the_token_and_its_leeway() {
        let secret = Secret::new(None, b"k");
        let limits = TokenLimits {
            leeway: Duration::from_secs(5),
            ..TokenLimits::default()
        };
        let verifier = CachingVerifier::new(
            Verifier::new(std::slice::from_ref(&secret), limits),
            Issuers::default(),
        );
        let token = token(&secret, "alice");
        for second in [0, 59, 64] {
            let now = NOW.after(Duration::from_secs(second));
            assert_eq!(
                verifier
                    .verify(&token, None, now)
                    .await
                    .unwrap()
                    .user
                    .as_str(),
                "alice"
            );
        }
        for _ in 0..2 {
            let now = NOW.after(Duration::from_secs(65));
            assert_eq!(
                verifier.verify(&token, None, now).await,
                Err(Rejected::Expired)
            );
        }
    }

    #[tokio::test]
    async fn only_what_was_accepted_is_remembered_and_under_its_whole_text() {
        let secret = Secret::new(None, b"k");
        let verifier = verifier(&secret);
        let (alice, bob) = (token(&secret, "alice"), token(&secret, "bob"));
        let forged = token(&Secret::new(None, b"other"), "alice");
        for _ in 0..2 {
            assert_eq!(
                verifier
                    .verify(&alice, None, NOW)
                    .await
                    .unwrap()
                    .user
                    .as_str(),
                "alice"
            );
            assert_eq!(
                verifier
                    .verify(&bob, None, NOW)
                    .await
                    .unwrap()
                    .user
                    .as_str(),
                "bob"
            );
            assert_eq!(
                verifier.verify(&forged, None, NOW).await,
                Err(Rejected::Signature)
            );
            assert!(
                verifier
                    .verify(&alice[..alice.len() - 1], None, NOW)
                    .await
                    .is_err()
            );
        }
    }

    #[tokio::test]
    async fn its_memory_is_bounded() {
        let secret = Secret::new(None, b"k");
        let verifier = verifier(&secret);
        let principal = verifier
            .verify(&token(&secret, "alice"), None, NOW)
            .await
            .unwrap();
        for number in 0..40_000 {
            let text = format!("{number:0>1000}");
            let accepted = Accepted {
                principal: Arc::clone(&principal),
                fresh_until: NOW,
                stale_until: NOW,
                origin: Origin::SECRET,
            };
            verifier.accepted.insert(text.into(), accepted);
        }
        assert!(
            verifier.accepted.weight() <= MAX_BYTES,
            "{}",
            verifier.accepted.weight()
        );
    }
}
