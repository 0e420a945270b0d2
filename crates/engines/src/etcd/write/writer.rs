//! The writer of one namespace: it reads, and sends transactions.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Txn, TxnOp};
use prominence_core::error::Fate;
use prominence_core::{Interest, Namespace, Prefix, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::contention::ContentionState;
use super::error::WriteError;
use super::head_txn::{HeadTxn, PreparedTxn};
use super::namespace_cache::{MissingReads, NamespaceCache};
use crate::etcd::cluster::Cluster;
use crate::etcd::error::{RETRY_SOON, Unavailable, busy, unavailable};
use crate::etcd::query::{Answers, RangeQuery};
use crate::etcd::records::{Head, Record};

/// The times of another process are used as long as its clock is no further ahead of this one's.
/// The times of one that is further ahead would change everybody's lifetimes.
const MAX_SKEW: Duration = Duration::from_secs(10);

/// Attempts that follow each other without a pause.
const MAX_ATTEMPTS_AT_ONCE: u32 = 20;

/// Writes to one namespace.
pub(super) struct Writer {
    pub(super) cluster: Arc<Cluster>,
    pub(super) namespace: Namespace,
    pub(super) cache: NamespaceCache,
    pub(super) contention: ContentionState,
    /// Deletions of many keys that run at once in this process.
    pub(super) deletions: Arc<Semaphore>,
    /// The end of the current request.
    pub(super) deadline: Instant,
}

/// The result of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Done,
    /// Nothing is written: another process wrote first, or a guess was wrong.
    Conflict,
}

impl Writer {
    /// The head that the next transaction replaces, and the cluster's revision that wrote it.
    pub(super) async fn head(&mut self) -> Result<(i64, Head), WriteError> {
        if self.cache.head().is_none() {
            self.read(&MissingReads::default()).await?;
        }
        let head = self.cache.head();
        head.ok_or_else(|| busy("the head is not known").into())
    }

    /// The head, once no other process has reserved the namespace.
    pub(super) async fn free_head(&mut self) -> Result<(i64, Head), WriteError> {
        let (written, head) = self.head().await?;
        if self.reserved_for(head).is_none() {
            return Ok((written, head));
        }
        loop {
            // The listener comes before the read, so that a release in between wakes it.
            let everything = Interest::Prefix(Prefix::everything());
            let listener = self.cluster.hub.listen(&self.namespace, &everything);
            self.read(&MissingReads::default()).await?;
            let (written, head) = self.head().await?;
            let Some(left) = self.reserved_for(head) else {
                return Ok((written, head));
            };
            if Instant::now() >= self.deadline {
                let reason = "another server is deleting many of this user's keys";
                return Err(busy(reason).into());
            }
            let released = async {
                match listener {
                    Ok(listener) => drop(listener.woken().await),
                    Err(_) => tokio::time::sleep(RETRY_SOON).await,
                }
            };
            // A release, the end of the reservation or the deadline: the next read shows which.
            let until = self.deadline.min(Instant::now() + left);
            let _ = tokio::time::timeout_at(until, released).await;
        }
    }

    /// The rest of the time for which another process has reserved the namespace, if one has.
    pub(super) fn reserved_for(&self, head: Head) -> Option<Duration> {
        let reserved = head.reserved?;
        let now = self.cluster.clock.now();
        let is_others = reserved.process != self.cluster.process;
        let left = reserved.until.as_millis().saturating_sub(now.as_millis());
        (is_others && left > 0).then(|| Duration::from_millis(left))
    }

    /// Reads the head and what else is missing. Returns the records that other processes wrote
    /// since the last read.
    pub(super) async fn read(&mut self, missing: &MissingReads) -> Result<Vec<Record>, WriteError> {
        let mut records = Vec::new();
        for part in missing.parts() {
            self.cluster.counters.reads.add(1);
            let mut answers = self.query(self.cache.queries(&part)).await?;
            records.extend(self.cache.learn(&part, &mut answers)?);
        }
        Ok(records)
    }

    pub(super) async fn query(&self, queries: Vec<RangeQuery>) -> Result<Answers, Unavailable> {
        self.cluster.members.read(queries, self.deadline).await
    }

    /// Begins a transaction on the head that was written at this revision of the cluster.
    pub(super) fn head_txn(&self, written: i64) -> HeadTxn<'_> {
        // A process that has lost before leaves its mark where it loses again.
        let mark = self.contention.has_lost().then_some(self.cluster.process);
        HeadTxn::new(&self.cache, written, mark)
    }

    /// Sends a transaction. Afterwards the cache is as the cluster is: with the transaction's own
    /// changes, or with those of other processes that came first.
    pub(super) async fn send(&mut self, prepared: PreparedTxn) -> Result<Sent, WriteError> {
        self.cluster.counters.transactions.add(1);
        let started = Instant::now();
        let txn = &prepared.txn;
        let done = self.cluster.members.transact(txn, self.deadline).await?;
        let process = self.cluster.process;
        self.contention
            .update(&done.response, process, started.elapsed());
        if done.succeeded() {
            self.cache.apply(done.revision(), prepared.change);
            return Ok(Sent::Done);
        }
        // Where the answer to an earlier attempt was lost, that attempt may have been done, and is
        // then the very reason why this one was not.
        let was_unclear = done.was_unclear;
        let unclear = |error: WriteError| match was_unclear {
            true => error.with_fate(Fate::Unknown),
            false => error,
        };
        let mut answers = Answers::from(done.response);
        let learned = self.cache.learn(&prepared.missing, &mut answers);
        learned.map_err(|error| unclear(error.into()))?;
        let Some(change) = prepared.change.filter(|_| was_unclear) else {
            return Ok(Sent::Conflict);
        };
        let is_written = self.is_written(change.head, change.is_logged);
        match is_written.await.map_err(unclear)? {
            true => Ok(Sent::Done),
            false => Ok(Sent::Conflict),
        }
    }

    /// Returns true if an earlier attempt at a transaction wrote the head that it wanted to write.
    /// Then its ticket is in the head, or in the log where others have written since.
    async fn is_written(&mut self, wanted: Head, is_logged: bool) -> Result<bool, WriteError> {
        let (_, head) = self.head().await?;
        if head.ticket == wanted.ticket || !is_logged {
            return Ok(head.ticket == wanted.ticket);
        }
        let revision = wanted.usage.revision;
        if head.trimmed_to >= revision {
            let reason = "the write was repeated after a failure, and the log no longer shows \
                which of the two was done";
            return Err(unavailable(reason, Fate::Unknown, RETRY_SOON).into());
        }
        let key = self.cache.keys().log(revision);
        let mut answers = self.query(vec![RangeQuery::row(key.clone())]).await?;
        let row = answers.next_row();
        // A damaged record does not have the ticket.
        let record = row.and_then(|row| Record::decode(&key, row.value()).ok());
        Ok(record.is_some_and(|record| record.ticket == wanted.ticket))
    }

    /// Does writes that rest on nothing, and that may be done twice.
    pub(super) async fn write_rows(&self, writes: Vec<TxnOp>) -> Result<(), WriteError> {
        self.cluster.counters.transactions.add(1);
        let txn = Txn::new().and_then(writes);
        self.cluster.members.transact(&txn, self.deadline).await?;
        Ok(())
    }

    /// Ends a request at its deadline, and lets other processes go first after many conflicts, so
    /// that of several that write to the same namespace none loses for long.
    pub(super) async fn before_retry(&self, attempts: u32) -> Result<(), WriteError> {
        if Instant::now() >= self.deadline {
            let reason = "other servers write to the same user's keys all the time";
            return Err(busy(reason).into());
        }
        // The contention hand-off orders two processes; pauses keep many of them apart.
        if attempts > MAX_ATTEMPTS_AT_ONCE {
            tokio::time::sleep(self.cluster.jitter(attempts)).await;
        }
        Ok(())
    }

    /// The time of the next commit. As far as clocks agree at all, it is not before that of the
    /// last one, whichever process wrote it.
    pub(super) fn now(&self, head: Head) -> Timestamp {
        let own = self.cluster.clock.now();
        if head.time > own.after(MAX_SKEW) {
            self.cluster.counters.clock_skews.add(1);
        }
        own.max(head.time.min(own.after(MAX_SKEW)))
    }
}
