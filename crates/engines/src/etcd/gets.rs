//! Reads of single keys. Those that come while others are under way wait and go out together: a
//! transaction of many reads costs the cluster and this process little more than one of one, and
//! each is as linearizable as alone, because it was asked for before the transaction.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Entry, StoreError};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::error::{Trouble, busy};
use super::known::decode_entry;
use super::members::{Read, row};
use super::{Shared, closed};

/// Transactions of reads that are under way at once: one is answered while the next is on its way.
/// More of them would carry less each.
const MAX_UNDER_WAY: usize = 2;

/// Reads that go out together. etcd takes 128 operations.
const MAX_TOGETHER: usize = 128;

/// Reads that wait: some seconds' worth at least, so that more of them wouldn't be answered in time.
const MAX_WAITING: usize = 16_384;

/// How a read is answered.
type Answer = oneshot::Sender<Result<Option<Entry>, StoreError>>;

/// The reads of single keys that wait.
#[derive(Default)]
pub(super) struct Gets(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Asked>,
    under_way: usize,
}

/// A read that waits.
struct Asked {
    /// Where the entry stands.
    key: Vec<u8>,
    answer: Answer,
}

impl Gets {
    /// Reads the entry that stands under a key of the cluster, whether or not it has expired.
    pub(super) async fn get(
        &self,
        shared: &Arc<Shared>,
        key: Vec<u8>,
    ) -> Result<Option<Entry>, StoreError> {
        let deadline = shared.deadline();
        let (answer, answered) = oneshot::channel();
        if self.put(Asked { key, answer })? {
            tokio::spawn(serve(Arc::clone(shared)));
        }
        match timeout_at(deadline, answered).await {
            Ok(answered) => answered.map_err(|_| closed())?,
            Err(_) => Err(Trouble::slow(shared.options.request_timeout).read()),
        }
    }

    /// Lets a read wait; answers whether somebody has to begin to serve.
    fn put(&self, asked: Asked) -> Result<bool, StoreError> {
        let mut queue = self.lock();
        if queue.waiting.len() >= MAX_WAITING {
            return Err(busy("too many reads are waiting"));
        }
        queue.waiting.push_back(asked);
        let begins = queue.under_way < MAX_UNDER_WAY;
        queue.under_way += usize::from(begins);
        Ok(begins)
    }

    /// What goes out next, or nothing where whoever serves may end. Both are found out in one step, so
    /// that nothing is left behind.
    fn take(&self) -> Option<Vec<Asked>> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(MAX_TOGETHER);
        if count == 0 {
            queue.under_way -= 1;
            return None;
        }
        Some(queue.waiting.drain(..count).collect())
    }

    /// A lock that is held for a few steps in which nothing can fail.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until nothing waits. It is a task of its own, because whoever asked first may go away.
async fn serve(shared: Arc<Shared>) {
    while let Some(asked) = shared.gets.take() {
        shared.counters.gets(asked.len());
        let mut keys = Vec::with_capacity(asked.len());
        let mut answers: Vec<Vec<Answer>> = Vec::with_capacity(asked.len());
        let mut places = HashMap::with_capacity(asked.len());
        for Asked { key, answer } in asked {
            // Whoever asked may be gone; what many ask for is read once.
            if answer.is_closed() {
                continue;
            }
            let place = *places.entry(key).or_insert_with_key(|key| {
                keys.push(key.clone());
                answers.push(Vec::new());
                answers.len() - 1
            });
            answers[place].push(answer);
        }
        if keys.is_empty() {
            continue;
        }
        let questions = keys.iter().map(|key| row(key.clone(), 0)).collect();
        let read = shared.members.read(questions, shared.deadline()).await;
        tell(&keys, answers, read);
    }
}

/// Answers everybody who asked for one of the keys.
fn tell(keys: &[Vec<u8>], answers: Vec<Vec<Answer>>, read: Result<Read, Trouble>) {
    let found = match read {
        Ok(read) => read.found,
        Err(trouble) => {
            for answer in answers.into_iter().flatten() {
                let _ = answer.send(Err(trouble.read()));
            }
            return;
        }
    };
    for ((key, answers), found) in keys.iter().zip(answers).zip(found) {
        let row = found.rows.into_iter().next();
        let entry = row.map(|row| decode_entry(key, row)).transpose();
        for answer in answers {
            let entry = match &entry {
                Ok(entry) => Ok(entry.clone()),
                Err(trouble) => Err(again(trouble)),
            };
            let _ = answer.send(entry);
        }
    }
}

/// The same trouble for another caller: a row that can't be read.
fn again(trouble: &StoreError) -> StoreError {
    StoreError::Corrupt {
        what: match trouble {
            StoreError::Corrupt { what } => what.clone(),
            other => other.to_string(),
        },
    }
}
