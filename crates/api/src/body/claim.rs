//! Answers to the renewal and the release of a claim.

use serde::{Deserialize, Serialize};

/// Answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Renewed {
    /// The key in canonical form.
    pub key: String,
    /// The commit's revision, which the next renewal, release or deletion has to name.
    pub revision: u64,
    /// The end of the claim.
    pub claimed_until: String,
}

/// Answer to a release: another worker can claim the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Released {
    /// The key in canonical form.
    pub key: String,
    /// The commit's revision.
    pub revision: u64,
}
