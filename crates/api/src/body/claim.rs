//! Answers to what is done with a claim.

use serde::{Deserialize, Serialize};

/// Answer to a renewal: the claim goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Renewed {
    /// The key in canonical form.
    pub key: String,
    /// The commit's revision: what the next renewal, release or deletion has to name.
    pub revision: u64,
    /// When the claim runs out.
    pub claimed_until: String,
}

/// Answer to a release: somebody else may take the key now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Released {
    /// The key in canonical form.
    pub key: String,
    /// The commit's revision.
    pub revision: u64,
}
