//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::{Gate, Quota};

use crate::barrier::Barriers;
use crate::clock::Timer;
use crate::hold::{HeldLimits, Places};
use crate::line::Lines;
use crate::rate::RateLimit;
use crate::telemetry::Telemetry;
use crate::token::{CachingVerifier, Verifier};

/// The service's state; cheap to clone. The store is within, behind its gate.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// Fields of [`App`].
pub struct Inner {
    pub(crate) gate: Gate,
    pub(crate) verifier: CachingVerifier,
    pub(crate) clock: Arc<dyn Timer>,
    pub(crate) bounds: Bounds,
    pub(crate) places: Places,
    pub(crate) lines: Lines,
    pub(crate) barriers: Barriers,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) telemetry: Telemetry,
}

/// Limits on one request.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of a value.
    pub value_bytes: usize,
    /// What a namespace may hold; enforced by the engine, shown to users here.
    pub quota: Quota,
    /// For a request's body to arrive.
    pub body_within: Duration,
    /// From the last byte of the head to the first byte of the answer.
    pub answer_within: Duration,
    /// Requests a second that one user may make, with bursts of as many; 0 for no limit.
    pub requests_per_second: u32,
    /// Requests held at once.
    pub held: HeldLimits,
}

impl App {
    /// Puts the service together.
    #[must_use]
    pub fn new(gate: Gate, verifier: Verifier, clock: Arc<dyn Timer>, bounds: Bounds) -> Self {
        let rate = RateLimit::new(bounds.requests_per_second);
        let telemetry = Telemetry::new();
        let verifier = CachingVerifier::new(verifier);
        Self(Arc::new(Inner {
            gate,
            verifier,
            clock,
            bounds,
            places: Places::new(bounds.held),
            lines: Lines::default(),
            barriers: Barriers::new(),
            rate,
            telemetry,
        }))
    }

    /// How many requests are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.places.taken()
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
