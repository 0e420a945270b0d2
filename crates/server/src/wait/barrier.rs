//! Barriers: counts of keys that many requests wait for.
//!
//! A count reads every key under the prefix, and a barrier's keys change all the time while its
//! jobs finish. So all requests that wait on one prefix share one count, which is not repeated before a pause of
//! several times its duration; and one user has one count running at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use prominence_core::permit::ListPermit;
use prominence_core::{Count, Namespace, Prefix, StoreError};
use prominence_engines::fair_permits::{FairPermits, Most, Sharing};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::failure::Failure;

/// Counts for barriers that run at once, of all users in turn: fewer than the engine runs, so that
/// listings have room beside them.
const MAX_COUNTING: usize = 2;

/// The shortest pause between two counts of a prefix: a delay that no waiting job notices.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// A pause is this many times the duration of the count, so that a barrier uses a thread for at most a fifth of the
/// time.
const PAUSES_PER_COUNT: u32 = 4;

/// The barriers of all users; cheap to clone.
#[derive(Clone)]
pub(crate) struct Barriers(Arc<Inner>);

/// One prefix of one user, while a request waits on it.
pub(crate) struct Barrier {
    barriers: Barriers,
    user: Namespace,
    prefix: Prefix,
    /// One count of the user runs at a time.
    turn: Arc<AsyncMutex<()>>,
    latest: AsyncMutex<Option<Counted>>,
}

struct Inner {
    counting: FairPermits<Namespace>,
    users: Mutex<HashMap<Namespace, User>>,
}

/// The barriers of one user; removed once no request waits on any of them.
#[derive(Default)]
struct User {
    turn: Arc<AsyncMutex<()>>,
    barriers: HashMap<Prefix, Weak<Barrier>>,
}

/// The latest count of a prefix.
#[derive(Clone, Copy)]
struct Counted {
    count: Count,
    began: Instant,
    /// Before this instant no change makes it count again.
    next_count_at: Instant,
}

impl Barriers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            counting: FairPermits::new(Sharing {
                total: MAX_COUNTING,
                // One of each user waits, and long polls are limited.
                waiting: usize::MAX,
                most: Most::All,
            }),
            users: Mutex::default(),
        }))
    }

    /// The barrier of a prefix, shared by all requests that wait on it.
    pub(crate) fn of(&self, user: &Namespace, prefix: &Prefix) -> Arc<Barrier> {
        let mut users = self.lock();
        let entry = users.entry(user.clone()).or_default();
        if let Some(barrier) = entry.barriers.get(prefix).and_then(Weak::upgrade) {
            return barrier;
        }
        let barrier = Arc::new(Barrier {
            barriers: self.clone(),
            user: user.clone(),
            prefix: prefix.clone(),
            turn: Arc::clone(&entry.turn),
            latest: AsyncMutex::default(),
        });
        entry
            .barriers
            .insert(prefix.clone(), Arc::downgrade(&barrier));
        barrier
    }

    /// Removes a barrier on which no request waits any more, unless there is another one in its place.
    fn remove(&self, user: &Namespace, prefix: &Prefix) {
        let mut users = self.lock();
        let Some(entry) = users.get_mut(user) else {
            return;
        };
        let barrier = entry.barriers.get(prefix);
        if barrier.is_some_and(|barrier| barrier.strong_count() == 0) {
            entry.barriers.remove(prefix);
        }
        if entry.barriers.is_empty() {
            users.remove(user);
        }
    }

    /// Nothing that is done under the lock can fail halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<Namespace, User>> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Barrier {
    /// A count that began after `since`. One of the waiting requests makes it for all of them.
    pub(crate) async fn count_since(
        &self,
        permit: &ListPermit,
        since: Instant,
    ) -> Result<Count, Failure> {
        self.fresh(permit, since, Pause::Skipped).await
    }

    /// The same for a change, after the pause that follows each count.
    pub(crate) async fn count_change(
        &self,
        permit: &ListPermit,
        since: Instant,
    ) -> Result<Count, Failure> {
        self.fresh(permit, since, Pause::Kept).await
    }

    async fn fresh(
        &self,
        permit: &ListPermit,
        since: Instant,
        rest: Pause,
    ) -> Result<Count, Failure> {
        // Requests that arrive during a count queue here. The first of them counts for the others: its count begins
        // after all of them arrived.
        let mut latest = self.latest.lock().await;
        if let Some(counted) = *latest
            && counted.began > since
        {
            return Ok(counted.count);
        }
        if let (Pause::Kept, Some(counted)) = (rest, *latest) {
            tokio::time::sleep_until(counted.next_count_at).await;
        }
        let counted = self.count(permit).await?;
        *latest = Some(counted);
        Ok(counted.count)
    }

    async fn count(&self, permit: &ListPermit) -> Result<Counted, StoreError> {
        let _turn = self.turn.lock().await;
        let _permit = self.barriers.0.counting.acquire(&self.user, 1).await;
        let began = Instant::now();
        let count = permit.count(None).await?;
        let pause = (began.elapsed() * PAUSES_PER_COUNT).max(SHORTEST_PAUSE);
        Ok(Counted {
            count,
            began,
            next_count_at: Instant::now() + pause,
        })
    }
}

/// The pause after the last count: kept, or not.
#[derive(Clone, Copy)]
enum Pause {
    Kept,
    Skipped,
}

impl Drop for Barrier {
    fn drop(&mut self) {
        self.barriers.remove(&self.user, &self.prefix);
    }
}
