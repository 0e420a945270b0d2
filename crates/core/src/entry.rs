//! An entry: the value and the metadata of a key.

use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// A value and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Value,
    /// Everything else.
    pub metadata: Metadata,
}

/// The metadata of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The commit that last touched the entry, claims included.
    pub revision: Revision,
    /// When the key came into being.
    pub created: Timestamp,
    /// When the value was last set; never before it was created.
    pub modified: Timestamp,
    /// From when on the entry is gone.
    pub expires: Option<Timestamp>,
    /// The job that set the value.
    pub job: Option<Job>,
    /// Until when a worker holds the entry. An instant in the past is no claim.
    pub claimed_until: Option<Timestamp>,
    /// The number of claims since the value was last set; the count stops at the
    /// largest number. A renewal is not a claim.
    pub claims: u32,
    /// The job whose token made the claim of `claimed_until`; a renewal keeps it, a release and a
    /// set clear it. See [`Metadata::holder`] for whether the claim is live.
    pub claimed_by: Option<Job>,
    /// The id of the conditional set that stored the value, where it was sent with one. Claims,
    /// renewals and releases keep it; every set and every addition replaces or clears it.
    pub write_id: Option<WriteId>,
    /// Bytes of the value.
    pub size: usize,
}

impl Metadata {
    /// True if the entry is there at `now`: from its instant of expiry on it is not.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// The end of the claim that a worker holds at `now`, if one does.
    #[must_use]
    pub fn live_claim(&self, now: Timestamp) -> Option<Timestamp> {
        self.claimed_until.filter(|until| now < *until)
    }

    /// Bytes of its texts, which take memory beside the metadata itself.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let job = |job: &Option<Job>| job.as_ref().map_or(0, |job| job.as_str().len());
        let write_id = self.write_id.as_ref().map_or(0, |id| id.as_str().len());
        job(&self.job) + job(&self.claimed_by) + write_id
    }

    /// The job that holds the claim that is live at `now`, where there is one and its token named
    /// a job.
    #[must_use]
    pub fn holder(&self, now: Timestamp) -> Option<&Job> {
        self.claimed_by
            .as_ref()
            .filter(|_| self.live_claim(now).is_some())
    }
}
