//! Reads of single keys, in batches.
//!
//! Reads that arrive while others are under way wait and are sent together: a transaction of many
//! reads costs the cluster and this process little more than a transaction of one. Each read is as
//! linearizable as alone, because it arrived before its transaction was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::error::Fate;
use prominence_core::{Entry, StoreError};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::etcd::cluster::Cluster;
use crate::etcd::error::{Unavailable, busy, closed};
use crate::etcd::query::{Answers, RangeQuery};
use crate::etcd::records::decode_entry;

/// Transactions of reads that are under way at once: one is answered while the next is on its way.
/// With more of them each would carry fewer reads.
const MAX_UNDER_WAY: usize = 2;

/// Reads in one transaction. etcd takes 128 operations.
const MAX_BATCH: usize = 128;

/// Reads that wait: some seconds' worth at least, so that more of them wouldn't be answered in time.
const MAX_WAITING: usize = 16_384;

type Answer = oneshot::Sender<Result<Option<Entry>, StoreError>>;

/// Sends reads of single keys in batches.
pub(crate) struct ReadBatcher {
    cluster: Arc<Cluster>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// The key of each row to read, and the channel for its entry.
    waiting: VecDeque<(Vec<u8>, Answer)>,
    under_way: usize,
}

impl ReadBatcher {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Arc<Self> {
        Arc::new(Self {
            cluster,
            queue: Mutex::default(),
        })
    }

    /// Reads the entry in a row, whether or not it has expired.
    pub(crate) async fn get(self: &Arc<Self>, key: Vec<u8>) -> Result<Option<Entry>, StoreError> {
        let deadline = self.cluster.deadline();
        let (answer, answered) = oneshot::channel();
        if self.enqueue(key, answer)? {
            // A task of its own, because the caller may go away before the others are answered.
            tokio::spawn(Arc::clone(self).send_batches());
        }
        match timeout_at(deadline, answered).await {
            Ok(answered) => answered.map_err(|_| closed())?,
            Err(_) => Err(self.slow().into()),
        }
    }

    fn slow(&self) -> Unavailable {
        Unavailable::slow(self.cluster.options.request_timeout).with_fate(Fate::NotApplied)
    }

    /// Adds a read to the queue; returns whether a new task has to send batches.
    fn enqueue(&self, key: Vec<u8>, answer: Answer) -> Result<bool, StoreError> {
        let mut queue = self.lock();
        if queue.waiting.len() >= MAX_WAITING {
            return Err(busy("too many reads are waiting"));
        }
        queue.waiting.push_back((key, answer));
        let begins = queue.under_way < MAX_UNDER_WAY;
        queue.under_way += usize::from(begins);
        Ok(begins)
    }

    /// The next batch; `None` where the task ends. Both are decided under one lock, so that no
    /// read is left in the queue without a task.
    fn next_batch(&self) -> Option<Vec<(Vec<u8>, Answer)>> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(MAX_BATCH);
        if count == 0 {
            queue.under_way -= 1;
            return None;
        }
        Some(queue.waiting.drain(..count).collect())
    }

    /// Sends batches until no read waits.
    async fn send_batches(self: Arc<Self>) {
        let counters = &self.cluster.counters;
        while let Some(batch) = self.next_batch() {
            counters.gets.add(batch.len());
            counters.get_transactions.add(1);
            // Callers may be gone, and a key that several callers ask for is read once.
            let mut answers: BTreeMap<Vec<u8>, Vec<Answer>> = BTreeMap::new();
            for (key, answer) in batch.into_iter().filter(|(_, answer)| !answer.is_closed()) {
                answers.entry(key).or_default().push(answer);
            }
            let rows = answers.keys().cloned().map(RangeQuery::row).collect();
            if !answers.is_empty() {
                answer_all(answers, self.cluster.read(rows).await);
            }
        }
    }

    /// No code under the lock can panic halfway, so a poisoned lock guards a valid queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers all callers; the rows were read in the order of the map.
fn answer_all(answers: BTreeMap<Vec<u8>, Vec<Answer>>, mut read: Result<Answers, Unavailable>) {
    for (key, answers) in answers {
        let row = read.as_mut().map(Answers::next_row);
        let entry = row.map(|row| {
            let entry = row.map(|row| decode_entry(&key, row)).transpose();
            entry.map_err(|error| match error {
                StoreError::Corrupt { what } => what,
                other => other.to_string(),
            })
        });
        for answer in answers {
            // A caller that is gone needs no answer.
            let _ = answer.send(match &entry {
                Ok(Ok(entry)) => Ok(entry.clone()),
                Ok(Err(what)) => Err(StoreError::Corrupt { what: what.clone() }),
                Err(unavailable) => Err((*unavailable).clone().into()),
            });
        }
    }
}
