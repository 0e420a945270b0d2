//! One issuer, and how a token of it becomes a principal.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::permit::{Principal, Scopes};
use prominence_core::{Clock, Job, Namespace, Timestamp};
use serde_json::Value;

use super::algorithm::Alg;
use super::ask::Line;
use super::config::{ClaimsFrom, Freshness, IssuerConfig, Opaque, Unscoped};
use super::counters::{Counters, Verdict};
use super::keys::{BadSignature, Keys, Source};
use super::names::{Names, Owners};
use super::opaque::{Oracle, check_subject};
use super::shared::Shared;
use super::{Accepted, IssuerError, Origin, admission};
use crate::identity::records::Pin;
use crate::identity::token::{
    Claims, Members, Parts, Rejected, TokenLimits, Window, digest_of, unusable,
};

/// The time for which an opaque token lasts that does not say how long.
const USUAL_LIFETIME: Duration = Duration::from_secs(3_600);

/// An issuer.
pub(super) struct Issuer {
    index: usize,
    pub(super) config: IssuerConfig,
    max_lifetime: Duration,
    pub(super) keys: Arc<Keys>,
    pub(super) line: Arc<Line>,
    oracle: Oracle,
    names: Names,
    owners: Arc<Owners>,
    shared: Arc<Shared>,
    pub(super) counters: Arc<Counters>,
}

/// The source of the claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// All from the token, which is signed.
    Signed,
    /// Those of the token from the token, and those of its user from the issuer.
    SignedAndTold,
    /// All from the issuer.
    Told,
}

/// The claims of a token and of its user.
struct Reading<'a> {
    claims: &'a Claims,
    user: &'a Members,
    evidence: Evidence,
    id: [u8; 32],
    origin: Origin,
}

impl Issuer {
    /// Prepares it; it is not asked yet.
    pub(super) fn new(
        (index, config, counters): (usize, IssuerConfig, Arc<Counters>),
        limits: TokenLimits,
        owners: Arc<Owners>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        let name = config.name.clone();
        let line = Line::new(
            config.ca_file.as_deref(),
            Arc::clone(&clock),
            Arc::clone(&counters),
        );
        let line = line.map_err(|cause| IssuerError::Authorities {
            name: name.clone(),
            cause,
        })?;
        let line = Arc::new(line);
        let source = match &config.jwks_file {
            Some(file) => Source::File(file.clone()),
            None => Source::Issuer,
        };
        let names = Names::of(&config).map_err(|cause| IssuerError::Names {
            name: name.clone(),
            cause,
        })?;
        let keys = Keys::new(
            (&name, &config.issuer),
            source,
            Arc::clone(&line),
            Arc::clone(&clock),
        );
        let keys = Arc::new(keys);
        Ok(Self {
            index,
            max_lifetime: limits.max_lifetime,
            oracle: Oracle {
                name,
                issuer: config.issuer.clone(),
                line: Arc::clone(&line),
                keys: Arc::clone(&keys),
            },
            names,
            owners,
            shared: Arc::new(Shared::new(Arc::clone(&clock))),
            keys,
            line,
            counters,
            config,
        })
    }

    /// Asks it once for everything that tokens will need.
    pub(super) async fn check(&self) -> Result<usize, String> {
        let keys = self.keys.check().await?;
        let endpoints = self.keys.endpoints().await.unwrap_or_default();
        let introspects = matches!(self.config.opaque, Opaque::Introspection { .. });
        if introspects && endpoints.introspection.is_none() {
            return Err("its configuration has no introspection_endpoint".to_owned());
        }
        let asks_userinfo = matches!(self.config.opaque, Opaque::Userinfo)
            || self.config.claims_from == ClaimsFrom::Userinfo;
        if asks_userinfo && endpoints.userinfo.is_none() {
            return Err("its configuration has no userinfo_endpoint".to_owned());
        }
        Ok(keys)
    }

    /// Verifies a JSON Web Token that names this issuer.
    pub(super) async fn verify_signed(
        self: &Arc<Self>,
        (token, parts, claims): (&str, &Parts<'_>, &Claims),
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let alg = parts
            .header
            .alg
            .parse::<Alg>()
            .map_err(|_| Rejected::IssuerAlgorithm)?;
        if !self.config.algorithms.contains(&alg) {
            return Err(Rejected::IssuerAlgorithm);
        }
        // Before the signature: what verified it may have been taken away meanwhile.
        let generation = self.keys.generation();
        self.keys
            .verify(parts, alg)
            .await
            .map_err(|bad| match bad {
                BadSignature::Invalid => Rejected::Signature,
                BadSignature::UnknownKey => Rejected::UnknownKey,
                BadSignature::Unavailable(wait) => Rejected::Unavailable(wait),
            })?;
        let origin = self.origin(generation);
        let id = digest_of(parts.signed);
        if self.config.claims_from == ClaimsFrom::Token {
            let reading = Reading {
                claims,
                user: claims.members(),
                evidence: Evidence::Signed,
                id,
                origin,
            };
            return self.accept(reading, now).await;
        }
        // Checked first, so that the issuer is not asked about a token that is refused anyway.
        self.check_claims(claims, Evidence::SignedAndTold, now)?;
        let (issuer, text) = (Arc::clone(self), token.to_owned());
        let claims = Claims::of(claims.members().clone());
        let verify = move || async move {
            let user = issuer.oracle.userinfo(&text, from).await?;
            check_subject(claims.members(), &user)?;
            let reading = Reading {
                claims: &claims,
                user: &user,
                evidence: Evidence::SignedAndTold,
                id,
                origin,
            };
            issuer.accept(reading, now).await
        };
        self.shared.verify(digest_of(token), verify).await
    }

    /// Verifies a token that is not a JSON Web Token.
    pub(super) async fn verify_opaque(
        self: &Arc<Self>,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let (issuer, text) = (Arc::clone(self), token.to_owned());
        let id = digest_of(token);
        let verify = move || async move {
            let origin = issuer.origin(issuer.keys.generation());
            let (claims, user) = issuer.ask(&text, from).await?;
            let reading = Reading {
                claims: &claims,
                user: &user,
                evidence: Evidence::Told,
                id,
                origin,
            };
            issuer.accept(reading, now).await
        };
        self.shared.verify(id, verify).await
    }

    /// Asks about an opaque token. Answers the claims of the token, and those of its user.
    async fn ask(&self, token: &str, from: Option<IpAddr>) -> Result<(Claims, Members), Rejected> {
        let told = match &self.config.opaque {
            Opaque::Refuse => return Err(Rejected::Malformed),
            Opaque::Userinfo => {
                let told = self.oracle.userinfo(token, from).await?;
                return Ok((Claims::of(told.clone()), told));
            }
            Opaque::Introspection {
                client_id,
                client_secret,
            } => {
                let client = (client_id.as_str(), client_secret.as_str());
                self.oracle.introspect(client, token, from).await?
            }
        };
        let user = match self.config.claims_from {
            ClaimsFrom::Token => told.clone(),
            ClaimsFrom::Userinfo => {
                let info = self.oracle.userinfo(token, from).await?;
                check_subject(&told, &info)?;
                // Only what introspection lacks is taken from userinfo.
                let mut all = info.into_map();
                all.extend(told.clone().into_map());
                Members::of(all)
            }
        };
        Ok((Claims::of(told), user))
    }

    fn origin(&self, generation: u64) -> Origin {
        Origin {
            issuer: Some(self.index),
            generation,
        }
    }

    /// Checks what a token says of itself: its times, its purpose, and for whom it is.
    fn check_claims(
        &self,
        claims: &Claims,
        evidence: Evidence,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>), Rejected> {
        let window = Window {
            leeway: self.config.leeway,
            issued_ahead: self.config.leeway,
            max_lifetime: self.max_lifetime,
        };
        let is_told = evidence == Evidence::Told;
        let times = match claims.get("exp") {
            None if is_told => (now.after(USUAL_LIFETIME), claims.time("iat")?),
            _ => window.times(claims, now)?,
        };
        if times.1.is_none() && !is_told {
            return Err(unusable("iat is missing"));
        }
        claims.check_purpose()?;
        admission::check_audience(claims.members(), &self.config.audience)?;
        Ok(times)
    }

    /// The principal of a token whose signature is valid, or about which the issuer has told.
    async fn accept(&self, reading: Reading<'_>, now: Timestamp) -> Result<Accepted, Rejected> {
        let Reading {
            claims,
            user,
            evidence,
            id,
            origin,
        } = reading;
        let (expires, issued) = self.check_claims(claims, evidence, now)?;
        let namespace = self.namespace(user, now).await?;
        admission::check_requirements(user, &self.config.require)?;
        let scopes = match claims.scopes()?.of_another_issuer() {
            Scopes::Unrestricted if self.config.unscoped == Unscoped::Nothing => Scopes::nothing(),
            scopes => scopes,
        };
        let pin = self.pin(claims, user)?;
        let principal = Principal {
            user: namespace,
            job: self.job(claims)?,
            scopes,
            expires,
            issued,
            since: issued,
            job_since: issued,
            issuer: self.config.issuer.clone(),
            id,
            made_from: pin.iter().map(Pin::account).collect(),
        };
        let end = expires.after(self.config.leeway);
        let Freshness { fresh, stale } = self.config.freshness;
        let (fresh_until, stale_until) = match evidence {
            Evidence::Signed => (end, end),
            Evidence::SignedAndTold | Evidence::Told => {
                (now.after(fresh).min(end), now.after(stale).min(end))
            }
        };
        Ok(Accepted {
            principal: Arc::new(principal),
            fresh_until,
            stale_until,
            origin,
            pin,
        })
    }

    async fn namespace(&self, user: &Members, now: Timestamp) -> Result<Namespace, Rejected> {
        let claim = &self.config.user_claim;
        let name = match claim.find(user) {
            Some(Value::String(name)) if !name.is_empty() => name,
            Some(Value::String(_)) => return Err(unusable(format_args!("{claim} is empty"))),
            Some(_) => return Err(unusable(format_args!("{claim} is not a string"))),
            None => return Err(unusable(format_args!("{claim} is missing"))),
        };
        self.names
            .namespace((&self.owners, self.index), name, now)
            .await
    }

    /// The subject that the name is to belong to, where names can be given to somebody else.
    fn pin(&self, claims: &Claims, user: &Members) -> Result<Option<Pin>, Rejected> {
        if !self.config.pin_subject {
            return Ok(None);
        }
        let subject = match claims.text("sub")? {
            Some(subject) => Some(subject),
            None => user.get("sub").and_then(Value::as_str),
        };
        let subject = subject.ok_or_else(|| unusable("sub is missing"))?;
        Ok(Some(Pin::new(&self.config.issuer, subject)))
    }

    fn job(&self, claims: &Claims) -> Result<Option<Job>, Rejected> {
        let Some(claim) = &self.config.job_claim else {
            return Ok(None);
        };
        let id = match claim.find(claims.members()) {
            None => return Ok(None),
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(number)) if number.is_u64() => number.to_string(),
            Some(_) => {
                return Err(unusable(format_args!(
                    "{claim} is not a string or a number"
                )));
            }
        };
        let job = Job::parse(&id).map_err(|why| unusable(format_args!("{claim}: {why}")))?;
        Ok(Some(job))
    }

    /// Counts a token that is refused here. One that is not may still have been revoked.
    pub(super) fn count_rejection(
        &self,
        verified: Result<Accepted, Rejected>,
    ) -> Result<Accepted, Rejected> {
        if verified.is_err() {
            self.count(&verified);
        }
        verified
    }

    /// Counts the outcome of a verification.
    pub(super) fn count<T>(&self, verified: &Result<T, Rejected>) {
        self.counters.verified(match verified {
            Ok(_) => Verdict::Accepted,
            Err(rejected) => verdict(rejected),
        });
    }
}

/// The label of a rejection.
fn verdict(rejected: &Rejected) -> Verdict {
    match rejected {
        Rejected::TooLong | Rejected::Malformed | Rejected::Encrypted | Rejected::Header(_) => {
            Verdict::Malformed
        }
        Rejected::Algorithm | Rejected::IssuerAlgorithm => Verdict::Algorithm,
        Rejected::ForeignIssuer | Rejected::UnknownIssuer(_) => Verdict::Issuer,
        Rejected::UnknownKey => Verdict::Key,
        Rejected::Signature | Rejected::Inactive => Verdict::Signature,
        Rejected::Expired | Rejected::NotYetValid | Rejected::TooLongLived(_) => Verdict::Time,
        Rejected::Audience => Verdict::Audience,
        Rejected::Claims(_) | Rejected::NotAccessToken | Rejected::Bound => Verdict::Claims,
        Rejected::Name(_) => Verdict::Name,
        Rejected::NotAdmitted(_) => Verdict::Admission,
        Rejected::Pinned(_) | Rejected::Full => Verdict::Pin,
        Rejected::Scopes(_) => Verdict::Scope,
        Rejected::Revoked => Verdict::Revoked,
        Rejected::Unavailable(_) | Rejected::Unconfirmed => Verdict::Unavailable,
    }
}
