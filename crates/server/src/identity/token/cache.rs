//! Tokens verified lately.
//!
//! A job sends the same token with every request, and verifying it costs more than the rest of a
//! small read. What was verified is kept for as long as the token lasts, within a bound of memory.
//! Only a token that was accepted is kept, under its whole text: the entry of a token is found only with that token.

use std::sync::Arc;

use prominence_core::Timestamp;
use prominence_core::permit::Principal;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Rejected, Verifier};

/// Bytes of tokens kept. Some ten thousand of the usual size, which is more jobs than send
/// requests at any one time.
const MAX_BYTES: u64 = 16 << 20;

/// Bytes of an entry beside its token: the principal and the cache's own structure.
const OVERHEAD: usize = 512;

/// A token's usual length, from which the cache guesses how many there will be.
const USUAL_BYTES: usize = 400;

/// A verifier that remembers.
pub struct CachingVerifier {
    verifier: Verifier,
    accepted: Cache<Box<str>, Arc<Principal>, ByBytes>,
}

/// Weighs an entry by its memory.
#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<str>, Arc<Principal>> for ByBytes {
    fn weight(&self, token: &Box<str>, principal: &Arc<Principal>) -> u64 {
        (token.len() + principal.scopes.bytes() + OVERHEAD) as u64
    }
}

impl CachingVerifier {
    /// Puts a memory in front of a verifier.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        let usual = (USUAL_BYTES + OVERHEAD) as u64;
        let entries = usize::try_from(MAX_BYTES / usual).unwrap_or(usize::MAX);
        Self {
            verifier,
            accepted: Cache::with_weighter(entries, MAX_BYTES, ByBytes),
        }
    }

    /// The principal of a token; at every instant the same as [`Verifier::verify`].
    ///
    /// # Errors
    /// See [`Rejected`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Principal>, Rejected> {
        if let Some(principal) = self.remembered(token, now) {
            return Ok(principal);
        }
        // Not, or no longer: then it is forgotten here, and verifying it says why.
        self.accepted.remove(token);
        let principal = Arc::new(self.verifier.verify(token, now)?);
        self.accepted.insert(token.into(), Arc::clone(&principal));
        Ok(principal)
    }
}

impl CachingVerifier {
    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        self.verifier.end_of(principal)
    }

    /// The bearer of a token that was verified lately and is still good.
    pub(crate) fn remembered(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let principal = self.accepted.get(token)?;
        self.verifier
            .is_current(&principal, now)
            .then_some(principal)
    }
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
        CachingVerifier::new(Verifier::new(secrets, TokenLimits::default()))
    }

    #[test]
    fn what_is_remembered_ends_with_the_token_and_its_leeway() {
        let secret = Secret::new(None, b"k");
        let limits = TokenLimits {
            leeway: Duration::from_secs(5),
            ..TokenLimits::default()
        };
        let verifier = CachingVerifier::new(Verifier::new(std::slice::from_ref(&secret), limits));
        let token = token(&secret, "alice");
        for second in [0, 59, 64] {
            let now = NOW.after(Duration::from_secs(second));
            assert_eq!(verifier.verify(&token, now).unwrap().user.as_str(), "alice");
        }
        for _ in 0..2 {
            let now = NOW.after(Duration::from_secs(65));
            assert_eq!(verifier.verify(&token, now), Err(Rejected::Expired));
        }
    }

    #[test]
    fn only_what_was_accepted_is_remembered_and_under_its_whole_text() {
        let secret = Secret::new(None, b"k");
        let verifier = verifier(&secret);
        let (alice, bob) = (token(&secret, "alice"), token(&secret, "bob"));
        let forged = token(&Secret::new(None, b"other"), "alice");
        for _ in 0..2 {
            assert_eq!(verifier.verify(&alice, NOW).unwrap().user.as_str(), "alice");
            assert_eq!(verifier.verify(&bob, NOW).unwrap().user.as_str(), "bob");
            assert_eq!(verifier.verify(&forged, NOW), Err(Rejected::Signature));
            assert!(verifier.verify(&alice[..alice.len() - 1], NOW).is_err());
        }
    }

    #[test]
    fn its_memory_is_bounded() {
        let secret = Secret::new(None, b"k");
        let verifier = verifier(&secret);
        let principal = verifier.verify(&token(&secret, "alice"), NOW).unwrap();
        for number in 0..40_000 {
            let text = format!("{number:0>1000}");
            verifier
                .accepted
                .insert(text.into(), Arc::clone(&principal));
        }
        assert!(
            verifier.accepted.weight() <= MAX_BYTES,
            "{}",
            verifier.accepted.weight()
        );
    }
}
