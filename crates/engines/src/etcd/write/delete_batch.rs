//! The keys that the deletion of a prefix removes, as they are read.

use prominence_core::{Key, StoreError, Timestamp};

use crate::etcd::keys::{self, NamespaceKeys};
use crate::etcd::query::Found;
use crate::etcd::records::{Head, decode_entry, is_internal};
use crate::etcd::ticket::Ticket;

/// The keys that the deletion of a prefix removes.
#[derive(Default)]
pub(super) struct DeleteBatch {
    pub(super) keys: Vec<Key>,
    /// The bytes of the keys and values.
    bytes: u64,
    internal_keys: u64,
    /// The start of the keys that were not read yet; `None` where all were read.
    pub(super) next: Option<Vec<u8>>,
}

impl DeleteBatch {
    /// A batch that has read nothing of the keys from here on.
    pub(super) fn from(start: &str) -> Self {
        Self {
            next: Some(start.as_bytes().to_vec()),
            ..Self::default()
        }
    }

    /// Adds a page; returns false where an entry has expired, which is removed in another way.
    pub(super) fn add(
        &mut self,
        stored_keys: NamespaceKeys<'_>,
        page: Found,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        for row in page.rows {
            let row_key = row.key().to_vec();
            let key = stored_keys.read_entry(&row_key)?;
            let entry = decode_entry(&row_key, row)?;
            if !entry.metadata.is_live(now) {
                return Ok(false);
            }
            self.bytes += (key.as_str().len() + entry.metadata.size) as u64;
            self.internal_keys += u64::from(is_internal(&key));
            self.keys.push(key);
        }
        let last = self.keys.last().filter(|_| page.is_cut);
        self.next = last.map(|last| keys::next(last.as_str().as_bytes().to_vec()));
        Ok(true)
    }

    pub(super) fn len(&self) -> u64 {
        self.keys.len() as u64
    }

    /// The head that the deletion leaves.
    pub(super) fn head_after(&self, head: Head, now: Timestamp, ticket: Ticket) -> Head {
        let mut after = Head {
            internal_keys: head.internal_keys.saturating_sub(self.internal_keys),
            logged: head.logged + self.len(),
            time: head.time.max(now),
            ticket,
            reserved: None,
            ..head
        };
        let usage = &mut after.usage;
        usage.keys = usage.keys.saturating_sub(self.len());
        usage.bytes = usage.bytes.saturating_sub(self.bytes);
        usage.revision = usage.revision.next();
        after
    }
}
