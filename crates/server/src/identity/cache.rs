//! Tokens verified lately.
//!
//! A job sends the same token with every request, and verifying it costs more than the rest of a
//! small read. What was verified is kept for as long as the token lasts, within a bound of memory.
//! Only a token that was accepted is kept, under its whole text: the entry of a token is found only with that token.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prominence_core::Timestamp;
use prominence_core::permit::Principal;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::watch;

use super::issuer::{Accepted, Issuers, Origin};
use super::records::{Records, Subject, Used};
use super::token::{Parts, Rejected, Verifier};

/// Bytes of tokens kept. Some ten thousand of the usual size, which is more jobs than send
/// requests at any one time.
const MAX_BYTES: u64 = 16 << 20;

/// After a day, a token that was made here is verified again.
const DAY: Duration = Duration::from_secs(86_400);

/// Bytes of an entry beside its token: the principal and the cache's own structure.
const OVERHEAD: usize = 512;

/// A token's usual length, from which the cache guesses how many there will be.
const USUAL_BYTES: usize = 400;

/// A verifier that remembers.
pub(crate) struct CachingVerifier {
    verifier: Verifier,
    issuers: Arc<Issuers>,
    records: Arc<Records>,
    accepted: Cache<Box<str>, Arc<Remembered>, ByBytes>,
}

/// A token that was accepted.
struct Remembered {
    accepted: Accepted,
    /// The version of the revocations at which it was not revoked.
    checked: AtomicU64,
}

/// Weighs an entry by its memory.
#[derive(Clone)]
struct ByBytes;

impl Weighter<Box<str>, Arc<Remembered>> for ByBytes {
    fn weight(&self, token: &Box<str>, known: &Arc<Remembered>) -> u64 {
        let scopes = known.accepted.principal.scopes.bytes();
        (token.len() + scopes + OVERHEAD) as u64
    }
}

impl CachingVerifier {
    /// Puts a memory in front of what verifies tokens: those that are signed with a secret, and those of issuers.
    #[must_use]
    pub(crate) fn new(verifier: Verifier, issuers: Arc<Issuers>, records: Arc<Records>) -> Self {
        let usual = (USUAL_BYTES + OVERHEAD) as u64;
        let entries = usize::try_from(MAX_BYTES / usual).unwrap_or(usize::MAX);
        Self {
            verifier,
            issuers,
            records,
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
        match self.verify_fresh(token, from, now).await {
            Err(Rejected::Unavailable(wait)) => {
                self.stale(token, now).ok_or(Rejected::Unavailable(wait))
            }
            verified => verified,
        }
    }

    /// The same, but not by an old answer of an issuer that can't be asked now.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub(crate) async fn verify_fresh(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Rejected> {
        if let Some(principal) = self.remembered(token, now) {
            return Ok(principal);
        }
        let known = match self.verify_anew(token, from, now).await {
            Ok(accepted) => self.compare(accepted).await,
            Err(rejected) => Err(rejected),
        };
        match known {
            Ok(known) => {
                let principal = Arc::clone(&known.accepted.principal);
                self.accepted.insert(token.into(), known);
                Ok(principal)
            }
            Err(unavailable @ (Rejected::Unavailable(_) | Rejected::Unconfirmed)) => {
                Err(unavailable)
            }
            Err(rejected) => {
                // Not, or no longer: then it is forgotten here.
                self.accepted.remove(token);
                Err(rejected)
            }
        }
    }

    /// The bearer of a token that was verified lately and is still good.
    pub(crate) fn remembered(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let known = self.accepted.get(token)?;
        if now >= known.accepted.fresh_until || !self.is_still_good(&known) {
            return None;
        }
        self.issuers.count_remembered(known.accepted.origin);
        Some(Arc::clone(&known.accepted.principal))
    }

    /// From when on a principal's token is not accepted any more.
    pub(crate) fn end_of(&self, principal: &Principal) -> Timestamp {
        match self.issuers.leeway_of(&principal.issuer) {
            Some(leeway) => principal.expires.after(leeway),
            None => self.verifier.end_of(principal),
        }
    }

    /// The longest life of a token.
    pub(crate) fn max_lifetime(&self) -> Duration {
        self.verifier.max_lifetime()
    }

    /// The issuers.
    pub(crate) fn issuers(&self) -> &Arc<Issuers> {
        &self.issuers
    }

    /// Comes when a token is revoked.
    pub(crate) fn revocation_of(&self, who: &Arc<Principal>) -> Revocation {
        Revocation {
            changed: self.records.revocations().subscribe(),
            records: Arc::clone(&self.records),
            who: Arc::clone(who),
            leeway: self.leeway_of(who),
        }
    }

    /// The bearer of a token about which its issuer told not long ago, and can't be asked now.
    fn stale(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let known = self.accepted.get(token)?;
        let is_good = now < known.accepted.stale_until && self.is_still_good(&known);
        is_good.then(|| Arc::clone(&known.accepted.principal))
    }

    /// True if a remembered token is neither revoked nor signed with a key that was withdrawn.
    fn is_still_good(&self, known: &Remembered) -> bool {
        if !self.issuers.is_current(known.accepted.origin) || !self.records.are_known() {
            return false;
        }
        // Read first: a revocation after this has another version.
        let version = self.records.revocations().version();
        if known.checked.load(Ordering::Relaxed) == version {
            return true;
        }
        if self.is_revoked(&known.accepted.principal) {
            return false;
        }
        known.checked.store(version, Ordering::Relaxed);
        true
    }

    fn is_revoked(&self, who: &Principal) -> bool {
        let list = self.records.revocations();
        list.is_revoked(Subject::from(who), self.leeway_of(who))
    }

    /// A token of an issuer was issued by the issuer's clock, which may be ahead. Those signed with a secret have no
    /// leeway: one that is made after a revocation has returned has to be good at once.
    fn leeway_of(&self, who: &Principal) -> Duration {
        self.issuers.leeway_of(&who.issuer).unwrap_or_default()
    }

    /// Compares an accepted token with the records of the service.
    async fn compare(&self, accepted: Accepted) -> Result<Arc<Remembered>, Rejected> {
        let origin = accepted.origin;
        let compared = match self.unless_revoked(accepted) {
            Ok(known) => self.unless_of_another(known).await,
            Err(rejected) => Err(rejected),
        };
        self.issuers.count(origin, &compared);
        compared
    }

    /// Refuses a name that belongs to another account of the issuer.
    async fn unless_of_another(&self, known: Arc<Remembered>) -> Result<Arc<Remembered>, Rejected> {
        if let Some(pin) = &known.accepted.pin {
            let user = &known.accepted.principal.user;
            self.records.pin(user, pin).await?;
        }
        Ok(known)
    }

    fn unless_revoked(&self, accepted: Accepted) -> Result<Arc<Remembered>, Rejected> {
        let version = self.records.revocations().version();
        // Without the list a token that was revoked elsewhere would be accepted.
        if !self.records.are_known() {
            return Err(Rejected::Unconfirmed);
        }
        if self.is_revoked(&accepted.principal) {
            return Err(Rejected::Revoked);
        }
        Ok(Arc::new(Remembered {
            accepted,
            checked: AtomicU64::new(version),
        }))
    }

    async fn verify_anew(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let parts = match Parts::of(token) {
            Err(Rejected::Malformed)
                if !self.issuers.is_empty() && is_bearer_token(token) && !is_like_signed(token) =>
            {
                return self.issuers.verify_opaque(token, from, now).await;
            }
            parts => parts?,
        };
        if !self.issuers.is_empty() && parts.header.alg != "HS256" {
            return self.issuers.verify_signed((token, parts), from, now).await;
        }
        // A secret is never tried for a token of an issuer.
        let is_issuer = |iss: &str| self.issuers.has(iss);
        let (principal, is_own) = self.verifier.verify_parts(&parts, is_issuer, now)?;
        let mut end = self.verifier.end_of(&principal);
        if is_own {
            // The list of a user's tokens says on which day each was last used, so it is noted once a day.
            let day = now.as_secs() / DAY.as_secs() * DAY.as_secs();
            end = end.min(Timestamp::from_secs(day).after(DAY));
            self.records.note_use(Used {
                user: principal.user.clone(),
                id: principal.id,
                day,
            });
        }
        Ok(Accepted {
            principal: Arc::new(principal),
            fresh_until: end,
            stale_until: end,
            origin: Origin::SECRET,
            pin: None,
        })
    }
}

/// Waits for the revocation of a token, on behalf of a request that waits for something else.
pub(crate) struct Revocation {
    records: Arc<Records>,
    who: Arc<Principal>,
    leeway: Duration,
    changed: watch::Receiver<u64>,
}

impl Revocation {
    /// Comes when the token is revoked. Can be dropped and asked again.
    pub(crate) async fn revoked(&mut self) {
        loop {
            // Seen before the look: what changes after it is waited for.
            self.changed.mark_unchanged();
            let list = self.records.revocations();
            if list.is_revoked(Subject::from(&*self.who), self.leeway) {
                return;
            }
            if self.changed.changed().await.is_err() {
                // The list lives as long as the records.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// True if a text can be a token at all (RFC 6750, section 2.1).
fn is_bearer_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    text.bytes().all(allowed)
}

/// True if a text has the shape of a signed token. Spelt otherwise, such as with padding, a token that was revoked by its
/// name would have another name as an opaque one, and its issuer might know it all the same.
fn is_like_signed(text: &str) -> bool {
    // Base64 of `{"`, with which every header begins.
    text.starts_with("ey") && text.matches('.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::token::{NewToken, Secret, TokenLimits, mint};
    use prominence_core::clock::ManualClock;
    use prominence_core::memory::MemoryStore;
    use prominence_core::permit::Scopes;
    use prominence_core::{Namespace, Quota};

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
        verifier_within(secret, TokenLimits::default())
    }

    fn verifier_within(secret: &Secret, limits: TokenLimits) -> CachingVerifier {
        let clock = Arc::new(ManualClock::new(NOW));
        let store = Arc::new(MemoryStore::new(clock.clone(), Quota::UNLIMITED));
        let records = Records::new(store, Quota::UNLIMITED.into(), clock);
        CachingVerifier::new(
            Verifier::new(std::slice::from_ref(secret), limits),
            Arc::default(),
            Arc::new(records),
        )
    }

    #[tokio::test]
    async fn what_is_remembered_ends_with_the_token_and_its_leeway() {
        let secret = Secret::new(None, b"k");
        let limits = TokenLimits {
            leeway: Duration::from_secs(5),
            ..TokenLimits::default()
        };
        let verifier = verifier_within(&secret, limits);
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
                pin: None,
            };
            let known = verifier.unless_revoked(accepted).unwrap();
            verifier.accepted.insert(text.into(), known);
        }
        assert!(
            verifier.accepted.weight() <= MAX_BYTES,
            "{}",
            verifier.accepted.weight()
        );
    }
}
