//! Why a write was not done.

use prominence_core::StoreError;
use prominence_core::error::Fate;

use crate::etcd::error::{RETRY_SOON, Unavailable, unavailable};

/// The reason why a write was not done, and whether it may have been done all the same.
#[derive(Debug)]
pub(super) struct WriteError {
    why: Why,
    fate: Fate,
}

#[derive(Debug)]
enum Why {
    /// The cluster could not be read or written.
    Cluster(Unavailable),
    /// The store itself refuses.
    Store(StoreError),
}

/// The fate of what the cluster was asked; [`Fate::NotApplied`] for a read before the write.
impl From<Unavailable> for WriteError {
    fn from(error: Unavailable) -> Self {
        Self {
            fate: error.fate,
            why: Why::Cluster(error),
        }
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        let fate = match &error {
            StoreError::Unavailable { fate, .. } => *fate,
            _ => Fate::NotApplied,
        };
        Self {
            why: Why::Store(error),
            fate,
        }
    }
}

impl WriteError {
    pub(super) fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// True if the write was certainly not done.
    pub(super) fn is_not_applied(&self) -> bool {
        self.fate == Fate::NotApplied
    }

    /// The answer to one caller of several.
    pub(super) fn answer(&self) -> StoreError {
        match &self.why {
            Why::Cluster(error) => error.clone().with_fate(self.fate).into(),
            Why::Store(StoreError::Corrupt { what }) => StoreError::Corrupt { what: what.clone() },
            Why::Store(other) => unavailable(&other.to_string(), self.fate, RETRY_SOON),
        }
    }

    /// The answer to the only caller.
    pub(super) fn into_answer(self) -> StoreError {
        match self.why {
            Why::Cluster(error) => error.with_fate(self.fate).into(),
            Why::Store(error) => error,
        }
    }
}
