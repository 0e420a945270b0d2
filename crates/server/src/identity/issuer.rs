//! Tokens of issuers: OpenID providers, and batch platforms that publish their keys.

mod admission;
mod algorithm;
mod ask;
mod circuit;
mod code;
mod config;
mod counters;
mod discovery;
mod jwk;
mod keys;
mod names;
mod opaque;
mod shared;
mod verification;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::permit::Principal;
use prominence_core::{Clock, Timestamp};

use self::ask::AuthoritiesError;
use self::jwk::{Fit, KeySet};
use self::names::{NamesError, Owners};
use self::verification::Issuer;
use super::records::Pin;
use super::token::{Claims, Parts, Rejected, TokenLimits};

pub use algorithm::Alg;
pub(crate) use code::{Code, CodeError};
pub use config::{
    Audience, ClaimPath, ClaimsFrom, Freshness as IssuerFreshness, IssuerConfig, LoginConfig,
    Opaque, Requirement, Unnamed, Unscoped, WebClient,
};
pub(crate) use counters::{Counters, Endpoint, Outcome, Verdict};
pub(crate) use discovery::is_protected;

/// All issuers whose tokens are accepted.
#[derive(Default)]
pub struct Issuers {
    all: Vec<Arc<Issuer>>,
}

/// A token that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) principal: Arc<Principal>,
    /// Until when it is used without verifying it again.
    pub(crate) fresh_until: Timestamp,
    /// Until when it is used while its issuer does not answer.
    pub(crate) stale_until: Timestamp,
    pub(crate) origin: Origin,
    /// The subject that has the name, where it is to be compared with the one that had it before.
    pub(crate) pin: Option<Pin>,
}

/// Which keys a token was accepted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The issuer; `None` for a secret.
    pub(crate) issuer: Option<usize>,
    /// The generation of its keys.
    pub(crate) generation: u64,
}

impl Origin {
    /// A token that is signed with a secret.
    pub(crate) const SECRET: Self = Self {
        issuer: None,
        generation: 0,
    };
}

/// True if a file of keys has one that signs by one of these algorithms.
pub(crate) fn has_usable_key(file: &Path, algorithms: &[Alg]) -> std::io::Result<bool> {
    let set = serde_json::from_slice(&std::fs::read(file)?)?;
    let keys = KeySet::parse(&set, "");
    let has = |alg: &Alg| matches!(keys.fitting(None, *alg), Fit::Keys(_));
    Ok(algorithms.iter().any(has))
}

/// The reason why an issuer can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its file of authorities.
    #[error("issuer {name}: ca-file {cause}")]
    Authorities {
        /// The issuer.
        name: String,
        /// The mistake.
        cause: AuthoritiesError,
    },
    /// Its file of names.
    #[error("issuer {name}: names-file {cause}")]
    Names {
        /// The issuer.
        name: String,
        /// The mistake.
        cause: NamesError,
    },
}

impl Issuers {
    /// Prepares all issuers; none is asked yet.
    ///
    /// # Errors
    /// When a file of one can't be used.
    pub fn new(
        configs: Vec<IssuerConfig>,
        limits: TokenLimits,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        Self::default().succeeded_by(configs, limits, clock)
    }

    /// Prepares the issuers that follow these, and go on with the counters of those with the same name.
    pub(crate) fn succeeded_by(
        &self,
        configs: Vec<IssuerConfig>,
        limits: TokenLimits,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        let owners = Arc::new(Owners::of(&configs));
        let all = configs.into_iter().enumerate().map(|(index, config)| {
            let mut former = self.all.iter();
            let former = former.find(|former| former.config.name == config.name);
            let counters = former.map_or_else(Arc::default, |former| Arc::clone(&former.counters));
            let issuer = Issuer::new(
                (index, config, counters),
                limits,
                Arc::clone(&owners),
                Arc::clone(clock),
            );
            issuer.map(Arc::new)
        });
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
        })
    }

    /// Begins to fetch the keys of all, so that the first tokens find them. The service does not wait for that.
    pub fn start(&self) {
        for issuer in &self.all {
            tokio::spawn(Arc::clone(&issuer.keys).start());
        }
    }

    /// Asks each once: its name, and the number of its keys or what is wrong.
    pub async fn check(&self) -> Vec<(String, Result<usize, String>)> {
        let mut found = Vec::new();
        for issuer in &self.all {
            found.push((issuer.config.name.clone(), issuer.check().await));
        }
        found
    }

    /// True if there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True if this is the URL of one of them.
    pub(crate) fn has(&self, issuer: &str) -> bool {
        self.all.iter().any(|known| known.config.issuer == issuer)
    }

    /// The tolerance for the clock of an issuer, if this is the URL of one.
    pub(crate) fn leeway_of(&self, issuer: &str) -> Option<Duration> {
        let issuer = self.all.iter().find(|known| known.config.issuer == issuer);
        issuer.map(|issuer| issuer.config.leeway)
    }

    /// True if the issuer still has all keys that it had when the token was accepted.
    pub(crate) fn is_current(&self, origin: Origin) -> bool {
        let Some(index) = origin.issuer else {
            return true;
        };
        let issuer = self.all.get(index);
        issuer.is_some_and(|issuer| issuer.keys.generation() == origin.generation)
    }

    /// Verifies a JSON Web Token that names its issuer.
    pub(in crate::identity) async fn verify_signed(
        &self,
        (token, parts): (&str, Parts<'_>),
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        // Who it says has signed it is not known yet; it only chooses the keys that it is verified by.
        let claims = Claims::parse(&parts.payload)?;
        let iss = claims.text("iss")?.unwrap_or_default();
        let issuer = self.all.iter().find(|known| known.config.issuer == iss);
        let issuer = issuer.ok_or_else(|| Rejected::unknown_issuer(iss))?;
        let verified = issuer.verify_signed((token, &parts, &claims), from, now);
        issuer.count_rejection(verified.await)
    }

    /// Verifies a token that is not a JSON Web Token, by the one issuer that has such.
    pub(crate) async fn verify_opaque(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let mut all = self.all.iter();
        let issuer = all.find(|issuer| !matches!(issuer.config.opaque, Opaque::Refuse));
        let issuer = issuer.ok_or(Rejected::Malformed)?;
        issuer.count_rejection(issuer.verify_opaque(token, from, now).await)
    }

    /// Counts what became of an accepted token when it was compared with the records of the service.
    pub(in crate::identity) fn count<T>(&self, origin: Origin, result: &Result<T, Rejected>) {
        if let Some(issuer) = origin.issuer.and_then(|index| self.all.get(index)) {
            issuer.count(result);
        }
    }

    /// Counts a token that was accepted lately and has come again.
    pub(in crate::identity) fn count_remembered(&self, origin: Origin) {
        if let Some(issuer) = origin.issuer.and_then(|index| self.all.get(index)) {
            issuer.counters.verified(Verdict::Remembered);
        }
    }

    /// The name of the issuer with this URL, and whether tokens may be made from its tokens.
    pub(crate) fn minting_of(&self, issuer: &str) -> Option<(&str, bool)> {
        let issuer = self
            .all
            .iter()
            .find(|known| known.config.issuer == issuer)?;
        Some((&issuer.config.name, issuer.config.may_mint))
    }

    /// The name of each, its counters, its keys with the age of their confirmation, and its open circuits.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        self.all.iter().map(|issuer| {
            let (keys, confirmed) = issuer.keys.condition();
            let open = Endpoint::ALL.map(|endpoint| (endpoint, issuer.line.is_open(endpoint)));
            Condition {
                name: &issuer.config.name,
                counters: &issuer.counters,
                keys,
                confirmed,
                open,
            }
        })
    }
}

/// The condition of an issuer.
pub(crate) struct Condition<'a> {
    pub(crate) name: &'a str,
    pub(crate) counters: &'a Counters,
    pub(crate) keys: usize,
    pub(crate) confirmed: Option<Duration>,
    pub(crate) open: [(Endpoint, bool); Endpoint::ALL.len()],
}
