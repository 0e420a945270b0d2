//! The progress of a migration into a cluster.

use prominence_core::{StoreError, Timestamp};

use crate::row::{Body, Kind, Row, readable};

/// The row that exists until the migration is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The time of the first run, which later runs take over.
    pub(super) begun: Timestamp,
    /// Batches that are written.
    pub(super) batches: u64,
    /// The checksum of their content, by which a later run knows whether it would write the same.
    pub(super) digest: u64,
}

impl Progress {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut row = Row::new(24);
        row.u64(self.begun.as_millis());
        row.u64(self.batches);
        row.u64(self.digest);
        row.finish(Kind::Mark, key)
    }

    pub(super) fn decode(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let mut body = Body::open(Kind::Mark, key, row)?;
        readable(Kind::Mark, key, || {
            Some(Self {
                begun: body.instant()?,
                batches: body.u64()?,
                digest: body.last_u64()?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_back() {
        let progress = Progress {
            begun: Timestamp::from_secs(1),
            batches: 2,
            digest: u64::MAX,
        };
        assert_eq!(
            Progress::decode(b"/at", &progress.encode(b"/at")).unwrap(),
            progress
        );
        assert!(Progress::decode(b"/elsewhere", &progress.encode(b"/at")).is_err());
    }
}
