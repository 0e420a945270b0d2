//! How far a migration into a cluster is.

use prominence_core::{StoreError, Timestamp};

use crate::row::{Body, Kind, Row, readable};

/// What stands in the cluster until the migration is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When the migration was begun, which its later runs take over.
    pub(super) begun: Timestamp,
    /// Batches that are written.
    pub(super) batches: u64,
    /// The checksum of all that is in them, so that a later run can tell whether it would have
    /// written the same.
    pub(super) digest: u64,
}

impl Mark {
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
    fn a_mark_is_read_back() {
        let mark = Mark {
            begun: Timestamp::from_secs(1),
            batches: 2,
            digest: u64::MAX,
        };
        assert_eq!(Mark::decode(b"/at", &mark.encode(b"/at")).unwrap(), mark);
        assert!(Mark::decode(b"/elsewhere", &mark.encode(b"/at")).is_err());
    }
}
