//! The state that all handlers share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use prominence_core::{Gate, Quota, Store};

use crate::identity::cache::CachingVerifier;
use crate::identity::issuer::Issuers;
use crate::identity::login::Login;
use crate::identity::minting::Minter;
use crate::identity::one_time::OneTimeSignIn;
use crate::identity::rate::RateLimit;
use crate::identity::records::Records;
use crate::identity::token::Verifier;
use crate::metrics::Metrics;
use crate::request::body::BodyLimits;
use crate::request::log::RequestLog;
use crate::wait::barrier::Barriers;
use crate::wait::budget::MemoryBudget;
use crate::wait::claim_queue::ClaimQueues;
use crate::wait::clock::Timer;
use crate::wait::long_poll::{LongPollLimits, LongPolls};

/// The service's state; cheap to clone. The store is within, behind its gate.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// Fields of [`App`].
pub struct Inner {
    pub(crate) gate: Gate,
    /// The service's own records of tokens and users.
    pub(crate) records: Arc<Records>,
    /// Replaced as a whole on a reload, as are the two below and the limits.
    pub(crate) verifier: ArcSwap<CachingVerifier>,
    /// Makes tokens for callers, where the operator has not turned that off.
    pub(crate) minter: ArcSwapOption<Minter>,
    /// The place where people log in, if the operator has said by which address they reach the service.
    pub(crate) login: ArcSwapOption<Login>,
    pub(crate) clock: Arc<dyn Timer>,
    bounds: ArcSwap<Bounds>,
    pub(crate) memory: MemoryBudget,
    pub(crate) long_polls: LongPolls,
    pub(crate) claim_queues: ClaimQueues,
    pub(crate) barriers: Barriers,
    pub(crate) one_time: OneTimeSignIn,
    pub(crate) rate: ArcSwap<RateLimit>,
    pub(crate) metrics: Metrics,
    /// Set once, before the first request.
    pub(crate) request_log: OnceLock<Arc<RequestLog>>,
}

/// Limits on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a value.
    pub value_bytes: usize,
    /// The quota of each namespace; enforced by the engine, shown to users here.
    pub quota: Quota,
    /// For a request's body to arrive.
    pub body_within: Duration,
    /// From the last byte of the head to the first byte of the answer, without the time of a long poll.
    pub answer_within: Duration,
    /// Bytes of bodies that are read and answers that are made, of all users.
    pub request_memory: usize,
    /// Requests a second that one user may make, with bursts of as many; large ones count as several. 0 for no limit.
    pub requests_per_second: u32,
    /// Long polls at once.
    pub long_polls: LongPollLimits,
}

impl Bounds {
    /// The limits on a body that is a value.
    pub(crate) fn value(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.value_bytes,
            within: self.body_within,
        }
    }
}

/// Whose tokens are accepted, which are revoked, and which are made here.
pub struct Identity {
    /// For tokens that are signed with a secret.
    pub verifier: Verifier,
    /// For tokens of issuers.
    pub issuers: Issuers,
    /// The service's own records of tokens and users.
    pub records: Arc<Records>,
    /// Makes tokens for callers.
    pub minter: Option<Minter>,
    /// The place where people log in.
    pub login: Option<Login>,
}

impl App {
    /// Puts the service together, for tokens that are signed with a secret alone. It makes none.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        verifier: Verifier,
        clock: Arc<dyn Timer>,
        bounds: Bounds,
    ) -> Self {
        let records = Records::new(Arc::clone(&store), bounds.quota.into(), clock.clone());
        let identity = Identity {
            verifier,
            issuers: Issuers::default(),
            records: Arc::new(records),
            minter: None,
            login: None,
        };
        Self::with_identity(store, identity, clock, bounds)
    }

    /// Puts the service together.
    #[must_use]
    pub fn with_identity(
        store: Arc<dyn Store>,
        identity: Identity,
        clock: Arc<dyn Timer>,
        bounds: Bounds,
    ) -> Self {
        let Identity {
            verifier,
            issuers,
            records,
            minter,
            login,
        } = identity;
        let own_limits = Arc::clone(records.own_limits());
        Self(Arc::new(Inner {
            gate: Gate::new(store),
            verifier: ArcSwap::from_pointee(CachingVerifier::new(
                verifier,
                Arc::new(issuers),
                Arc::clone(&records),
            )),
            records,
            minter: ArcSwapOption::new(minter.map(Arc::new)),
            login: ArcSwapOption::new(login.map(Arc::new)),
            long_polls: LongPolls::new(bounds.long_polls, Arc::clone(&clock)),
            clock,
            memory: MemoryBudget::new(bounds.request_memory),
            bounds: ArcSwap::from_pointee(bounds),
            claim_queues: ClaimQueues::default(),
            barriers: Barriers::new(),
            one_time: OneTimeSignIn::default(),
            rate: ArcSwap::from_pointee(RateLimit::new(bounds.requests_per_second, own_limits)),
            metrics: Metrics::new(),
            request_log: OnceLock::new(),
        }))
    }

    /// Offers a token to the page, for one minute and once; answers the code that the page exchanges for it.
    #[must_use]
    pub fn offer_sign_in(&self, token: String) -> Option<String> {
        self.one_time.offer(token, self.clock.now()).ok()
    }

    /// Has requests logged from the first one on.
    pub(crate) fn log_requests(&self, log: Option<RequestLog>) {
        if let Some(log) = log {
            let log = Arc::new(log);
            let (audit, clock) = (Arc::clone(&log), Arc::clone(&self.clock));
            let note = move |change: &str| audit.note(clock.wall(), change);
            self.records.tell_changes(Box::new(note));
            // Nothing has set it before.
            let _ = self.request_log.set(log);
        }
    }

    /// The limits on a request.
    pub(crate) fn bounds(&self) -> Bounds {
        **self.bounds.load()
    }

    /// Verifies tokens with these secrets from now on, and with these issuers if there are new ones. Tokens that were
    /// accepted before are verified again.
    pub(crate) fn replace_verifier(&self, verifier: Verifier, issuers: Option<Arc<Issuers>>) {
        let issuers = issuers.unwrap_or_else(|| Arc::clone(self.verifier.load().issuers()));
        let verifier = CachingVerifier::new(verifier, issuers, Arc::clone(&self.records));
        self.verifier.store(Arc::new(verifier));
    }

    /// Makes tokens so from now on.
    pub(crate) fn replace_minter(&self, minter: Option<Minter>) {
        self.minter.store(minter.map(Arc::new));
    }

    /// Says from now on that people log in here.
    pub(crate) fn replace_login(&self, login: Option<Login>) {
        self.login.store(login.map(Arc::new));
    }

    /// Uses these limits for the requests to come, except for the memory, of which requests hold parts.
    pub(crate) fn replace_bounds(&self, bounds: Bounds) {
        let former = self.bounds.swap(Arc::new(bounds));
        self.records.replace_usual_quota(bounds.quota);
        self.long_polls.set_limits(bounds.long_polls);
        // A new table has a full bucket for each user.
        if former.requests_per_second != bounds.requests_per_second {
            let own_limits = Arc::clone(self.records.own_limits());
            let rate = RateLimit::new(bounds.requests_per_second, own_limits);
            self.rate.store(Arc::new(rate));
        }
    }

    /// The number of long polls.
    #[must_use]
    pub fn long_polls(&self) -> usize {
        self.long_polls.count()
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
