//! Barriers: counts that many requests wait for.
//!
//! A count reads every key under the prefix, and a barrier's keys change all the time while its
//! jobs finish. So all who wait on one prefix share one count, which is not begun again before a
//! pause of several times what it took; and one user has one count running at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use prominence_core::permit::ListPermit;
use prominence_core::{Count, Namespace, Prefix, StoreError};
use tokio::sync::{Mutex as Turn, Semaphore};
use tokio::time::Instant;

use crate::failure::Failure;

/// Counts for barriers that run at once, of all users: fewer than the engine runs, so that
/// listings have room beside them.
const MAX_COUNTING: usize = 2;

/// The shortest pause between two counts of a prefix: what a waiting job doesn't notice.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// A pause is this many times what the count took, so that a barrier keeps no thread busy for
/// more than a fifth of the time.
const PAUSES_PER_COUNT: u32 = 4;

/// The counts that are waited for; cheap to clone.
#[derive(Clone)]
pub(crate) struct Barriers(Arc<Inner>);

/// One prefix of one user, for as long as somebody waits on it.
pub(crate) struct Barrier {
    barriers: Barriers,
    user: Arc<Turn<()>>,
    latest: Turn<Option<Counted>>,
}

struct Inner {
    counting: Semaphore,
    users: Mutex<HashMap<Namespace, User>>,
}

/// What is kept of one user; forgotten once nobody waits on any of its barriers.
#[derive(Default)]
struct User {
    turn: Arc<Turn<()>>,
    barriers: HashMap<Prefix, Weak<Barrier>>,
}

/// The latest count of a prefix.
#[derive(Clone, Copy)]
struct Counted {
    count: Count,
    began: Instant,
    /// Before which it is not counted again for a change.
    rest_until: Instant,
}

impl Barriers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            counting: Semaphore::new(MAX_COUNTING),
            users: Mutex::default(),
        }))
    }

    /// The barrier of a prefix, shared with all who wait on it.
    pub(crate) fn of(&self, user: &Namespace, prefix: &Prefix) -> Arc<Barrier> {
        let mut users = self.lock();
        let entry = users.entry(user.clone()).or_default();
        if let Some(barrier) = entry.barriers.get(prefix).and_then(Weak::upgrade) {
            return barrier;
        }
        let barrier = Arc::new(Barrier {
            barriers: self.clone(),
            user: Arc::clone(&entry.turn),
            latest: Turn::default(),
        });
        entry
            .barriers
            .insert(prefix.clone(), Arc::downgrade(&barrier));
        barrier
    }

    /// Forgets what nobody waits on any more. There are no more barriers than held requests, so
    /// this looks at few.
    fn tidy(&self) {
        self.lock().retain(|_, user| {
            user.barriers
                .retain(|_, barrier| barrier.strong_count() > 0);
            !user.barriers.is_empty()
        });
    }

    /// Nothing that is done under the lock can fail halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<Namespace, User>> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Barrier {
    /// A count that began after `since`, which one of those who wait makes for all of them.
    pub(crate) async fn count_since(
        &self,
        permit: &ListPermit,
        since: Instant,
    ) -> Result<Count, Failure> {
        self.fresh(permit, since, Rest::Skipped).await
    }

    /// The same for a change, after the pause that follows each count.
    pub(crate) async fn count_change(
        &self,
        permit: &ListPermit,
        since: Instant,
    ) -> Result<Count, Failure> {
        self.fresh(permit, since, Rest::Kept).await
    }

    async fn fresh(
        &self,
        permit: &ListPermit,
        since: Instant,
        rest: Rest,
    ) -> Result<Count, Failure> {
        // Those who come while one counts queue here, and the first of them counts for the rest:
        // its count begins after all of them came.
        let mut latest = self.latest.lock().await;
        if let Some(counted) = *latest
            && counted.began > since
        {
            return Ok(counted.count);
        }
        if let (Rest::Kept, Some(counted)) = (rest, *latest) {
            tokio::time::sleep_until(counted.rest_until).await;
        }
        let counted = self.count(permit).await?;
        *latest = Some(counted);
        Ok(counted.count)
    }

    async fn count(&self, permit: &ListPermit) -> Result<Counted, StoreError> {
        let _turn = self.user.lock().await;
        let _slot = self.barriers.0.counting.acquire().await;
        let began = Instant::now();
        let count = permit.count().await?;
        let pause = (began.elapsed() * PAUSES_PER_COUNT).max(SHORTEST_PAUSE);
        Ok(Counted {
            count,
            began,
            rest_until: Instant::now() + pause,
        })
    }
}

/// Whether the pause after the last count is kept.
#[derive(Clone, Copy)]
enum Rest {
    Kept,
    Skipped,
}

impl Drop for Barrier {
    fn drop(&mut self) {
        self.barriers.tidy();
    }
}
