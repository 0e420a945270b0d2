//! Queues of claims that wait for work, in the order of their arrival.
//!
//! Each namespace and prefix has a queue of its own while a claim waits there. Only the first claim in the
//! queue listens for changes and tries to claim; the others sleep, which costs the store nothing. A claim that
//! got work notifies the next two, because there may be more. So many new keys are claimed by many workers at
//! once, and one new key causes at most two attempts in vain.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Namespace, Prefix, Signal};
use tokio::sync::Notify;

/// The claims that each successful claim notifies: two, so that the number of workers doubles while there is
/// work, and grows no faster.
const NOTIFIED_BY_EACH: usize = 2;

/// The queues of all namespaces. Every queued claim is a long poll, whose number is limited.
#[derive(Clone, Default)]
pub(crate) struct ClaimQueues(Arc<Mutex<State>>);

/// A claim in a queue. Dropping it leaves the queue.
pub(crate) struct QueuedClaim {
    queues: ClaimQueues,
    queue: QueueKey,
    ticket: u64,
    wake: Arc<Notify>,
    outcome: Outcome,
}

type QueueKey = (Namespace, Prefix);

/// The end of a claim's wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    WithoutWork,
    WithWork,
}

#[derive(Default)]
struct State {
    next_ticket: u64,
    /// Each queue in the order of arrival.
    queues: HashMap<QueueKey, BTreeMap<u64, Waiter>>,
}

/// The queue's part of a queued claim.
struct Waiter {
    wake: Arc<Notify>,
    /// True if there is a notification that the claim has not taken yet.
    is_notified: bool,
}

impl ClaimQueues {
    /// True if a claim waits already, so that a new one has to queue behind it.
    pub(crate) fn has_waiters(&self, namespace: &Namespace, prefix: &Prefix) -> bool {
        let queue = (namespace.clone(), prefix.clone());
        self.lock().queues.contains_key(&queue)
    }

    /// Puts a claim at the end of a queue.
    pub(crate) fn join(&self, namespace: &Namespace, prefix: &Prefix) -> QueuedClaim {
        let queue = (namespace.clone(), prefix.clone());
        let wake = Arc::new(Notify::new());
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let waiter = Waiter {
            wake: Arc::clone(&wake),
            is_notified: false,
        };
        let waiters = state.queues.entry(queue.clone()).or_default();
        waiters.insert(ticket, waiter);
        drop(state);
        QueuedClaim {
            queues: self.clone(),
            queue,
            ticket,
            wake,
            outcome: Outcome::WithoutWork,
        }
    }

    /// Takes the notification of a queued claim, if there is one.
    fn take_notification(&self, queue: &QueueKey, ticket: u64) -> bool {
        let mut state = self.lock();
        let waiters = state.queues.get_mut(queue);
        let waiter = waiters.and_then(|waiters| waiters.get_mut(&ticket));
        waiter.is_some_and(|waiter| std::mem::take(&mut waiter.is_notified))
    }

    /// Every change is complete before the lock is released, so a panic elsewhere leaves the queues whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedClaim {
    /// True if this claim is the first of its queue. Once it is, it stays so: others join behind it.
    pub(crate) fn is_first(&self) -> bool {
        let state = self.queues.lock();
        let waiters = state.queues.get(&self.queue);
        let first = waiters.and_then(|waiters| waiters.first_key_value());
        first.is_some_and(|(ticket, _)| *ticket == self.ticket)
    }

    /// Comes once this claim is the first of its queue, or other claims found work.
    pub(crate) fn notified(&self) -> Signal {
        let (queues, wake) = (self.queues.clone(), Arc::clone(&self.wake));
        let (queue, ticket) = (self.queue.clone(), self.ticket);
        Box::pin(async move {
            // `Notify` keeps one permit, also for a notification that was taken before; so the state decides.
            while !queues.take_notification(&queue, ticket) {
                wake.notified().await;
            }
        })
    }

    /// Leaves the queue with work, and notifies the next claims.
    pub(crate) fn leave_with_work(mut self) {
        self.outcome = Outcome::WithWork;
    }
}

impl Drop for QueuedClaim {
    fn drop(&mut self) {
        let mut state = self.queues.lock();
        let Some(waiters) = state.queues.get_mut(&self.queue) else {
            return;
        };
        let first = waiters.first_key_value();
        let was_first = first.is_some_and(|(ticket, _)| *ticket == self.ticket);
        waiters.remove(&self.ticket);
        let waiting = waiters.values_mut().filter(|waiter| !waiter.is_notified);
        if self.outcome == Outcome::WithWork {
            waiting.take(NOTIFIED_BY_EACH).for_each(Waiter::notify);
        }
        // The first claim is the only one that listens for changes. Without this the queue would sleep on.
        if was_first && let Some(mut first) = waiters.first_entry() {
            first.get_mut().notify();
        }
        if waiters.is_empty() {
            state.queues.remove(&self.queue);
        }
    }
}

impl Waiter {
    fn notify(&mut self) {
        self.is_notified = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn join(queues: &ClaimQueues, user: &str, prefix: &str) -> QueuedClaim {
        let namespace = Namespace::parse(user).unwrap();
        queues.join(&namespace, &Prefix::parse(prefix).unwrap())
    }

    /// Takes the notification of each claim, and says which had one.
    fn notified(claims: &[QueuedClaim]) -> Vec<bool> {
        let notified = |claim: &QueuedClaim| claim.notified().now_or_never().is_some();
        claims.iter().map(notified).collect()
    }

    #[test]
    fn each_claim_becomes_the_first_in_the_order_of_arrival() {
        let queues = ClaimQueues::default();
        let mut claims: Vec<_> = (0..3).map(|_| join(&queues, "alice", "/w/")).collect();
        assert!(claims[0].is_first() && !claims[1].is_first());
        drop(claims.remove(1));
        assert_eq!(notified(&claims), [false, false]);
        let mut first = claims[1].notified();
        assert!((&mut first).now_or_never().is_none());
        drop(claims.remove(0));
        assert!(first.now_or_never().is_some() && claims[0].is_first());
    }

    #[test]
    fn who_was_served_tells_two_who_have_not_been_notified() {
        let queues = ClaimQueues::default();
        let mut claims: Vec<_> = (0..6).map(|_| join(&queues, "alice", "/w/")).collect();
        claims.remove(0).leave_with_work();
        claims.remove(0).leave_with_work();
        // The notification of the second went on to another claim when it left.
        assert_eq!(notified(&claims), [true, true, true, false]);
        assert_eq!(
            notified(&claims),
            [false; 4],
            "a notification is taken once"
        );
        // A claim that leaves without work notifies only the next first one.
        drop(claims.remove(1));
        assert_eq!(notified(&claims), [false; 3]);
        drop(claims.remove(0));
        assert_eq!(notified(&claims), [true, false]);
    }

    #[test]
    fn queues_are_separate_and_end_with_their_last_claim() {
        let queues = ClaimQueues::default();
        let claims = [
            join(&queues, "alice", "/w/"),
            join(&queues, "alice", "/v/"),
            join(&queues, "alice2", "/w/"),
        ];
        assert!(claims.iter().all(QueuedClaim::is_first));
        drop(claims);
        assert!(queues.lock().queues.is_empty());
    }
}
