//! Deleting a prefix: one operation of the cluster, however many keys it removes.
//!
//! The removed keys have to be counted and logged, so they are read first. Few keys are removed
//! like any other commit writes. For more, this process reserves the namespace: no other process
//! writes to it meanwhile, so that reading many pages comes to an end.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use etcd_client::TxnOp;
use prominence_core::commit::Outcome;
use prominence_core::error::Fate;
use prominence_core::rules;
use prominence_core::{Commit, Committed, Operation, Prefix, Timestamp};
use tokio::time::Instant;

use super::delete_batch::DeleteBatch;
use super::error::WriteError;
use super::head_txn::delete_range;
use super::namespace_cache::{ChangedEntries, MissingReads};
use super::queue::PendingCommit;
use super::upkeep::Upkeep;
use super::view::{PlannedView, Unplanned};
use super::writer::{Sent, Writer};
use crate::etcd::error::busy;
use crate::etcd::keys::Range;
use crate::etcd::query::RangeQuery;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit, Reservation};

/// Keys that are read at once. Their values come with them, so it is some MiB.
const PAGE: usize = 500;

/// Keys that are deleted without reserving the namespace, and logged in the record itself.
const FEW: usize = PAGE;

/// The time limit for a deletion: all that it removes is read first, values included.
const WITHIN: Duration = Duration::from_secs(300);

/// Conflicts after which a deletion of few keys reserves the namespace as well.
const MAX_CONFLICTS: u32 = 3;

/// The time of one reservation. Where the process dies, others wait that long.
const RESERVED: Duration = Duration::from_secs(10);

impl Writer {
    /// Deletes the prefix of each commit of a group, which has one.
    pub(super) async fn delete_prefixes(&mut self, group: Vec<PendingCommit>) {
        for pending in group {
            self.cluster.counters.commits.add(1);
            self.cache.mark_stale();
            self.deadline = self.deadline.max(Instant::now() + WITHIN);
            let answer = self.delete_prefix(&pending).await.map_err(|error| {
                // After a write whose fate is unknown, nothing in the cache is certain.
                self.cache.clear();
                error.into_answer()
            });
            pending.answer(answer);
        }
    }

    async fn delete_prefix(&mut self, pending: &PendingCommit) -> Result<Committed, WriteError> {
        let [Operation::DeletePrefix { prefix, if_count }] = pending.commit.operations() else {
            return Err(busy("a commit is not the deletion of a prefix").into());
        };
        let mut conflicts = 0;
        loop {
            let now = self.cluster.clock.now();
            self.check(&pending.commit, now).await?;
            let checked = self.cache.head();
            let mut batch = DeleteBatch::from(prefix.as_str());
            if !self.read_page(&mut batch, prefix, now).await? {
                // Expired entries are logged as expired, and not as deleted. Once they are
                // removed, all that is there is live at that time.
                let swept = self.upkeep(Upkeep::Expired).await;
                swept.map_err(WriteError::from)?;
                continue;
            }
            // The conditions and the page have to be true of the same head, which the transaction
            // compares.
            let (_, head) = self.head().await?;
            let is_checked = pending.commit.conditions().is_empty() || self.cache.head() == checked;
            if !is_checked || self.reserved_for(head).is_some() {
                self.free_head().await?;
                continue;
            }
            if batch.next.is_none() {
                rules::check_count(prefix, *if_count, batch.len())?;
            }
            if batch.keys.is_empty() {
                return Ok(committed(head, 0));
            }
            // A deletion that reads for long, or that loses again and again, would never end while
            // other processes write. Those wait for the reservation.
            let deleted = if batch.next.is_some() || conflicts >= MAX_CONFLICTS {
                self.delete_reserved(pending, (prefix, *if_count), now)
                    .await?
            } else {
                self.send_deletion(pending, prefix, &batch, now).await?
            };
            if let Some(committed) = deleted {
                return Ok(committed);
            }
            conflicts += 1;
            self.cluster.counters.conflicts.add(1);
            self.before_retry(conflicts).await?;
        }
    }

    /// Checks the conditions of a commit.
    async fn check(&mut self, commit: &Commit, now: Timestamp) -> Result<(), WriteError> {
        let keys = commit.conditions().iter().map(|each| each.key.clone());
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Ok(());
        }
        // A refusal is answered without a transaction that compares the head, so the head has to
        // be read after the request came.
        self.read(&MissingReads::default()).await?;
        loop {
            let (_, head) = self.free_head().await?;
            let no_guesses = HashSet::new();
            let view = PlannedView::new(&self.cache, head.usage, &no_guesses);
            match rules::check(&view, commit, now) {
                Ok(()) => return Ok(()),
                Err(Unplanned::Refused(error)) => return Err(error.into()),
                Err(Unplanned::Missing(_)) => {
                    let missing = MissingReads::of_keys(keys.clone());
                    self.read(&missing).await?;
                }
            }
        }
    }

    /// Reads the next page of what a prefix holds, together with the head. Returns false where an
    /// entry in it has expired.
    async fn read_page(
        &mut self,
        batch: &mut DeleteBatch,
        prefix: &Prefix,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        let keys = self.cache.keys();
        let from = batch.next.take().unwrap_or_default();
        let range = Range {
            start: keys.entries_from(&from),
            end: keys.entries(prefix).end,
        };
        let nothing = MissingReads::default();
        let mut queries = self.cache.queries(&nothing);
        queries.push(RangeQuery::range(&range).limit(PAGE));
        self.cluster.counters.reads.add(1);
        let mut answers = self.query(queries).await?;
        self.cache.learn(&nothing, &mut answers)?;
        Ok(batch.add(self.cache.keys(), answers.next(), now)?)
    }

    /// Deletes any number of keys, with the namespace reserved meanwhile; `None` where another
    /// process wrote first.
    async fn delete_reserved(
        &mut self,
        pending: &PendingCommit,
        prefix: (&Prefix, Option<u64>),
        now: Timestamp,
    ) -> Result<Option<Committed>, WriteError> {
        // Other deletions of this process wait here, before they hold anything.
        let _permit = self.deletions.clone().acquire_owned().await;
        if self.reserve().await? == Sent::Conflict {
            return Ok(None);
        }
        let deleted = self.delete_while_reserved(pending, prefix, now).await;
        // The deletion itself ends the reservation. Without it other processes would wait until
        // the reservation lapses.
        if !matches!(deleted, Ok(Some(_))) {
            self.release().await;
        }
        deleted
    }

    async fn delete_while_reserved(
        &mut self,
        pending: &PendingCommit,
        (prefix, if_count): (&Prefix, Option<u64>),
        now: Timestamp,
    ) -> Result<Option<Committed>, WriteError> {
        // Other processes may have written between the first check and the reservation.
        self.check(&pending.commit, now).await?;
        let mut batch = DeleteBatch::from(prefix.as_str());
        let mut reserved = Instant::now();
        while batch.next.is_some() {
            let (written, _) = self.head().await?;
            if !self.read_page(&mut batch, prefix, now).await? {
                return Ok(None);
            }
            // With another head the pages would be of different states, and the count wrong. The
            // reservation has lapsed, then.
            if self.cache.head().map(|(written, _)| written) != Some(written) {
                return Ok(None);
            }
            // Renewed at half time, so that it does not lapse while the next page is read.
            if batch.next.is_some() && reserved.elapsed() > RESERVED / 2 {
                if self.reserve().await? == Sent::Conflict {
                    return Ok(None);
                }
                reserved = Instant::now();
            }
        }
        rules::check_count(prefix, if_count, batch.len())?;
        self.send_deletion(pending, prefix, &batch, now).await
    }

    /// Deletes the prefix, all keys of which are in the batch, where the head is still the one that
    /// they were read with; `None` where it is not.
    async fn send_deletion(
        &mut self,
        pending: &PendingCommit,
        prefix: &Prefix,
        batch: &DeleteBatch,
        now: Timestamp,
    ) -> Result<Option<Committed>, WriteError> {
        let (written, head) = self.head().await?;
        let after = batch.head_after(head, now, self.cluster.ticket());
        let mut commit = LoggedCommit {
            revision: after.usage.revision,
            time: after.time,
            author: pending.author.clone(),
            changes: Vec::new(),
        };
        let is_few = batch.keys.len() <= FEW;
        let (record, entries) = if is_few {
            let deletions = batch.keys.iter().cloned().map(LoggedChange::deletion);
            commit.changes = deletions.collect();
            let gone = batch.keys.iter().map(|key| (key.clone(), None));
            let entries = ChangedEntries::Some(gone.collect());
            (Content::Inline(vec![commit]), entries)
        } else {
            // More keys than a transaction takes are written before it, under its ticket. Nobody
            // reads them until the record refers to them.
            let parts = self.write_parts(after, batch).await?;
            let deleted = batch.len();
            let record = Content::InParts {
                commit,
                deleted,
                parts,
            };
            (record, ChangedEntries::Many)
        };
        let mut txn = self.head_txn(written);
        txn.delete_range(&self.cache.keys().entries(prefix));
        txn.replace_head(after, Some(record), entries);
        let sent = self.send(txn.prepare(MissingReads::default())).await;
        let is_not_done = match &sent {
            Ok(sent) => *sent == Sent::Conflict,
            Err(error) => error.is_not_applied(),
        };
        if is_not_done && !is_few {
            self.remove_parts(after).await;
        }
        Ok((sent? == Sent::Done).then(|| committed(after, batch.len())))
    }

    /// Writes the keys that a record refers to; returns in how many parts.
    async fn write_parts(&mut self, after: Head, batch: &DeleteBatch) -> Result<u32, WriteError> {
        let mut parts = 0;
        for part in records::split_into_parts(&batch.keys) {
            let key = self.cache.keys().part(after.ticket, parts);
            let row = records::encode_part(&key, part);
            // A part that is written twice is the same.
            if let Err(error) = self.write_rows(vec![TxnOp::put(key, row, None)]).await {
                self.remove_parts(after).await;
                return Err(error.with_fate(Fate::NotApplied));
            }
            parts += 1;
        }
        Ok(parts)
    }

    /// Removes the parts of a deletion that was not done. Those that stay are referred to by
    /// nothing, and only take room.
    async fn remove_parts(&mut self, after: Head) {
        let parts = self.cache.keys().parts(after.ticket);
        let _ = self.write_rows(vec![delete_range(&parts)]).await;
    }

    /// Reserves the namespace for a while, or for longer.
    async fn reserve(&mut self) -> Result<Sent, WriteError> {
        let reserved = Reservation {
            process: self.cluster.process,
            until: self.cluster.clock.now().after(RESERVED),
        };
        self.set_reserved(Some(reserved)).await
    }

    /// Ends the reservation. Where that fails, it lapses.
    async fn release(&mut self) {
        let reserved = self.cache.head().and_then(|(_, head)| head.reserved);
        if reserved.is_some_and(|reserved| reserved.process == self.cluster.process) {
            let _ = self.set_reserved(None).await;
        }
    }

    async fn set_reserved(&mut self, reserved: Option<Reservation>) -> Result<Sent, WriteError> {
        let (written, head) = self.head().await?;
        let head = Head {
            reserved,
            ticket: self.cluster.ticket(),
            ..head
        };
        let mut txn = self.head_txn(written);
        txn.replace_head(head, None, ChangedEntries::Some(BTreeMap::new()));
        let sent = self.send(txn.prepare(MissingReads::default())).await;
        // The caller's own write is not done by a reservation, whatever its fate.
        sent.map_err(|error| error.with_fate(Fate::NotApplied))
    }
}

fn committed(head: Head, keys: u64) -> Committed {
    Committed {
        revision: head.usage.revision,
        outcomes: vec![Outcome::Deleted(keys)],
    }
}
