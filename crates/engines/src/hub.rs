//! Wakes those who wait for changes, and nobody else.
//!
//! A waiter is kept under its namespace and prefix, so that a commit costs the length of the keys
//! it changed and not the number of those who wait. It is gone as soon as it is woken or dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Key, Namespace, Prefix, Revision};
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
    prefix: Prefix,
    ticket: u64,
    woken: oneshot::Receiver<Wake>,
}

/// Why a waiter was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The commit with this revision changed a key under the prefix, and none did between the
    /// beginning of the waiting and it.
    Changed(Revision),
    /// Something may have changed.
    LookAgain,
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
    prefixes: HashMap<Box<str>, HashMap<u64, oneshot::Sender<Wake>>>,
}

impl Hub {
    /// Starts waiting for changes of keys that begin with `prefix`.
    ///
    /// Look at the store after this and before [`Listener::woken`]; then no change is missed.
    ///
    /// # Errors
    /// When [`MAX_WAITING`] or [`MAX_WAITING_PER_NAMESPACE`] is reached.
    pub fn listen(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
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
        space
            .prefixes
            .entry(prefix.as_str().into())
            .or_default()
            .insert(ticket, wake);
        drop(waiting);
        Ok(Listener {
            hub: self.clone(),
            namespace: namespace.clone(),
            prefix: prefix.clone(),
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
    /// Waits until something under the prefix changes.
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
        if !space.remove(self.prefix.as_str(), self.ticket) {
            return;
        }
        if space.total == 0 {
            waiting.spaces.remove(&self.namespace);
        }
        waiting.total -= 1;
    }
}

impl Space {
    /// Wakes those whose prefix `key` begins with; says how many.
    fn wake(&mut self, key: &Key, wake: Wake) -> usize {
        let key = key.as_str();
        let ends = (1..=key.len()).filter(|end| key.is_char_boundary(*end));
        let mut woken = 0;
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
        for (_, listeners) in self.prefixes.drain() {
            send(listeners, wake);
        }
        std::mem::take(&mut self.total)
    }

    fn remove(&mut self, prefix: &str, ticket: u64) -> bool {
        let Some(listeners) = self.prefixes.get_mut(prefix) else {
            return false;
        };
        if listeners.remove(&ticket).is_none() {
            return false;
        }
        if listeners.is_empty() {
            self.prefixes.remove(prefix);
        }
        self.total -= 1;
        true
    }
}

/// A listener that has just been dropped needs no waking, so a failure to send is no error.
fn send(listeners: HashMap<u64, oneshot::Sender<Wake>>, wake: Wake) {
    for listener in listeners.into_values() {
        let _ = listener.send(wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    fn publish(hub: &Hub, name: &str, revision: u64, keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|key| Key::parse(key).unwrap()).collect();
        hub.publish(&namespace(name), Revision::new(revision), keys.iter());
    }

    fn is_woken(listener: &mut Listener) -> Option<Wake> {
        listener.woken.try_recv().ok()
    }

    #[test]
    fn a_change_wakes_those_whose_prefix_it_has_and_nobody_else() {
        let hub = Hub::default();
        let alice = namespace("alice");
        let mut everything = hub.listen(&alice, &prefix("/")).unwrap();
        let mut exact = hub.listen(&alice, &prefix("/é/x")).unwrap();
        let mut sibling = hub.listen(&alice, &prefix("/é/y")).unwrap();
        let mut other = hub.listen(&namespace("alice2"), &prefix("/")).unwrap();
        publish(&hub, "alice", 7, &["/é/x"]);
        let expected = Some(Wake::Changed(Revision::new(7)));
        assert_eq!(is_woken(&mut everything), expected);
        assert_eq!(is_woken(&mut exact), expected);
        assert_eq!(is_woken(&mut sibling), None);
        assert_eq!(is_woken(&mut other), None);
        assert_eq!(hub.waiting(), 2);
    }

    #[test]
    fn a_commit_of_many_changes_wakes_the_whole_namespace() {
        let hub = Hub::default();
        let mut listener = hub.listen(&namespace("alice"), &prefix("/none")).unwrap();
        let keys: Vec<_> = (0..=MAX_MATCHED_CHANGES).map(|n| n.to_string()).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        publish(&hub, "alice", 1, &keys);
        assert_eq!(is_woken(&mut listener), Some(Wake::LookAgain));
        assert_eq!(hub.waiting(), 0);
    }

    #[test]
    fn nothing_is_left_when_nobody_waits() {
        let hub = Hub::default();
        let first = hub.listen(&namespace("alice"), &prefix("/a")).unwrap();
        let second = hub.listen(&namespace("alice"), &prefix("/a")).unwrap();
        drop(first);
        assert_eq!(hub.waiting(), 1);
        publish(&hub, "alice", 1, &["/a"]);
        assert!(hub.lock().spaces.is_empty());
        drop(second);
        assert_eq!(hub.waiting(), 0);
        hub.wake_all();
        assert_eq!(hub.waiting(), 0);
    }

    #[test]
    fn one_namespace_leaves_room_for_the_others() {
        let hub = Hub::default();
        let alice = namespace("alice");
        let listeners: Vec<_> = (0..MAX_WAITING_PER_NAMESPACE)
            .map(|_| hub.listen(&alice, &prefix("/")).unwrap())
            .collect();
        assert!(hub.listen(&alice, &prefix("/")).is_err());
        assert!(hub.listen(&namespace("bob"), &prefix("/")).is_ok());
        drop(listeners);
        assert!(hub.listen(&alice, &prefix("/")).is_ok());
    }
}
