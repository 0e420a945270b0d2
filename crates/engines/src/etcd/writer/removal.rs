//! Deleting a prefix: one operation of the cluster's, however many keys it has.
//!
//! What is deleted has to be counted and logged, so it is read first. That of a few keys is done
//! like any other commit. For more, the namespace is reserved: nobody else writes to it while the
//! keys are read, and so long as the head is the one that was written for it, what was read is
//! what is deleted.

mod many;

use std::collections::HashSet;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::change::ChangeKind;
use prominence_core::commit::Outcome;
use prominence_core::error::Fate;
use prominence_core::rules;
use prominence_core::{Commit, Committed, Key, Operation, Prefix, StoreError, Timestamp};
use tokio::time::Instant;

use super::group::{Tried, revision_of};
use super::queue::CommitRequest;
use super::upkeep::{Upkeep, remove};
use super::{Refusal, Writer};
use crate::etcd::error::busy;
use crate::etcd::keys::Range;
use crate::etcd::known::{Need, decode_entry};
use crate::etcd::members::{self, Wanted};
use crate::etcd::plan;
use crate::etcd::records::{Content, Head, Logged, LoggedCommit, Record};
use crate::etcd::turns;
use crate::etcd::view::{SpaceView, Unplanned};

/// Keys that are read at once. Their values come with them, so it is some MiB.
const PAGE: usize = 500;

/// Keys that are deleted without reserving the namespace, and logged in the record itself.
const FEW: usize = PAGE;

/// How long a deletion may take: everything that is deleted is read first, values and all.
const WITHIN: Duration = Duration::from_secs(300);

/// Conflicts after which a deletion of few keys reserves the namespace as well.
const MAX_CONFLICTS: u32 = 3;

/// What a deletion of a prefix removes.
#[derive(Default)]
struct Doomed {
    keys: Vec<Key>,
    /// What the keys and values counted for.
    bytes: u64,
    internal: u64,
    /// Whether there are more behind these.
    is_cut: bool,
}

impl Writer {
    /// Deletes a prefix for the one request of a group.
    pub(super) async fn remove(&mut self, group: Vec<CommitRequest>, deadline: Instant) {
        for request in group {
            self.shared.counters.commits(1);
            self.known.age();
            let deadline = deadline.max(Instant::now() + WITHIN);
            let answer = match self.remove_prefix(&request, deadline).await {
                Ok(committed) => Ok(committed),
                Err((refusal, fate)) => {
                    self.known.forget();
                    Err(refusal.into_answer(fate))
                }
            };
            request.answer(answer);
        }
    }

    async fn remove_prefix(
        &mut self,
        request: &CommitRequest,
        deadline: Instant,
    ) -> Result<Committed, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        let [Operation::DeletePrefix { prefix }] = request.commit.operations() else {
            let reason = "a commit is not what it was taken for";
            return Err(before(Refusal::Store(busy(reason))));
        };
        let mut conflicts = 0;
        loop {
            let now = self.shared.clock.now();
            let conditions = self.check(&request.commit, now, deadline).await;
            conditions.map_err(before)?;
            let checked = self.known.head();
            let first = self.doomed(prefix, prefix.as_str().as_bytes(), now, deadline);
            let Some(doomed) = first.await.map_err(before)? else {
                // What has expired by now is removed as such; all else that is there is live now.
                self.upkeep(Upkeep::Expired, deadline)
                    .await
                    .map_err(|error| before(Refusal::Store(error)))?;
                continue;
            };
            let (_, head) = self.head(deadline).await.map_err(before)?;
            let is_checked = request.commit.conditions().is_empty() || self.known.head() == checked;
            if !is_checked || self.reserved_for(head).is_some() {
                self.free_head(deadline).await.map_err(before)?;
                continue;
            }
            if doomed.keys.is_empty() {
                return Ok(removed(head, 0));
            }
            let tried = if doomed.is_cut || conflicts >= MAX_CONFLICTS {
                self.remove_many(request, prefix, now, deadline).await?
            } else {
                self.remove_few(request, prefix, doomed, now, deadline)
                    .await?
            };
            if let Some(committed) = tried {
                return Ok(committed);
            }
            conflicts += 1;
            self.shared.counters.conflict();
            self.give_way(conflicts, deadline).await.map_err(before)?;
        }
    }

    /// Checks the conditions of a commit.
    async fn check(
        &mut self,
        commit: &Commit,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        let keys = commit.conditions().iter().map(|each| each.key.clone());
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Ok(());
        }
        // A refusal has to rest on how things are now.
        self.read(&Need::default(), deadline).await?;
        loop {
            let (_, head) = self.free_head(deadline).await?;
            let none = HashSet::new();
            let view = SpaceView::new(
                &self.namespace,
                &self.known,
                head.usage,
                &self.shared.claim_index,
                &none,
            );
            match rules::check(&view, commit, now) {
                Ok(()) => return Ok(()),
                Err(Unplanned::Refused(error)) => return Err(Refusal::Store(error)),
                Err(Unplanned::Missing(_)) => {
                    let keys = keys.clone();
                    self.read(&Need { keys, work: None }, deadline).await?;
                }
            }
        }
    }

    /// Reads a page of what a prefix holds, from a place on. `None` where something in it has
    /// expired.
    async fn doomed(
        &mut self,
        prefix: &Prefix,
        from: &[u8],
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Doomed>, Refusal> {
        let (all, namespace) = (&self.shared.keys, &self.namespace);
        let range = Range {
            start: all.entries_from(namespace, from),
            end: all.entries(namespace, prefix).end,
        };
        let wanted = Wanted {
            limit: PAGE,
            ..Wanted::default()
        };
        let mut questions = self.known.questions(all, namespace, &Need::default());
        questions.push(members::range(&range, wanted));
        self.shared.counters.read();
        let mut read = self.shared.members.read(questions, deadline).await?;
        let page = read.found.pop().unwrap_or_default();
        self.learn(&Need::default(), read)?;
        let mut doomed = Doomed {
            is_cut: page.is_cut,
            ..Doomed::default()
        };
        for row in page.rows {
            let row_key = row.key().to_vec();
            let key = self.shared.keys.read_entry(&self.namespace, &row_key);
            let key = key.ok_or_else(|| Refusal::Store(illegal(&row_key)))?;
            let entry = decode_entry(&row_key, row).map_err(Refusal::Store)?;
            if !entry.metadata.is_live(now) {
                return Ok(None);
            }
            doomed.bytes += (key.as_str().len() + entry.metadata.size) as u64;
            doomed.internal += u64::from(plan::is_internal(&key));
            doomed.keys.push(key);
        }
        Ok(Some(doomed))
    }

    /// Deletes what is on one page, as it was read with the head.
    async fn remove_few(
        &mut self,
        request: &CommitRequest,
        prefix: &Prefix,
        doomed: Doomed,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Option<Committed>, (Refusal, Fate)> {
        debug_assert!(doomed.keys.len() <= FEW);
        let (written, head) = self
            .head(deadline)
            .await
            .map_err(|refusal| (refusal, Fate::NotApplied))?;
        let after = self.after(head, &doomed, now);
        let mut commit = logged(request, after);
        commit.changes = doomed.keys.iter().map(deletion).collect();
        let content = Content::Here(vec![commit]);
        let done = self.finish(written, prefix, after, content, deadline);
        Ok(done
            .await?
            .then(|| removed(after, doomed.keys.len() as u64)))
    }

    /// The head that a deletion leaves.
    fn after(&self, head: Head, doomed: &Doomed, now: Timestamp) -> Head {
        let mut after = Head {
            internal_keys: head.internal_keys.saturating_sub(doomed.internal),
            logged: head.logged + doomed.keys.len() as u64,
            time: head.time.max(now),
            ticket: self.shared.ticket(),
            reserved: None,
            ..head
        };
        let usage = &mut after.usage;
        usage.keys = usage.keys.saturating_sub(doomed.keys.len() as u64);
        usage.bytes = usage.bytes.saturating_sub(doomed.bytes);
        usage.revision = usage.revision.next();
        after
    }

    /// Deletes the prefix where the head is still the one that was written then; says whether.
    async fn finish(
        &mut self,
        written: i64,
        prefix: &Prefix,
        after: Head,
        content: Content,
        deadline: Instant,
    ) -> Result<bool, (Refusal, Fate)> {
        let (keys, namespace) = (&self.shared.keys, &self.namespace);
        let head_key = keys.head(namespace);
        let record = Record {
            ticket: after.ticket,
            content,
        };
        let log_key = keys.log(namespace, after.usage.revision);
        let log_row = record.encode(&log_key);
        let writes = vec![
            remove(&keys.entries(namespace, prefix)),
            TxnOp::put(head_key.clone(), after.encode(&head_key), None),
            TxnOp::put(log_key, log_row, None),
            turns::take_mark(keys, namespace),
        ];
        let unchanged = Compare::mod_revision(head_key, CompareOp::Equal, written);
        let mut questions = self.known.questions(keys, namespace, &Need::default());
        questions.extend(self.mark());
        let txn = Txn::new()
            .when(vec![unchanged])
            .and_then(writes)
            .or_else(questions);
        let done = self.transact(&txn, deadline).await?;
        if done.response.succeeded() {
            self.note_removal(revision_of(&done.response), after, &record.content);
            return Ok(true);
        }
        let nothing = Need::default();
        let tried = self.after_failure(after, &nothing, done, deadline).await?;
        Ok(matches!(tried, Tried::Done))
    }

    /// Takes in that a prefix was deleted.
    fn note_removal(&mut self, revision: i64, after: Head, content: &Content) {
        match content {
            Content::Here(commits) => {
                let changes = || commits.iter().flat_map(|commit| &commit.changes);
                let states = changes().map(|change| (&change.key, change.claim_state));
                self.shared.claim_index.update(&self.namespace, states);
                let gone = changes().map(|change| (change.key.clone(), None));
                self.known.wrote(revision, after, gone);
            }
            Content::InParts { .. } => {
                self.shared.claim_index.forget(&self.namespace);
                self.known.forget();
                self.known.wrote(revision, after, []);
            }
        }
    }
}

fn logged(request: &CommitRequest, after: Head) -> LoggedCommit {
    LoggedCommit {
        revision: after.usage.revision,
        time: after.time,
        author: request.author.clone(),
        changes: Vec::new(),
    }
}

fn deletion(key: &Key) -> Logged {
    Logged {
        key: key.clone(),
        kind: ChangeKind::Delete,
        claim_state: None,
    }
}

fn removed(head: Head, keys: u64) -> Committed {
    Committed {
        revision: head.usage.revision,
        outcomes: vec![Outcome::Deleted(keys)],
    }
}

fn illegal(row_key: &[u8]) -> StoreError {
    crate::row::damaged(crate::row::Kind::Entry, row_key, "has no legal key")
}
