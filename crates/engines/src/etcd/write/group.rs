//! Writing a group of commits: plan and retry.

use prominence_core::{Committed, StoreError};
use tracing::Instrument as _;

use super::error::WriteError;
use super::namespace_cache::MissingReads;
use super::plan::{self, Plan, PlanContext};
use super::queue::PendingCommit;
use super::writer::{Sent, Writer};
use crate::etcd::records::Head;

/// Keys that are expected to be new without a read: each is compared, and etcd takes 128
/// comparisons.
const MAX_GUESSES: usize = 120;

type Answers = Vec<Result<Committed, StoreError>>;

impl Writer {
    /// Writes a group in a span of the log, and answers all its commits.
    pub(super) async fn write(&mut self, group: Vec<PendingCommit>) {
        let span = tracing::debug_span!("commit_group", commits = group.len());
        self.write_and_answer(group).instrument(span).await;
    }

    /// Writes a group, however often other processes come first.
    async fn write_and_answer(&mut self, group: Vec<PendingCommit>) {
        self.cluster.counters.commits.add(group.len());
        self.cache.mark_stale();
        match self.plan_and_write(&group).await {
            Ok(answers) => {
                tracing::debug!("the group is durable");
                for (pending, answer) in group.into_iter().zip(answers) {
                    pending.answer(answer);
                }
            }
            Err(error) => {
                tracing::debug!(?error, "the group is not written");
                // After a write whose fate is unknown, nothing in the cache is certain.
                self.cache.clear();
                for pending in group {
                    pending.answer(Err(error.answer()));
                }
            }
        }
    }

    async fn plan_and_write(&mut self, group: &[PendingCommit]) -> Result<Answers, WriteError> {
        let mut attempts = 0;
        let mut guesses = MAX_GUESSES;
        loop {
            // Each attempt plans from the start: a transaction that conflicted was planned on a
            // head that is gone, and with the new one conditions and quotas may differ.
            let plan = self.plan(group, guesses).await?;
            // Answers that only report may be given without a transaction where the head was read
            // since the request came. With an older head they could miss a commit that another
            // process has acknowledged before.
            if plan.needs_no_transaction() && self.cache.is_fresh() {
                return Ok(plan.answers);
            }
            let (written, _) = self.head().await?;
            let txn = self.head_txn(written);
            let (prepared, answers) = plan.into_txn(txn, &self.cache, group);
            if self.send(prepared).await? == Sent::Done {
                return Ok(answers);
            }
            self.cluster.counters.conflicts.add(1);
            // A wrong guess may have been of a value that is too large for the reads of the
            // conflict. Without guesses the next attempt reads it, and can't fail so again.
            guesses = 0;
            attempts += 1;
            tracing::debug!(attempts, "another process wrote first, or a key exists");
            self.before_retry(attempts).await?;
        }
    }

    /// Plans a group, with the reads that it takes. No more keys than `guesses` are expected to be
    /// new.
    async fn plan(&mut self, group: &[PendingCommit], guesses: usize) -> Result<Plan, WriteError> {
        loop {
            let (mut missing, guessable) = plan::needed(group, &self.cache);
            let unknown = guessable.iter();
            let unknown = unknown.filter(|key| self.cache.metadata(key).is_none());
            let unknown: Vec<_> = unknown.cloned().collect();
            let may_guess = unknown.len() <= guesses && self.cache.head().is_some();
            if !missing.is_empty() || !may_guess {
                // Something is read anyway, so the keys that could be guessed are read with it.
                missing.extend(unknown);
                self.read(&MissingReads::of_keys(missing)).await?;
                continue;
            }
            // A reservation by another process is waited for. That reads the head, after which
            // other keys may be missing.
            let before = self.cache.head();
            let (_, head) = self.free_head().await?;
            if self.cache.head() != before {
                continue;
            }
            // Values of claimed keys, and keys for claims, are missing only where the rules get
            // to them. Each read brings the head as well, so the plan begins again after it.
            match plan::plan(&self.plan_context(head), group, &guessable) {
                Ok(plan) => return Ok(plan),
                Err(missing) => self.read(&missing).await?,
            };
            // Other processes may change what was read again and again.
            self.before_retry(0).await?;
        }
    }

    fn plan_context(&self, head: Head) -> PlanContext<'_> {
        PlanContext {
            cache: &self.cache,
            head,
            now: self.now(head),
            quota: self.cluster.options.quotas.of(&self.namespace),
            ticket: self.cluster.ticket(),
        }
    }
}
