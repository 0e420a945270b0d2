//! Places of which there are only so many, each of which its owner can lose to another.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The places; cheap to clone.
pub(super) struct Places<U: Eq + Hash>(Arc<Inner<U>>);

/// A place that is taken until this is dropped.
pub(super) struct Place<U: Clone + Eq + Hash> {
    places: Places<U>,
    owner: U,
    ticket: u64,
}

/// Whoever has a place.
#[derive(Default)]
pub(super) struct Holder {
    /// Notified when the place is lost.
    pub(super) lost: Notify,
    /// True if it only waits for its client.
    pub(super) is_idle: AtomicBool,
}

/// The place that the owner with most of them loses, when all are taken.
#[derive(Clone, Copy)]
pub(super) enum Loser {
    /// Its newest one, for an owner who has fewer places even with one more.
    Newest,
    /// Its oldest one that is idle, if that was taken so long ago.
    OldestAfter(Duration),
}

struct Inner<U> {
    limit: usize,
    loser: Loser,
    state: Mutex<State<U>>,
    freed: Notify,
}

struct State<U> {
    taken: usize,
    next_ticket: u64,
    /// The places of each owner in the order in which they were taken.
    by_owner: HashMap<U, BTreeMap<u64, Taken>>,
}

struct Taken {
    at: Instant,
    holder: Arc<Holder>,
}

impl<U: Clone + Eq + Hash> Places<U> {
    pub(super) fn new(limit: usize, loser: Loser) -> Self {
        Self(Arc::new(Inner {
            limit: limit.max(1),
            loser,
            freed: Notify::new(),
            state: Mutex::new(State {
                taken: 0,
                next_ticket: 0,
                by_owner: HashMap::new(),
            }),
        }))
    }

    /// Takes a place, which may be one that an owner loses; `None` if there is none for this owner now. The holder is
    /// notified when this place is lost in turn.
    pub(super) fn take(&self, owner: &U, holder: &Arc<Holder>, now: Instant) -> Option<Place<U>> {
        let mut state = self.state();
        if state.taken >= self.0.limit {
            let loser = state.displace(owner, self.0.loser, now)?;
            loser.lost.notify_one();
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.taken += 1;
        let own = state.by_owner.entry(owner.clone()).or_default();
        let holder = Arc::clone(holder);
        own.insert(ticket, Taken { at: now, holder });
        Some(Place {
            places: Self(Arc::clone(&self.0)),
            owner: owner.clone(),
            ticket,
        })
    }

    /// Comes when a place is free again.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// The number of places that are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.state().taken
    }

    /// No step under the lock can fail halfway.
    fn state(&self) -> MutexGuard<'_, State<U>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U: Clone + Eq + Hash> State<U> {
    /// Frees a place of the owner with most of them for this one.
    fn displace(&mut self, owner: &U, loser: Loser, now: Instant) -> Option<Arc<Holder>> {
        let own = self.by_owner.get(owner).map_or(0, BTreeMap::len);
        let (largest, places) = self
            .by_owner
            .iter()
            .max_by_key(|(_, places)| places.len())?;
        let ticket = match loser {
            Loser::Newest => {
                let (newest, _) = places.last_key_value()?;
                (places.len() > own + 1).then_some(*newest)?
            }
            Loser::OldestAfter(time) => {
                // A request that this server has not read or answered yet is not the client's fault.
                let mut idle = places.iter().filter(|(_, taken)| taken.is_idle());
                let (oldest, taken) = idle.next()?;
                let is_old = now.saturating_duration_since(taken.at) >= time;
                is_old.then_some(*oldest)?
            }
        };
        let largest = largest.clone();
        self.free(&largest, ticket)
    }

    fn free(&mut self, owner: &U, ticket: u64) -> Option<Arc<Holder>> {
        let own = self.by_owner.get_mut(owner)?;
        let Taken { holder, .. } = own.remove(&ticket)?;
        self.taken -= 1;
        // Otherwise the table would keep every owner that ever had a place.
        if own.is_empty() {
            self.by_owner.remove(owner);
        }
        Some(holder)
    }
}

impl Taken {
    fn is_idle(&self) -> bool {
        self.holder.is_idle.load(Ordering::Relaxed)
    }
}

impl<U: Clone + Eq + Hash> Place<U> {
    pub(super) fn owner(&self) -> &U {
        &self.owner
    }
}

impl<U: Clone + Eq + Hash> Drop for Place<U> {
    fn drop(&mut self) {
        // A place that was lost is free already.
        if self.places.state().free(&self.owner, self.ticket).is_some() {
            self.places.0.freed.notify_one();
        }
    }
}

impl<U: Eq + Hash> Clone for Places<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
