//! Writes of the store itself: removing expired entries, and trimming the log.

use std::collections::BTreeMap;

use prominence_core::rules;
use prominence_core::{Key, Revision, StoreError, Timestamp};

use super::error::WriteError;
use super::namespace_cache::{ChangedEntries, MissingReads};
use super::writer::{Sent, Writer};
use crate::etcd::query::RangeQuery;
use crate::etcd::records::{self, Content, Head, LoggedCommit, Record, hint};

/// Records of the log that are trimmed together: few round trips, and some MiB where each holds
/// many long keys. The parts of large deletions that go with them fit into one transaction: each
/// deleted key was written in five records or more.
const MAX_TRIMMED_RECORDS: usize = 256;

/// The work of [`Writer::upkeep`].
#[derive(Clone, Copy)]
pub(super) enum Upkeep {
    /// Remove expired entries.
    Expired,
    /// Trim the log.
    Log,
}

/// An expiry hint.
struct Hint {
    row_key: Vec<u8>,
    /// The commit that wrote it.
    revision: Revision,
    /// The same by the cluster's revisions.
    written: i64,
    due: Vec<(Key, Timestamp)>,
}

impl Writer {
    /// Removes and logs what has expired, or trims what of the log is too old or too much, until
    /// nothing of it is left.
    pub(super) async fn upkeep(&mut self, work: Upkeep) -> Result<(), StoreError> {
        let mut attempts = 0;
        loop {
            self.cache.mark_stale();
            let step = match work {
                Upkeep::Expired => self.sweep_one().await,
                Upkeep::Log => self.trim_some().await,
            };
            let retry = match step {
                Ok(None) => return Ok(()),
                Ok(Some(Sent::Done)) => {
                    attempts = 0;
                    continue;
                }
                Ok(Some(Sent::Conflict)) => {
                    attempts += 1;
                    self.before_retry(attempts).await
                }
                Err(error) => {
                    self.cache.clear();
                    Err(error)
                }
            };
            retry.map_err(WriteError::into_answer)?;
        }
    }

    /// Removes what the first due hint names; `None` where no hint is due.
    async fn sweep_one(&mut self) -> Result<Option<Sent>, WriteError> {
        let now = self.cluster.clock.now();
        let Some(due) = self.first_hint(now).await? else {
            return Ok(None);
        };
        let keys = due.due.iter().map(|(key, _)| key.clone()).collect();
        self.read(&MissingReads::of_keys(keys)).await?;
        let (written, head) = self.free_head().await?;
        let is_due = |one: &(Key, Timestamp)| one.1 <= now;
        let (expired, later): (Vec<_>, Vec<_>) = due.due.into_iter().partition(is_due);
        let mut stored = Vec::new();
        for (key, _) in expired {
            match self.cache.metadata(&key) {
                Some(Some(metadata)) => stored.push((key, metadata.clone())),
                Some(None) => {}
                // Another process wrote between the two reads.
                None => return Ok(Some(Sent::Conflict)),
            }
        }
        // An entry may have been written again with a later end, or without one.
        let plan = rules::expire(head.usage, stored, now);
        let mut txn = self.head_txn(written);
        // Entries that expire later get another hint in the same transaction, so that none is ever
        // without one. Its key has a later instant, and the revision keeps it apart from the hints
        // of other commits.
        txn.delete_unchanged(due.row_key, due.written);
        txn.write(hint(self.cache.keys(), &later, due.revision));
        if !plan.effects.is_empty() {
            let after = Head {
                usage: plan.usage,
                ..head.after(&plan.effects, self.now(head), self.cluster.ticket())
            };
            let commit = LoggedCommit::of(plan.usage.revision, now, None, &plan.effects);
            let gone = plan.effects.into_iter().map(|effect| (effect.key, None));
            let gone: BTreeMap<_, _> = gone.collect();
            for key in gone.keys() {
                txn.write_entry(key, None);
            }
            let record = Content::Inline(vec![commit]);
            txn.replace_head(after, Some(record), ChangedEntries::Some(gone));
        }
        let prepared = txn.prepare(MissingReads::default());
        self.send(prepared).await.map(Some)
    }

    async fn first_hint(&self, now: Timestamp) -> Result<Option<Hint>, WriteError> {
        let due = self.cache.keys().due_by(now);
        let query = RangeQuery::range(&due).limit(1);
        let Some(row) = self.query(vec![query]).await?.next_row() else {
            return Ok(None);
        };
        let revision = self.cluster.keys.read_due(row.key());
        Ok(Some(Hint {
            revision: revision.unwrap_or(Revision::ZERO),
            row_key: row.key().to_vec(),
            written: row.mod_revision(),
            due: records::decode_due(row.key(), row.value())?,
        }))
    }

    /// Trims some of the oldest records; `None` where none is too old or too much.
    async fn trim_some(&mut self) -> Result<Option<Sent>, WriteError> {
        self.read(&MissingReads::default()).await?;
        let (written, head) = self.free_head().await?;
        let oldest = self.oldest_records(head).await?;
        let since = self.cluster.retained_since(self.now(head));
        let mut after = Head {
            ticket: self.cluster.ticket(),
            ..head
        };
        let mut parts = Vec::new();
        for (revision, record) in oldest {
            let left = after.logged.saturating_sub(record.changes());
            if left < self.cluster.options.retention.changes && record.time() >= since {
                break;
            }
            after.logged = left;
            after.trimmed_to = revision;
            if let Content::InParts { .. } = record.content {
                parts.push(self.cache.keys().parts(record.ticket));
            }
        }
        if after.trimmed_to == head.trimmed_to {
            return Ok(None);
        }
        let trimmed = self.cache.keys().log_through(after.trimmed_to);
        let mut txn = self.head_txn(written);
        for range in parts.iter().chain([&trimmed]) {
            txn.delete_range(range);
        }
        txn.replace_head(after, None, ChangedEntries::Some(BTreeMap::new()));
        let prepared = txn.prepare(MissingReads::default());
        self.send(prepared).await.map(Some)
    }

    async fn oldest_records(&self, head: Head) -> Result<Vec<(Revision, Record)>, WriteError> {
        let log = self.cache.keys().log_from(head.trimmed_to);
        let query = RangeQuery::range(&log).limit(MAX_TRIMMED_RECORDS);
        let rows = self.query(vec![query]).await?.next().rows;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let Some((_, revision)) = self.cluster.keys.read_log(row.key()) else {
                continue;
            };
            // Records of other processes since the head was read stay.
            if revision > head.usage.revision {
                break;
            }
            records.push((revision, Record::decode(row.key(), row.value())?));
        }
        Ok(records)
    }

    /// True if the log has so many changes more than it keeps that trimming is due.
    pub(super) fn is_log_long(&self) -> bool {
        let kept = self.cluster.options.retention.changes;
        let limit = kept.saturating_add(kept / 16);
        let head = self.cache.head();
        head.is_some_and(|(_, head)| head.logged > limit)
    }
}
