//! An entry: the value and the metadata of a key.

use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// A value and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Value,
    /// The metadata.
    pub metadata: Metadata,
}

/// The metadata of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The commit that last wrote the entry, claims included.
    pub revision: Revision,
    /// The time at which the key was created.
    pub created: Timestamp,
    /// The time at which the value was last set; never before `created`.
    pub modified: Timestamp,
    /// The time from which on the entry counts as absent.
    pub expires: Option<Timestamp>,
    /// The job that set the value.
    pub job: Option<Job>,
    /// The end of the claim. A time in the past is no claim.
    pub claimed_until: Option<Timestamp>,
    /// The number of claims since the value was last set, at most the largest number. A renewal is not a claim.
    pub claims: u32,
    /// The job of the token that made the claim of `claimed_until`. A renewal keeps it; a release and a set clear it.
    /// [`Metadata::holder`] tells if the claim is live.
    pub claimed_by: Option<Job>,
    /// The id of the conditional set that stored the value, if it was sent with one. Claims, renewals and releases keep
    /// it; every set and every addition replaces or clears it.
    pub write_id: Option<WriteId>,
    /// Bytes of the value.
    pub size: usize,
}

impl Metadata {
    /// True if the entry has not expired at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// The end of the claim that is live at `now`, if there is one.
    #[must_use]
    pub fn live_claim(&self, now: Timestamp) -> Option<Timestamp> {
        self.claimed_until.filter(|until| now < *until)
    }

    /// Bytes of its strings, which take memory beside the metadata itself.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let job = |job: &Option<Job>| job.as_ref().map_or(0, |job| job.as_str().len());
        let write_id = self.write_id.as_ref().map_or(0, |id| id.as_str().len());
        job(&self.job) + job(&self.claimed_by) + write_id
    }

    /// The job of the claim that is live at `now`; `None` without a live claim, or if its token named no job.
    #[must_use]
    pub fn holder(&self, now: Timestamp) -> Option<&Job> {
        self.claimed_by
            .as_ref()
            .filter(|_| self.live_claim(now).is_some())
    }
}
