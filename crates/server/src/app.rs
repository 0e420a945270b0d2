//! The state that all handlers share.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::{Gate, Quota};

use crate::identity::cache::CachingVerifier;
use crate::identity::issuer::Issuers;
use crate::identity::one_time::OneTimeSignIn;
use crate::identity::rate::RateLimit;
use crate::identity::token::Verifier;
use crate::metrics::Metrics;
use crate::request::body::BodyLimits;
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
    pub(crate) verifier: CachingVerifier,
    pub(crate) clock: Arc<dyn Timer>,
    pub(crate) bounds: Bounds,
    pub(crate) memory: MemoryBudget,
    pub(crate) long_polls: LongPolls,
    pub(crate) claim_queues: ClaimQueues,
    pub(crate) barriers: Barriers,
    pub(crate) one_time: OneTimeSignIn,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) metrics: Metrics,
}

/// Limits on one request.
#[derive(Clone, Copy, Debug)]
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
    /// Requests a second that one user may make, with bursts of as many; 0 for no limit.
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

impl App {
    /// Puts the service together, for tokens that are signed with a secret alone.
    #[must_use]
    pub fn new(gate: Gate, verifier: Verifier, clock: Arc<dyn Timer>, bounds: Bounds) -> Self {
        Self::with_issuers(gate, (verifier, Issuers::default()), clock, bounds)
    }

    /// Puts the service together, for these tokens and those of issuers.
    #[must_use]
    pub fn with_issuers(
        gate: Gate,
        (verifier, issuers): (Verifier, Issuers),
        clock: Arc<dyn Timer>,
        bounds: Bounds,
    ) -> Self {
        Self(Arc::new(Inner {
            gate,
            verifier: CachingVerifier::new(verifier, issuers),
            long_polls: LongPolls::new(bounds.long_polls, Arc::clone(&clock)),
            clock,
            memory: MemoryBudget::new(bounds.request_memory),
            bounds,
            claim_queues: ClaimQueues::default(),
            barriers: Barriers::new(),
            one_time: OneTimeSignIn::default(),
            rate: RateLimit::new(bounds.requests_per_second),
            metrics: Metrics::new(),
        }))
    }

    /// Offers a token to the page, for one minute and once; answers the code that the page exchanges for it.
    #[must_use]
    pub fn offer_sign_in(&self, token: String) -> Option<String> {
        self.one_time.offer(token, self.clock.now()).ok()
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
