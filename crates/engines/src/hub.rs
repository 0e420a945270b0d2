//! Wakes those who wait for changes, and nobody else.
//!
//! A waiter is kept under its namespace and its key or prefix, so that a commit costs the length of the keys
//! it changed and not the number of those who wait. It is gone as soon as it is woken or dropped.
//!
//! A commit costs one look at a number where nobody waits. Where somebody does, the waiters are taken out
//! under the lock and told without it ([`Woken`]): each of them may be a task that is put into the queue of a
//! runtime, and the committer has others to answer.

mod prefixes;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Cursor, Interest, Key, Namespace, Revision};
use tokio::sync::oneshot;

use prefixes::Prefixes;

/// Waiters of all namespaces together. Each costs a few hundred bytes here, so this is some
/// 30 MiB at worst; the connections behind them cost far more.
pub const MAX_WAITING: usize = 100_000;

/// Waiters of one namespace, so that one user leaves room for the others.
pub const MAX_WAITING_PER_NAMESPACE: usize = 20_000;

/// Changes of one commit that are matched key by key. Above this everyone in the namespace looks
/// for themselves, which is cheaper for the committer.
const MAX_MATCHED_CHANGES: usize = 1_000;

/// The waiters, by what they wait for.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The number of waiters. It changes under the lock, and is read without it.
    total: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// One waiter. Dropping it ends the waiting.
pub struct Listener {
    hub: Hub,
    namespace: Namespace,
    interest: Interest,
    ticket: u64,
    woken: oneshot::Receiver<Wake>,
}

/// The reason why a waiter was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The commit with this revision changed what is waited for, and none did between the
    /// beginning of the waiting and it.
    Changed(Revision),
    /// Something may have changed.
    LookAgain,
}

impl Wake {
    /// The place where a reader goes on who had read everything up to `after` when it began to wait: nothing between
    /// there and what woke it was for it, so the log may well have been trimmed up to there meanwhile.
    #[must_use]
    pub fn go_on(self, after: Cursor) -> Cursor {
        match self {
            Self::Changed(revision) => {
                let before = Revision::new(revision.get().saturating_sub(1));
                after.max(Cursor::after(before))
            }
            Self::LookAgain => after,
        }
    }
}

/// Waiters that are woken once they are told.
#[must_use = "they sleep until they are told"]
#[derive(Default)]
pub struct Woken(Vec<(Wake, Tickets)>);

impl Woken {
    /// Their number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, waiters)| waiters.len()).sum()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of another commit.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Wakes them. A listener that has just been dropped needs no waking, so a failure to send is no
    /// error.
    pub fn tell(self) {
        for (wake, waiters) in self.0 {
            for waiter in waiters.into_values() {
                let _ = waiter.send(wake);
            }
        }
    }
}

/// There are as many waiters as the hub takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait for changes")]
pub struct TooManyWaiting;

#[derive(Default)]
struct Waiting {
    next_ticket: u64,
    spaces: HashMap<Namespace, Space>,
}

/// The waiters of one namespace.
#[derive(Default)]
struct Space {
    total: usize,
    keys: HashMap<Box<str>, Tickets>,
    prefixes: Prefixes,
}

/// Those who wait for the same.
type Tickets = HashMap<u64, oneshot::Sender<Wake>>;

impl Hub {
    /// Starts waiting for changes of a key, or of keys that begin with a prefix.
    ///
    /// Look at the store after this and before [`Listener::woken`]; then no change is missed.
    ///
    /// # Errors
    /// When [`MAX_WAITING`] or [`MAX_WAITING_PER_NAMESPACE`] is reached.
    pub fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Listener, TooManyWaiting> {
        let (wake, woken) = oneshot::channel();
        let mut waiting = self.lock();
        let here = waiting.spaces.get(namespace).map_or(0, |space| space.total);
        if self.waiting() >= MAX_WAITING || here >= MAX_WAITING_PER_NAMESPACE {
            return Err(TooManyWaiting);
        }
        let ticket = waiting.next_ticket;
        waiting.next_ticket += 1;
        let space = waiting.spaces.entry(namespace.clone()).or_default();
        space.insert(interest, ticket, wake);
        self.0.total.fetch_add(1, Ordering::Relaxed);
        drop(waiting);
        // With the fence in `has_waiters`: either the committer sees this waiter, or the waiter sees what the
        // committer has published.
        fence(Ordering::SeqCst);
        Ok(Listener {
            hub: self.clone(),
            namespace: namespace.clone(),
            interest: interest.clone(),
            ticket,
            woken,
        })
    }

    /// Takes out those who wait for one of the keys that a commit changed, to be told. Call it once the
    /// change can be seen, and for the commits of a namespace in their order.
    pub fn publish<'a>(
        &self,
        namespace: &Namespace,
        revision: Revision,
        keys: impl ExactSizeIterator<Item = &'a Key>,
    ) -> Woken {
        if !self.has_waiters() {
            return Woken::default();
        }
        let mut waiting = self.lock();
        let Some(space) = waiting.spaces.get_mut(namespace) else {
            return Woken::default();
        };
        let mut woken = Woken::default();
        if keys.len() > MAX_MATCHED_CHANGES {
            woken = space.take_all();
        } else {
            for key in keys {
                space.take(key, Wake::Changed(revision), &mut woken);
            }
        }
        if space.total == 0 {
            waiting.spaces.remove(namespace);
        }
        self.0.total.fetch_sub(woken.len(), Ordering::Relaxed);
        woken
    }

    /// Takes out those who wait in a namespace, for when many keys of it changed.
    pub fn wake_namespace(&self, namespace: &Namespace) -> Woken {
        let mut waiting = self.lock();
        let space = waiting.spaces.remove(namespace);
        let woken = space.map(|mut space| space.take_all()).unwrap_or_default();
        self.0.total.fetch_sub(woken.len(), Ordering::Relaxed);
        woken
    }

    /// Takes everyone out, for when it is not known what changed.
    pub fn wake_all(&self) -> Woken {
        let mut waiting = self.lock();
        let mut woken = Woken::default();
        for (_, mut space) in waiting.spaces.drain() {
            woken.append(space.take_all());
        }
        self.0.total.store(0, Ordering::Relaxed);
        woken
    }

    /// True if somebody waits who has to be told of what was published before this call.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        fence(Ordering::SeqCst);
        self.waiting() > 0
    }

    /// True if somebody waits in a namespace.
    #[must_use]
    pub fn is_listened_to(&self, namespace: &Namespace) -> bool {
        self.has_waiters() && self.lock().spaces.contains_key(namespace)
    }

    /// The number of those that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Every change to the maps is made in one go, so a panic elsewhere leaves them whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Waits until what is waited for changes.
    pub async fn woken(mut self) -> Wake {
        // A hub that is gone can tell nothing; the store will say what is wrong.
        (&mut self.woken).await.unwrap_or(Wake::LookAgain)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.hub.lock();
        let Some(space) = waiting.spaces.get_mut(&self.namespace) else {
            return;
        };
        if !space.remove(&self.interest, self.ticket) {
            return;
        }
        if space.total == 0 {
            waiting.spaces.remove(&self.namespace);
        }
        self.hub.0.total.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Space {
    fn insert(&mut self, interest: &Interest, ticket: u64, wake: oneshot::Sender<Wake>) {
        self.total += 1;
        let waiters = match interest {
            Interest::Key(key) => self.keys.entry(key.as_str().into()).or_default(),
            Interest::Prefix(prefix) => self.prefixes.under(prefix.as_str()),
        };
        waiters.insert(ticket, wake);
    }

    /// Takes out those who wait for `key` or for a prefix that it begins with.
    fn take(&mut self, key: &Key, wake: Wake, woken: &mut Woken) {
        let key = key.as_str();
        let mut taken = 0;
        let mut take = |waiters: Tickets| {
            taken += waiters.len();
            woken.0.push((wake, waiters));
        };
        if let Some(waiters) = self.keys.remove(key) {
            take(waiters);
        }
        self.prefixes.take(key, take);
        self.total -= taken;
    }

    fn take_all(&mut self) -> Woken {
        self.total = 0;
        let keys = self.keys.drain().map(|(_, waiters)| waiters);
        let waiters = keys.chain(self.prefixes.take_all());
        Woken(waiters.map(|waiters| (Wake::LookAgain, waiters)).collect())
    }

    fn remove(&mut self, interest: &Interest, ticket: u64) -> bool {
        let was_there = match interest {
            Interest::Prefix(prefix) => self.prefixes.remove(prefix.as_str(), ticket),
            Interest::Key(key) => {
                let Some(waiters) = self.keys.get_mut(key.as_str()) else {
                    return false;
                };
                let was_there = waiters.remove(&ticket).is_some();
                if waiters.is_empty() {
                    self.keys.remove(key.as_str());
                }
                was_there
            }
        };
        self.total -= usize::from(was_there);
        was_there
    }
}

#[cfg(test)]
mod tests;
