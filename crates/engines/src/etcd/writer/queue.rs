//! What waits to be written, and the tasks that write it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::error::Fate;
use prominence_core::{Commit, Committed, Job, Namespace, StoreError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::etcd::Shared;
use crate::etcd::error::{RETRY_LATER, busy, unavailable};
use crate::queued::{QueuedBytes, Reserved, weigh};

/// Requests of one namespace that wait, so that one user leaves room for the others.
const MAX_WAITING_PER_NAMESPACE: usize = 1_024;

/// How the result of something that the store does for itself is given.
type Answer = oneshot::Sender<Result<(), StoreError>>;

/// What a writer is asked to do.
pub(in crate::etcd) enum Request {
    Commit(Box<CommitRequest>),
    /// Remove what is due.
    Sweep(Answer),
    /// Forget what of the log is too old or too much.
    Trim(Answer),
}

/// A commit that waits.
pub(in crate::etcd) struct CommitRequest {
    pub(super) author: Option<Job>,
    pub(super) commit: Commit,
    asked: Instant,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Its shares of the queue.
    _place: OwnedSemaphorePermit,
    _reserved: Reserved,
}

impl CommitRequest {
    /// Answers it. Whoever asked may be gone.
    pub(super) fn answer(self, answer: Result<Committed, StoreError>) {
        let _ = self.answer.send(answer);
    }

    /// Whether it has waited longer than its caller wants to.
    pub(super) fn is_late(&self, limit: Duration) -> bool {
        self.asked.elapsed() > limit
    }

    /// Operations and conditions.
    pub(super) fn steps(&self) -> usize {
        self.commit.operations().len() + self.commit.conditions().len()
    }

    /// Bytes that it takes in a transaction, about.
    pub(super) fn bytes(&self) -> usize {
        weigh(&self.commit)
    }
}

/// The writers of all namespaces that are written to.
pub(in crate::etcd) struct Writers {
    writers: Mutex<Map>,
    places: Arc<Semaphore>,
    queued: QueuedBytes,
    queue: usize,
}

#[derive(Default)]
struct Map {
    senders: HashMap<Namespace, Sender<Request>>,
    is_closed: bool,
}

impl Writers {
    pub(in crate::etcd) fn new(queue: usize) -> Self {
        let queue = queue.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            writers: Mutex::default(),
            places: Arc::new(Semaphore::new(queue)),
            queued: QueuedBytes::default(),
            queue,
        }
    }

    /// Puts a commit where its writer finds it. Gives what comes with the answer.
    pub(in crate::etcd) fn commit(
        &self,
        shared: &Arc<Shared>,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<oneshot::Receiver<Result<Committed, StoreError>>, StoreError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| busy("too many writes are waiting"))?;
        let reserved = self
            .queued
            .reserve(&commit)
            .ok_or_else(|| busy("too many bytes are waiting to be written"))?;
        let (answer, answered) = oneshot::channel();
        let request = Request::Commit(Box::new(CommitRequest {
            author: author.cloned(),
            commit,
            asked: Instant::now(),
            answer,
            _place: place,
            _reserved: reserved,
        }));
        self.send(shared, namespace, request)?;
        Ok(answered)
    }

    /// Has something done that the store needs for itself.
    pub(in crate::etcd) async fn ask(
        &self,
        shared: &Arc<Shared>,
        namespace: &Namespace,
        request: impl FnOnce(Answer) -> Request,
    ) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(shared, namespace, request(answer))?;
        answered.await.map_err(|_| gone())?
    }

    /// Takes no more, and waits until all that was taken is answered, or no longer than that.
    pub(in crate::etcd) async fn close(&self, limit: Duration) {
        self.lock().is_closed = true;
        let all = u32::try_from(self.queue).unwrap_or(u32::MAX);
        // Whatever is not answered by then is not going to be.
        let _ = tokio::time::timeout(limit, self.places.acquire_many(all)).await;
        self.lock().senders.clear();
    }

    /// Ends a writer that has nothing to do; says whether it has.
    pub(super) fn retire(&self, namespace: &Namespace, requests: &Receiver<Request>) -> bool {
        // Requests are sent under the lock, so none can come in between.
        let mut writers = self.lock();
        let is_idle = requests.is_empty();
        if is_idle {
            writers.senders.remove(namespace);
        }
        is_idle
    }

    fn send(
        &self,
        shared: &Arc<Shared>,
        namespace: &Namespace,
        request: Request,
    ) -> Result<(), StoreError> {
        let mut writers = self.lock();
        if writers.is_closed {
            return Err(unavailable(
                "the store is closed",
                Fate::NotApplied,
                RETRY_LATER,
            ));
        }
        let request = match writers.senders.get(namespace) {
            None => request,
            Some(to) => match to.try_send(request) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    return Err(busy("too many writes of this user are waiting"));
                }
                // A writer that panicked is replaced; what it knew is gone with it.
                Err(TrySendError::Closed(request)) => request,
            },
        };
        let (to, requests) = channel(MAX_WAITING_PER_NAMESPACE);
        let sent = to.try_send(request);
        writers.senders.insert(namespace.clone(), to);
        drop(writers);
        tokio::spawn(super::run(Arc::clone(shared), namespace.clone(), requests));
        sent.map_err(|_| busy("too many writes of this user are waiting"))
    }

    /// What is behind the lock is whole after each statement.
    fn lock(&self) -> MutexGuard<'_, Map> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller hears whose answer was dropped: its writer is gone.
pub(in crate::etcd) fn gone() -> StoreError {
    unavailable(
        "the writer has stopped; the write may have happened",
        Fate::Unknown,
        RETRY_LATER,
    )
}
