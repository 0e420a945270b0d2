//! The writers of all namespaces that are written to, and their queues.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::error::Fate;
use prominence_core::{Commit, Committed, Job, Namespace, StoreError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use super::contention::ContentionState;
use super::entry_cache::MemoryBudget;
use super::namespace_cache::NamespaceCache;
use super::queue::{Answer, PendingCommit, Request, reserve_bytes, take_group};
use super::upkeep::Upkeep;
use super::writer::Writer;
use crate::claim_index::ClaimIndex;
use crate::etcd::cluster::Cluster;
use crate::etcd::error::{RETRY_LATER, busy, closed, unavailable};
use crate::queued::MAX_QUEUED_BYTES;

/// Requests of one namespace that wait, so that one user leaves room for the others.
const MAX_WAITING_PER_NAMESPACE: usize = 1_024;

/// Deletions of many keys that run at once: each holds the names of up to a million.
const MAX_DELETIONS: usize = 2;

/// The time without writes after which a writer drops the values in its cache.
const QUIET: Duration = Duration::from_secs(10);

/// The time after that in which it still runs: its cache saves the next writes a round trip.
const LINGER: Duration = Duration::from_secs(300);

/// The writers of all namespaces that are written to.
pub(crate) struct Writers {
    cluster: Arc<Cluster>,
    pub(crate) claim_index: ClaimIndex,
    /// The memory of all caches.
    budget: Arc<MemoryBudget>,
    deletions: Arc<Semaphore>,
    queues: Mutex<Queues>,
    /// A permit for each commit that may wait, and their number.
    places: Arc<Semaphore>,
    all_places: u32,
    /// A permit for each byte of the commits that may wait.
    bytes: Arc<Semaphore>,
}

#[derive(Default)]
struct Queues {
    senders: HashMap<Namespace, Sender<Request>>,
    is_closed: bool,
}

impl Writers {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Arc<Self> {
        let places = cluster.options.queue.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            cluster,
            claim_index: ClaimIndex::default(),
            budget: Arc::default(),
            deletions: Arc::new(Semaphore::new(MAX_DELETIONS)),
            queues: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            all_places: u32::try_from(places).unwrap_or(u32::MAX),
            bytes: Arc::new(Semaphore::new(MAX_QUEUED_BYTES)),
        })
    }

    /// Commits, in the order of the calls.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| busy("too many writes are waiting"))?;
        let bytes = reserve_bytes(&self.bytes, &commit)
            .ok_or_else(|| busy("too many bytes are waiting to be written"))?;
        let (answer, answered) = oneshot::channel();
        let request = Request::Commit(Box::new(PendingCommit {
            author: author.cloned(),
            commit,
            asked: Instant::now(),
            answer,
            _place: place,
            _bytes: bytes,
        }));
        self.send(namespace, request)?;
        answered.await.map_err(|_| stopped())?
    }

    /// Has upkeep of a namespace done.
    pub(crate) async fn upkeep(
        self: &Arc<Self>,
        namespace: &Namespace,
        request: impl FnOnce(Answer) -> Request,
    ) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(namespace, request(answer))?;
        answered.await.map_err(|_| stopped())?
    }

    /// Takes no more requests, and waits until all commits are answered, or no longer than that.
    pub(crate) async fn close(&self, limit: Duration) {
        self.lock().is_closed = true;
        // Commits without an answer by then will get none.
        let _ = tokio::time::timeout(limit, self.places.acquire_many(self.all_places)).await;
        self.lock().senders.clear();
    }

    fn send(self: &Arc<Self>, namespace: &Namespace, request: Request) -> Result<(), StoreError> {
        let mut queues = self.lock();
        if queues.is_closed {
            return Err(closed());
        }
        let full = || busy("too many writes of this user are waiting");
        let request = match queues.senders.get(namespace) {
            None => request,
            Some(to) => match to.try_send(request) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(full()),
                // A writer that panicked is replaced; its cache is gone with it.
                Err(TrySendError::Closed(request)) => request,
            },
        };
        let (to, requests) = channel(MAX_WAITING_PER_NAMESPACE);
        let sent = to.try_send(request);
        queues.senders.insert(namespace.clone(), to);
        drop(queues);
        tokio::spawn(Arc::clone(self).run(namespace.clone(), requests));
        sent.map_err(|_| full())
    }

    /// Serves the requests of one namespace until none has come for a while.
    async fn run(self: Arc<Self>, namespace: Namespace, mut requests: Receiver<Request>) {
        let mut writer = self.writer(namespace);
        let mut waiting = VecDeque::new();
        let mut patience = QUIET;
        loop {
            if waiting.is_empty() {
                match tokio::time::timeout(patience, requests.recv()).await {
                    Ok(Some(request)) => waiting.push_back(request),
                    Ok(None) => return,
                    Err(_) if patience == QUIET => {
                        writer.cache.shrink();
                        patience = LINGER;
                        continue;
                    }
                    Err(_) if self.retire(&writer.namespace, &requests) => return,
                    Err(_) => continue,
                }
            }
            patience = QUIET;
            // Requests that come during the wait go into the same group.
            writer.yield_to_marked().await;
            while let Ok(request) = requests.try_recv() {
                waiting.push_back(request);
            }
            if let Some(first) = waiting.pop_front() {
                writer.serve(first, &mut waiting).await;
            }
        }
    }

    fn writer(&self, namespace: Namespace) -> Writer {
        let cluster = Arc::clone(&self.cluster);
        let (index, budget) = (self.claim_index.clone(), Arc::clone(&self.budget));
        Writer {
            cache: NamespaceCache::new(cluster.keys.clone(), namespace.clone(), index, budget),
            contention: ContentionState::default(),
            deletions: Arc::clone(&self.deletions),
            deadline: cluster.deadline(),
            cluster,
            namespace,
        }
    }

    /// Removes the queue of a writer where it is empty; returns whether it was.
    fn retire(&self, namespace: &Namespace, requests: &Receiver<Request>) -> bool {
        // Requests are sent under the lock, so none can come in between.
        let mut queues = self.lock();
        let is_idle = requests.is_empty();
        if is_idle {
            queues.senders.remove(namespace);
        }
        is_idle
    }

    /// The queues are valid after each statement under the lock, so also behind a poisoned one.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Serves the first request, together with those that fit into the same transaction.
    async fn serve(&mut self, first: Request, waiting: &mut VecDeque<Request>) {
        self.deadline = self.cluster.deadline();
        match first {
            // The caller may be gone.
            Request::Sweep(answer) => {
                let _ = answer.send(self.upkeep(Upkeep::Expired).await);
            }
            Request::Trim(answer) => {
                let _ = answer.send(self.upkeep(Upkeep::Log).await);
            }
            Request::Commit(first) => {
                let limit = self.cluster.options.request_timeout;
                let group = take_group(first, waiting, limit);
                match &*group {
                    [] => {}
                    [one] if one.deletes_prefix() => self.delete_prefixes(group).await,
                    _ => self.write(group).await,
                }
                if self.is_log_long() {
                    // Where it fails, the next commit tries again.
                    let _ = self.upkeep(Upkeep::Log).await;
                }
            }
        }
    }
}

/// The answer to a caller whose writer has panicked.
fn stopped() -> StoreError {
    let reason = "the writer has stopped; the write may have happened";
    unavailable(reason, Fate::Unknown, RETRY_LATER)
}
