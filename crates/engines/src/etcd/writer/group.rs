//! Writing a group of commits.

use etcd_client::{Txn, TxnResponse};
use prominence_core::error::Fate;
use tokio::time::Instant;

use super::queue::CommitRequest;
use super::{Refusal, Writer};
use crate::etcd::error::{RETRY_SOON, unavailable};
use crate::etcd::known::Need;
use crate::etcd::members::{Read, Written};
use crate::etcd::plan::{self, Plan, Setting, Wish};
use crate::etcd::records::{Head, Record, Ticket};

/// Keys that are taken for new without asking: each is compared, and etcd takes 128 comparisons.
const MAX_GUESSES: usize = 120;

/// Tries to write that follow each other without a pause.
const MAX_TRIES_AT_ONCE: u32 = 20;

/// What came of trying to write.
pub(super) enum Tried {
    /// It is written.
    Done,
    /// It is not: others have written, or something was not as it was guessed.
    Again,
}

impl Writer {
    /// Writes a group, however often others come first, and answers everyone in it.
    pub(super) async fn write(&mut self, group: Vec<CommitRequest>, deadline: Instant) {
        self.shared.counters.commits(group.len());
        self.known.age();
        let planned = self.write_until(&group, deadline).await;
        match planned {
            Ok(plan) => {
                for (request, answer) in group.into_iter().zip(plan.answers) {
                    request.answer(answer);
                }
            }
            Err((refusal, fate)) => {
                self.known.forget();
                for request in group {
                    request.answer(Err(refusal.answer(fate)));
                }
            }
        }
    }

    async fn write_until(
        &mut self,
        group: &[CommitRequest],
        deadline: Instant,
    ) -> Result<Plan, (Refusal, Fate)> {
        let before = |refusal| (refusal, Fate::NotApplied);
        let mut tries = 0;
        let mut guesses = MAX_GUESSES;
        loop {
            let plan = self.plan(group, guesses, deadline).await;
            let plan = plan.map_err(before)?;
            match self.try_to_write(&plan, deadline).await {
                Ok(Tried::Done) => return Ok(plan),
                Ok(Tried::Again) => self.shared.counters.conflict(),
                Err(refused) => return Err(refused),
            }
            // What failed may have been a guess that is too large to be answered at once.
            guesses = 0;
            tries += 1;
            self.give_way(tries, deadline).await.map_err(before)?;
        }
    }

    /// Lets others go first now and then, so that of several servers that write to the same
    /// namespace none is left behind for long.
    pub(super) async fn give_way(&self, tries: u32, deadline: Instant) -> Result<(), Refusal> {
        if Instant::now() >= deadline {
            let reason = "other servers write to the same user's keys all the time";
            return Err(Refusal::Store(unavailable(
                reason,
                Fate::NotApplied,
                RETRY_SOON,
            )));
        }
        // Whoever is first lets others go; only many of them have to be kept apart.
        if tries > MAX_TRIES_AT_ONCE {
            tokio::time::sleep(self.shared.jitter(tries)).await;
        }
        Ok(())
    }

    /// Plans a group, and reads what that takes. No more keys than `guesses` are taken for new.
    async fn plan(
        &mut self,
        group: &[CommitRequest],
        guesses: usize,
        deadline: Instant,
    ) -> Result<Plan, Refusal> {
        let wishes: Vec<_> = group
            .iter()
            .map(|request| Wish {
                author: request.author.as_ref(),
                commit: &request.commit,
            })
            .collect();
        let commits = || wishes.iter().map(|wish| wish.commit);
        loop {
            let (keys, guessable) = plan::needed(commits(), &self.known);
            let also = guessable
                .iter()
                .filter(|key| self.known.metadata(key).is_none());
            let also: Vec<_> = also.cloned().collect();
            let is_sure = also.len() <= guesses && self.known.head().is_some();
            if !keys.is_empty() || !is_sure {
                // What is new is read with the rest, since something is read anyway.
                let keys = [keys, also].concat();
                self.read(&Need { keys, work: None }, deadline).await?;
                continue;
            }
            let before = self.known.head();
            let (_, head) = self.free_head(deadline).await?;
            if self.known.head() != before {
                continue;
            }
            let ticket = self.shared.ticket();
            let setting = self.setting(head, ticket);
            match plan::plan(&setting, &wishes, &guessable) {
                Ok(plan) => return Ok(plan),
                Err(need) => {
                    self.read(&need, deadline).await?;
                }
            }
            if Instant::now() >= deadline {
                let reason = "other servers write to the same user's keys all the time";
                let late = unavailable(reason, Fate::NotApplied, RETRY_SOON);
                return Err(Refusal::Store(late));
            }
        }
    }

    pub(super) fn setting(&self, head: Head, ticket: Ticket) -> Setting<'_> {
        Setting {
            namespace: &self.namespace,
            known: &self.known,
            head,
            claim_index: &self.shared.claim_index,
            now: self.now(head),
            quota: self.shared.options.quota,
            ticket,
        }
    }

    async fn try_to_write(
        &mut self,
        plan: &Plan,
        deadline: Instant,
    ) -> Result<Tried, (Refusal, Fate)> {
        if plan.effects.is_empty() && plan.is_certain() && self.known.is_fresh() {
            return Ok(Tried::Done);
        }
        let before = |refusal| (refusal, Fate::NotApplied);
        let (written, _) = self.head(deadline).await.map_err(before)?;
        let (txn, asked) = plan.transaction(
            &self.shared.keys,
            &self.namespace,
            written,
            &self.known,
            self.is_late(),
        );
        let done = self.transact(&txn, deadline).await?;
        if done.response.succeeded() {
            if !plan.effects.is_empty() {
                let revision = revision_of(&done.response);
                self.known.wrote(revision, plan.head, plan.touched.clone());
            }
            return Ok(Tried::Done);
        }
        // What was not written is taken back before what others wrote is noted, which may be of
        // the same keys.
        self.shared
            .claim_index
            .revert(&self.namespace, &plan.effects);
        self.after_failure(plan.head, &asked, done, deadline).await
    }

    /// Finds out why a transaction was not done: whether it had been by an earlier try of it, and
    /// else how things stand.
    pub(super) async fn after_failure(
        &mut self,
        planned: Head,
        asked: &Need,
        done: Written,
        deadline: Instant,
    ) -> Result<Tried, (Refusal, Fate)> {
        let fate = if done.was_unclear {
            Fate::Unknown
        } else {
            Fate::NotApplied
        };
        let unclear = |refusal| (refusal, fate);
        let learned = self.learn(asked, Read::from(done.response));
        let records = learned.map_err(unclear)?;
        if !done.was_unclear {
            return Ok(Tried::Again);
        }
        match self
            .is_written(planned, &records, deadline)
            .await
            .map_err(unclear)?
        {
            Some(true) => {
                // What else is known was read after it.
                self.shared.claim_index.forget(&self.namespace);
                Ok(Tried::Done)
            }
            Some(false) => Ok(Tried::Again),
            None => {
                let reason = "the write was repeated after a failure, and the log no longer tells \
                    which of the two was done";
                let lost = unavailable(reason, Fate::Unknown, RETRY_SOON);
                Err((Refusal::Store(lost), Fate::Unknown))
            }
        }
    }

    /// Whether the log has the record that was to be written with this head; `None` where it no
    /// longer reaches back.
    async fn is_written(
        &mut self,
        planned: Head,
        records: &[Record],
        deadline: Instant,
    ) -> Result<Option<bool>, Refusal> {
        let (_, head) = self.head(deadline).await?;
        if head.ticket == planned.ticket || records.iter().any(|one| one.ticket == planned.ticket) {
            return Ok(Some(true));
        }
        let revision = planned.usage.revision;
        if head.forgotten >= revision {
            return Ok(None);
        }
        let record = self
            .shared
            .record_at(&self.namespace, revision, deadline)
            .await;
        match record? {
            Some(record) => Ok(Some(record.ticket == planned.ticket)),
            None => Ok(Some(false)),
        }
    }

    /// Does a transaction; says whether it may have been done where it failed.
    pub(super) async fn transact(
        &mut self,
        txn: &Txn,
        deadline: Instant,
    ) -> Result<Written, (Refusal, Fate)> {
        self.shared.counters.transaction();
        let asked = Instant::now();
        let done = self.shared.members.transact(txn, deadline).await;
        let done = done.map_err(|trouble| {
            let fate = trouble.fate;
            (Refusal::Trouble(trouble), fate)
        })?;
        self.note_turn(&done.response, asked.elapsed());
        Ok(done)
    }
}

/// The cluster's revision as of which an answer was given.
pub(super) fn revision_of(response: &TxnResponse) -> i64 {
    response.header().map_or(0, |header| header.revision())
}
