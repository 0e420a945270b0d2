//! Where people log in, as the service tells it to programs (RFC 9728).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use prominence_api::name::{BASE, LOGIN_METADATA};
use prominence_api::{ErrorCode, LoginAt, ProtectedResource};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::issuer::IssuerConfig;
use super::source::Source;
use crate::failure::Failure;

/// The scopes that limit a token, each with the path of everything.
const SCOPES: [&str; 3] = ["storage.read:/", "storage.create:/", "storage.modify:/"];

/// Exchanges of codes at once, and those of one address a second.
const EXCHANGES: usize = 8;
const EXCHANGES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// The place where people log in.
pub struct Login {
    metadata: ProtectedResource,
    /// The address of the page.
    page: String,
    /// Exchanges of codes that are under way.
    exchanges: Semaphore,
    /// Exchanges of each address. They need no token, and each makes the service ask an issuer.
    rate: DefaultKeyedRateLimiter<Source>,
    /// Ends the challenge of an answer to a request without a good token.
    challenge: String,
}

impl Login {
    /// For a service with this origin, at those of the issuers that offer it.
    #[must_use]
    pub fn new(origin: &str, issuers: &[IssuerConfig]) -> Self {
        let at = issuers.iter().filter_map(|issuer| {
            let login = issuer.login.as_ref()?;
            Some(LoginAt {
                name: issuer.name.clone(),
                title: issuer.title.clone(),
                issuer: issuer.issuer.clone(),
                client_id: login.client_id.clone(),
                scopes: login.scopes.clone(),
                parameters: login.parameters.clone(),
            })
        });
        let at: Vec<_> = at.collect();
        Self {
            challenge: format!(", resource_metadata=\"{origin}{LOGIN_METADATA}\""),
            metadata: ProtectedResource {
                resource: format!("{origin}{BASE}"),
                authorization_servers: at.iter().map(|at| at.issuer.clone()).collect(),
                scopes_supported: SCOPES.map(str::to_owned).into(),
                bearer_methods_supported: vec!["header".to_owned()],
                prominence_login: at,
            },
            page: format!("{origin}/"),
            exchanges: Semaphore::new(EXCHANGES),
            rate: RateLimiter::keyed(Quota::per_second(EXCHANGES_PER_SECOND)),
        }
    }

    /// The address of the page, which the operator has named: headers of a request could name another.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }

    /// Lets an exchange of a code begin.
    ///
    /// # Errors
    /// 429 if there are too many.
    pub(crate) fn admit(&self, from: Option<IpAddr>) -> Result<SemaphorePermit<'_>, Failure> {
        let is_within_rate = from.is_none_or(|from| self.rate.check_key(&Source::of(from)).is_ok());
        let place = self.exchanges.try_acquire().ok();
        // Addresses whose buckets are full again are forgotten, so that the table does not grow.
        self.rate.retain_recent();
        place.filter(|_| is_within_rate).ok_or_else(|| {
            let message = "too many logins at once; try again in a second";
            Failure::new(ErrorCode::RateLimited, message).retry_after(Duration::from_secs(1))
        })
    }

    /// The document.
    pub(crate) fn metadata(&self) -> &ProtectedResource {
        &self.metadata
    }

    /// Says in a challenge where to log in (RFC 9728, section 5.1).
    pub(crate) fn add_to_challenge(&self, headers: &mut HeaderMap) {
        let challenge = headers.get(WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok());
        let whole = challenge.map(|challenge| format!("{challenge}{}", self.challenge));
        // An origin has only characters that a header can have.
        if let Some(Ok(whole)) = whole.map(HeaderValue::try_from) {
            headers.insert(WWW_AUTHENTICATE, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_share_a_rate() {
        let login = Login::new("https://kv.example.org", &[]);
        let admitted = |network: u16| {
            let address = |host| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]);
            (0..20)
                .filter(|host| login.admit(Some(address(*host))).is_ok())
                .count()
        };
        assert_eq!((admitted(1), admitted(2)), (5, 5));
    }
}
