//! Permits for something of which there is only so much, handed out to owners in turn.
//!
//! Each owner has a line of requests that wait. What becomes free goes to the first of the owner whose turn it
//! is. So an owner who is alone gets everything, and two who both wait get half each, however long their lines
//! are. The number of those that wait is limited too: where it is reached, the longest line gives up its newest
//! request for one of another owner.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The permits; cheap to clone.
pub struct FairPermits<U: Owner>(Arc<Inner<U>>);

/// Whoever permits are handed out to.
pub trait Owner: Clone + Eq + Hash {}

impl<U: Clone + Eq + Hash> Owner for U {}

/// The number of permits, and the way they are shared.
#[derive(Clone, Copy, Debug)]
pub struct Sharing {
    /// Permits in all, in any unit.
    pub total: usize,
    /// Requests that may wait.
    pub waiting: usize,
    /// The most that one owner may hold.
    pub most: Most,
}

/// The most that one owner may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// Everything: for work that the server itself finishes soon.
    All,
    /// As much as stays free for others: for permits that are held as long as their owner likes. So one owner
    /// holds half at most, two a third each, and there is always something left for one more ("dynamic queue
    /// length thresholds", Choudhury and Hahne, IEEE/ACM Transactions on Networking 6, 1998).
    WhatIsLeft,
}

/// A permit that is held until it is dropped.
#[must_use]
pub struct Permit<U: Owner> {
    permits: FairPermits<U>,
    owner: U,
    cost: usize,
}

/// Too many requests wait, and this owner has most of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait")]
pub struct Crowded;

struct Inner<U: Owner> {
    sharing: Sharing,
    state: Mutex<State<U>>,
}

struct State<U: Owner> {
    held: usize,
    /// The permits that each owner holds.
    holders: HashMap<U, usize>,
    lines: HashMap<U, Line<U>>,
    /// Owners with a line, in the order of their turns. None is in it twice.
    turns: VecDeque<U>,
    waiting: usize,
    next_ticket: i64,
}

/// The requests of one owner that wait, in their order.
type Line<U> = BTreeMap<i64, Waiter<U>>;

struct Waiter<U: Owner> {
    cost: usize,
    ready: oneshot::Sender<Permit<U>>,
}

/// A request that waits. Dropping it leaves the line.
struct Waiting<U: Owner> {
    permits: FairPermits<U>,
    owner: U,
    ticket: i64,
    ready: oneshot::Receiver<Permit<U>>,
}

/// The place in the line of an owner.
#[derive(Clone, Copy)]
enum Place {
    First,
    Last,
}

impl<U: Owner> FairPermits<U> {
    /// Permits that nobody holds.
    #[must_use]
    pub fn new(sharing: Sharing) -> Self {
        Self(Arc::new(Inner {
            sharing,
            state: Mutex::new(State {
                held: 0,
                holders: HashMap::new(),
                lines: HashMap::new(),
                turns: VecDeque::new(),
                waiting: 0,
                next_ticket: 0,
            }),
        }))
    }

    /// Waits for a permit of this cost. A cost beyond what one owner can have counts as that.
    ///
    /// # Errors
    /// If too many wait.
    pub async fn acquire(&self, owner: &U, cost: usize) -> Result<Permit<U>, Crowded> {
        match self.take_or_wait(owner, cost)? {
            Ok(permit) => Ok(permit),
            Err(waiting) => waiting.granted().await,
        }
    }

    /// The same if it can be had at once.
    #[must_use]
    pub fn try_acquire(&self, owner: &U, cost: usize) -> Option<Permit<U>> {
        let cost = self.0.sharing.limit(cost);
        let mut state = self.state();
        if !state.lines.contains_key(owner) && state.fits(self.0.sharing, owner, cost) {
            state.hold(owner, cost);
            drop(state);
            return Some(self.permit(owner, cost));
        }
        None
    }

    /// The permits that are held in all.
    #[must_use]
    pub fn held(&self) -> usize {
        self.state().held
    }

    fn permit(&self, owner: &U, cost: usize) -> Permit<U> {
        Permit {
            permits: self.clone(),
            owner: owner.clone(),
            cost,
        }
    }

    fn take_or_wait(
        &self,
        owner: &U,
        cost: usize,
    ) -> Result<Result<Permit<U>, Waiting<U>>, Crowded> {
        if let Some(permit) = self.try_acquire(owner, cost) {
            return Ok(Ok(permit));
        }
        let sharing = self.0.sharing;
        let mut state = self.state();
        let given_up = match state.waiting < sharing.waiting {
            true => None,
            false => Some(state.give_up(owner).ok_or(Crowded)?),
        };
        let waiting = self.join(&mut state, owner, sharing.limit(cost), Place::Last);
        // A permit may have come back since the attempt.
        let granted = state.grant(sharing);
        drop(state);
        drop(given_up);
        self.hand_out(granted);
        Ok(Err(waiting))
    }

    fn join(&self, state: &mut State<U>, owner: &U, cost: usize, place: Place) -> Waiting<U> {
        let (sender, ready) = oneshot::channel();
        let waiter = Waiter {
            cost,
            ready: sender,
        };
        Waiting {
            permits: self.clone(),
            owner: owner.clone(),
            ticket: state.join(owner, waiter, place),
            ready,
        }
    }

    /// Gives granted permits to those who wait. One whose receiver has gone comes back at once.
    fn hand_out(&self, granted: Vec<(U, Waiter<U>)>) {
        for (owner, Waiter { cost, ready }) in granted {
            drop(ready.send(self.permit(&owner, cost)));
        }
    }

    /// No step under the lock can fail halfway.
    fn state(&self) -> MutexGuard<'_, State<U>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U: Owner> Permit<U> {
    /// True if another owner waits for one.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.permits.state().is_wanted_by_others(&self.owner)
    }

    /// Gives it back to let others have their turn, if another owner waits, and takes it again before what else
    /// this owner waits for.
    ///
    /// # Errors
    /// If too many wait.
    pub async fn take_turns(self) -> Result<Self, Crowded> {
        if !self.is_wanted() {
            return Ok(self);
        }
        let waiting = self.wait_again();
        drop(self);
        waiting.granted().await
    }

    /// Waits for the permit once more, before it is given back: what comes back now is for another owner.
    fn wait_again(&self) -> Waiting<U> {
        let mut state = self.permits.state();
        let waiting = self
            .permits
            .join(&mut state, &self.owner, self.cost, Place::First);
        state.turns.retain(|other| *other != self.owner);
        state.turns.push_back(self.owner.clone());
        waiting
    }

    /// Gives back what of the permit is beyond this cost.
    pub fn shrink(&mut self, cost: usize) {
        if let Some(surplus) = self.cost.checked_sub(cost) {
            self.cost = cost;
            self.permits.give_back(&self.owner, surplus);
        }
    }
}

impl<U: Owner> FairPermits<U> {
    fn give_back(&self, owner: &U, cost: usize) {
        let mut state = self.state();
        state.held -= cost;
        if let Some(held) = state.holders.get_mut(owner) {
            *held -= cost;
            // Otherwise the table would keep every owner that ever held one.
            if *held == 0 {
                state.holders.remove(owner);
            }
        }
        let granted = state.grant(self.0.sharing);
        drop(state);
        self.hand_out(granted);
    }
}

impl<U: Owner> Drop for Permit<U> {
    fn drop(&mut self) {
        self.permits.give_back(&self.owner, self.cost);
    }
}

impl<U: Owner> Waiting<U> {
    async fn granted(mut self) -> Result<Permit<U>, Crowded> {
        // The line drops the sender of a request that it gives up.
        (&mut self.ready).await.map_err(|_| Crowded)
    }
}

impl<U: Owner> Drop for Waiting<U> {
    fn drop(&mut self) {
        let left = self.permits.state().leave(&self.owner, self.ticket);
        drop(left);
    }
}

impl Sharing {
    /// A cost, or the most that one owner can have.
    fn limit(self, cost: usize) -> usize {
        match self.most {
            Most::All => cost.min(self.total),
            Most::WhatIsLeft => cost.min(self.total / 2),
        }
    }
}

impl<U: Owner> State<U> {
    /// True if an owner may hold so much more now.
    fn fits(&self, sharing: Sharing, owner: &U, cost: usize) -> bool {
        let Some(left) = sharing.total.checked_sub(self.held + cost) else {
            return false;
        };
        match sharing.most {
            Most::All => true,
            Most::WhatIsLeft => self.holders.get(owner).copied().unwrap_or(0) + cost <= left,
        }
    }

    fn hold(&mut self, owner: &U, cost: usize) {
        self.held += cost;
        *self.holders.entry(owner.clone()).or_default() += cost;
    }

    fn join(&mut self, owner: &U, waiter: Waiter<U>, place: Place) -> i64 {
        let line = self.lines.entry(owner.clone()).or_insert_with(|| {
            self.turns.push_back(owner.clone());
            Line::new()
        });
        let ticket = match place {
            Place::Last => self.next_ticket,
            // Tickets of this kind are below 0, and those before it are smaller.
            Place::First => line.keys().next().map_or(-1, |first| first.min(&0) - 1),
        };
        self.next_ticket += 1;
        line.insert(ticket, waiter);
        self.waiting += 1;
        ticket
    }

    fn leave(&mut self, owner: &U, ticket: i64) -> Option<Waiter<U>> {
        let line = self.lines.get_mut(owner)?;
        let waiter = line.remove(&ticket)?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(owner);
            self.turns.retain(|other| other != owner);
        }
        Some(waiter)
    }

    /// Takes the newest request out of the longest line, if that is another owner's and longer than this owner's
    /// with one more.
    fn give_up(&mut self, owner: &U) -> Option<Waiter<U>> {
        let own = self.lines.get(owner).map_or(0, BTreeMap::len);
        let (largest, line) = self.lines.iter().max_by_key(|(_, line)| line.len())?;
        if largest == owner || line.len() <= own + 1 {
            return None;
        }
        let (largest, newest) = (largest.clone(), *line.keys().next_back()?);
        self.leave(&largest, newest)
    }

    fn is_wanted_by_others(&self, owner: &U) -> bool {
        self.turns.iter().any(|other| other != owner)
    }

    /// Takes those out of the lines who get what is free, in turn.
    fn grant(&mut self, sharing: Sharing) -> Vec<(U, Waiter<U>)> {
        let mut granted = Vec::new();
        let mut passed_over = 0;
        while passed_over < self.turns.len() {
            let Some(owner) = self.turns.pop_front() else {
                break;
            };
            self.turns.push_back(owner.clone());
            let first = self.lines.get(&owner).and_then(BTreeMap::first_key_value);
            let first = first.map(|(ticket, waiter)| (*ticket, waiter.cost));
            match first.filter(|(_, cost)| self.fits(sharing, &owner, *cost)) {
                None => passed_over += 1,
                Some((ticket, cost)) => {
                    passed_over = 0;
                    self.hold(&owner, cost);
                    granted.extend(self.leave(&owner, ticket).map(|waiter| (owner, waiter)));
                }
            }
        }
        granted
    }
}

impl<U: Owner> Clone for FairPermits<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: Owner> fmt::Debug for Permit<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("cost", &self.cost).finish()
    }
}

#[cfg(test)]
mod tests;
