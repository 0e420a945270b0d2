//! Wakes those who wait for changes, and nobody else.
//!
//! A waiter is kept under its namespace and its key or prefix, so that a commit costs the length of the keys
//! it changed and not the number of those who wait. It is gone as soon as it is woken or dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Cursor, Interest, Key, Namespace, Revision};
use tokio::sync::oneshot;

/// Waiters of all namespaces together. Each costs a few hundred bytes here, so this is some
/// 30 MiB at worst; the connections behind them cost far more.
pub const MAX_WAITING: usize = 100_000;

/// Waiters of one namespace, so that one user leaves room for the others.
pub const MAX_WAITING_PER_NAMESPACE: usize = 20_000;

/// Changes of one commit that are matched key by key. Above this everyone in the namespace looks
/// for themselves, which is cheaper for the committer.
const MAX_MATCHED_CHANGES: usize = 1_000;

/// Who waits for what.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Waiting>>);

/// One waiter. Dropping it ends the waiting.
pub struct Listener {
    hub: Hub,
    namespace: Namespace,
    interest: Interest,
    ticket: u64,
    woken: oneshot::Receiver<Wake>,
}

/// Why a waiter was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The commit with this revision changed what is waited for, and none did between the
    /// beginning of the waiting and it.
    Changed(Revision),
    /// Something may have changed.
    LookAgain,
}

impl Wake {
    /// Where a reader goes on who had read everything up to `after` when it began to wait: nothing
    /// between there and what woke it was for it, so the log may well have been trimmed up to
    /// there meanwhile.
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

/// There are as many waiters as the hub takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait for changes")]
pub struct TooManyWaiting;

#[derive(Default)]
struct Waiting {
    total: usize,
    next_ticket: u64,
    spaces: HashMap<Namespace, Space>,
}

/// The waiters of one namespace.
#[derive(Default)]
struct Space {
    total: usize,
    keys: HashMap<Box<str>, Tickets>,
    prefixes: HashMap<Box<str>, Tickets>,
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
        if waiting.total >= MAX_WAITING || here >= MAX_WAITING_PER_NAMESPACE {
            return Err(TooManyWaiting);
        }
        let ticket = waiting.next_ticket;
        waiting.next_ticket += 1;
        waiting.total += 1;
        let space = waiting.spaces.entry(namespace.clone()).or_default();
        space.total += 1;
        let (waiters, name) = space.waiters(interest);
        let waiters = waiters.entry(name.into()).or_default();
        waiters.insert(ticket, wake);
        drop(waiting);
        Ok(Listener {
            hub: self.clone(),
            namespace: namespace.clone(),
            interest: interest.clone(),
            ticket,
            woken,
        })
    }

    /// Wakes those who wait for one of the keys that a commit changed. Call it once the change
    /// can be seen, and for the commits of a namespace in their order.
    pub fn publish<'a>(
        &self,
        namespace: &Namespace,
        revision: Revision,
        keys: impl ExactSizeIterator<Item = &'a Key>,
    ) {
        let mut waiting = self.lock();
        let Some(space) = waiting.spaces.get_mut(namespace) else {
            return;
        };
        let mut woken = 0;
        if keys.len() > MAX_MATCHED_CHANGES {
            woken += space.wake_all(Wake::LookAgain);
        } else {
            for key in keys {
                woken += space.wake(key, Wake::Changed(revision));
            }
        }
        if space.total == 0 {
            waiting.spaces.remove(namespace);
        }
        waiting.total -= woken;
    }

    /// Wakes those who wait in a namespace, for when many keys of it changed.
    pub fn wake_namespace(&self, namespace: &Namespace) {
        let mut waiting = self.lock();
        if let Some(mut space) = waiting.spaces.remove(namespace) {
            waiting.total -= space.wake_all(Wake::LookAgain);
        }
    }

    /// Wakes everyone, for when it is not known what changed.
    pub fn wake_all(&self) {
        let mut waiting = self.lock();
        for space in waiting.spaces.values_mut() {
            space.wake_all(Wake::LookAgain);
        }
        waiting.spaces.clear();
        waiting.total = 0;
    }

    /// Whether somebody waits in a namespace.
    #[must_use]
    pub fn is_listened_to(&self, namespace: &Namespace) -> bool {
        self.lock().spaces.contains_key(namespace)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().total
    }

    /// Every change to the maps is made in one go, so a panic elsewhere leaves them whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        waiting.total -= 1;
    }
}

impl Space {
    /// Those who wait for the same kind of thing, and the name of the one of interest.
    fn waiters<'a>(
        &mut self,
        interest: &'a Interest,
    ) -> (&mut HashMap<Box<str>, Tickets>, &'a str) {
        match interest {
            Interest::Key(key) => (&mut self.keys, key.as_str()),
            Interest::Prefix(prefix) => (&mut self.prefixes, prefix.as_str()),
        }
    }

    /// Wakes those who wait for `key` or for a prefix that it begins with; says how many.
    fn wake(&mut self, key: &Key, wake: Wake) -> usize {
        let key = key.as_str();
        let ends = (1..=key.len()).filter(|end| key.is_char_boundary(*end));
        let mut woken = 0;
        if let Some(listeners) = self.keys.remove(key) {
            woken += listeners.len();
            send(listeners, wake);
        }
        for end in ends {
            if self.prefixes.is_empty() {
                break;
            }
            if let Some(listeners) = self.prefixes.remove(&key[..end]) {
                woken += listeners.len();
                send(listeners, wake);
            }
        }
        self.total -= woken;
        woken
    }

    fn wake_all(&mut self, wake: Wake) -> usize {
        for (_, listeners) in self.keys.drain().chain(self.prefixes.drain()) {
            send(listeners, wake);
        }
        std::mem::take(&mut self.total)
    }

    fn remove(&mut self, interest: &Interest, ticket: u64) -> bool {
        let (waiters, name) = self.waiters(interest);
        let Some(listeners) = waiters.get_mut(name) else {
            return false;
        };
        if listeners.remove(&ticket).is_none() {
            return false;
        }
        if listeners.is_empty() {
            waiters.remove(name);
        }
        self.total -= 1;
        true
    }
}

/// A listener that has just been dropped needs no waking, so a failure to send is no error.
fn send(listeners: Tickets, wake: Wake) {
    for listener in listeners.into_values() {
        let _ = listener.send(wake);
    }
}

#[cfg(test)]
mod tests;
