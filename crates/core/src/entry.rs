//! What is stored under a key.

use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;

/// A value and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Value,
    /// Everything else.
    pub metadata: Metadata,
}

/// What is known about a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The commit that last touched the entry, claims included.
    pub revision: Revision,
    /// When the key came into being.
    pub created: Timestamp,
    /// When the value was last set.
    pub modified: Timestamp,
    /// From when on the entry is gone.
    pub expires: Option<Timestamp>,
    /// The job that set the value.
    pub job: Option<Job>,
    /// Until when a worker holds the entry. An instant in the past is no claim.
    pub claimed_until: Option<Timestamp>,
    /// Bytes of the value.
    pub size: usize,
}

impl Metadata {
    /// Whether the entry is there at `now`: from its instant of expiry on it is not.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// The end of the claim that a worker holds at `now`, if one does.
    #[must_use]
    pub fn live_claim(&self, now: Timestamp) -> Option<Timestamp> {
        self.claimed_until.filter(|until| now < *until)
    }
}
